//! Time that moves when it is told to.

use std::time::{Duration, Instant};

/// A clock that starts at an arbitrary instant and stands still in between.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    now: Instant,
}

impl Clock {
    /// A clock at its start.
    #[expect(
        clippy::disallowed_methods,
        reason = "there is no other way to make an instant; only differences to it matter"
    )]
    pub fn new() -> Self {
        let start = Instant::now();
        Self { start, now: start }
    }

    /// Moves on.
    pub fn advance(&mut self, time: Duration) {
        self.now += time;
    }

    /// Moves on to `instant`, unless that has passed.
    pub fn advance_to(&mut self, instant: Instant) {
        self.now = self.now.max(instant);
    }

    /// The time.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The time since the start.
    pub fn since_start(&self) -> Duration {
        self.now - self.start
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
