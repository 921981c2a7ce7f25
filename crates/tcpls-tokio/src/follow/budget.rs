//! How fast a session may use up its connection identifiers by itself.

use std::time::{Duration, Instant};

/// Joins in a row, and then one per [`REFILL`]: a session of the draft has 255 in all, and a path that comes
/// and goes for hours must not take them from the application (readings ).
const BURST: u32 = 24;
const REFILL: Duration = Duration::from_secs(20);

/// The same where identifiers do not end: what is spared is the server's work.
const REFILL_OF_MANY: Duration = Duration::from_secs(1);

/// How many connection identifiers a session has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identifiers {
    /// The draft's 255.
    Few,
    /// 2^32.
    Many,
}

/// A bucket of joins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// When the bucket is or was full.
    full_at: Instant,
    refill: Duration,
}

impl Budget {
    pub(super) fn new(identifiers: Identifiers, now: Instant) -> Self {
        let refill = match identifiers {
            Identifiers::Few => REFILL,
            Identifiers::Many => REFILL_OF_MANY,
        };
        Self {
            full_at: now,
            refill,
        }
    }

    /// A join was tried.
    pub(super) fn take(&mut self, now: Instant) {
        self.full_at = self.full_at.max(now) + self.refill;
    }

    /// From when on another join is within the budget; in the past when it is now.
    pub(super) fn next(&self, now: Instant) -> Instant {
        let last = self.refill * (BURST - 1);
        self.full_at.checked_sub(last).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a burst is free, and then there is one join every 20 s, or every second where identifiers
    /// abound.
    #[test]
    fn joins_are_spread() {
        let mut now = crate::clock::now();
        let mut budget = Budget::new(Identifiers::Few, now);
        let mut plenty = Budget::new(Identifiers::Many, now);
        for _ in 0..BURST {
            plenty.take(now);
        }
        assert_eq!(plenty.next(now), now + REFILL_OF_MANY);
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
