//! Moving a session to another path without a dip.

use std::sync::Arc;
use std::time::Duration;

use tcpls_core::{ConnectionHandle, RetireError};

use crate::clock;
use crate::follow::News;
use crate::shared::{Departure, Shared};
use crate::tcp::Tcp;

/// A session on its way from some connections to another one, which is established.
pub(crate) struct Migration {
    shared: Arc<Shared>,
    from: Vec<ConnectionHandle>,
    to: ConnectionHandle,
}

/// How often the old connections are compared with the new one.
const TICK: Duration = Duration::from_millis(25);
/// How long the old connections carry on at most.
const LONGEST: Duration = Duration::from_millis(1500);

impl Migration {
    /// From now on the connections of `from` are on their way out: those that fail do not come back, nor
    /// do those that failed before.
    pub(crate) fn begin(
        shared: &Arc<Shared>,
        from: Vec<ConnectionHandle>,
        to: ConnectionHandle,
    ) -> Self {
        shared.update(|state, _| {
            state.inbox.tell(News::Migrated);
            for connection in &from {
                if let Some(slot) = state.connections.get_mut(connection) {
                    slot.departure = Departure::LetGo;
                }
            }
        });
        Self {
            shared: Arc::clone(shared),
            from,
            to,
        }
    }

    /// Lets the old connections carry on until TCP on the new one has found out what the path carries,
    /// then retires them.
    pub(crate) async fn complete(self) {
        let deadline = clock::now() + LONGEST;
        let mut past = Vec::new();
        while clock::now() < deadline {
            let look = self.look();
            past.push(look.carried);
            if is_grown(&past, look.delays) {
                break;
            }
            tokio::time::sleep(TICK).await;
        }
        let mut left = self.from.clone();
        self.retire(&mut left);
        while !left.is_empty() {
            tokio::time::sleep(TICK).await;
            self.retire(&mut left);
        }
    }

    /// Retires the old connections. While the new one is silent and not given up, those are left that are
    /// needed until it speaks again.
    fn retire(&self, left: &mut Vec<ConnectionHandle>) {
        self.shared.update(|state, now| {
            let is_there = state.core.connections().any(|c| c == self.to);
            let may_recover = is_there && state.core.is_suspect(self.to);
            left.retain(|&connection| match state.core.retire(connection, now) {
                Ok(()) => false,
                Err(RetireError::LastConnection) if may_recover => true,
                Err(error) => {
                    tracing::debug!(%error, "a connection was not retired");
                    // The new one failed meanwhile: the session stays where it was.
                    if let Some(slot) = state.connections.get_mut(&connection) {
                        slot.departure = Departure::Rejoin;
                    }
                    false
                }
            });
        });
    }

    /// How far the connections are by now. What the session knows of TCP may be as old as what was last sent.
    fn look(&self) -> Look {
        let old = self.from.iter().map(|c| self.observe(*c));
        let old = old.fold(Observed::default(), Observed::beside);
        let new = self.observe(self.to);
        Look {
            carried: Carried {
                old: old.carried,
                new: new.carried,
            },
            delays: Delays {
                old: old.round_trip,
                unsent: old.unsent,
                new: new.round_trip,
            },
        }
    }

    /// Asks TCP about a connection. Where it does not tell, what the session knows has to do.
    fn observe(&self, connection: ConnectionHandle) -> Observed {
        let (stats, tcp) = self.shared.inspect(|state| {
            let slot = state.connections.get(&connection);
            (
                state.core.connection_stats(connection).unwrap_or_default(),
                slot.and_then(|slot| slot.tcp.clone()),
            )
        });
        let info = tcp.as_ref().and_then(Tcp::info).unwrap_or_default();
        let carried = tcp.and_then(|tcp| tcp.bytes_delivered());
        Observed {
            carried: carried.unwrap_or(stats.bytes_sent + stats.bytes_received),
            round_trip: info.round_trip,
            unsent: info.unsent,
        }
    }
}

/// One connection, or several together.
#[derive(Clone, Copy, Debug, Default)]
struct Observed {
    carried: u64,
    round_trip: Duration,
    unsent: u64,
}

impl Observed {
    fn beside(self, other: Self) -> Self {
        Self {
            carried: self.carried + other.carried,
            round_trip: self.round_trip.max(other.round_trip),
            unsent: self.unsent + other.unsent,
        }
    }
}

