//! A mutex that belongs to a task, which others may take while the task rests.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, TryLockError};
use std::task::{Context, Poll, Waker};

/// What one task, the owner, works on, and others do at their own calls when they find it free. Nobody ever
/// blocks: who finds it taken goes away.
///
/// A visitor that goes away is nobody's concern here; it may wake the owner, or wait for it. An owner that
/// comes amid a visit has *missed* its turn, and the visitor wakes it after unlocking. No such miss is lost:
/// the owner says that it missed before it looks a second time, and the visitor unlocks before it asks
/// whether anybody did. Both do so with a read-modify-write of the same flag, so one of the two comes second
/// and sees what the other did before its own: either the visitor sees the miss, or the owner the unlocked
/// mutex. (A plain load and store would not do, as each might pass the other.)
///
/// Who panics amid work may leave half of it behind: records that were opened and not handed over, or given a
/// number and not sent. Bytes of streams would be lost or garbled if anybody went on with that, so nobody
/// gets at it again. The owner is told, whose part it is to end the connection; what that carried goes out on
/// another one.
#[derive(Debug)]
pub(super) struct TaskMutex<T> {
    value: Mutex<T>,
    /// Whether the owner came amid a visit, and is to be woken after it.
    missed: AtomicBool,
    owner: OnceLock<Waker>,
}

/// Somebody who held it panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spoilt;

impl<T> TaskMutex<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            missed: AtomicBool::new(false),
            owner: OnceLock::new(),
        }
    }

    /// Says that the task of `cx` is the owner, which has one waker for all its life. To be told of a miss it
    /// need not say so before; to be told of anything else it does.
    pub(super) fn set_owner(&self, cx: &Context<'_>) {
        self.owner.get_or_init(|| cx.waker().clone());
    }

    /// For the owner, which is woken when somebody else holds it and has let go.
    pub(super) fn poll_lock(&self, cx: &Context<'_>) -> Poll<Result<MutexGuard<'_, T>, Spoilt>> {
        match self.try_lock() {
            Poll::Pending => {
                window();
                self.miss(cx);
                window();
                // Whose visit ended before that has unlocked already.
                self.try_lock()
            }
            locked @ Poll::Ready(_) => locked,
        }
    }

    /// For anybody else: nothing when it is taken, or is the owner's to end.
    pub(super) fn visit(&self) -> Option<Visit<'_, T>> {
        match self.try_lock() {
            Poll::Ready(Ok(value)) => Some(Visit {
                value,
                end: VisitEnd {
                    missed: &self.missed,
                    owner: &self.owner,
                    word: Word::Always,
                },
            }),
            Poll::Ready(Err(Spoilt)) | Poll::Pending => None,
        }
    }

    /// Has the end of the visit wake the owner.
    pub(super) fn miss(&self, cx: &Context<'_>) {
        // Before the flag, for whoever finds that set.
        self.set_owner(cx);
        self.missed.swap(true, Ordering::AcqRel);
    }

    fn try_lock(&self) -> Poll<Result<MutexGuard<'_, T>, Spoilt>> {
        match self.value.try_lock() {
            Ok(value) => Poll::Ready(Ok(value)),
            Err(TryLockError::WouldBlock) => Poll::Pending,
            Err(TryLockError::Poisoned(_)) => Poll::Ready(Err(Spoilt)),
        }
    }
}

/// What somebody else than the owner holds. Dropped as it is, it wakes the owner in any case: it has to look
/// at something, or its visitor panics.
#[derive(Debug)]
pub(super) struct Visit<'a, T> {
    // Fields are dropped in this order: first it is unlocked.
    value: MutexGuard<'a, T>,
    end: VisitEnd<'a>,
}

impl<T> Visit<'_, T> {
    /// Lets go; the owner is woken if it came meanwhile.
    pub(super) fn leave(mut self) {
        self.end.word = Word::IfMissed;
    }
}

impl<T> Deref for Visit<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Visit<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// What is done after unlocking.
#[derive(Debug)]
struct VisitEnd<'a> {
    missed: &'a AtomicBool,
    owner: &'a OnceLock<Waker>,
    word: Word,
}

/// When the owner hears of the end of a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Always,
    IfMissed,
}

impl Drop for VisitEnd<'_> {
    fn drop(&mut self) {
        window();
        let missed = self.missed.swap(false, Ordering::AcqRel);
        if (missed || self.word == Word::Always)
            && let Some(owner) = self.owner.get()
        {
            owner.wake_by_ref();
        }
        window();
    }
}

/// Where it matters what another thread does in between; in tests, it does.
#[cfg(not(test))]
const fn window() {}

#[cfg(test)]
use tests::window;

#[cfg(test)]
mod tests;
