//! Frames beyond the draft: which part of the session each is for.

use std::time::Instant;

use super::{Session, farewell, path_state, probe, signals, tokens};
use crate::{
    CloseReason, ConnectionHandle, idle,
    profile::Terms,
    wire::{ExtendedFrame, SessionParams},
};

/// Takes in what the peer said about itself.
pub(super) fn on_params(session: &mut Session, peer: Option<SessionParams>) {
    session.terms = Terms::new(session.config.params(), peer);
    if let Some(peer) = session.terms.peer() {
        idle::agree(&mut session.config, session.terms.features(), peer);
        session.streams.agree(session.terms.features(), peer);
    }
    tokens::on_terms(session);
}

/// Applies one frame. Those of features that were not agreed on are passed over, as if their types
/// were not known here.
pub(super) fn apply(
    session: &mut Session,
    c: ConnectionHandle,
    frame: &ExtendedFrame<'_>,
    now: Instant,
) -> Result<(), CloseReason> {
    if session.terms.peer().is_none() {
        return Err(CloseReason::Internal(
            "a frame was read that was not agreed on",
        ));
    }
    match frame {
        ExtendedFrame::SessionClose(frame) => {
            farewell::on_session_close(session, frame);
            Ok(())
        }
        ExtendedFrame::ResetStream(frame) => signals::on_reset(session, *frame),
        ExtendedFrame::StopSending(frame) => signals::on_stop_sending(session, *frame),
        ExtendedFrame::ConnectionClose(frame) => {
            path_state::on_connection_close(session, frame.connection, now);
            Ok(())
        }
        ExtendedFrame::ConnectionPriority(frame) => {
            path_state::on_priority(session, frame);
            Ok(())
        }
        ExtendedFrame::ObservedAddress(frame) => {
            path_state::on_observed_address(session, frame);
            Ok(())
        }
        ExtendedFrame::Probe(opaque) => {
            probe::on_probe(session, c, *opaque);
            Ok(())
        }
        ExtendedFrame::ProbeReply(opaque) => {
            probe::on_reply(session, c, *opaque, now);
            Ok(())
        }
        ExtendedFrame::StreamUni(stream) => signals::on_stream_uni(session, *stream),
        ExtendedFrame::MaxData(_)
        | ExtendedFrame::MaxStreamData(_)
        | ExtendedFrame::MaxStreams(_)
        | ExtendedFrame::DataBlocked(_)
        | ExtendedFrame::StreamDataBlocked(_)
        | ExtendedFrame::StreamsBlocked(_) => signals::on_limit(session, frame),
        ExtendedFrame::Unknown(_) => Ok(()),
        ExtendedFrame::NewToken(frame) => tokens::on_extended_token(session, frame),
        ExtendedFrame::RetireToken(id) => tokens::on_retire_token(session, *id),
        ExtendedFrame::TokenRequest(wanted) => tokens::on_token_request(session, *wanted),
    }
}
