//! Which stream data goes out on a connection, and how much at a time.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    Session, doubt,
    duplicate::{self, Reason},
    stream_change,
    transmit::not_built,
};
use crate::{
    CloseReason, ConnectionHandle, Failover, PathInfo,
    connection::{Connection, Outlet, Rank},
    number::{length, offset},
    scheduler::{Decision, Duplicates, Offer, PathView},
    sent::SentFrame,
    stream::{Company, Outgoing},
    wire::{
        ExtendedFrame, Frame, RecordBuilder, StreamId,
        frame::{MAX_PLAINTEXT, STREAM_OVERHEAD},
    },
};

/// How many Stream frames share a record at most (reading A-31).
pub(super) const STREAM_FRAMES: usize = 16;

/// Fills the record that is being built with Stream frames of different streams, each whole (draft
/// 4.5): first what a silent connection carries (reading A-45), then what is new, and if there is
/// nothing new, what would arrive sooner this way.
pub(super) fn push_streams(
    session: &mut Session,
    c: ConnectionHandle,
    rank: Rank,
    now: Instant,
) -> Result<(), CloseReason> {
    let alone = session.connections.live().len() == 1;
    let policy = session.config.scheduler.duplicates();
    if !alone && session.granted == 0 {
        let mut repeated = duplicate::push(session, c, rank, Reason::Silence)?;
        if policy == Duplicates::All {
            repeated += duplicate::push(session, c, rank, Reason::Policy)?;
        }
        // New data of the same streams takes the next record: one carries each of them once.
        if repeated > 0 {
            return Ok(());
        }
    }
    if doubt::is_turn(session, c, rank) && doubt::push(session, c, now)? > 0 {
        return Ok(());
    }
    while let Some(lane) = next_lane(session, c, rank) {
        let before = session.builder.remaining();
        push_new(session, c, lane, now)?;
        if session.builder.remaining() == before || session.streams.lanes().nth(1).is_none() {
            break;
        }
    }
    if !alone && policy == Duplicates::Overdue && !session.streams.is_ready() {
        duplicate::push(session, c, rank, Reason::Lateness)?;
    }
    Ok(())
}

/// Whether there is stream data that this connection is to carry.
pub(super) fn has_data(session: &Session, c: ConnectionHandle, rank: Rank) -> bool {
    let Some(connection) = session.connections.get(c) else {
        return false;
    };
    if !connection.sent.has_room() {
        return false;
    }
    if next_lane(session, c, rank).is_some() {
        return true;
    }
    if doubt::is_turn(session, c, rank) && doubt::is_any(session) {
        return true;
    }
    if session.connections.live().len() == 1 {
        return false;
    }
    let duplicates = match session.config.scheduler.duplicates() {
        Duplicates::All => Some(Reason::Policy),
        Duplicates::Overdue if !session.streams.is_ready() => Some(Reason::Lateness),
        Duplicates::Overdue => None,
    };
    duplicate::find(session, c, rank, Reason::Silence).is_some()
        || duplicates.is_some_and(|reason| duplicate::find(session, c, rank, reason).is_some())
}

/// The stream that fills the record after the one that is built, and the offset that it is at, as far as
/// that can be told.
pub(super) fn upcoming(
    session: &Session,
    c: ConnectionHandle,
    rank: Rank,
) -> Option<(StreamId, u64)> {
    let alone = session.connections.live().len() == 1;
    let repeats = session.config.scheduler.duplicates() == Duplicates::All
        || duplicate::find(session, c, rank, Reason::Silence).is_some();
    if !alone && repeats || doubt::is_any(session) {
        return None;
    }
    let turn = session.connections.get(c)?.stats.records_sent + 1;
    let lane = lane_at(session, c, rank, turn)?;
    session.streams.next_full(lane)
}

/// The lane of streams whose turn it is on this connection, if the scheduler lets it take some.
fn next_lane(session: &Session, c: ConnectionHandle, rank: Rank) -> Option<usize> {
    let turn = session.connections.get(c)?.stats.records_sent;
    lane_at(session, c, rank, turn)
}

/// The same for the record `turn` of this connection: lanes have their turns by record.
fn lane_at(session: &Session, c: ConnectionHandle, rank: Rank, turn: u64) -> Option<usize> {
    let mut ready = session.streams.lanes();
    let (lane, limit) = ready.next()?;
    if ready.next().is_none() {
        return may_take(session, c, rank, limit).then_some(lane);
    }
    let mut first = None;
    let lanes = u64::try_from(session.streams.lanes().count()).ok()?;
    for (place, (lane, limit)) in session.streams.lanes().enumerate() {
        if !may_take(session, c, rank, limit) {
            continue;
        }
        if offset(place) >= turn % lanes {
            return Some(lane);
        }
        first = first.or(Some(lane));
    }
    first
}

