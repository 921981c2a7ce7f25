//! The codes with which a session ends between peers that agreed on it (`spec/extensions.md` 6.3).

use core::fmt;

use super::{CloseReason, Limit, PeerMisbehaved};
use crate::wire::{CloseSpace, DecodeError};

/// What the peer said about why it ends the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// The protocol ended it.
    Transport(TransportCode),
    /// The application ended it, with a code of its own.
    Application(u32),
}

/// A code of the protocol's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransportCode(u32);

impl TransportCode {
    /// There is nothing to say.
    pub const NONE: Self = Self(0);
    /// The sender broke its own rules, or its application gave the session up.
    pub const INTERNAL: Self = Self(1);
    /// More data came than was allowed.
    pub const FLOW: Self = Self(2);
    /// More streams were opened than was allowed.
    pub const STREAM_LIMIT: Self = Self(3);
    /// A frame does not fit the state of its stream.
    pub const STREAM_STATE: Self = Self(4);
    /// Data beyond the end of a stream, or an end that moved.
    pub const FINAL_SIZE: Self = Self(5);
    /// A record that does not parse.
    pub const FRAME_ENCODING: Self = Self(6);
    /// Session parameters that contradict each other.
    pub const PARAMETERS: Self = Self(7);
    /// A token that has no place.
    pub const TOKEN: Self = Self(8);
    /// Another violation of the protocol.
    pub const PROTOCOL: Self = Self(9);
    /// Nothing arrived for the idle time-out.
    pub const IDLE: Self = Self(10);
    /// A key has been used as often as it may.
    pub const AEAD_LIMIT: Self = Self(11);
    /// The peer takes more than it is granted.
    pub const EXCESSIVE_LOAD: Self = Self(12);

    /// The code with this number on the wire.
    pub const fn from_wire(value: u32) -> Self {
        Self(value)
    }

    /// The number on the wire.
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NONE => "no reason",
            Self::INTERNAL => "internal error",
            Self::FLOW => "flow control",
            Self::STREAM_LIMIT => "stream limit",
            Self::STREAM_STATE => "stream state",
            Self::FINAL_SIZE => "final size",
            Self::FRAME_ENCODING => "frame encoding",
            Self::PARAMETERS => "session parameters",
            Self::TOKEN => "token",
            Self::PROTOCOL => "protocol violation",
            Self::IDLE => "idle",
            Self::AEAD_LIMIT => "AEAD limit",
            Self::EXCESSIVE_LOAD => "excessive load",
            _ => return None,
        })
    }
}

impl fmt::Display for TransportCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "transport code {}", self.0),
        }
    }
}

impl CloseCode {
    /// Whose code it is, on the wire.
    pub const fn space(self) -> CloseSpace {
        match self {
            Self::Transport(_) => CloseSpace::Transport,
            Self::Application(_) => CloseSpace::Application,
        }
    }

    /// The number on the wire.
    pub const fn as_u32(self) -> u32 {
        match self {
            Self::Transport(code) => code.as_u32(),
            Self::Application(code) => code,
        }
    }

    pub(crate) const fn from_wire(space: CloseSpace, code: u32) -> Self {
        match space {
            CloseSpace::Transport => Self::Transport(TransportCode(code)),
            CloseSpace::Application => Self::Application(code),
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(code) => fmt::Display::fmt(code, f),
            Self::Application(code) => write!(f, "application code {code}"),
        }
    }
}

impl CloseReason {
    /// The code that tells the peer before the alert does, or `None` when there is nothing to tell.
    pub fn code(self) -> Option<TransportCode> {
        match self {
            Self::LocalClose
            | Self::PeerClose
            | Self::PeerClosed(_)
            | Self::Lost(_)
            | Self::PeerAlert(_) => None,
            Self::PeerMisbehaved(error) => Some(error.code()),
            Self::LimitExceeded(limit) => Some(limit.code()),
            Self::IdleTimeout => Some(TransportCode::IDLE),
            Self::Aborted | Self::Internal(_) => Some(TransportCode::INTERNAL),
        }
    }
}

impl Limit {
    fn code(self) -> TransportCode {
        match self {
            Self::UnreadBytes | Self::OutOfOrderBytes | Self::UnacknowledgedFrames => {
                TransportCode::EXCESSIVE_LOAD
            }
            Self::PeerStreams => TransportCode::STREAM_LIMIT,
            Self::FailedRecords | Self::SealedRecords | Self::RecordSequence => {
                TransportCode::AEAD_LIMIT
            }
        }
    }
}

impl PeerMisbehaved {
    /// The code that names this violation between peers that agreed on codes.
    pub fn code(self) -> TransportCode {
        match self {
            Self::Decode(DecodeError::ReservedTokenSequence)
            | Self::TokenFromClient
            | Self::TokenRequestFromServer
            | Self::TooManyTokens
            | Self::TokenGeneration
            | Self::TokenChanged => TransportCode::TOKEN,
            Self::Decode(_) => TransportCode::FRAME_ENCODING,
            Self::UnopenedStream | Self::WrongDirection | Self::NotUnidirectional => {
                TransportCode::STREAM_STATE
            }
            Self::DataBeyondEnd | Self::EndMoved => TransportCode::FINAL_SIZE,
            Self::StreamDataLimit | Self::SessionDataLimit => TransportCode::FLOW,
            Self::StreamsLimit => TransportCode::STREAM_LIMIT,
            Self::EmptyRecords
            | Self::IdleFrames
            | Self::IdleRecords
            | Self::PingFlood
            | Self::ResetFlood
            | Self::TicketFlood
            | Self::TokenChurn
            | Self::AddressFlood
            | Self::KeyUpdateFlood => TransportCode::EXCESSIVE_LOAD,
            Self::AckOfUnknownConnection
            | Self::AckOfUnsentRecord
            | Self::ResetOfUnknownConnection
            | Self::Record(_)
            | Self::Handshake(_)
            | Self::TicketElsewhere => TransportCode::PROTOCOL,
        }
    }
}
