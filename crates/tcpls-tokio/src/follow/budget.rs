//! How fast a session may use up its connection identifiers by itself.

use std::time::{Duration, Instant};

/// Joins in a row, and then one per [`REFILL`]: a session has 255 in all, and a path that comes and goes
/// for hours must not take them from the application (readings ).
const BURST: u32 = 24;
const REFILL: Duration = Duration::from_secs(20);

/// A bucket of joins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// When the bucket is or was full.
    full_at: Instant,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// A join was tried.
    pub(super) fn take(&mut self, now: Instant) {
        self.full_at = self.full_at.max(now) + REFILL;
    }

    /// From when on another join is within the budget; in the past when it is now.
    pub(super) fn next(&self, now: Instant) -> Instant {
        let last = REFILL * (BURST - 1);
        self.full_at.checked_sub(last).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a burst is free, and then there is one join every 20 s.
    #[test]
    fn joins_are_spread() {
        let mut now = crate::clock::now();
        let mut budget = Budget::new(now);
        for _ in 0..BURST {
            assert!(budget.next(now) <= now);
            budget.take(now);
        }
        assert_eq!(budget.next(now), now + REFILL);
        now += REFILL;
        budget.take(now);
        assert_eq!(budget.next(now), now + REFILL);
        now += REFILL * BURST;
        assert!(budget.next(now) <= now);
    }
}
