#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall say where"
)]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::Wake;
use std::thread;

use self::interleavings::{At, Stopper};
use super::*;

#[derive(Default)]
struct Woken(AtomicUsize);

impl Woken {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn owner() -> (Arc<Woken>, Waker) {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    (woken, waker)
}

#[test]
fn an_owner_that_comes_amid_a_visit_is_woken_once_after_it() {
    let mutex = TaskMutex::new(7);
    let (woken, waker) = owner();
    let cx = Context::from_waker(&waker);
    let visit = mutex.visit().unwrap();
    assert!(mutex.poll_lock(&cx).is_pending());
    assert!(mutex.poll_lock(&cx).is_pending());
    assert!(mutex.visit().is_none());
    assert_eq!(woken.count(), 0);
    visit.leave();
    assert_eq!(woken.count(), 1);
    assert!(mutex.poll_lock(&cx).is_ready());
    mutex.visit().unwrap().leave();
    assert_eq!(woken.count(), 1, "it missed nothing since");
}

#[test]
fn visitors_and_the_owner_go_away_while_somebody_holds_it() {
    let mutex = TaskMutex::new(7);
    let (woken, waker) = owner();
    let cx = Context::from_waker(&waker);
    let Poll::Ready(Ok(mut held)) = mutex.poll_lock(&cx) else {
        panic!("nobody holds it");
    };
    *held += 1;
    assert!(mutex.visit().is_none());
    drop(held);
    let mut visit = mutex.visit().unwrap();
    *visit += 1;
    assert_eq!(*visit, 9);
    visit.leave();
    assert_eq!(woken.count(), 0, "it missed nothing");
}

#[test]
fn a_visitor_can_have_the_owner_woken_in_any_case() {
    let mutex = TaskMutex::new(7);
    let (woken, waker) = owner();
    drop(mutex.visit().unwrap());
    mutex.set_owner(&Context::from_waker(&waker));
    drop(mutex.visit().unwrap());
    assert_eq!(woken.count(), 1);
}

#[test]
fn what_somebody_panicked_amid_is_nobodys_and_the_owner_is_told() {
    for missed in [false, true] {
        let mutex = TaskMutex::new(7);
        let (woken, waker) = owner();
        let cx = Context::from_waker(&waker);
        mutex.set_owner(&cx);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let mut visit = mutex.visit().unwrap();
            *visit += 1;
            assert!(!missed || mutex.poll_lock(&cx).is_pending());
            panic!("half way");
        }));
        assert!(panicked.is_err());
        assert_eq!(woken.count(), 1);
        assert!(matches!(mutex.poll_lock(&cx), Poll::Ready(Err(Spoilt))));
        assert!(mutex.visit().is_none());
    }
}

/// What happens where other threads may come in between.
pub(super) fn window() {
    WINDOW.with_borrow_mut(|window| match window {
        Window::Passed => {}
        Window::Yields(chance) => chance.maybe(thread::yield_now),
        Window::Stops(stopper) => stopper.stop(At::Window),
    });
}

thread_local! {
    static WINDOW: RefCell<Window> = const { RefCell::new(Window::Passed) };
}

enum Window {
    Passed,
    Yields(Chance),
    Stops(Stopper),
}

struct Chance(usize);

impl Chance {
    fn maybe(&mut self, act: fn()) {
        self.0 = (self.0 * 171 + 11) % 30_269;
        if self.0.is_multiple_of(3) {
            act();
        }
    }
}

mod interleavings;
mod stress;
