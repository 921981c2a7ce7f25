//! Many threads at once.

use std::sync::mpsc;
use std::time::Duration;

use super::*;

const ROUNDS: usize = 3000;

/// In each round everybody comes at once, and each visitor once, so that a miss that leads to nothing is not
/// made good by a later visit.
#[test]
fn no_miss_is_lost_among_many_threads() {
    for visitors in [1, 2, 5] {
        let mutex = TaskMutex::new(0_usize);
        let rounds = Rounds::new(visitors + 1);
        let visits = thread::scope(|scope| {
            let (mutex, rounds) = (&mutex, &rounds);
            let threads: Vec<_> = (0..visitors)
                .map(|visitor| scope.spawn(move || visit_in_turn(mutex, rounds, visitor)))
                .collect();
            let lost = lock_in_turn(mutex, rounds);
            assert_eq!(lost, 0, "among {visitors} visitors");
            let visits = threads.into_iter().map(|thread| thread.join().unwrap());
            visits.sum::<usize>()
        });
        assert_eq!(*mutex.visit().unwrap(), ROUNDS + visits);
    }
}

/// The owner's thread. Tells how many misses led to nothing.
fn lock_in_turn(mutex: &TaskMutex<usize>, rounds: &Rounds) -> usize {
    let (wake, woken) = mpsc::channel();
    let waker = Waker::from(Arc::new(Thread(wake)));
    let cx = Context::from_waker(&waker);
    WINDOW.set(Window::Yields(Chance(77)));
    let mut lost = 0;
    for turn in 0..ROUNDS {
        rounds.wait(turn);
        while mutex.poll_lock(&cx).map(|held| *held.unwrap() += 1) == Poll::Pending {
            // Everybody else waits for the next round then, so it goes on.
            let late = woken.recv_timeout(Duration::from_secs(30)).is_err();
            lost += usize::from(late);
        }
    }
    lost
}

/// A visitor's thread. Tells how often it did.
fn visit_in_turn(mutex: &TaskMutex<usize>, rounds: &Rounds, visitor: usize) -> usize {
    WINDOW.set(Window::Yields(Chance(visitor + 1)));
    let mut visits = 0;
    for turn in 0..ROUNDS {
        rounds.wait(turn);
        if let Some(mut visit) = mutex.visit() {
            // Nobody else adds anything between these two.
            let before = *visit;
            window();
            *visit = before + 1;
            visit.leave();
            visits += 1;
        }
    }
    visits
}

/// A thread as a task: what it is woken with.
struct Thread(mpsc::Sender<()>);

impl Wake for Thread {
    fn wake(self: Arc<Self>) {
        // After its last round it waits no more.
        let _waits = self.0.send(());
    }
}

/// Has threads begin each round at about the same time.
struct Rounds {
    threads: usize,
    arrivals: AtomicUsize,
}

impl Rounds {
    fn new(threads: usize) -> Self {
        let arrivals = AtomicUsize::new(0);
        Self { threads, arrivals }
    }

    fn wait(&self, turn: usize) {
        self.arrivals.fetch_add(1, Ordering::SeqCst);
        while self.arrivals.load(Ordering::SeqCst) < (turn + 1) * self.threads {
            thread::yield_now();
        }
    }
}
