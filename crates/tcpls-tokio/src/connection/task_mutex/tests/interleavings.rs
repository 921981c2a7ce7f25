//! Every order in which the steps of a few threads can take place.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::Scope;

use super::*;

/// Whatever the order of the steps, an owner that comes again when it is woken gets in.
#[test]
fn no_order_of_steps_loses_a_miss() {
    for (turns, visits) in [(2, &[2][..]), (1, &[1, 1])] {
        let mut choices = Choices::default();
        let mut orders = 0;
        while choices.begin() {
            try_order(turns, visits, &mut choices);
            orders += 1;
        }
        assert!(orders > 100, "{orders}");
    }
}

/// The owner's turns against those of each visitor, in the order that was chosen.
fn try_order(turns: usize, visits: &[usize], choices: &mut Choices) {
    let mutex = &TaskMutex::new(0);
    let (woken, waker) = owner();
    thread::scope(|scope| {
        let mut threads = vec![Steps::of(scope, move || {
            let cx = Context::from_waker(&waker);
            for _ in 0..turns {
                window();
                while mutex.poll_lock(&cx).map(|held| *held.unwrap() += 1) == Poll::Pending {
                    stop(At::Miss);
                }
            }
        })];
        threads.extend(visits.iter().map(|&visits| {
            Steps::of(scope, move || {
                for _ in 0..visits {
                    window();
                    if let Some(visit) = mutex.visit() {
                        window();
                        visit.leave();
                    }
                }
            })
        }));
        let mut heard = 0;
        loop {
            let is_ready = |thread: &&mut Steps| match thread.at {
                Some(At::Window) => true,
                Some(At::Miss) => woken.count() > heard,
                None => false,
            };
            let mut ready: Vec<_> = threads.iter_mut().filter(is_ready).collect();
            if ready.is_empty() {
                break;
            }
            let chosen = choices.choose(ready.len());
            let thread = ready.swap_remove(chosen);
            if thread.at == Some(At::Miss) {
                heard = woken.count();
            }
            thread.go_on();
        }
        let waits = threads.iter().any(|thread| thread.at.is_some());
        assert!(!waits, "a miss is lost: {choices:?}");
    });
    assert_eq!(*mutex.visit().unwrap(), turns);
}

/// Where a thread stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Window,
    /// It goes on once the owner was woken.
    Miss,
}

/// A thread that stops, as itself sees it.
pub(super) struct Stopper {
    stopped: Sender<At>,
    go_on: Receiver<()>,
}

impl Stopper {
    pub(super) fn stop(&self, at: At) {
        // Without anybody who says so, it goes on to its end.
        let _alone = self.stopped.send(at).is_err() || self.go_on.recv().is_err();
    }
}

fn stop(at: At) {
    WINDOW.with_borrow(|window| {
        if let Window::Stops(stopper) = window {
            stopper.stop(at);
        }
    });
}

/// A thread that stops, as who lets it go on sees it.
struct Steps {
    stopped: Receiver<At>,
    go_on: Sender<()>,
    /// Nowhere after its end.
    at: Option<At>,
}

impl Steps {
    fn of<'scope>(scope: &'scope Scope<'scope, '_>, run: impl FnOnce() + Send + 'scope) -> Self {
        let ((stop, stopped), (go, go_on)) = (mpsc::channel(), mpsc::channel());
        scope.spawn(move || {
            let stopped = stop;
            WINDOW.set(Window::Stops(Stopper { stopped, go_on }));
            run();
        });
        let mut steps = Self {
            stopped,
            go_on: go,
            at: None,
        };
        steps.await_stop();
        steps
    }

    fn go_on(&mut self) {
        self.go_on.send(()).unwrap();
        self.await_stop();
    }

    fn await_stop(&mut self) {
        self.at = self.stopped.recv().ok();
    }
}

/// One order after the other.
#[derive(Debug, Default)]
struct Choices {
    /// What was chosen at each step of the last order, and of how many.
    made: Vec<(usize, usize)>,
    step: usize,
    begun: bool,
}

impl Choices {
    /// Begins the next order, if there is one.
    fn begin(&mut self) -> bool {
        self.step = 0;
        if !std::mem::replace(&mut self.begun, true) {
            return true;
        }
        while let Some((chosen, of)) = self.made.pop() {
            if chosen + 1 < of {
                self.made.push((chosen + 1, of));
                return true;
            }
        }
        false
    }

    fn choose(&mut self, of: usize) -> usize {
        if self.step == self.made.len() {
            self.made.push((0, of));
        }
        self.step += 1;
        self.made[self.step - 1].0
    }
}
