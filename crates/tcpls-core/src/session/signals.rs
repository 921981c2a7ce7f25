//! Frames about streams beside their data: out, in, and again.

use super::{Session, transmit::not_built};
use crate::{
    CloseReason, ConnectionHandle,
    sent::SentFrame,
    wire::{Features, Frame, ResetStreamFrame, StopSendingFrame},
};

/// How many of them share a record at most.
const SIGNALS: usize = 64;

/// What the longest of them takes: `RESET_STREAM`.
const LONGEST: usize = 19;

/// Puts what the streams have to tell into the record that is being built.
pub(super) fn push(session: &mut Session, c: ConnectionHandle) -> Result<(), CloseReason> {
    let Some(connection) = session.connections.get_mut(c) else {
        return Ok(());
    };
    for _ in 0..SIGNALS {
        if session.builder.remaining() < LONGEST {
            break;
        }
        let Some((signal, frame)) = session.streams.next_signal() else {
            break;
        };
        let frame = Frame::Extended(frame);
        session.builder.push_control(&frame).map_err(not_built)?;
        connection.stats.frames_sent.count(&frame);
        connection.sent.push(SentFrame::Signal(signal), None);
        session.streams.advance_signal();
    }
    Ok(())
}

/// The peer broke a stream off.
pub(super) fn on_reset(session: &mut Session, frame: ResetStreamFrame) -> Result<(), CloseReason> {
    if !has(session, Features::STREAM_RESET) {
        return Ok(());
    }
    session.streams.on_reset(frame, &mut session.events)
}

/// The peer reads no more of a stream.
pub(super) fn on_stop_sending(
    session: &mut Session,
    frame: StopSendingFrame,
) -> Result<(), CloseReason> {
    if !has(session, Features::STREAM_RESET) {
        return Ok(());
    }
    session.streams.on_stop_sending(frame, &mut session.events)
}

fn has(session: &Session, feature: Features) -> bool {
    session.terms.features().contains(feature)
}
