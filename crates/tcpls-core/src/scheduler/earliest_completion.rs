//! All connections, as far as each helps to be done sooner.

use std::time::Duration;

use super::{Decision, Offer, PathView, Scheduler};

/// Uses a connection when what it takes arrives before the best of the others alone would be done with
/// everything that waits, and before these would have filled the send buffer behind it. The default.
///
/// While much waits, all connections work at their own speed; a little at the end, or a request, is
/// left to the fast one, so that a slow connection never makes anything later. Of connections that differ
/// by less than a millisecond, the one that took data last goes on until its socket is full: to change costs
/// more than it gains. Only when more waits than one stream can have, others help, on other processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EarliestCompletion;

impl Scheduler for EarliestCompletion {
    fn decide(&self, offer: &Offer<'_>) -> Decision {
        let next = offer.backlog.min(MAX_RECORD);
        let mut mine = offer.candidate.arrival(next);
        let goes_on = |other: &PathView| {
            other.is_at_work()
                && other.is_observed()
                && offer.backlog <= offer.send_buffer
                && other.arrival(next).abs_diff(mine) <= LEAST_GAIN
        };
        if offer.others.iter().any(goes_on) {
            return Decision::Leave;
        }
        if offer.candidate.is_at_work() {
            mine = mine.saturating_sub(LEAST_GAIN);
        }
        let later = |other: &PathView| {
            let late = mine.saturating_sub(other.arrival(next));
            mine > other.arrival(offer.backlog) || other.bytes_in(late) > offer.send_buffer / MARGIN
        };
        if offer.others.iter().any(later) {
            Decision::Leave
        } else {
            Decision::Send
        }
    }
}

/// How much of the send buffer late data may make use of: a slow path often turns out to be slower.
const MARGIN: u64 = 4;

/// What a change to another connection must gain.
const LEAST_GAIN: Duration = Duration::from_millis(1);

/// The most that one record takes, in bytes.
const MAX_RECORD: u64 = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PathInfo;

    fn path(round_trip: u64, window: u64) -> PathView {
        PathView::new(PathInfo {
            round_trip: Duration::from_millis(round_trip),
            congestion_window: window,
            ..PathInfo::default()
        })
    }

    fn decide(candidate: PathView, other: PathView, backlog: u64) -> Decision {
        EarliestCompletion.decide(&Offer {
            candidate,
            others: &[other],
            backlog,
            send_buffer: 4 << 20,
        })
    }

    #[test]
    fn a_slow_path_helps_with_much_and_not_with_little() {
        let (fast, slow) = (path(20, 125_000), path(300, 15_000));
        assert_eq!(decide(slow, fast, 16_000), Decision::Leave);
        assert_eq!(decide(slow, fast, 4_000_000), Decision::Send);
        assert_eq!(decide(fast, slow, 16_000), Decision::Send);
    }

    #[test]
    fn a_fast_path_that_is_busy_is_waited_for_if_that_is_sooner() {
        let busy = PathView::new(PathInfo {
            unsent: 125_000,
            ..*path(20, 125_000).info()
        });
        assert_eq!(decide(path(60, 125_000), busy, 10_000), Decision::Leave);
        assert_eq!(decide(path(20, 125_000), busy, 10_000), Decision::Send);
    }

    #[test]
    fn who_is_at_work_goes_on_while_others_are_not_much_sooner() {
        let (one, other) = (path(20, 50_000).at_work(), path(20, 50_000));
        assert_eq!(decide(one, other, 100_000), Decision::Send);
        assert_eq!(decide(other, one, 100_000), Decision::Leave);
        assert_eq!(decide(other, one, 5_000_000), Decision::Send);
        let full = PathView::new(PathInfo {
            in_flight: 50_000,
            ..*one.info()
        });
        assert_eq!(decide(other, full.at_work(), 100_000), Decision::Send);
        assert_eq!(decide(path(10, 50_000), one, 100_000), Decision::Send);
        assert_eq!(decide(path(30, 50_000), one, 100_000), Decision::Send);
    }

    #[test]
    fn equal_paths_both_work() {
        assert_eq!(
            decide(path(20, 50_000), path(20, 50_000), 1),
            Decision::Send
        );
    }

    #[test]
    fn what_would_fill_the_send_buffer_of_the_fast_path_is_not_for_the_slow_one() {
        // 50 Mbit/s, and 0.5 Mbit/s: a record takes a quarter of a second.
        let (fast, slow) = (path(20, 125_000), path(60, 3750));
        assert_eq!(decide(slow, fast, 4_000_000), Decision::Leave);
        let tenth = path(60, 37_500);
        assert_eq!(decide(tenth, fast, 4_000_000), Decision::Send);
    }
}