/// What is compared at one tick.
struct Look {
    carried: Carried,
    delays: Delays,
}

/// Bytes that got through, in both directions together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Carried {
    old: u64,
    new: u64,
}

/// How long the old connections take to run dry, and the new one to grow.
#[derive(Clone, Copy, Debug)]
struct Delays {
    /// The longest round trip of the old connections, queues included; zero when none is known.
    old: Duration,
    /// Bytes that wait in their sockets.
    unsent: u64,
    /// The round trip of the new connection; zero when none is known.
    new: Duration,
}

/// Whether the new connection is about to make up for the old ones, or there is little to carry. Both at full
/// speed come as a burst, because what the new one carries waits for what the old ones still have; neither
/// at full speed is a dip.
fn is_grown(past: &[Carried], delays: Delays) -> bool {
    let Some((last, before)) = past.split_last() else {
        return false;
    };
    // Whole round trips: in each, a slow start sends at once and then waits.
    let whole = delays.new.as_micros().div_ceil(TICK.as_micros());
    let whole = usize::try_from(whole).map_or(usize::MAX, |whole| whole.max(1));
    let ticks = whole.min(before.len());
    let Some(first) = before.get(before.len() - ticks) else {
        return false;
    };
    let window = TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX));
    let old = per_second(last.old.saturating_sub(first.old), window);
    let mut new = per_second(last.new.saturating_sub(first.new), window);
    if ticks < whole {
        // It is on its way and did not arrive.
        new = new.max(per_second(FIRST_FLIGHT, delays.new));
    }
    if old < per_second(FIRST_FLIGHT, LITTLE_IN) {
        // Who is silent at this moment may not be for long.
        return TICK.saturating_mul(u32::try_from(before.len()).unwrap_or(u32::MAX)) >= LITTLE_IN;
    }
    delays.grown(new, old) >= old / 4 * 3
}

impl Delays {
    /// Bytes per second that the new connection carries by the time the old ones have run dry, when it
    /// carries `new` and they carry `old` now. A slow start doubles what it carries once each round trip.
    fn grown(self, new: u64, old: u64) -> u64 {
        let round_trip = micros(self.new);
        if round_trip == 0 || self.old.is_zero() {
            return new.saturating_mul(UNKNOWN_GROWTH);
        }
        let waiting = self.unsent.saturating_mul(1_000_000) / old.max(1);
        // What was measured is half a round trip old.
        let time = micros(self.old) + waiting + round_trip / 2;
        let time = time.min(round_trip * MOST_DOUBLINGS);
        let grown = new.saturating_mul(1 << (time / round_trip));
        let since = time % round_trip;
        grown.saturating_add(grown.saturating_mul(since) / round_trip)
    }
}

