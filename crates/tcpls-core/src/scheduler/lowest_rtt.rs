//! The connection with the lowest round trip time first.

use super::{Decision, Offer, Scheduler};

/// Uses the connection with the lowest round trip time until its congestion window is full, then the
/// next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LowestRtt;

impl Scheduler for LowestRtt {
    fn decide(&self, offer: &Offer<'_>) -> Decision {
        let mine = offer.candidate.info().round_trip;
        let better = offer
            .others
            .iter()
            .any(|other| other.info().round_trip < mine && other.has_room());
        if better {
            Decision::Leave
        } else {
            Decision::Send
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{PathInfo, scheduler::PathView};

    fn path(round_trip: u64, in_flight: u64) -> PathView {
        PathView::new(PathInfo {
            round_trip: Duration::from_millis(round_trip),
            congestion_window: 10_000,
            in_flight,
            ..PathInfo::default()
        })
    }

    #[test]
    fn a_longer_way_is_taken_when_the_shorter_one_is_full() {
        let decide = |candidate, other| {
            LowestRtt.decide(&Offer {
                candidate,
                others: &[other],
                backlog: 1_000_000,
                send_buffer: 4 << 20,
            })
        };
        assert_eq!(decide(path(40, 0), path(20, 9_999)), Decision::Leave);
        assert_eq!(decide(path(40, 0), path(20, 10_000)), Decision::Send);
        assert_eq!(decide(path(20, 0), path(40, 0)), Decision::Send);
        assert_eq!(decide(path(20, 0), path(20, 0)), Decision::Send);
    }
}
