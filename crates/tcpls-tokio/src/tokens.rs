//! How many connections can join a session at once (`spec/extensions.md` 6.4).

use tcpls_core::TokenError;

use crate::session::Session;

impl Session {
    /// Asks the server to keep so many unused tokens here, 0 to 255, that as many connections can join at
    /// once (client). It keeps 8 without a request, and not more than its
    /// [`requested_tokens`](crate::SessionConfig::requested_tokens).
    ///
    /// # Errors
    /// [`TokenError::UnsupportedByPeer`] when the server speaks the draft alone, [`TokenError::NotClient`],
    /// and [`TokenError::Closing`].
    pub fn request_tokens(&self, wanted: u8) -> Result<(), TokenError> {
        self.shared()
            .update(|state, _| state.core.request_tokens(wanted))
    }
}