fn per_second(bytes: u64, time: Duration) -> u64 {
    bytes.saturating_mul(1_000_000) / micros(time).max(1)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What TCP sends before it hears anything: ten segments (RFC 6928).
const FIRST_FLIGHT: u64 = 10 * 1460;
/// Connections that carry no more than [`FIRST_FLIGHT`] in this time are made up for at once.
const LITTLE_IN: Duration = Duration::from_millis(100);
/// By how much a new connection grows while old ones run dry, where no round trips are known.
const UNKNOWN_GROWTH: u64 = 4;
/// A connection that doubled more often may have found the end of its path before.
const MOST_DOUBLINGS: u64 = 4;

#[cfg(test)]
mod tests {
    use tcpls_core::wire::{ConnectionId, Frame, RecordSequence, Role};
    use tcpls_core::{
        ConnectionStart, ContentType, OpenedRecord, PathInfo, Session, SessionConfig,
    };

    use super::*;

    /// A session with two connections on which the peer was heard.
    fn with_two_connections() -> (Arc<Shared>, ConnectionHandle, ConnectionHandle) {
        let now = clock::now();
        let mut core = Session::new(Role::Client, SessionConfig::new(), now);
        let zero = RecordSequence::ZERO;
        let old = core.add_connection(ConnectionStart::first(zero, zero), now);
        let new = ConnectionStart::joined(ConnectionId::from_wire(1));
        let new = core.add_connection(new, now);
        for connection in [old, new] {
            let mut ping = Vec::new();
            Frame::Ping.encode(&mut ping).unwrap();
            let record = OpenedRecord {
                sequence: zero,
                content_type: ContentType::ApplicationData,
                payload: ping.into(),
            };
            core.handle_record(connection, record, now);
        }
        (Arc::new(Shared::new(core)), old, new)
    }

    /// a session whose new connection is silent for a moment when the old one was to go moves once that
    /// speaks again, and stays when that is given up.
    #[tokio::test(start_paused = true)]
    async fn a_new_connection_may_be_silent_for_a_moment() {
        for recovers in [true, false] {
            let (shared, old, new) = with_two_connections();
            tokio::time::sleep(Duration::from_secs(1)).await;
            let tell =
                |info| shared.update(|state, now| state.core.handle_path_info(new, info, now));
            let silent = PathInfo {
                in_flight: 1,
                since_ack: Duration::from_secs(60),
                ..PathInfo::default()
            };
            tell(silent);
            let migration = Migration::begin(&shared, vec![old], new);
            let moving = tokio::spawn(migration.complete());
            tokio::time::sleep(LONGEST + Duration::from_secs(1)).await;
            assert!(!moving.is_finished());
            if recovers {
                tell(PathInfo::default());
            } else {
                tokio::time::sleep(Duration::from_secs(5)).await;
                tell(silent);
            }
            moving.await.unwrap();
            let stays = if recovers { new } else { old };
            let left = shared.update(|state, now| state.core.retire(stays, now));
            assert_eq!(left, Err(RetireError::LastConnection));
        }
    }

    const FAST: u64 = 100_000;

    fn past(rates: &[(u64, u64)]) -> Vec<Carried> {
        let mut sum = Carried { old: 0, new: 0 };
        let mut past = vec![sum];
        for (old, new) in rates {
            sum.old += old;
            sum.new += new;
            past.push(sum);
        }
        past
    }

    fn delays(old: u64, new: u64) -> Delays {
        Delays {
            old: Duration::from_millis(old),
            unsent: 0,
            new: Duration::from_millis(new),
        }
    }

    /// the old connections go once the new one does what they do, or nobody does anything.
    #[test]
    fn the_new_connection_takes_over_once_it_is_as_fast() {
        let same = delays(50, 50);
        let is_grown = |rates: &[_]| is_grown(&past(rates), same);
        assert!(!is_grown(&[]), "too early to tell");
        assert!(!is_grown(&[(0, 0), (0, 0)]), "too early still");
        assert!(is_grown(&[(0, 0); 4]));
        assert!(is_grown(&[(3000, 0); 4]));
        assert!(!is_grown(&[(FAST, 0), (FAST, 0), (FAST, 0)]));
        assert!(!is_grown(&[(FAST, 0), (FAST, FAST / 8), (FAST, FAST / 8)]));
        let grown = [(FAST, FAST / 8), (FAST, FAST / 4), (FAST, FAST / 2)];
        assert!(is_grown(&grown));
    }

    #[test]
    fn a_path_of_few_milliseconds_takes_over_early_and_one_of_many_late() {
        let rates = [(FAST, FAST / 8); 10];
        assert!(is_grown(&past(&rates), delays(128, 40)));
        assert!(!is_grown(&past(&rates), delays(128, 100)));
        let rates = [(FAST, FAST / 4); 10];
        assert!(is_grown(&past(&rates), delays(128, 80)));
        assert!(!is_grown(&past(&rates), delays(40, 200)));
        assert!(
            is_grown(&past(&rates), delays(0, 0)),
            "of what nobody knows"
        );
        let rates = [(FAST, FAST / 64); 10];
        assert!(
            !is_grown(&past(&rates), delays(200, 1)),
            "no path is without end"
        );
    }

    /// What waits in the sockets of the old connections gives the new one time.
    #[test]
    fn what_waits_is_sent_before_the_old_connections_run_dry() {
        let rates = past(&[(FAST, FAST / 8); 10]);
        let mut delays = delays(100, 100);
        assert!(!is_grown(&rates, delays));
        delays.unsent = FAST * 8;
        assert!(is_grown(&rates, delays));
    }

    /// Within a round trip a slow start sends once and then waits.
    #[test]
    fn whole_round_trips_of_the_new_connection_are_compared() {
        let slow = delays(100, 100);
        let waits = [(FAST, FAST), (FAST, 0), (FAST, 0), (FAST, 0)];
        assert!(is_grown(&past(&waits), slow));
        let waits = [(FAST, 0), (FAST, 0), (FAST, 0), (FAST, 0)];
        assert!(!is_grown(&past(&waits), slow));
    }
}
