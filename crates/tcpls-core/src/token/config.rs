//! What an application can set about tokens.

use std::time::Duration;

use crate::SessionConfig;

impl SessionConfig {
    /// Unused tokens that the server keeps at the client unless the client asks for another number;
    /// default 8 (reading A-44). With a peer that speaks the draft alone they end when the 255 of a session
    /// are used up. Each takes some 50 bytes to send and an entry in the server's table of tokens; joins
    /// that have not proved themselves count, so it bounds these too.
    pub fn spare_tokens(&mut self, tokens: u8) -> &mut Self {
        self.spare_tokens = tokens;
        self
    }

    /// Unused tokens that a client can ask for at most (server); default 32. Requests for more get this
    /// many.
    pub fn requested_tokens(&mut self, tokens: u8) -> &mut Self {
        self.requested_tokens = tokens;
        self
    }

    /// How long the server takes a token after it was issued, in whole seconds and at least 1; default none:
    /// as long as the session. The client is given others in time, but not while no connection is live: what is
    /// shorter than such times can take costs sessions. Tokens for peers that speak the draft
    /// alone have no lifetime, nor does the one of the handshake.
    pub fn token_lifetime(&mut self, lifetime: Option<Duration>) -> &mut Self {
        self.token_lifetime = lifetime.map(|time| time.min(super::LONGEST_LIFETIME));
        self
    }
}
