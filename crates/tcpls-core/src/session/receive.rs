//! Records in: all frames of a record are parsed, then applied from the last to the first, and only
//! then is the record acknowledged (draft 5.2, readings ).

use std::time::Instant;

use bytes::Bytes;

use super::{Delivery, Session, close, extended, failover, keys, liveness, path_state, tokens};
use crate::{
    CloseReason, ConnectionFailure, ConnectionHandle, Event, FrameCounts, Limit, PeerMisbehaved,
    connection::{Content, Elicits, Heard, Ping},
    crypto::{ContentType, OpenError, OpenedRecord, RecordFault},
    number::offset,
    sent::SentFrame,
    stream::News,
    wire::{
        AckFrame, Alert, AlertDescription, ExtendedFrame, Fin, Frame, RecordFrames, RecordSequence,
        StreamFrame,
    },
};

/// Takes in the next record of a connection.
pub(super) fn record(
    session: &mut Session,
    c: ConnectionHandle,
    record: OpenedRecord,
    now: Instant,
) -> Result<(), CloseReason> {
    let OpenedRecord {
        sequence,
        content_type,
        payload,
    } = record;
    if begin(session, c, sequence, payload.len(), now)? == Progress::Over {
        return Ok(());
    }
    match content_type {
        ContentType::ApplicationData => {
            let elicits = frames(session, c, &payload, &mut Lead::None, now)?;
            on_applied(session, c, sequence, (payload.len(), elicits), now);
            Ok(())
        }
        ContentType::Alert => alert(session, c, &payload, now),
        ContentType::Handshake => {
            on_applied(session, c, sequence, (payload.len(), Elicits::Nothing), now);
            keys::handle_messages(session, c, &payload, now)
        }
    }
}

/// A record whose first frame's data is with the application already.
pub(super) struct Landed<'a> {
    pub(super) sequence: RecordSequence,
    /// Bytes of the plaintext.
    pub(super) length: usize,
    pub(super) lead: StreamFrame<'a>,
    /// The frames after it.
    pub(super) others: &'a Bytes,
}

/// Takes in such a record, which is the next one of a connection.
pub(super) fn landed(
    session: &mut Session,
    c: ConnectionHandle,
    record: &Landed<'_>,
    now: Instant,
) -> Result<Delivery, CloseReason> {
    if begin(session, c, record.sequence, record.length, now)? == Progress::Over {
        return Ok(Delivery::Kept);
    }
    let mut lead = Lead::Landed(record.lead, Delivery::Kept);
    let elicits = frames(session, c, record.others, &mut lead, now)?;
    on_applied(session, c, record.sequence, (record.length, elicits), now);
    match lead {
        Lead::Landed(_, delivery) => Ok(delivery),
        Lead::None => Ok(Delivery::Kept),
    }
}

/// Whether a record is still of use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Goes,
    Over,
}

/// A record of so many bytes came on a connection.
fn begin(
    session: &mut Session,
    c: ConnectionHandle,
    sequence: RecordSequence,
    length: usize,
    now: Instant,
) -> Result<Progress, CloseReason> {
    let Some(connection) = session.connections.get_mut(c) else {
        return Ok(Progress::Over);
    };
    if !connection.state.is_readable() {
        return Ok(Progress::Over);
    }
    if connection.next_received != Some(sequence) {
        return Err(CloseReason::Internal(
            "a record was handed in out of its order",
        ));
    }
    connection.next_received = sequence.next();
    connection.stats.records_received += 1;
    connection.stats.bytes_received += offset(length);
    session
        .streams
        .begin_record(&mut connection.stretch, length);
    if connection.heard == Heard::NotYet {
        connection.heard = Heard::Yes;
        session.events.push(Event::ConnectionEstablished(c));
        path_state::on_heard(session, c);
        liveness::on_way_found(session);
    }
    session.activity.on_received(now);
    session.clock = now;
    Ok(Progress::Goes)
}

/// A record could not be opened (reading A-18).
pub(super) fn on_open_error(
    session: &mut Session,
    c: ConnectionHandle,
    error: OpenError,
    now: Instant,
) {
    let reason = match error {
        OpenError::NotAuthentic(reason) => {
            return failover::fail(session, c, ConnectionFailure::Unauthenticated(reason), now);
        }
        OpenError::PeerMisbehaved(RecordFault::TooLong) => {
            return failover::fail(session, c, ConnectionFailure::RecordOverflow, now);
        }
        OpenError::PeerMisbehaved(fault) => PeerMisbehaved::Record(fault).into(),
        OpenError::IntegrityLimit => Limit::FailedRecords.into(),
        OpenError::Key(_) => CloseReason::Internal("no key for the next record"),
        OpenError::OutputTooSmall => CloseReason::Internal("no room for a record"),
    };
    close::fail(session, reason);
}

