//! A place among those who wait for something of the session.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::owed::Visitor;
use super::waiting::{Key, Wait};
use super::{Shared, State};

impl Shared {
    /// Asks `look` until it gives something: now, and whenever what `wait` names changes.
    ///
    /// Dropped before it completes, it leaves nothing behind: a session can live for weeks, and a task
    /// for each of its streams may have waited for its end.
    pub(crate) async fn wait_for<R>(
        &self,
        wait: Wait,
        mut look: impl FnMut(&mut State) -> Option<R>,
    ) -> R {
        let mut place = Place {
            shared: self,
            wait,
            key: None,
        };
        let visitor = match wait {
            Wait::Open => Visitor::Other,
            Wait::Accept | Wait::AcceptUni | Wait::Closed | Wait::Join => Visitor::Waiting,
        };
        poll_fn(|cx| {
            self.visit(visitor, |state| match look(state) {
                Some(result) => Poll::Ready(result),
                None => place.poll(state, cx),
            })
        })
        .await
    }
}

/// Given up when dropped.
struct Place<'a> {
    shared: &'a Shared,
    wait: Wait,
    /// The word that was left last; it may have been taken since.
    key: Option<Key>,
}

impl Place<'_> {
    fn poll<R>(&mut self, state: &mut State, cx: &Context<'_>) -> Poll<R> {
        self.key = Some(state.waiting.for_session(self.wait, self.key, cx));
        Poll::Pending
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let forget = |state: &mut State| state.waiting.forget(self.wait, key);
            // The task that it would have woken may end here, which is not to happen under the lock.
            drop(self.shared.inspect_mut(forget));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Waker;

    use tcpls_core::wire::Role;
    use tcpls_core::{Session, SessionConfig};

    use super::super::wakeups::Wakeups;
    use super::*;

    fn session() -> Shared {
        let now = crate::clock::now();
        Shared::new(Session::new(Role::Server, SessionConfig::new(), now))
    }

    fn waiting(shared: &Shared) -> usize {
        shared.inspect_mut(|state| state.waiting.count(Wait::Closed))
    }

    /// Tasks that came and went are not remembered, however many there were.
    #[test]
    fn who_waits_no_more_is_forgotten() {
        let shared = session();
        let mut cx = Context::from_waker(Waker::noop());
        let mut stays = pin!(shared.wait_for(Wait::Closed, |_| None::<()>));
        assert!(stays.as_mut().poll(&mut cx).is_pending());
        for _ in 0..100 {
            let mut leaves = pin!(shared.wait_for(Wait::Closed, |_| None::<()>));
            assert!(leaves.as_mut().poll(&mut cx).is_pending());
            assert!(leaves.as_mut().poll(&mut cx).is_pending());
            assert_eq!(waiting(&shared), 2);
        }
    }

    /// One that was woken and leaves does not take the place of another that came since.
    #[test]
    fn leaving_takes_only_the_own_place() {
        let shared = session();
        let mut cx = Context::from_waker(Waker::noop());
        let woken = shared.wait_for(Wait::Closed, |_| None::<()>);
        let mut woken = Box::pin(woken);
        assert!(woken.as_mut().poll(&mut cx).is_pending());
        shared.inspect_mut(|state| state.waiting.wake(Wait::Closed, &mut Wakeups::default()));
        assert_eq!(waiting(&shared), 0);
        let mut other = pin!(shared.wait_for(Wait::Closed, |_| None::<()>));
        assert!(other.as_mut().poll(&mut cx).is_pending());
        drop(woken);
        assert_eq!(waiting(&shared), 1);
    }
}