/// Whether this connection takes data of streams with this limit now.
fn may_take(
    session: &Session,
    c: ConnectionHandle,
    rank: Rank,
    limit: Option<&[ConnectionHandle]>,
) -> bool {
    if session.connections.live().len() == 1 || limit.is_none() && session.granted > 0 {
        return true;
    }
    let limit = limit.filter(|limit| best_of(session, limit).is_some());
    is_admitted(session, c, rank, limit) && decide(session, c, limit)
}

/// Whether streams with this limit may use this connection, as the others are now.
pub(super) fn is_admitted(
    session: &Session,
    c: ConnectionHandle,
    rank: Rank,
    limit: Option<&[ConnectionHandle]>,
) -> bool {
    match limit.and_then(|limit| Some((limit, best_of(session, limit)?))) {
        Some((limit, best)) => limit.contains(&c) && rank == best,
        None => session.connections.is_best(rank),
    }
}

/// The best rank among these connections, if one of them is usable.
pub(super) fn best_of(session: &Session, limit: &[ConnectionHandle]) -> Option<Rank> {
    let rank_of = |handle: &ConnectionHandle| session.connections.get(*handle)?.rank();
    let ranks = limit.iter().filter_map(rank_of);
    ranks.filter(|rank| rank.is_usable()).min()
}

/// Asks the scheduler, if there is a choice.
fn decide(session: &Session, c: ConnectionHandle, limit: Option<&[ConnectionHandle]>) -> bool {
    let Some(candidate) = session.connections.get(c) else {
        return false;
    };
    let others = session
        .connections
        .iter_live()
        .filter(|(other, connection)| {
            *other != c
                && connection.rank() == candidate.rank()
                && limit.is_none_or(|limit| limit.contains(other))
        })
        .map(|(other, connection)| view(session, other, connection));
    let config = &session.config;
    let decision = with_views(others, |others| {
        if others.is_empty() {
            return Decision::Send;
        }
        config.scheduler.decide(&Offer {
            candidate: view(session, c, candidate),
            others,
            backlog: session.streams.backlog(),
            send_buffer: offset(config.stream_send_buffer.min(config.session_send_buffer)),
        })
    });
    decision == Decision::Send
}

/// Gives `decide` all `views` at once. Few are allocated nowhere, for this is asked with every record.
fn with_views(
    mut views: impl Iterator<Item = PathView>,
    decide: impl FnOnce(&[PathView]) -> Decision,
) -> Decision {
    let mut few = [PathView::new(PathInfo::default()); FEW];
    let mut count = 0;
    for (place, view) in few.iter_mut().zip(&mut views) {
        *place = view;
        count += 1;
    }
    match views.next() {
        None => decide(few.get(..count).unwrap_or_default()),
        Some(next) => decide(
            &few.into_iter()
                .chain([next])
                .chain(views)
                .collect::<Vec<_>>(),
        ),
    }
}

/// More connections than this beside one are rare.
const FEW: usize = 3;

fn view(session: &Session, c: ConnectionHandle, connection: &Connection) -> PathView {
    let view = connection.liveness.view().with_turns(connection.turns);
    let takes_more = connection.outlet == Outlet::Open && connection.sent.has_room();
    if session.carrier == Some(c) && takes_more {
        view.at_work()
    } else {
        view
    }
}

fn push_new(
    session: &mut Session,
    c: ConnectionHandle,
    lane: usize,
    now: Instant,
) -> Result<(), CloseReason> {
    let Some(connection) = session.connections.get_mut(c) else {
        return Ok(());
    };
    let turn = turn(connection);
    let mut taken = 0;
    for _ in 0..STREAM_FRAMES {
        if session.builder.remaining() < STREAM_OVERHEAD || !connection.sent.has_room() {
            break;
        }
        let room = session.builder.stream_room();
        let Some(frame) = session.streams.take_frame(lane, room, turn) else {
            break;
        };
        let len = offset(frame.data.len());
        stream_change::on_pushed(connection, &frame);
        connection.turns += len;
        taken += len;
        let sent = frame.sent_range();
        match session.config.failover {
            Failover::Resend => {
                let due = due(connection, len, now);
                connection.sent.push(SentFrame::Stream(sent), due);
            }
            Failover::Off => {
                connection.sent.note_unkept();
                session.streams.on_acked(sent, &mut session.events);
            }
        }
        connection.stats.frames_sent.stream += 1;
        push_frame(&mut session.builder, connection, frame)?;
    }
    if taken > 0 {
        on_taken(session, c, taken, turn);
    }
    Ok(())
}

