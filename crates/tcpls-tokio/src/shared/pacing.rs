//! Which connections have their segments spread over the round trip.
//!
//! Where much goes both ways over a slow path, the acknowledgments of one direction queue behind the data
//! of the other and come all at once, and TCP answers each such bunch with as much data: a window in one
//! burst, which makes the next queue. Both directions then lose goodput, and what is given to a connection
//! in the middle of a burst waits for the next one, a round trip later. Pacing ends that.
//!
//! It is not for all: it holds back an answer of one window to a request, and costs timers on fast paths.

use tcpls_core::{ConnectionHandle, PathInfo};

use super::State;

/// Whether TCP was told to pace a connection, or what speaks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pacing {
    Off {
        /// What had arrived at the last look.
        received: u64,
        /// Looks in a row that found much on its way in both directions.
        busy: u8,
    },
    On,
}

impl Default for Pacing {
    fn default() -> Self {
        Self::Off {
            received: 0,
            busy: 0,
        }
    }
}

impl Pacing {
    /// Takes note of what TCP says, and of how many bytes have arrived so far. Whether TCP is to pace the
    /// connection from now on.
    fn look(&mut self, info: PathInfo, received: u64) -> bool {
        let Self::Off {
            received: before,
            busy,
        } = *self
        else {
            return false;
        };
        let is_slow = info.round_trip.as_millis() >= LEAST_ROUND_TRIP_MILLIS;
        let busy = if is_slow && info.in_flight >= MUCH && received >= before + MUCH / 4 {
            busy + 1
        } else {
            0
        };
        if busy >= LOOKS {
            *self = Self::On;
            return true;
        }
        *self = Self::Off { received, busy };
        false
    }
}

/// Whether TCP is to pace this connection from now on, of which it was just asked how it does.
pub(super) fn wants_pacing(state: &mut State, connection: ConnectionHandle) -> bool {
    let info = state.core.path_info(connection);
    let counters = state.core.connection_stats(connection);
    let slot = state.connections.get_mut(&connection);
    let (Some(info), Some(counters), Some(slot)) = (info, counters, slot) else {
        return false;
    };
    slot.pacing.look(info, counters.bytes_received)
}

/// On shorter paths bursts are short, and timers are too coarse.
const LEAST_ROUND_TRIP_MILLIS: u128 = 5;

/// Bytes on their way that make up a burst; a quarter of it has to arrive between two looks, which are
/// 10 ms apart at least.
const MUCH: u64 = 64 * 1024;

/// How often both is seen before it counts: what goes both ways for a moment is left alone.
const LOOKS: u8 = 3;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// How many of ten looks, each after `received` more bytes, have TCP pace the connection, and the
    /// first of them.
    fn looks(in_flight: u64, round_trip: u64, received: u64) -> (usize, Option<u64>) {
        let mut pacing = Pacing::default();
        let info = PathInfo {
            in_flight,
            round_trip: Duration::from_millis(round_trip),
            ..PathInfo::default()
        };
        let told: Vec<u64> = (1..=10)
            .filter(|look| pacing.look(info, look * received))
            .collect();
        (told.len(), told.first().copied())
    }

    #[test]
    fn what_goes_both_ways_over_a_slow_path_is_paced_once() {
        assert_eq!(looks(100_000, 20, 50_000), (1, Some(3)));
        assert_eq!(looks(100_000, 1, 50_000).0, 0, "a fast path");
        assert_eq!(looks(100_000, 20, 1_000).0, 0, "one direction");
        assert_eq!(looks(10_000, 20, 50_000).0, 0, "the other direction");
    }

    #[test]
    fn a_moment_in_both_directions_does_not_count() {
        let mut pacing = Pacing::default();
        let info = PathInfo {
            in_flight: 100_000,
            round_trip: Duration::from_millis(20),
            ..PathInfo::default()
        };
        for received in [50_000, 100_000, 100_500, 150_000, 200_000] {
            assert!(!pacing.look(info, received));
        }
        assert!(pacing.look(info, 250_000));
    }
}
