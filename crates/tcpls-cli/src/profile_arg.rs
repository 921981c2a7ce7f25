//! Whether sessions may use what the draft does not have.

use tcpls_tokio::{Profile, SessionConfig};

/// The flag for it, at clients and servers alike.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct ProfileArg {
    /// Speak the draft alone: offer and accept none of the extensions to it
    #[arg(long)]
    draft_only: bool,
}

impl ProfileArg {
    /// Has sessions of this configuration do as the user wants.
    pub(crate) fn apply(self, session: &mut SessionConfig) {
        if self.draft_only {
            session.profile(Profile::DraftOnly);
        }
    }
}
