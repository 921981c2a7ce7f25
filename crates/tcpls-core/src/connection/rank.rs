//! Which connections are used first.

use super::{Connection, Health, Heard};
use crate::PathStatus;

/// How good a connection is for frames of the session; the best that there are carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// It works.
    Working,
    /// It works and is there for when no other does.
    Backup,
    /// It works and is about to go.
    Draining,
    /// It is silent for longer than usual.
    Suspect,
    /// Nobody knows whether it leads to the peer.
    Unheard,
}

impl Rank {
    /// Whether the connection gets through to the peer, as far as anybody knows.
    pub(crate) fn is_usable(self) -> bool {
        matches!(self, Self::Working | Self::Backup | Self::Draining)
    }

    /// `None` for a connection that takes no new frames.
    pub(super) fn of(connection: &Connection) -> Option<Self> {
        if !connection.state.is_writable() {
            return None;
        }
        let health = connection.liveness.health();
        Some(match (connection.heard, health, connection.path.status()) {
            (Heard::NotYet, _, _) => Self::Unheard,
            (Heard::Yes, Health::Suspect, _) => Self::Suspect,
            (Heard::Yes, Health::Well, PathStatus::Available) => Self::Working,
            (Heard::Yes, Health::Well, PathStatus::Backup) => Self::Backup,
            (Heard::Yes, Health::Well, PathStatus::Draining) => Self::Draining,
        })
    }
}
