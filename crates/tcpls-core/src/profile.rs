//! What a session may use beyond the draft (`spec/extensions.md`).

use crate::{
    SessionConfig, idle,
    wire::{Features, FrameSet, SessionParams},
};

/// Whether a session offers what the draft does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// It does, and uses what the peer offers, too. A peer that speaks the draft alone sees the draft
    /// alone, except for one TLS extension in the client's first hello.
    #[default]
    Extended,
    /// It does not: not one bit beyond the draft.
    DraftOnly,
}

/// What this library can do beyond the draft.
const IMPLEMENTED: Features = Features::NONE
    .with(Features::TOKENS)
    .with(Features::FLOW_CONTROL)
    .with(Features::STREAM_RESET)
    .with(Features::SESSION_CLOSE)
    .with(Features::IDLE)
    .with(Features::CONNECTION_STATE)
    .with(Features::PATH_PROBE)
    .with(Features::UNIDIRECTIONAL);

/// What was agreed on when the session began.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Terms {
    /// What the peer said, if both sides offered parameters.
    peer: Option<SessionParams>,
    features: Features,
}

impl Terms {
    /// What comes of this side's offer and the peer's.
    pub(crate) fn new(own: Option<SessionParams>, peer: Option<SessionParams>) -> Self {
        let Some((own, peer)) = own.zip(peer) else {
            return Self::default();
        };
        Self {
            peer: Some(peer),
            features: own.features.shared_with(peer.features),
        }
    }

    /// What both sides can do.
    pub(crate) fn features(&self) -> Features {
        self.features
    }

    /// What the peer said; `None` with a peer that speaks the draft alone.
    pub(crate) fn peer(&self) -> Option<&SessionParams> {
        self.peer.as_ref()
    }

    /// Which frames may come and go.
    pub(crate) fn frames(&self) -> FrameSet {
        match self.peer {
            Some(_) => FrameSet::Extended,
            None => FrameSet::Draft,
        }
    }
}

impl SessionConfig {
    /// What a session with this configuration says about itself in `tcpls_params`; `None` for the
    /// draft alone.
    pub fn params(&self) -> Option<SessionParams> {
        match self.profile {
            Profile::DraftOnly => None,
            Profile::Extended => {
                let mut params = SessionParams {
                    features: IMPLEMENTED,
                    max_uni_streams: Some(self.peer_uni_streams),
                    ..SessionParams::default()
                };
                idle::say(self, &mut params);
                self.say_windows(&mut params);
                Some(params)
            }
        }
    }
}
