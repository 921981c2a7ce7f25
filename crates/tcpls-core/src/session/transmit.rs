//! Records out: stream data first, control frames after it (draft 4.5, 5.2).

use std::time::Instant;

use bytes::Bytes;

use super::{
    Session, acknowledging, close, farewell, probe, retire, schedule, signals, state::Lifecycle,
    stream_change,
};
use crate::{
    CloseReason, ConnectionHandle, Limit, OutgoingRecord, Transmit, TransmitState,
    connection::{
        AckState, Connection, Heard, KeyUpdateAnswer, Outlet, Ping, Pump, Rank, WriteHalf,
    },
    crypto::{ContentType, SealError, key_update_message},
    number::offset,
    sent::SentFrame,
    wire::{Alert, AlertDescription, Frame, PushError, frame::MAX_PLAINTEXT},
};

/// How many control frames share a record at most.
const CONTROL_FRAMES: usize = 16;

/// Gives out records of this connection until they hold `limit` bytes.
pub(super) fn poll(
    session: &mut Session,
    c: ConnectionHandle,
    limit: usize,
    now: Instant,
    out: &mut Transmit,
) -> TransmitState {
    let Some(connection) = session.connections.get(c) else {
        return TransmitState::Close;
    };
    if connection.state.write != WriteHalf::Open {
        session.next_deadline.forget();
    }
    match connection.state.write {
        WriteHalf::Shutdown if connection.state.is_live() => return TransmitState::ShutdownWrite,
        WriteHalf::Shutdown | WriteHalf::Ended => return TransmitState::Close,
        WriteHalf::AlertDue(AlertDescription::CLOSE_NOTIFY) => {
            last_words(session, c, out);
            return last_record(session, c, Alert::CLOSE_NOTIFY, out);
        }
        WriteHalf::AlertDue(alert) => {
            last_words(session, c, out);
            return last_record(session, c, Alert::fatal(alert), out);
        }
        WriteHalf::NotifyDue => {
            last_acks(session, c, out);
            return last_record(session, c, Alert::CLOSE_NOTIFY, out);
        }
        WriteHalf::Retiring(_) | WriteHalf::EndDue(_) | WriteHalf::Retired(_) => {
            return retire::poll(session, c, now);
        }
        WriteHalf::Open => {}
    }
    if let Some(connection) = session.connections.get_mut(c) {
        connection.outlet = Outlet::Open;
    }
    session.clock = now;
    session.granted = 0;
    let mut given = 0;
    while given < limit {
        match next_record(session, c, limit - given, now, out) {
            Ok(Some(len)) => given += len,
            Ok(None) => break,
            Err(reason) => {
                session.next_deadline.forget();
                close::fail(session, reason);
                return poll(session, c, limit, now, out);
            }
        }
    }
    if given > 0 {
        session.next_deadline.forget();
    }
    session.granted = 0;
    session.streams.on_given_out(&mut session.events);
    if given > 0 {
        session.streams.note_stall(now);
    }
    let state = if wants(session, c) {
        TransmitState::More
    } else {
        TransmitState::Idle
    };
    if let Some(connection) = session.connections.get_mut(c) {
        connection.pump = if state == TransmitState::More {
            Pump::Told
        } else {
            Pump::Idle
        };
    }
    state
}

/// Whether there is something to give out on this connection.
pub(super) fn wants(session: &Session, c: ConnectionHandle) -> bool {
    let Some(connection) = session.connections.get(c) else {
        return false;
    };
    match connection.state.write {
        WriteHalf::NotifyDue | WriteHalf::AlertDue(_) => true,
        WriteHalf::Shutdown | WriteHalf::Ended => false,
        WriteHalf::Retiring(_) | WriteHalf::EndDue(_) | WriteHalf::Retired(_) => {
            retire::is_end_due(connection)
        }
        WriteHalf::Open => match connection.rank() {
            None => false,
            Some(rank) if session.connections.is_best(rank) => {
                !session.control.is_empty()
                    || session.streams.has_signals()
                    || connection.ping == Ping::Due
                    || connection.probes.is_due()
                    || wants_key_update(session, connection)
                    || acknowledging::wants(session, c)
                    || schedule::has_data(session, c, rank)
            }
            Some(rank) => {
                connection.ping == Ping::Due
                    || connection.probes.is_due()
                    || rank.is_usable() && schedule::has_data(session, c, rank)
                    || wants_key_update_aside(session, c, rank)
            }
        },
    }
}

