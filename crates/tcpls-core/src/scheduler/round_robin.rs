//! Connections in turn.

use super::{Decision, Offer, PathView, Scheduler};

/// How far one connection may be ahead of another, in bytes: one full record.
const AHEAD: u64 = 16 * 1024;

/// Gives every connection the same number of bytes, as long as the others have room for theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoundRobin;

impl Scheduler for RoundRobin {
    fn decide(&self, offer: &Offer<'_>) -> Decision {
        let mine = offer.candidate.turns();
        // Of a connection that TCP says nothing about nobody knows whether it will take its turn.
        let takes = |other: &PathView| other.is_observed() && other.has_room();
        let behind = offer
            .others
            .iter()
            .any(|other| other.turns().saturating_add(AHEAD) <= mine && takes(other));
        if behind {
            Decision::Leave
        } else {
            Decision::Send
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PathInfo;

    #[test]
    fn who_is_ahead_lets_the_others_catch_up_unless_they_are_full() {
        let path = |turns, in_flight| {
            let info = PathInfo {
                congestion_window: 10_000,
                in_flight,
                ..PathInfo::default()
            };
            PathView::new(info).with_turns(turns)
        };
        let decide = |candidate, other| {
            RoundRobin.decide(&Offer {
                candidate,
                others: &[other],
                backlog: 1,
                send_buffer: 4 << 20,
            })
        };
        assert_eq!(decide(path(AHEAD, 0), path(0, 0)), Decision::Leave);
        assert_eq!(decide(path(AHEAD, 0), path(0, 10_000)), Decision::Send);
        assert_eq!(decide(path(AHEAD, 0), path(1, 0)), Decision::Send);
        assert_eq!(decide(path(0, 0), path(AHEAD, 0)), Decision::Send);
        let unknown = PathView::new(PathInfo::default());
        assert_eq!(decide(path(AHEAD, 0), unknown), Decision::Send);
    }
}
