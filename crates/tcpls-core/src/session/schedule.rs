//! Which stream data goes out on a connection: what is new, and what another one may carry in vain.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Session, transmit::not_built};
use crate::{
    CloseReason, ConnectionHandle,
    connection::{Connection, Health, Outstanding, Rank},
    number::{length, offset},
    scheduler::{Decision, Duplicates, Offer, PathView},
    sent::SentFrame,
    stream::Outgoing,
    wire::{
        RecordBuilder,
        frame::{MAX_PLAINTEXT, STREAM_OVERHEAD},
    },
};

/// How many Stream frames share a record at most (reading A-31).
const STREAM_FRAMES: usize = 16;

/// Fills the record that is being built with Stream frames of different streams, each whole (draft
/// 4.5): first what a silent connection carries (reading A-45), then what is new, and if there is
/// nothing new, what would arrive sooner this way.
pub(super) fn push_streams(
    session: &mut Session,
    c: ConnectionHandle,
    rank: Rank,
    now: Instant,
) -> Result<(), CloseReason> {
    push_duplicates(session, c, rank, Reason::Silence)?;
    let everything = session.config.scheduler.duplicates() == Duplicates::All;
    if everything {
        push_duplicates(session, c, rank, Reason::Policy)?;
    }
    if decide(session, c, rank) == Decision::Send {
        push_new(session, c, now)?;
    }
    if !everything && !session.streams.is_ready() {
        push_duplicates(session, c, rank, Reason::Lateness)?;
    }
    Ok(())
}

/// Whether there is stream data that this connection, which is of the best rank, is to carry.
pub(super) fn has_data(session: &Session, c: ConnectionHandle, rank: Rank) -> bool {
    let Some(connection) = session.connections.get(c) else {
        return false;
    };
    if !connection.sent.has_room() {
        return false;
    }
    if session.streams.is_ready() && decide(session, c, rank) == Decision::Send {
        return true;
    }
    if session.connections.live().len() == 1 {
        return false;
    }
    let everything = session.config.scheduler.duplicates() == Duplicates::All;
    find(session, c, rank, Reason::Silence).is_some()
        || everything && find(session, c, rank, Reason::Policy).is_some()
        || !everything
            && !session.streams.is_ready()
            && find(session, c, rank, Reason::Lateness).is_some()
}

/// How much to give out to this connection at a time.
pub(super) fn batch(session: &Session, c: ConnectionHandle) -> usize {
    if session.connections.usable() < 2 {
        return LARGE_BATCH;
    }
    let info = session
        .connections
        .get(c)
        .and_then(|connection| connection.liveness.info());
    let Some(info) = info else {
        return SMALL_BATCH;
    };
    let micros = u64::try_from(info.round_trip.as_micros()).unwrap_or(u64::MAX);
    let ahead = info.congestion_window.saturating_mul(AHEAD_MICROS) / micros.max(1);
    length(ahead).clamp(SMALL_BATCH, LARGE_BATCH)
}

/// Asks the scheduler, if there is a choice.
fn decide(session: &Session, c: ConnectionHandle, rank: Rank) -> Decision {
    if session.connections.live().len() == 1 {
        return Decision::Send;
    }
    let Some(connection) = session.connections.get(c) else {
        return Decision::Leave;
    };
    let others: Vec<PathView> = session
        .connections
        .iter_live()
        .filter(|(other, connection)| *other != c && connection.rank() == Some(rank))
        .map(|(_, connection)| view(connection))
        .collect();
    if others.is_empty() {
        return Decision::Send;
    }
    session.config.scheduler.decide(&Offer {
        candidate: view(connection),
        others: &others,
        backlog: session.streams.backlog(),
    })
}

fn view(connection: &Connection) -> PathView {
    connection.liveness.view().with_turns(connection.turns)
}

fn push_new(session: &mut Session, c: ConnectionHandle, now: Instant) -> Result<(), CloseReason> {
    let Some(connection) = session.connections.get_mut(c) else {
        return Ok(());
    };
    for _ in 0..STREAM_FRAMES {
        if session.builder.remaining() < STREAM_OVERHEAD || !connection.sent.has_room() {
            break;
        }
        let Some(frame) = session.streams.take_frame(session.builder.stream_room()) else {
            break;
        };
        let len = offset(frame.data.len());
        connection.turns += len;
        let due = due(connection, len, now);
        connection
            .sent
            .push(SentFrame::Stream(frame.sent_range()), due);
        connection.stats.frames_sent.stream += 1;
        push_frame(&mut session.builder, frame)?;
    }
    Ok(())
}

fn push_frame(builder: &mut RecordBuilder<Bytes>, frame: Outgoing) -> Result<(), CloseReason> {
    builder
        .push_stream(frame.stream, frame.offset, frame.fin, frame.data)
        .map_err(not_built)
}

/// When what is given to this connection now should have arrived; `None` where TCP does not tell.
fn due(connection: &Connection, bytes: u64, now: Instant) -> Option<Instant> {
    connection.liveness.info()?;
    now.checked_add(connection.liveness.view().arrival(bytes))
}

/// Why frames are sent a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// Their connection is silent.
    Silence,
    /// They would arrive sooner, or are late.
    Lateness,
    /// The scheduler wants everything twice.
    Policy,
}

fn push_duplicates(
    session: &mut Session,
    c: ConnectionHandle,
    rank: Rank,
    reason: Reason,
) -> Result<(), CloseReason> {
    if session.connections.live().len() == 1 {
        return Ok(());
    }
    for _ in 0..STREAM_FRAMES {
        let Some((other, outstanding)) = find(session, c, rank, reason) else {
            break;
        };
        let range = outstanding.range;
        let room = session.builder.remaining();
        let wanted = STREAM_OVERHEAD + usize::try_from(range.length).unwrap_or(usize::MAX);
        if room < wanted {
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
        connection.sent.push_duplicate(frame.sent_range());
        connection.stats.frames_sent.stream += 1;
        connection.stats.duplicates_sent += offset(frame.data.len());
        push_frame(&mut session.builder, frame)?;
    }
    Ok(())
}

/// The next frame of another connection that this one is to send as well.
fn find(
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
            let outstanding = carrier.sent.outstanding(from)?;
            let send =
                reason != Reason::Lateness || is_late(session, connection, carrier, outstanding);
            send.then_some((other, outstanding))
        })
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

/// Plaintext enough for one large write, little enough to stay in the cache.
const LARGE_BATCH: usize = 16 * MAX_PLAINTEXT;

/// Two full records: while one is on its way into the socket, the next one is ready.
const SMALL_BATCH: usize = 2 * MAX_PLAINTEXT;

/// What a connection may be given ahead of its time, in microseconds, while there is a choice.
const AHEAD_MICROS: u64 = 5_000;
