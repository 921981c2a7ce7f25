//! Errors by blame: the peer, the path, the local limits, the caller.
//!
//! [`CloseReason`] says why a session is over, [`ConnectionFailure`] why one connection is, and each
//! operation on a stream has its own small enum. [`CloseReason::alert`] is the one place that turns
//! an error into the TLS alert that the peer gets.

mod code;
mod operation;
mod peer;

use crate::{crypto::NotAuthentic, wire::AlertDescription};
pub use code::{CloseCode, TransportCode};
pub use operation::{
    AddressError, FinishError, OpenError, ReadError, ResetError, RetireError, TokenError,
    WriteError,
};
pub use peer::PeerMisbehaved;
use thiserror::Error;

/// Why a session ended; final once [`Event::Closed`](crate::Event::Closed) reports it.
///
/// [`LocalClose`](Self::LocalClose), [`PeerClose`](Self::PeerClose) and the code of an application are
/// orderly: the alert `close_notify` went both ways. Even then a stream that was not finished did not end cleanly, and
/// its calls return [`ReadError::Lost`] or [`WriteError::Lost`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CloseReason {
    /// This side closed the session and the peer answered.
    #[error("the session was closed here")]
    LocalClose,
    /// The peer closed the session.
    #[error("the peer closed the session")]
    PeerClose,
    /// The peer ended the session and said why; [`Session::peer_close`](crate::Session::peer_close) has its
    /// words. Only between peers that agreed on codes.
    #[error("the peer ended the session: {0}")]
    PeerClosed(CloseCode),
    /// This side gave the session up at once: [`Session::abort`](crate::Session::abort).
    #[error("the session was aborted here")]
    Aborted,
    /// The last connection went and no other can take over.
    #[error("the last connection was lost: {0}")]
    Lost(ConnectionFailure),
    /// The peer sent a fatal alert.
    #[error("the peer ended the session with alert {0}")]
    PeerAlert(AlertDescription),
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    PeerMisbehaved(PeerMisbehaved),
    /// A local limit was reached that the draft has no way to tell the peer about.
    #[error("a local limit was reached: {0}")]
    LimitExceeded(Limit),
    /// Nothing authentic arrived for the configured time (reading A-46).
    #[error("nothing arrived for the idle timeout")]
    IdleTimeout,
    /// The caller or this crate broke its own rules; the text says which.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

impl CloseReason {
    /// The alert that tells the peer, or `None` when there is nothing (more) to tell it. It is a fatal
    /// one, except that silence ends with `close_notify`.
    pub fn alert(self) -> Option<AlertDescription> {
        match self {
            Self::LocalClose
            | Self::PeerClose
            | Self::PeerClosed(_)
            | Self::Lost(_)
            | Self::PeerAlert(_) => None,
            Self::PeerMisbehaved(error) => Some(error.alert()),
            Self::Aborted | Self::LimitExceeded(_) | Self::Internal(_) => {
                Some(AlertDescription::INTERNAL_ERROR)
            }
            Self::IdleTimeout => Some(AlertDescription::CLOSE_NOTIFY),
        }
    }

    /// Whether the session was closed in order.
    pub const fn is_orderly(self) -> bool {
        matches!(
            self,
            Self::LocalClose | Self::PeerClose | Self::PeerClosed(CloseCode::Application(_))
        )
    }
}

impl From<PeerMisbehaved> for CloseReason {
    fn from(error: PeerMisbehaved) -> Self {
        Self::PeerMisbehaved(error)
    }
}

impl From<Limit> for CloseReason {
    fn from(limit: Limit) -> Self {
        Self::LimitExceeded(limit)
    }
}

/// A local cap that ends the session (reading A-34).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Limit {
    /// In-order bytes that the application has not read.
    #[error("too many bytes arrived that nobody read")]
    UnreadBytes,
    /// Bytes behind a gap in their stream.
    #[error("too many bytes arrived ahead of missing ones")]
    OutOfOrderBytes,
    /// Streams of the peer that are not finished in both directions.
    #[error("the peer has too many streams open")]
    PeerStreams,
    /// Records that did not authenticate, summed over the session's connections (reading A-18).
    #[error("too many records did not authenticate")]
    FailedRecords,
    /// Frames that the peer was sent and does not acknowledge, far beyond what streams may have.
    #[error("the peer acknowledges too few frames")]
    UnacknowledgedFrames,
    /// Records sealed under one key, which may not protect more. It is reached when key updates did
    /// not get out in time (reading A-26).
    #[error("a key has protected as many records as it may")]
    SealedRecords,
    /// The last record number of a connection was used.
    #[error("the record sequence of a connection is used up")]
    RecordSequence,
}

/// Why one connection ended, apart from an orderly close of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConnectionFailure {
    /// The peer ended the TCP connection without `close_notify` (reading A-16).
    #[error("the TCP connection ended without close_notify")]
    Eof,
    /// TCP reported a reset.
    #[error("the TCP connection was reset")]
    Reset,
    /// TCP made no progress for too long.
    #[error("the TCP connection timed out")]
    TimedOut,
    /// Another error of the socket.
    #[error("the socket failed")]
    Io,
    /// A record did not authenticate, or its header was not one of a protected record: the path is to
    /// blame, not the peer (reading A-18). The peer gets `bad_record_mac` on this connection.
    #[error("a record did not authenticate: {0}")]
    Unauthenticated(NotAuthentic),
    /// A record was longer than TLS allows. The peer gets `record_overflow` on this connection.
    #[error("a record was too long")]
    RecordOverflow,
    /// The peer reported this connection as failed: Connection Reset frame, or the alert
    /// `bad_record_mac` or `record_overflow`.
    #[error("the peer reported the connection as failed")]
    ReportedByPeer,
    /// What a client reached with a join is not its session (reading A-20).
    #[error("the connection did not lead to the session")]
    NotJoined,
    /// The local side gave the connection up.
    #[error("the connection was given up here")]
    Abandoned,
    /// Its local address is gone, or the interface that had it is down.
    #[error("the local address of the connection is gone")]
    AddressGone,
    /// The session ended and took its connections along.
    #[error("the session ended")]
    SessionEnded,
}

impl ConnectionFailure {
    /// The alert that tells the peer on this connection alone, if the failure has one.
    pub const fn alert(self) -> Option<AlertDescription> {
        match self {
            Self::Unauthenticated(_) => Some(AlertDescription::BAD_RECORD_MAC),
            Self::RecordOverflow => Some(AlertDescription::RECORD_OVERFLOW),
            Self::Eof
            | Self::Reset
            | Self::TimedOut
            | Self::Io
            | Self::ReportedByPeer
            | Self::NotJoined
            | Self::Abandoned
            | Self::AddressGone
            | Self::SessionEnded => None,
        }
    }
}
