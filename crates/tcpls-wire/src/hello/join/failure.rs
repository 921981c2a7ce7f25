//! Why a join came to nothing before the first protected record.

use thiserror::Error;

use crate::{Alert, AlertDescription, HelloError, hello::HandshakeType};

/// What a joining client met instead of its session.
///
/// All of it comes unauthenticated, so it ends this connection and says nothing about the session
/// (readings ). After an error [`super::AnswerReader`] reads nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JoinFailure {
    /// An alert; `illegal_parameter` is what a server answers that does not know the token (R37).
    #[error("the server refuses the join: {}", .0.description)]
    Alert(Alert),
    /// A real handshake: the server wants another hello.
    #[error("the server answers the join with a real handshake: HelloRetryRequest")]
    HelloRetryRequest,
    /// A real handshake: the server cannot resume what never was.
    #[error("the server answers the join with a real handshake: it does not resume")]
    WithoutPreSharedKey,
    /// A `ServerHello` that answers another hello.
    #[error("the server's answer to the join has another {0}")]
    Mismatch(HelloField),
    /// A `ServerHello` that cannot be read.
    #[error("the server's answer to the join cannot be read: {0}")]
    Malformed(HelloError),
    /// Another handshake message than a `ServerHello`, or one after it.
    #[error("the server answers the join with handshake message {}", .0.as_u8())]
    UnexpectedMessage(HandshakeType),
    /// A record in the wrong place or of the wrong size: a second `change_cipher_spec`, something
    /// between two fragments of a `ServerHello`, an alert that is none.
    #[error("record of type {0} in the wrong place")]
    UnexpectedRecord(u8),
    /// A record or message longer than any answer to a join.
    #[error("the server's answer to the join is too long")]
    TooLong,
    /// Not TLS at all: HTTP, say. The first byte of what should be a record.
    #[error("the answer to the join is not TLS: it begins with {0:#04x}")]
    NotTls(u8),
}

/// What differs in a `ServerHello` that answers another hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum HelloField {
    /// The version: it is not TLS 1.3.
    #[error("version")]
    Version,
    /// The session identifier: it echoes another one.
    #[error("session identifier")]
    SessionId,
    /// The cipher suite: it is not that of the session.
    #[error("cipher suite")]
    CipherSuite,
    /// The key share: it is of a group without a share in the hello, or has the wrong size.
    #[error("key share")]
    KeyShare,
    /// The selected identity: it is not the first, or none was offered.
    #[error("pre-shared key")]
    PreSharedKey,
}

impl JoinFailure {
    /// The alert that a client of TLS would end this with; `None` where it would just go.
    pub fn alert(self) -> Option<AlertDescription> {
        match self {
            Self::Alert(_) | Self::NotTls(_) => None,
            Self::HelloRetryRequest | Self::UnexpectedMessage(_) | Self::UnexpectedRecord(_) => {
                Some(AlertDescription::UNEXPECTED_MESSAGE)
            }
            Self::WithoutPreSharedKey => Some(AlertDescription::HANDSHAKE_FAILURE),
            Self::Mismatch(HelloField::Version) => Some(AlertDescription::PROTOCOL_VERSION),
            Self::Mismatch(_) => Some(AlertDescription::ILLEGAL_PARAMETER),
            Self::Malformed(error) => Some(error.alert()),
            Self::TooLong => Some(AlertDescription::RECORD_OVERFLOW),
        }
    }
}
