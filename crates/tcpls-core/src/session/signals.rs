//! Frames about streams beside their data: out, in, and again.

use super::{Session, transmit::not_built};
use crate::{
    CloseReason, ConnectionHandle,
    sent::SentFrame,
    stream::{News, STREAM_UNI_LEN, Signal},
    wire::{ExtendedFrame, Features, Frame, ResetStreamFrame, StopSendingFrame, StreamId},
};

/// How many of them share a record at most.
const SIGNALS: usize = 64;

/// What the longest of them takes: `RESET_STREAM`, with what goes along.
const LONGEST: usize = 19 + STREAM_UNI_LEN;

/// Puts what the streams have to tell into the record that is being built.
pub(super) fn push(session: &mut Session, c: ConnectionHandle) -> Result<(), CloseReason> {
    if !session.streams.has_signals() {
        return Ok(());
    }
    let round_trip = session
        .connections
        .iter_live()
        .filter_map(|(_, connection)| connection.liveness.info())
        .map(|info| info.round_trip)
        .max();
    let Some(connection) = session.connections.get_mut(c) else {
        return Ok(());
    };
    for _ in 0..SIGNALS {
        if session.builder.remaining() < LONGEST {
            break;
        }
        let Some((signal, frame)) = session.streams.next_signal(session.clock, round_trip) else {
            break;
        };
        let frame = Frame::Extended(frame);
        session.builder.push_control(&frame).map_err(not_built)?;
        connection.stats.frames_sent.count(&frame);
        connection.sent.push(SentFrame::Signal(signal), None);
        // After it, so that the peer applies it before.
        if let Signal::Reset(stream) = signal
            && let Some(company) = session.streams.reset_company(stream)
        {
            let company = Frame::Extended(company);
            session.builder.push_control(&company).map_err(not_built)?;
            connection.stats.frames_sent.count(&company);
        }
        session.streams.advance_signal();
    }
    Ok(())
}

/// The peer broke a stream off.
pub(super) fn on_reset(session: &mut Session, frame: ResetStreamFrame) -> Result<(), CloseReason> {
    if !has(session, Features::STREAM_RESET) {
        return Ok(());
    }
    let news = session.streams.on_reset(frame, &mut session.events)?;
    note(session, news);
    Ok(())
}

/// The peer reads no more of a stream.
pub(super) fn on_stop_sending(
    session: &mut Session,
    frame: StopSendingFrame,
) -> Result<(), CloseReason> {
    if !has(session, Features::STREAM_RESET) {
        return Ok(());
    }
    let news = session
        .streams
        .on_stop_sending(frame, &mut session.events)?;
    note(session, news);
    Ok(())
}

/// The peer lets this side send more, or open more streams.
pub(super) fn on_limit(
    session: &mut Session,
    frame: &ExtendedFrame<'_>,
) -> Result<(), CloseReason> {
    if !has(session, Features::FLOW_CONTROL) {
        return Ok(());
    }
    let events = &mut session.events;
    let news = if let ExtendedFrame::MaxData(limit) = frame {
        session.streams.on_max_data(*limit)
    } else if let ExtendedFrame::MaxStreamData(frame) = frame {
        session.streams.on_max_stream_data(*frame, events)?
    } else if let ExtendedFrame::MaxStreams(count) = frame {
        session.streams.on_max_streams(*count, events)
    } else if let ExtendedFrame::StreamDataBlocked(frame) = frame {
        session.streams.on_stream_blocked(frame.stream, events)?
    } else {
        News::None
    };
    note(session, news);
    Ok(())
}

fn note(session: &mut Session, news: News) {
    if news == News::Some {
        session.effort.on_news();
    }
}

/// A stream of the peer has one direction.
pub(super) fn on_stream_uni(session: &mut Session, stream: StreamId) -> Result<(), CloseReason> {
    let news = session.streams.on_stream_uni(stream, &mut session.events)?;
    if news == News::Some {
        session.effort.on_news();
    }
    Ok(())
}

fn has(session: &Session, feature: Features) -> bool {
    session.terms.features().contains(feature)
}