/// Builds one record; `None` when there is nothing to send. Of the batch, `left` bytes are left.
fn next_record(
    session: &mut Session,
    c: ConnectionHandle,
    left: usize,
    now: Instant,
    out: &mut Transmit,
) -> Result<Option<usize>, CloseReason> {
    let Some(connection) = session.connections.get(c) else {
        return Ok(None);
    };
    let Some(rank) = connection.rank() else {
        return Ok(None);
    };
    if !session.connections.is_best(rank) {
        return aside(session, c, rank, now, out);
    }
    if wants_key_update(session, connection) && !first_is_ping(connection) {
        return Ok(Some(key_update(session, c, out)));
    }
    if connection.sent.next_sequence().is_none() {
        return Err(Limit::RecordSequence.into());
    }
    push_control(session, c, now)?;
    let acknowledging = session.streams.wants_acknowledging();
    if acknowledging {
        acknowledging::push(session, c, |acks| acks.take_due(now))?;
    }
    schedule::push_streams(session, c, rank, now)?;
    if session.builder.is_empty() {
        return Ok(None);
    }
    if acknowledging {
        acknowledging::push(session, c, AckState::take_pending)?;
    }
    if session.builder.is_ack_eliciting() {
        session.activity.on_eliciting_sent(now);
    }
    session.streams.end_record();
    stream_change::announce(session, c, rank, left)?;
    Ok(Some(finish_record(session, c, out)))
}

/// A joined connection begins with its Ping, also when it has key generations to climb.
fn first_is_ping(connection: &Connection) -> bool {
    connection.heard == Heard::NotYet && connection.ping == Ping::Due
}

/// What goes out on a connection while better ones carry the session: a Ping that is to find out whether
/// it leads to the peer, and the streams that are limited to it.
fn aside(
    session: &mut Session,
    c: ConnectionHandle,
    rank: Rank,
    now: Instant,
    out: &mut Transmit,
) -> Result<Option<usize>, CloseReason> {
    if wants_key_update_aside(session, c, rank) {
        return Ok(Some(key_update(session, c, out)));
    }
    push_ping(session, c, now)?;
    probe::push(session, c, now)?;
    if rank.is_usable() {
        schedule::push_streams(session, c, rank, now)?;
    }
    if session.builder.is_empty() {
        return Ok(None);
    }
    session.streams.end_record();
    Ok(Some(finish_record(session, c, out)))
}

fn push_ping(session: &mut Session, c: ConnectionHandle, now: Instant) -> Result<(), CloseReason> {
    if let Some(connection) = session.connections.get_mut(c)
        && connection.ping == Ping::Due
    {
        session
            .builder
            .push_control(&Frame::Ping)
            .map_err(not_built)?;
        connection.stats.frames_sent.count(&Frame::Ping);
        connection.sent.push(SentFrame::Ping, None);
        connection.ping = Ping::Sent(now);
    }
    Ok(())
}

/// The session's own frames and this connection's Ping; the peer applies the last one first.
fn push_control(
    session: &mut Session,
    c: ConnectionHandle,
    now: Instant,
) -> Result<(), CloseReason> {
    let Some(connection) = session.connections.get_mut(c) else {
        return Ok(());
    };
    if connection.sent.is_overfull() {
        return Err(Limit::UnacknowledgedFrames.into());
    }
    let mut reset = Vec::new();
    for _ in 0..CONTROL_FRAMES {
        let Some((sent, frame)) = session.control.next_frame(now) else {
            break;
        };
        if let Frame::ConnectionReset(frame) = frame {
            reset.push(frame.connection);
        }
        session.builder.push_control(&frame).map_err(not_built)?;
        connection.stats.frames_sent.count(&frame);
        connection.sent.push(SentFrame::Control(sent), None);
        session.control.advance();
    }
    signals::push(session, c)?;
    push_ping(session, c, now)?;
    probe::push(session, c, now)?;
    for id in reset {
        acknowledging::push_last(session, c, id)?;
    }
    Ok(())
}

/// the current ACK of every connection, before `close_notify`.
fn last_acks(session: &mut Session, c: ConnectionHandle, out: &mut Transmit) {
    if acknowledging::push(session, c, AckState::take).is_ok() {
        last_words(session, c, out);
    }
}

/// What is to be said before the last alert of a connection, with the acknowledgments that go along.
fn last_words(session: &mut Session, c: ConnectionHandle, out: &mut Transmit) {
    let closes = matches!(
        session.lifecycle,
        Lifecycle::Draining(_) | Lifecycle::Closed(_)
    );
    if closes {
        farewell::push(session, c);
        if !session.builder.is_empty() {
            finish_record(session, c, out);
        }
    }
}

