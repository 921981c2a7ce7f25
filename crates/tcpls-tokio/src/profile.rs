//! What a session has beyond the draft (`spec/extensions.md`).

use bytes::Bytes;
use tcpls_core::SessionClose;
use tcpls_core::wire::{Features, SessionParams};

use crate::session::Session;

impl Session {
    /// Closes the session: finished streams are delivered first, unfinished ones fail at the peer, then
    /// both sides say goodbye with `close_notify` (draft 4.4).
    ///
    /// The peer's application gets `code`, which is the application's own, and of `reason` at most 1024
    /// bytes, when both sides agreed on that; else, and for code 0 without a reason, it sees a plain close.
    ///
    /// Returns at once and may be called again, when the first call counts; [`closed`](Self::closed) tells
    /// when it is done.
    pub fn close(&self, code: u32, reason: &[u8]) {
        self.shared().update(|state, now| {
            if code == 0 && reason.is_empty() {
                state.core.close(now);
            } else {
                let reason = Bytes::copy_from_slice(reason);
                state.core.close_with(code, reason, now);
            }
        });
    }

    /// What the peer said when it ended the session, once it did.
    pub fn peer_close(&self) -> Option<SessionClose> {
        self.shared()
            .inspect(|state| state.core.peer_close().cloned())
    }

    /// What both sides can do beyond the draft; nothing with a peer that speaks the draft alone, or when
    /// [`Profile::DraftOnly`](crate::Profile::DraftOnly) is set here.
    pub fn features(&self) -> Features {
        self.shared().inspect(|state| state.core.features())
    }

    /// What the peer said about itself in `tcpls_params`; `None` when the session follows the draft alone.
    pub fn peer_params(&self) -> Option<SessionParams> {
        self.shared()
            .inspect(|state| state.core.peer_params().copied())
    }
}
