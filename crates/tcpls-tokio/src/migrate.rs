//! Moving a session to another path without a dip.

use std::sync::Arc;
use std::time::Duration;

use tcpls_core::{ConnectionHandle, Session as Core};

use crate::clock;
use crate::follow::News;
use crate::shared::{Departure, Shared};

/// A session on its way from some connections to another one, which is established.
pub(crate) struct Migration {
    shared: Arc<Shared>,
    from: Vec<ConnectionHandle>,
    to: ConnectionHandle,
}

/// How often the old connections are compared with the new one.
const TICK: Duration = Duration::from_millis(50);
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
            past.push(self.carried());
            if is_grown(&past) {
                break;
            }
            tokio::time::sleep(TICK).await;
        }
        self.shared.update(|state, now| {
            for connection in self.from {
                if let Err(error) = state.core.retire(connection, now) {
                    tracing::debug!(%error, "a connection was not retired");
                    // The new one failed meanwhile: the session stays where it was.
                    if let Some(slot) = state.connections.get_mut(&connection) {
                        slot.departure = Departure::Rejoin;
                    }
                }
            }
        });
    }

    fn carried(&self) -> Carried {
        self.shared.inspect(|state| Carried {
            old: self.from.iter().map(|c| carried(&state.core, *c)).sum(),
            new: carried(&state.core, self.to),
        })
    }
}

/// Bytes that got through, in both directions together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Carried {
    old: u64,
    new: u64,
}

/// What a connection carried so far. What TCP has not delivered is not counted where that is known.
fn carried(core: &Core, connection: ConnectionHandle) -> u64 {
    let stats = core.connection_stats(connection).unwrap_or_default();
    let waiting = core
        .path_info(connection)
        .map_or(0, |info| info.in_flight + info.unsent);
    stats.bytes_sent.saturating_sub(waiting) + stats.bytes_received
}

/// Whether over two ticks the new connection carried a quarter of what the old ones did, or there was little
/// to carry. In the round trips that the old ones take to run dry, a slow start makes up for the rest; and
/// both at full speed would come as a burst.
fn is_grown(past: &[Carried]) -> bool {
    let [.., first, _, last] = past else {
        return false;
    };
    let old = last.old.saturating_sub(first.old);
    let new = last.new.saturating_sub(first.new);
    new * 4 >= old || old < LITTLE
}

/// Bytes in a window that any path carries from the start.
const LITTLE: u64 = 10 * 1460;

#[cfg(test)]
mod tests {
    use super::*;

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

    /// the old connections go once the new one does what they do, or nobody does anything.
    #[test]
    fn the_new_connection_takes_over_once_it_is_as_fast() {
        let fast = 100_000;
        assert!(!is_grown(&past(&[(0, 0)])), "too early to tell");
        assert!(is_grown(&past(&[(0, 0), (0, 0)])));
        assert!(is_grown(&past(&[(4000, 0), (4000, 0)])));
        assert!(!is_grown(&past(&[(fast, 0), (fast, 0), (fast, 0)])));
        let slow_start = [(fast, 0), (fast, fast / 16), (fast, fast / 8)];
        assert!(!is_grown(&past(&slow_start)));
        let grown = [(fast, fast / 8), (fast, fast / 4), (fast, fast / 2)];
        assert!(is_grown(&past(&grown)));
    }
}