/// A connection took so many bytes. If the scheduler was asked about them, it is not asked about the rest
/// of a `turn` of them: that costs more than it tells.
fn on_taken(session: &mut Session, c: ConnectionHandle, bytes: u64, turn: u64) {
    session.carrier = Some(c);
    let before = match session.granted {
        0 if session.connections.live().len() > 1 && is_single_choice(session) => turn,
        granted => granted,
    };
    session.granted = before.saturating_sub(bytes);
}

/// Whether the scheduler is asked about new data alone, and about all of it at once.
fn is_single_choice(session: &Session) -> bool {
    session.config.scheduler.duplicates() == Duplicates::Overdue
        && session.streams.lanes().all(|(_, limit)| limit.is_none())
}

/// Puts a Stream frame into the record that is being built, with what goes along.
pub(super) fn push_frame(
    builder: &mut RecordBuilder<Bytes>,
    connection: &mut Connection,
    frame: Outgoing,
) -> Result<(), CloseReason> {
    let Outgoing { stream, offset, .. } = frame;
    builder
        .push_stream(stream, offset, frame.fin, frame.data)
        .map_err(not_built)?;
    if frame.company == Company::StreamUni {
        let company = Frame::Extended(ExtendedFrame::StreamUni(stream));
        builder.push_control(&company).map_err(not_built)?;
        connection.stats.frames_sent.count(&company);
    }
    Ok(())
}

/// When what is given to this connection now should have arrived; `None` where TCP does not tell.
pub(super) fn due(connection: &Connection, bytes: u64, now: Instant) -> Option<Instant> {
    connection.liveness.info()?;
    now.checked_add(connection.liveness.view().arrival(bytes))
}

/// Whether what this connection is given could go out on another, now or soon: one that failed is often
/// replaced, and its peer often tells what of it arrived after all.
pub(super) fn has_choice(session: &Session, c: ConnectionHandle) -> bool {
    if session.connections.usable() > 1 {
        return true;
    }
    let Some(since) = session.latest_loss else {
        return false;
    };
    let info = session
        .connections
        .get(c)
        .and_then(|connection| connection.liveness.info());
    let round_trip = info.map_or(Duration::ZERO, |info| info.round_trip);
    let soon = (round_trip * REPLACED_IN_ROUND_TRIPS).max(REPLACED_AT_LEAST);
    session.clock.saturating_duration_since(since) < soon
}

/// How long to expect a connection in the place of one that failed: joining takes two round trips.
const REPLACED_IN_ROUND_TRIPS: u32 = 4;

/// The same, at least.
const REPLACED_AT_LEAST: Duration = Duration::from_millis(200);

/// How much to give out to this connection at a time.
pub(super) fn batch(session: &Session, c: ConnectionHandle) -> usize {
    let info = session
        .connections
        .get(c)
        .and_then(|connection| connection.liveness.info());
    let ahead = |info, micros| length(sent_within(info, micros));
    match (has_choice(session, c), info) {
        (true, None) => SMALL_BATCH,
        (true, Some(info)) => ahead(info, AHEAD_MICROS).clamp(SMALL_BATCH, LARGE_BATCH),
        (false, Some(info)) => ahead(info, AHEAD_ALONE_MICROS).clamp(MEDIUM_BATCH, LARGE_BATCH),
        (false, None) => LARGE_BATCH,
    }
}

/// How many bytes a stream sends in its turn: where the connection is fast, so many that who reads them is
/// not woken for each record.
fn turn(connection: &Connection) -> u64 {
    let info = connection.liveness.info();
    info.map_or(0, |info| sent_within(info, TURN_MICROS).min(LONGEST_TURN))
}

/// What TCP sends in so many microseconds, in bytes.
fn sent_within(info: PathInfo, time: u64) -> u64 {
    let micros = u64::try_from(info.round_trip.as_micros()).unwrap_or(u64::MAX);
    info.congestion_window.saturating_mul(time) / micros.max(1)
}

/// The longest turn of a stream, in microseconds of what the connection sends, and in bytes.
const TURN_MICROS: u64 = 500;
const LONGEST_TURN: u64 = 256 * 1024;

/// Plaintext enough for one large write, little enough to stay in the cache.
const LARGE_BATCH: usize = 24 * MAX_PLAINTEXT;

/// What a slow connection is given at a time, where it has no choice: another one may come at any moment, and
/// what waits in this one's socket it cannot carry.
const MEDIUM_BATCH: usize = 16 * MAX_PLAINTEXT;

/// A full record.
const SMALL_BATCH: usize = MAX_PLAINTEXT;

/// What a connection may be given ahead of its time, in microseconds, while there is a choice.
const AHEAD_MICROS: u64 = 2_500;

/// The same while there is none.
const AHEAD_ALONE_MICROS: u64 = 10_000;
