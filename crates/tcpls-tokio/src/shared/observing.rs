//! What TCP says about the connections, on its way to the session.
//!
//! The system is not asked under the session's lock.

use std::time::Instant;

use tcpls_core::wire::frame::MAX_PLAINTEXT;
use tcpls_core::{ConnectionHandle, PathInfo, Transmit, TransmitState};

use super::pacing::wants_pacing;
use super::{Shared, State};
use crate::block::RECORD_DATA;
use crate::tcp::Tcp;

/// How much of what waits is to go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Portion {
    /// All that a batch takes.
    Everything,
    /// Of that, as many records as the data of streams fills: what the application says next fills the
    /// one after them.
    FullRecords,
}

/// Takes the next batch of records for `connection`, after TCP was asked how it does if what is known
/// of it is old. After [`TransmitState::Idle`], whoever gives the connection something to send drives
/// its writer.
pub(crate) fn poll_transmit(
    shared: &Shared,
    connection: ConnectionHandle,
    portion: Portion,
    transmit: &mut Transmit,
) -> TransmitState {
    let first = shared.update(|state, now| match unobserved(state, connection, now) {
        Some(tcp) => Err(tcp),
        None => Ok(next(state, connection, portion, transmit, now)),
    });
    let tcp = match first {
        Ok(next) => return next,
        Err(tcp) => tcp,
    };
    let info = tcp.info();
    let (next, unsent_limit, pacing) = shared.update(|state, now| {
        if let Some(info) = info {
            state.core.handle_path_info(connection, info, now);
        }
        let next = next(state, connection, portion, transmit, now);
        let pacing = wants_pacing(state, connection);
        (next, new_unsent_limit(state, connection), pacing)
    });
    if pacing {
        tcp.pace();
    }
    if let Some(limit) = unsent_limit {
        tcp.set_unsent_limit(limit);
    }
    next
}

/// Asks TCP how a connection does, and tells the session.
pub(super) fn observe(shared: &Shared, connection: ConnectionHandle, tcp: &Tcp) {
    if let Some(info) = tcp.info() {
        shared.update(|state, now| state.core.handle_path_info(connection, info, now));
    }
}

fn next(
    state: &mut State,
    connection: ConnectionHandle,
    portion: Portion,
    transmit: &mut Transmit,
    now: Instant,
) -> TransmitState {
    state.on_writer_at_work(connection);
    let batch = state.core.transmit_batch(connection);
    let limit = match portion {
        Portion::Everything => batch,
        Portion::FullRecords => batch.min(full_records(state.core.backlog())),
    };
    state.core.poll_transmit(connection, limit, now, transmit)
}

/// The plaintext of the records that so many bytes of streams fill.
fn full_records(backlog: u64) -> usize {
    let backlog = usize::try_from(backlog).unwrap_or(usize::MAX);
    (backlog / RECORD_DATA).saturating_mul(MAX_PLAINTEXT)
}

/// The connection, where TCP is to be asked about it before anything is sent on it.
fn unobserved(state: &State, connection: ConnectionHandle, now: Instant) -> Option<Tcp> {
    let slot = state.connections.get(&connection)?;
    let tcp = slot.tcp.as_ref().filter(|tcp| tcp.is_observable())?;
    // Of the end of a session, no connection could carry less or more.
    let last_words = state.core.is_closing() && state.core.backlog() == 0;
    let wanted = !last_words && state.core.wants_path_info(connection, now);
    wanted.then(|| tcp.clone())
}

/// How much may wait unsent in the socket of `connection`, when that changes. While there is a choice
/// of connections, no more than is given out at a time, because what the socket has no other connection
/// can carry; while there is none, what is soon sent, because there may be one soon.
fn new_unsent_limit(state: &mut State, connection: ConnectionHandle) -> Option<u32> {
    let batch = state.core.transmit_batch(connection);
    let alone = if state.core.has_choice(connection) {
        0
    } else {
        unsent_alone(state.core.path_info(connection)?)
    };
    // Few values, so that the system is seldom told.
    let alone = alone.checked_ilog2().map_or(0, |power| 1 << power);
    let limit = u32::try_from(alone.max(batch.next_power_of_two())).ok()?;
    let slot = state.connections.get_mut(&connection)?;
    let old = std::mem::replace(&mut slot.unsent_limit, limit);
    (old != limit).then_some(limit)
}

/// What TCP sends within [`UNSENT_MILLIS`], in bytes; none where TCP is faster than who seals the records.
fn unsent_alone(info: PathInfo) -> usize {
    let micros = u64::try_from(info.round_trip.as_micros()).unwrap_or(u64::MAX);
    let window = match (info.unsent, info.in_flight) {
        // What does not wait for the application waits for the peer's window, or for TCP's.
        (1.., 1..) => info.in_flight.min(info.congestion_window),
        _ => info.congestion_window,
    };
    let soon = window.saturating_mul(UNSENT_MILLIS * 1000) / micros.max(1);
    if soon >= UNSENT_MILLIS * FAST {
        return 0;
    }
    usize::try_from(soon).map_or(MOST_UNSENT, |soon| soon.min(MOST_UNSENT))
}

/// How long what waits unsent takes to be sent, in milliseconds.
const UNSENT_MILLIS: u64 = 50;

/// The most that may wait unsent: 4 MiB.
const MOST_UNSENT: usize = 4 << 20;

/// What TCP sends in a millisecond on paths that are never short of it: 2 GB/s. Only the peer's application
/// holds such a connection up, and what waits for it in the kernel is not in the cache any more when it
/// is copied: there a batch is enough.
const FAST: u64 = 2_000_000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// a slow connection keeps little that another could have carried; a fast one is not held up.
    #[test]
    fn what_waits_unsent_is_sent_soon() {
        let info = |congestion_window, round_trip| PathInfo {
            congestion_window,
            round_trip: Duration::from_millis(round_trip),
            ..PathInfo::default()
        };
        assert_eq!(unsent_alone(info(150_000, 40)), 187_500);
        assert_eq!(unsent_alone(info(2_500_000, 20)), MOST_UNSENT);
        assert_eq!(unsent_alone(info(640_000, 0)), 0, "a batch is soon sent");
        assert_eq!(unsent_alone(info(20_000_000, 10)), 0);
        assert_eq!(unsent_alone(info(19_999_999, 10)), MOST_UNSENT);
        assert_eq!(unsent_alone(info(0, 20)), 0);
        let held_up = PathInfo {
            in_flight: 75_000,
            unsent: 1,
            ..info(150_000, 40)
        };
        assert_eq!(
            unsent_alone(held_up),
            93_750,
            "the peer's window is smaller"
        );
    }
}
