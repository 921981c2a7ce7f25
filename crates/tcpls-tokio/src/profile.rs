//! What a session has beyond the draft (`spec/extensions.md`).

use tcpls_core::wire::{Features, SessionParams};

use crate::session::Session;

impl Session {
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
