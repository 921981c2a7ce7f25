//! Who waits for what in a session, and who is to be woken.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use tcpls_core::wire::StreamId;

use super::wakeups::Wakeups;

/// The application's tasks that wait for something.
#[derive(Default)]
pub(crate) struct Waiting {
    /// Tasks that wait for a stream half; a half has one at most, because its methods borrow it. What waited
    /// once is likely to wait again: a stream stays here until one of its halves is dropped.
    streams: BTreeMap<StreamId, StreamWakers>,
    accepting: BTreeMap<Key, Waker>,
    /// For streams on which only the peer sends.
    accepting_uni: BTreeMap<Key, Waker>,
    opening: BTreeMap<Key, Waker>,
    closing: BTreeMap<Key, Waker>,
    /// Who waits for a token, or for a connection to be established.
    joining: BTreeMap<Key, Waker>,
    /// How many words were ever left for the session; none has the key of another.
    words: u64,
}

/// A word left by somebody who waits for something of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u64);

impl Waiting {
    /// Waits for `interest` on a stream half.
    pub(crate) fn for_stream<R>(
        &mut self,
        id: StreamId,
        interest: Interest,
        cx: &Context<'_>,
    ) -> Poll<R> {
        let wakers = self.streams.entry(id).or_default();
        *wakers.slot(interest) = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Forgets who waits for `interests`, when that half of the stream is dropped.
    pub(crate) fn forget_stream(&mut self, id: StreamId, interests: &[Interest]) {
        if let Some(wakers) = self.streams.get_mut(&id) {
            for &interest in interests {
                *wakers.slot(interest) = None;
            }
            if wakers.is_empty() {
                self.streams.remove(&id);
            }
        }
    }

    /// Forgets for now who waits for `interest` on a stream half.
    pub(crate) fn take_back(&mut self, id: StreamId, interest: Interest) {
        if let Some(wakers) = self.streams.get_mut(&id) {
            *wakers.slot(interest) = None;
        }
    }

    /// Leaves word that somebody waits for `wait`, in place of the word that it left before.
    pub(super) fn for_session(&mut self, wait: Wait, before: Option<Key>, cx: &Context<'_>) -> Key {
        if let Some(key) = before
            && let Some(waker) = self.list(wait).get_mut(&key)
        {
            waker.clone_from(cx.waker());
            return key;
        }
        let key = Key(self.words);
        self.words += 1;
        self.list(wait).insert(key, cx.waker().clone());
        key
    }

    /// Takes back a word, unless it was used.
    pub(super) fn forget(&mut self, wait: Wait, key: Key) -> Option<Waker> {
        self.list(wait).remove(&key)
    }

    /// How many wait for `wait`.
    #[cfg(test)]
    pub(super) fn count(&mut self, wait: Wait) -> usize {
        self.list(wait).len()
    }

    /// Has everybody woken who waits for `wait`.
    pub(super) fn wake(&mut self, wait: Wait, wakeups: &mut Wakeups) {
        let woken = std::mem::take(self.list(wait));
        wakeups.tasks.extend(woken.into_values());
    }

    /// Has the task woken that waits for `interest` on a stream half.
    pub(super) fn wake_stream(&mut self, id: StreamId, interest: Interest, wakeups: &mut Wakeups) {
        if let Some(wakers) = self.streams.get_mut(&id) {
            wakeups.tasks.extend(wakers.slot(interest).take());
        }
    }

    /// Has everybody woken: the session is over.
    pub(super) fn wake_everybody(&mut self, wakeups: &mut Wakeups) {
        for wait in Wait::ALL {
            self.wake(wait, wakeups);
        }
        for wakers in std::mem::take(&mut self.streams).into_values() {
            wakeups.tasks.extend(wakers.read);
            wakeups.tasks.extend(wakers.write);
            wakeups.tasks.extend(wakers.acked);
            wakeups.tasks.extend(wakers.sent);
        }
    }

    fn list(&mut self, wait: Wait) -> &mut BTreeMap<Key, Waker> {
        match wait {
            Wait::Accept => &mut self.accepting,
            Wait::AcceptUni => &mut self.accepting_uni,
            Wait::Open => &mut self.opening,
            Wait::Closed => &mut self.closing,
            Wait::Join => &mut self.joining,
        }
    }
}

/// What a task waits for on a stream half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    Write,
    Acked,
    Sent,
}

/// What a task waits for on the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Accept,
    AcceptUni,
    Open,
    Closed,
    Join,
}

impl Wait {
    const ALL: [Self; 5] = [
        Self::Accept,
        Self::AcceptUni,
        Self::Open,
        Self::Closed,
        Self::Join,
    ];
}

#[derive(Default)]
struct StreamWakers {
    read: Option<Waker>,
    write: Option<Waker>,
    acked: Option<Waker>,
    sent: Option<Waker>,
}

impl StreamWakers {
    fn slot(&mut self, interest: Interest) -> &mut Option<Waker> {
        match interest {
            Interest::Read => &mut self.read,
            Interest::Write => &mut self.write,
            Interest::Acked => &mut self.acked,
            Interest::Sent => &mut self.sent,
        }
    }

    fn is_empty(&self) -> bool {
        self.read.is_none() && self.write.is_none() && self.acked.is_none() && self.sent.is_none()
    }
}