/// The alert after which nothing is sent on this connection.
fn last_record(
    session: &mut Session,
    c: ConnectionHandle,
    alert: Alert,
    out: &mut Transmit,
) -> TransmitState {
    let tail = out.tails.len();
    out.tails.extend_from_slice(&alert.encode());
    give_out(
        session,
        c,
        Content {
            kind: ContentType::Alert,
            lead: Bytes::new(),
            tail,
        },
        out,
    );
    close::on_last_record(session, c);
    match session.connections.get(c) {
        Some(connection) if connection.state.is_live() => TransmitState::ShutdownWrite,
        _ => TransmitState::Close,
    }
}

fn wants_key_update(session: &Session, connection: &Connection) -> bool {
    connection.key_update.answer == KeyUpdateAnswer::Due
        || connection.key_update.sent < session.keys.sending()
}

/// The same for one that is not of the best rank: it keeps up when it has something to send, and answers.
fn wants_key_update_aside(session: &Session, c: ConnectionHandle, rank: Rank) -> bool {
    rank.is_usable()
        && session.connections.get(c).is_some_and(|connection| {
            let asked = connection.key_update.answer == KeyUpdateAnswer::Due;
            asked || wants_key_update(session, connection) && schedule::has_data(session, c, rank)
        })
}

/// the record after which this connection has the key of the next generation.
fn key_update(session: &mut Session, c: ConnectionHandle, out: &mut Transmit) -> usize {
    let tail = out.tails.len();
    let request = session.keys.take_request();
    out.tails.extend_from_slice(&key_update_message(request));
    let kind = ContentType::Handshake;
    let given = give_out(
        session,
        c,
        Content {
            kind,
            lead: Bytes::new(),
            tail,
        },
        out,
    );
    if let Some(connection) = session.connections.get_mut(c) {
        connection.key_update.answer = KeyUpdateAnswer::NotAsked;
        connection.key_update.sent = connection.key_update.sent.saturating_add(1);
        session.keys.on_update_sent(connection.key_update.sent);
    }
    given
}

fn finish_record(session: &mut Session, c: ConnectionHandle, out: &mut Transmit) -> usize {
    let tail = out.tails.len();
    let lead = session.builder.finish(&mut out.tails).unwrap_or_default();
    let kind = ContentType::ApplicationData;
    give_out(session, c, Content { kind, lead, tail }, out)
}

/// The content of a record whose tail is what follows in the batch from `tail` on.
struct Content {
    kind: ContentType,
    lead: Bytes,
    tail: usize,
}

/// Numbers a record and puts it into the batch; returns the length of its plaintext, at least 1.
fn give_out(
    session: &mut Session,
    c: ConnectionHandle,
    content: Content,
    out: &mut Transmit,
) -> usize {
    let Some(connection) = session.connections.get_mut(c) else {
        return 1;
    };
    let Some(sequence) = connection.sent.next_sequence() else {
        return 1;
    };
    let tail = content.tail..out.tails.len();
    let len = content.lead.len() + tail.len();
    let load = connection.load();
    let Content { kind, lead, .. } = content;
    let padding = padding(connection, len);
    out.records.push(OutgoingRecord {
        sequence,
        content_type: kind,
        lead,
        tail,
        padding,
    });
    connection.sent.end_record();
    connection.stats.records_sent += 1;
    connection.stats.bytes_sent += offset(len);
    connection
        .liveness
        .on_given(offset(len), load, session.clock);
    session.keys.on_record(connection.key_update.sent);
    len.max(1)
}

/// the first records of a joined connection are as long as the messages of a handshake.
fn padding(connection: &Connection, len: usize) -> usize {
    let size = padded_size(connection);
    size.min(MAX_PLAINTEXT).saturating_sub(len)
}

/// What the next record is padded to; 0 for one that is not.
pub(super) fn padded_size(connection: &Connection) -> usize {
    let index = usize::try_from(connection.stats.records_sent).unwrap_or(usize::MAX);
    connection.record_sizes.get(index).copied().unwrap_or(0)
}

/// A record that was given out could not be sealed.
pub(super) fn on_seal_error(session: &mut Session, error: SealError) {
    let reason = match error {
        SealError::KeyExhausted => Limit::SealedRecords.into(),
        SealError::SequenceExhausted => Limit::RecordSequence.into(),
        SealError::Key(_) => CloseReason::Internal("no key for the next record"),
        SealError::TooLong | SealError::OutputTooSmall | SealError::Backend => {
            CloseReason::Internal("a record could not be sealed")
        }
    };
    close::fail(session, reason);
}

/// Every frame was measured before it was pushed.
pub(super) fn not_built(_: PushError) -> CloseReason {
    CloseReason::Internal("a frame did not fit the record that has room for it")
}
