//! Frames beyond the draft: which part of the session each is for.

use super::{Session, farewell, signals, tokens};
use crate::{
    CloseReason, idle,
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
pub(super) fn apply(session: &mut Session, frame: &ExtendedFrame<'_>) -> Result<(), CloseReason> {
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
        ExtendedFrame::MaxData(_)
        | ExtendedFrame::MaxStreamData(_)
        | ExtendedFrame::MaxStreams(_)
        | ExtendedFrame::DataBlocked(_)
        | ExtendedFrame::StreamDataBlocked(_)
        | ExtendedFrame::StreamsBlocked(_)
        | ExtendedFrame::StreamUni(_)
        | ExtendedFrame::ConnectionClose(_)
        | ExtendedFrame::ConnectionPriority(_)
        | ExtendedFrame::Probe(_)
        | ExtendedFrame::ProbeReply(_)
        | ExtendedFrame::ObservedAddress(_)
        | ExtendedFrame::Unknown(_) => Ok(()),
        ExtendedFrame::NewToken(frame) => tokens::on_extended_token(session, frame),
        ExtendedFrame::RetireToken(id) => tokens::on_retire_token(session, *id),
        ExtendedFrame::TokenRequest(wanted) => tokens::on_token_request(session, *wanted),
    }
}