/// What a record has before the frames that are still to be read.
enum Lead<'a> {
    None,
    /// The data of this frame is with the application, and what became of that.
    Landed(StreamFrame<'a>, Delivery),
}

/// Applies the frames of a record and says how it is to be acknowledged.
fn frames(
    session: &mut Session,
    c: ConnectionHandle,
    payload: &Bytes,
    lead: &mut Lead<'_>,
    now: Instant,
) -> Result<Elicits, CloseReason> {
    let frames =
        RecordFrames::parse(payload, session.terms.frames()).map_err(PeerMisbehaved::from)?;
    let mut elicits = match session.connections.live().len() {
        _ if !frames.is_ack_eliciting() && matches!(lead, Lead::None) => Elicits::Nothing,
        1 => Elicits::Soon,
        _ => Elicits::Sooner,
    };
    let mut counts = FrameCounts::default();
    let mut expected = session
        .connections
        .get(c)
        .map(|connection| connection.expected)
        .unwrap_or_default();
    expected.on_record();
    for frame in &frames {
        counts.count(&frame);
        expected.on_frame(&frame);
        if is_urgent(&frame) {
            elicits = Elicits::AtOnce;
        }
        session.effort.on_frame(&frame);
        apply(session, c, &frame, payload, now)?;
    }
    if let Lead::Landed(lead, delivery) = lead {
        let frame = Frame::Stream(*lead);
        counts.count(&frame);
        expected.on_frame(&frame);
        if is_urgent(&frame) {
            elicits = Elicits::AtOnce;
        }
        session.effort.on_frame(&frame);
        *delivery = deliver(session, lead)?;
    }
    session.effort.end_record(now)?;
    if let Some(connection) = session.connections.get_mut(c) {
        connection.stats.frames_received.add(counts);
        connection.expected = expected;
        let content = match (counts.stream, counts.ping) {
            (1.., _) => Content::StreamBytes,
            (0, 1..) => Content::Ping,
            (0, 0) => Content::Other,
        };
        connection.liveness.on_received(content, now);
        if frames.is_empty() && matches!(lead, Lead::None) {
            connection.empty_records += 1;
            session.effort.on_empty_record(connection.empty_records)?;
        } else {
            connection.empty_records = 0;
        }
    }
    Ok(elicits)
}

fn on_applied(
    session: &mut Session,
    c: ConnectionHandle,
    sequence: RecordSequence,
    (bytes, elicits): (usize, Elicits),
    now: Instant,
) {
    if let Some(connection) = session.connections.get_mut(c) {
        connection.acks.on_applied(sequence, bytes, elicits, now);
    }
}

/// frames whose record is acknowledged at once.
fn is_urgent(frame: &Frame<'_>) -> bool {
    match frame {
        Frame::Ping | Frame::ConnectionReset(_) => true,
        Frame::Stream(frame) => frame.fin == Fin::End,
        Frame::Extended(frame) => matches!(frame, ExtendedFrame::ResetStream(_)),
        Frame::Padding(_)
        | Frame::Ack(_)
        | Frame::NewToken(_)
        | Frame::NewAddress(_)
        | Frame::RemoveAddress(_)
        | Frame::StreamChange(_) => false,
    }
}

fn apply(
    session: &mut Session,
    c: ConnectionHandle,
    frame: &Frame<'_>,
    payload: &Bytes,
    now: Instant,
) -> Result<(), CloseReason> {
    match frame {
        // Stream Change is a hint, which was noted.
        Frame::Padding(_) | Frame::Ping | Frame::StreamChange(_) => Ok(()),
        Frame::Stream(frame) => {
            let effect = session
                .streams
                .receive(frame, payload, &mut session.events)?;
            session.effort.on_compared(effect.compared);
            note(session, effect.news);
            Ok(())
        }
        Frame::Ack(frame) => ack(session, c, frame, now),
        Frame::NewToken(frame) => tokens::on_new_token(session, frame),
        Frame::ConnectionReset(frame) => {
            failover::on_connection_reset(session, frame.connection, now)
        }
        Frame::NewAddress(frame) => {
            let news = session.control.on_new_address(frame, &mut session.events);
            if news == News::Some {
                let advertised = session.control.peer_addresses().count();
                session.effort.on_address(advertised)?;
            }
            Ok(())
        }
        Frame::RemoveAddress(frame) => {
            let news = session
                .control
                .on_remove_address(frame.id, &mut session.events);
            note(session, news);
            Ok(())
        }
        Frame::Extended(frame) => extended::apply(session, c, frame, now),
    }
}

