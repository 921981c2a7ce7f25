//! New keys when the application wants them (reading A-26).

use crate::session::Session;

impl Session {
    /// Moves every connection to new keys, and asks the peer to do the same. That happens by itself before a
    /// key has protected too much, so this is for those who want it more often. Data goes on meanwhile.
    ///
    /// Returns at once. Calls are one until the update is on its way; once the session closes they do nothing,
    /// and so they do where the newest key has protected nothing and 24 such were replaced within ten seconds.
    pub fn force_key_update(&self) {
        self.shared()
            .update(|state, _| state.core.force_key_update());
    }
}
