//! What failed connections carried and may have delivered.
//!
//! When a connection fails, what its socket had not sent is lost for certain and goes out first. What
//! was on its way may have arrived, and often did: it goes out again in turn with new data, and what the
//! peer acknowledges meanwhile does not (reading A-14).

use std::time::Instant;

use super::{
    Session, failover,
    schedule::{self, STREAM_FRAMES, best_of, due},
    stream_change,
};
use crate::{
    CloseReason, ConnectionFailure, ConnectionHandle,
    connection::{Connection, Rank},
    number::offset,
    sent::SentFrame,
    wire::StreamId,
};

/// Sorts what a connection that failed carried.
pub(super) fn begin(session: &mut Session, c: ConnectionHandle, failure: ConnectionFailure) {
    let apart = kept_apart(session, c);
    let Some(connection) = session.connections.get_mut(c) else {
        return;
    };
    let unsent = connection.liveness.view().info().unsent;
    if failure == ConnectionFailure::ReportedByPeer || connection.liveness.info().is_none() {
        return failover::requeue(session, c);
    }
    let control: Vec<_> = connection.sent.control().collect();
    let signals: Vec<_> = connection.sent.signals().collect();
    let mut lost: Vec<_> = connection.sent.take_last(unsent).collect();
    lost.extend(connection.sent.take_streams(&apart));
    for range in lost {
        session.streams.on_lost(range);
    }
    for frame in control {
        failover::push_again(session, frame);
    }
    for signal in signals {
        session.streams.on_signal_lost(signal);
    }
    session.doubtful.push(c);
}

/// The streams on a connection that failed that have connections of their own: what is in doubt goes over
/// any, so they take no part in it.
fn kept_apart(session: &Session, c: ConnectionHandle) -> Vec<StreamId> {
    let frames = session
        .connections
        .get(c)
        .map(|failed| failed.sent.unacked());
    let mut apart = Vec::new();
    for frame in frames.into_iter().flatten() {
        if let SentFrame::Stream(range) = frame
            && !apart.contains(&range.stream)
            && let Some(limit) = session.streams.limit(range.stream)
            && best_of(session, limit).is_some()
        {
            apart.push(range.stream);
        }
    }
    apart
}

/// Whether something is in doubt that this connection, which is of the best rank, may send.
pub(super) fn is_any(session: &Session) -> bool {
    session.doubtful.iter().any(|failed| {
        let failed = session.connections.get(*failed);
        failed.is_some_and(|failed| failed.sent.outstanding(0).is_some())
    })
}

/// Whether it is the turn of what is in doubt, and not that of new data that this connection may carry.
pub(super) fn is_turn(session: &Session, c: ConnectionHandle, rank: Rank) -> bool {
    if session.doubtful.is_empty() || !session.connections.is_best(rank) {
        return false;
    }
    let is_even = |connection: &Connection| connection.stats.records_sent.is_multiple_of(2);
    let mut lanes = session.streams.lanes();
    let shares = lanes.any(|(_, limit)| limit.is_none_or(|limit| limit.contains(&c)));
    !shares || session.connections.get(c).is_some_and(is_even)
}

/// Puts what is in doubt into the record that is being built; returns how many frames that are. From
/// then on this connection answers for them.
pub(super) fn push(
    session: &mut Session,
    c: ConnectionHandle,
    now: Instant,
) -> Result<u32, CloseReason> {
    let mut pushed = 0;
    while pushed < STREAM_FRAMES {
        let Some(&first) = session.doubtful.first() else {
            break;
        };
        let failed = session.connections.get_mut(first);
        let Some((failed, next)) = failed.and_then(|failed| {
            let next = failed.sent.outstanding(0)?;
            Some((failed, next))
        }) else {
            session.doubtful.remove(0);
            continue;
        };
        let wanted = session.streams.room_for(next.range);
        let repeated = session.builder.carries(next.range.stream);
        if session.builder.remaining() < wanted || repeated {
            break;
        }
        failed.sent.take_outstanding();
        let Some(frame) = session.streams.repeat_frame(next.range) else {
            continue;
        };
        let Some(connection) = session.connections.get_mut(c) else {
            break;
        };
        let due = due(connection, offset(frame.data.len()), now);
        let sent = SentFrame::Stream(frame.sent_range());
        stream_change::on_pushed(connection, &frame);
        connection.sent.push(sent, due);
        connection.stats.frames_sent.stream += 1;
        schedule::push_frame(&mut session.builder, connection, frame)?;
        pushed += 1;
    }
    Ok(u32::try_from(pushed).unwrap_or(u32::MAX))
}

/// The peer said its last word about a connection that failed: what it did not acknowledge is lost.
pub(super) fn end(session: &mut Session, c: ConnectionHandle) {
    if !session.doubtful.contains(&c) {
        return;
    }
    while let Some(range) = session
        .connections
        .get_mut(c)
        .and_then(|connection| connection.sent.take_outstanding())
    {
        session.streams.on_lost(range);
    }
    session.doubtful.retain(|doubtful| *doubtful != c);
}
