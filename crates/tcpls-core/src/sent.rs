//! What a sent record remembers: what to redo if its connection fails, never what it looked like.

use crate::{
    stream::Signal,
    wire::{AddressId, ConnectionId, Fin, StreamId},
};

/// One frame of a sent record (reading A-13).
///
/// Frames that are not here are not redone: Padding, ACK (the current state is sent instead), Stream
/// Change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SentFrame {
    Stream(SentRange),
    /// A frame about streams beside their data.
    Signal(Signal),
    Control(ControlFrame),
    /// Answered when acknowledged; not redone.
    Ping,
}

/// A Stream frame without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentRange {
    pub(crate) stream: StreamId,
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) fin: Fin,
}

/// A frame of the session rather than of a stream, named by what it is about; the values are looked
/// up when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ControlFrame {
    NewToken(ConnectionId),
    RetireToken(ConnectionId),
    TokenRequest,
    ConnectionReset(ConnectionId),
    NewAddress(AddressId),
    RemoveAddress(AddressId),
    ConnectionClose(ConnectionId),
    /// With its epoch.
    ConnectionPriority(ConnectionId, u32),
    /// With its epoch.
    ObservedAddress(ConnectionId, u32),
}

impl SentFrame {
    /// Whether the peer has more of a stream, or of how it ended, when it has this.
    pub(crate) fn is_of_a_stream(self) -> bool {
        matches!(self, Self::Stream(_) | Self::Signal(Signal::Reset(_)))
    }
}

impl ControlFrame {
    /// The connection that a frame says is left.
    pub(crate) fn left(self) -> Option<ConnectionId> {
        match self {
            Self::ConnectionClose(id) => Some(id),
            Self::NewToken(_)
            | Self::RetireToken(_)
            | Self::TokenRequest
            | Self::ConnectionReset(_)
            | Self::NewAddress(_)
            | Self::RemoveAddress(_)
            | Self::ConnectionPriority(..)
            | Self::ObservedAddress(..) => None,
        }
    }
}

impl SentRange {
    /// The offset after the last byte.
    pub(crate) fn end(self) -> u64 {
        self.offset + u64::from(self.length)
    }
}