/// Has the data of `frame` count as read, or takes it in where it is not what comes next.
fn deliver(session: &mut Session, frame: &StreamFrame<'_>) -> Result<Delivery, CloseReason> {
    if session.streams.deliver(frame, &mut session.events)? == News::Some {
        note(session, News::Some);
        return Ok(Delivery::Read);
    }
    let data = Bytes::copy_from_slice(frame.data);
    let frame = StreamFrame {
        data: &data,
        ..*frame
    };
    let effect = session
        .streams
        .receive(&frame, &data, &mut session.events)?;
    session.effort.on_compared(effect.compared);
    note(session, effect.news);
    Ok(Delivery::Kept)
}

/// Whether the frame that was applied changed something.
fn note(session: &mut Session, news: News) {
    if news == News::Some {
        session.effort.on_news();
    }
}

/// an ACK names any connection of the session, on any connection.
fn ack(
    session: &mut Session,
    on: ConnectionHandle,
    frame: &AckFrame,
    now: Instant,
) -> Result<(), CloseReason> {
    let Some(c) = session.connections.find(frame.connection) else {
        if session.connections.was_forgotten(frame.connection) {
            return Ok(());
        }
        return Err(if session.control.was_issued(frame.connection) {
            PeerMisbehaved::AckOfUnsentRecord.into()
        } else {
            PeerMisbehaved::AckOfUnknownConnection.into()
        });
    };
    let Some(connection) = session.connections.get_mut(c) else {
        return Ok(());
    };
    connection.sent.check_ack(frame.highest)?;
    if on == c && connection.sent.is_all(frame.highest) {
        connection.liveness.on_all_acked(now);
    }
    if connection.sent.takes_unkept(frame.highest) {
        session.effort.on_news();
    }
    let (mut news, mut progress, mut left) = (false, false, Vec::new());
    while let Some(acked) = connection.sent.take_acked(frame.highest) {
        news = true;
        progress |= acked.is_of_a_stream();
        match acked {
            SentFrame::Stream(range) => session.streams.on_acked(range, &mut session.events),
            SentFrame::Control(frame) => {
                session.control.on_acked(frame);
                session.keys.review();
                left.extend(frame.left());
            }
            SentFrame::Signal(signal) => {
                session.streams.on_signal_acked(signal, &mut session.events);
            }
            SentFrame::Ping => {
                if let Ping::Sent(at) = connection.ping {
                    connection.ping = Ping::None;
                    let round_trip = now.saturating_duration_since(at);
                    session.events.push(Event::PingAcked {
                        connection: c,
                        round_trip,
                    });
                    if connection.probes.on_ping_acked() {
                        session.events.push(Event::Probed {
                            connection: c,
                            round_trip,
                        });
                    }
                }
            }
        }
    }
    for id in left {
        path_state::on_close_acked(session, id);
    }
    if news {
        session.effort.on_news();
    }
    if progress {
        session.streams.note_stall(now);
        close::on_acked(session, now);
    }
    Ok(())
}

/// `close_notify` is orderly, two alerts speak of the connection, all others end the session.
fn alert(
    session: &mut Session,
    c: ConnectionHandle,
    content: &[u8],
    now: Instant,
) -> Result<(), CloseReason> {
    let alert = Alert::parse(content).map_err(PeerMisbehaved::from)?;
    match alert.description {
        AlertDescription::CLOSE_NOTIFY => close::on_close_notify(session, c, now),
        AlertDescription::USER_CANCELED => session.effort.on_idle_record(now)?,
        AlertDescription::BAD_RECORD_MAC | AlertDescription::RECORD_OVERFLOW => {
            failover::fail(session, c, ConnectionFailure::ReportedByPeer, now);
        }
        fatal => return Err(CloseReason::PeerAlert(fatal)),
    }
    Ok(())
}
