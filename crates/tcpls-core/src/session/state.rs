//! How far the session is on its way to its end.

use std::time::Instant;

use crate::{CloseReason, ConnectionFailure};

/// The life of a session.
///
/// ```text
///        close()               finished streams acked, or too late
///  Open ---------> Finishing ---------------------------------------+
///   |                  |                                            v
///   +-- close_notify --+-------------------------------------> Draining
///   |                                                               |
///   |  fatal error, abort, last connection lost                     |  every connection over, or too late
///   +--------------------------------------------------> Closed <---+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifecycle {
    Open,
    /// This side closes: what it finished is to be acknowledged first, until the deadline.
    Finishing(Instant),
    /// `close_notify` goes out on every connection, and the peer's is awaited until the deadline.
    Draining(Draining),
    Closed(CloseReason),
}

/// What is known while a session drains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draining {
    pub(crate) closer: Closer,
    pub(crate) deadline: Instant,
    /// The latest deadline.
    pub(crate) until: Instant,
    /// Whether `close_notify` was given out on some connection.
    pub(crate) sent: bool,
    /// Whether `close_notify` came on some connection.
    pub(crate) received: bool,
}

/// A session that has no connection and waits for one to join (reading A-19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Orphaned {
    pub(crate) deadline: Instant,
    /// Why the last connection went.
    pub(crate) failure: ConnectionFailure,
}

/// Who began to close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closer {
    Local,
    Peer,
}

impl Lifecycle {
    /// When the current state has lasted long enough.
    pub(crate) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Finishing(deadline) => Some(deadline),
            Self::Draining(draining) => Some(draining.deadline),
            Self::Open | Self::Closed(_) => None,
        }
    }

    /// Why the session is over when its last connection goes, with this failure if it failed.
    pub(crate) fn reason_without_connections(self, failure: ConnectionFailure) -> CloseReason {
        match self {
            Self::Draining(draining) if draining.sent && draining.received => {
                draining.closer.reason()
            }
            Self::Closed(reason) => reason,
            Self::Open | Self::Finishing(_) | Self::Draining(_) => CloseReason::Lost(failure),
        }
    }
}

impl Closer {
    pub(crate) fn reason(self) -> CloseReason {
        match self {
            Self::Local => CloseReason::LocalClose,
            Self::Peer => CloseReason::PeerClose,
        }
    }
}
