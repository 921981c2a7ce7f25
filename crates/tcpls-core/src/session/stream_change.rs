//! Stream Change: what the next record of a connection begins with (draft 5.2.9, reading A-36).
//!
//! The sender announces it only where it costs next to nothing: in a record that has room for the frame,
//! is acknowledged anyway, and is followed in the same batch by a full record that goes on somewhere
//! else. The receiver keeps it as a hint, which nothing depends on.

use super::{Session, schedule, transmit};
use crate::{
    CloseReason, ConnectionHandle,
    connection::{Connection, Rank},
    number::offset,
    stream::Outgoing,
    wire::{
        Fin, Frame, RecordSequence, StreamChangeFrame, StreamFrame, StreamId, frame::MAX_PLAINTEXT,
    },
};

/// A place in a stream.
pub(crate) type Place = (StreamId, u64);

/// What a record that was given out began with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lead {
    record: RecordSequence,
    length: usize,
    /// Where its stream goes on.
    next: Place,
}

/// What the next record of the peer may begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Expected {
    /// Where the stream goes on that the last one began with.
    continued: Option<Place>,
    /// What the last record announced, for the next one only.
    announced: Option<Place>,
}

impl Expected {
    /// Another record came: what was announced was announced for it.
    pub(super) fn on_record(&mut self) {
        self.announced = None;
    }

    /// A frame of it was applied; the last one leads the record.
    pub(super) fn on_frame(&mut self, frame: &Frame<'_>) {
        match frame {
            Frame::StreamChange(frame) => {
                self.announced = Some((frame.stream, frame.next_offset));
            }
            Frame::Stream(frame) => self.continued = end(frame),
            Frame::Padding(_)
            | Frame::Ping
            | Frame::Ack(_)
            | Frame::NewToken(_)
            | Frame::ConnectionReset(_)
            | Frame::NewAddress(_)
            | Frame::RemoveAddress(_)
            | Frame::Extended(_) => {}
        }
    }
}

/// A Stream frame is pushed to the record that is being built: the longest of them leads it.
pub(super) fn on_pushed(connection: &mut Connection, frame: &Outgoing) {
    let length = frame.data.len();
    let Some(record) = connection.sent.next_sequence() else {
        return;
    };
    let longer = connection
        .lead
        .is_none_or(|lead| lead.record != record || lead.length < length);
    if longer {
        let next = (frame.stream, frame.offset + offset(length));
        connection.lead = Some(Lead {
            record,
            length,
            next,
        });
    }
}

/// Announces what the next record begins with, if that is worth it; `left` bytes of the batch are left,
/// the record that is being built included.
pub(super) fn announce(
    session: &mut Session,
    c: ConnectionHandle,
    rank: Rank,
    left: usize,
) -> Result<(), CloseReason> {
    let builder = &session.builder;
    let used = MAX_PLAINTEXT - builder.remaining();
    if builder.remaining() < StreamChangeFrame::ENCODED_LEN
        || !builder.is_ack_eliciting()
        || used + StreamChangeFrame::ENCODED_LEN >= left
    {
        return Ok(());
    }
    let Some(next) = upcoming(session, c, rank) else {
        return Ok(());
    };
    let Some(connection) = session.connections.get_mut(c) else {
        return Ok(());
    };
    if connection.lead.is_some_and(|lead| lead.next == next) {
        return Ok(());
    }
    let (stream, next_offset) = next;
    let frame = Frame::StreamChange(StreamChangeFrame {
        stream,
        next_offset,
    });
    session
        .builder
        .push_control(&frame)
        .map_err(transmit::not_built)?;
    connection.stats.frames_sent.count(&frame);
    Ok(())
}

/// The Stream frame that fills the next record of this connection, if that is certain now.
fn upcoming(session: &Session, c: ConnectionHandle, rank: Rank) -> Option<Place> {
    let connection = session.connections.get(c)?;
    let interrupted = !session.control.is_empty()
        || session.streams.has_signals()
        || session.keys.ends_with_next(connection.key_update.sent);
    if interrupted {
        return None;
    }
    schedule::upcoming(session, c, rank)
}

/// What the next record may begin with: what was announced, or what came last, continued. Only streams
/// that are being received count.
pub(super) fn expected(session: &Session, c: ConnectionHandle) -> Option<Place> {
    let expected = session.connections.get(c)?.expected;
    let (stream, offset) = expected.announced.or(expected.continued)?;
    session
        .streams
        .is_receiving(stream)
        .then_some((stream, offset))
}

/// Where the stream of this frame goes on; nowhere after its end.
fn end(frame: &StreamFrame<'_>) -> Option<Place> {
    let end = frame.offset.checked_add(offset(frame.data.len()))?;
    (frame.fin == Fin::More).then_some((frame.stream, end))
}
