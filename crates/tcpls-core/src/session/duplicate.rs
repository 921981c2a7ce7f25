//! Stream data that goes out on a second connection, because the first may carry it in vain.

use std::time::Duration;

use super::{
    Session,
    schedule::{self, STREAM_FRAMES},
    stream_change,
};
use crate::{
    CloseReason, ConnectionHandle,
    connection::{Connection, Health, Outstanding, Rank},
    number::offset,
};

/// Why frames are sent a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Their connection is silent.
    Silence,
    /// They would arrive sooner, or are late.
    Lateness,
    /// The scheduler wants everything twice.
    Policy,
}

/// Puts what another connection carries into the record that is being built, and returns how many frames
/// that were.
pub(super) fn push(
    session: &mut Session,
    c: ConnectionHandle,
    rank: Rank,
    reason: Reason,
) -> Result<usize, CloseReason> {
    let mut pushed = 0;
    for _ in 0..STREAM_FRAMES {
        let Some((other, outstanding)) = find(session, c, rank, reason) else {
            break;
        };
        let range = outstanding.range;
        let room = session.builder.remaining();
        let wanted = session.streams.room_for(range);
        if room < wanted || session.builder.carries(range.stream) {
            break;
        }
        let frame = session.streams.copy_frame(range);
        let Some(connection) = session.connections.get_mut(c) else {
            break;
        };
        connection.duplicated.insert(other, outstanding.number + 1);
        let Some(frame) = frame else {
            continue;
        };
        stream_change::on_pushed(connection, &frame);
        connection.sent.push_duplicate(frame.sent_range());
        connection.stats.frames_sent.stream += 1;
        connection.stats.duplicates_sent += offset(frame.data.len());
        schedule::push_frame(&mut session.builder, connection, frame)?;
        pushed += 1;
    }
    Ok(pushed)
}

/// The next frame of another connection that this one is to send as well.
pub(super) fn find(
    session: &Session,
    c: ConnectionHandle,
    rank: Rank,
    reason: Reason,
) -> Option<(ConnectionHandle, Outstanding)> {
    let connection = session.connections.get(c)?;
    if !connection.sent.has_room() {
        return None;
    }
    session
        .connections
        .iter_live()
        .find_map(|(other, carrier)| {
            let wanted = other != c
                && match reason {
                    Reason::Silence => {
                        rank.is_usable() && carrier.liveness.health() == Health::Suspect
                    }
                    Reason::Lateness | Reason::Policy => carrier.rank() == Some(rank),
                };
            if !wanted {
                return None;
            }
            let from = connection.duplicated.get(&other).copied().unwrap_or(0);
            let outstanding = next_admitted(session, (c, rank), carrier, from)?;
            let send =
                reason != Reason::Lateness || is_late(session, connection, carrier, outstanding);
            send.then_some((other, outstanding))
        })
}

/// The next frame of `carrier` that the connection `c` may send, as its stream is limited.
fn next_admitted(
    session: &Session,
    (c, rank): (ConnectionHandle, Rank),
    carrier: &Connection,
    mut from: u64,
) -> Option<Outstanding> {
    loop {
        let outstanding = carrier.sent.outstanding(from)?;
        let limit = session.streams.limit(outstanding.range.stream);
        if schedule::is_admitted(session, c, rank, limit) {
            return Some(outstanding);
        }
        // Frames of few streams are not looked for behind those that all of the best connections may send.
        limit?;
        from = outstanding.number + 1;
    }
}

/// Whether a frame on `carrier` would arrive sooner over `connection`, by enough to be worth it.
fn is_late(
    session: &Session,
    connection: &Connection,
    carrier: &Connection,
    outstanding: Outstanding,
) -> bool {
    let (Some(due), Some(info)) = (outstanding.due, carrier.liveness.info()) else {
        return false;
    };
    let Some(mine) = connection.liveness.info() else {
        return false;
    };
    let now = session.clock;
    if now < due {
        let arrival = connection
            .liveness
            .view()
            .arrival(outstanding.range.length.into());
        let worth = (mine.round_trip / 2).max(LEAST_GAIN);
        return now + arrival + worth < due;
    }
    // The peer's TCP has it: the acknowledgment of the session takes its time.
    let received = info.in_flight == 0 && info.unsent == 0;
    let answer = info.round_trip + session.config.ack_delay + (info.round_trip_variation * 2);
    !received && now > due + answer.max(LEAST_LATENESS)
}

/// What a second copy must gain, at least.
const LEAST_GAIN: Duration = Duration::from_millis(10);

/// How late an acknowledgment must be, at least.
const LEAST_LATENESS: Duration = Duration::from_millis(30);
