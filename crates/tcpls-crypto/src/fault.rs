//! Why a record cannot be read, by blame (reading A-18).

use tcpls_wire::AlertDescription;

use crate::key_update::HandshakeFault;
use crate::secrets::KeyError;

/// Why a record cannot be read, by blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Nobody vouches for these bytes: this connection ends, the session does not (reading A-18).
    #[error("not authentic: {0}")]
    NotAuthentic(#[from] NotAuthentic),
    /// The peer protected something that it must not send: the session ends.
    #[error("authentic but wrong: {0}")]
    PeerMisbehaved(#[from] RecordFault),
    /// So many records failed under this key, over all connections, that it is no longer trusted.
    #[error("too many records failed to open under this key")]
    IntegrityLimit,
    /// The peer sent more than 2^64 records, or this end has no key for the next one.
    #[error("no key for the next record: {0}")]
    Key(#[from] KeyError),
    /// The output of [`RecordOpener::open_into`](crate::RecordOpener::open_into) is shorter than the record's content, type and
    /// padding, or the record is not whole. The record was not opened and can be tried again.
    #[error("the output buffer does not fit the record")]
    OutputTooSmall,
}

/// What is wrong with an authentic record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// Content and padding are longer than 2^14 bytes.
    #[error("the plaintext is longer than a record may be")]
    TooLong,
    /// Nothing but padding.
    #[error("the record has no content type")]
    NoContentType,
    /// A content type that protected records cannot have.
    #[error("content type {0} in a protected record")]
    ContentType(u8),
    /// Handshake messages that are cut up wrongly.
    #[error(transparent)]
    Handshake(#[from] HandshakeFault),
    /// More than 2^64 records.
    #[error("the record sequence is exhausted")]
    SequenceExhausted,
}

impl RecordFault {
    /// The alert that this fault deserves.
    pub const fn alert(self) -> AlertDescription {
        match self {
            Self::TooLong => AlertDescription::RECORD_OVERFLOW,
            Self::NoContentType | Self::ContentType(_) => AlertDescription::UNEXPECTED_MESSAGE,
            Self::Handshake(fault) => fault.alert(),
            Self::SequenceExhausted => AlertDescription::INTERNAL_ERROR,
        }
    }
}

impl OpenError {
    /// The alert to send on the connection that this error ends, or on all of the session's.
    pub const fn alert(self) -> AlertDescription {
        match self {
            Self::NotAuthentic(reason) => reason.alert(),
            Self::PeerMisbehaved(fault) => fault.alert(),
            Self::IntegrityLimit => AlertDescription::BAD_RECORD_MAC,
            Self::Key(_) | Self::OutputTooSmall => AlertDescription::INTERNAL_ERROR,
        }
    }
}

/// Something on the connection that no key vouches for: it says nothing about the peer, because
/// anybody on the path can inject it. It ends this connection only (reading A-18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthentic {
    /// The tag does not fit the record.
    #[error("the record's tag is wrong")]
    Tag,
    /// The type byte of the header is no TLS record type.
    #[error("record type {0} is not one of TLS")]
    RecordType(u8),
    /// The version of the header is not 0x0303.
    #[error("record version {0:#06x} is not 0x0303")]
    Version(u16),
    /// The length is above 2^14 + 256.
    #[error("record length {0} is above the limit of TLS")]
    TooLong(u16),
    /// The length leaves no room for a tag.
    #[error("record length {0} is too short to be authentic")]
    TooShort(u16),
    /// A handshake message in cleartext.
    #[error("a plaintext handshake record among protected ones")]
    PlaintextHandshake,
    /// An alert in cleartext; whatever it says, it may be injected.
    #[error("a plaintext alert ({0}) among protected records")]
    PlaintextAlert(AlertDescription),
    /// `change_cipher_spec` after the first protected record, malformed, or too many of them.
    #[error("a misplaced change_cipher_spec record")]
    ChangeCipherSpec,
}

impl NotAuthentic {
    /// The alert that this end sends before it gives the connection up.
    pub const fn alert(self) -> AlertDescription {
        match self {
            Self::Tag | Self::TooShort(_) => AlertDescription::BAD_RECORD_MAC,
            Self::RecordType(_)
            | Self::PlaintextHandshake
            | Self::PlaintextAlert(_)
            | Self::ChangeCipherSpec => AlertDescription::UNEXPECTED_MESSAGE,
            Self::Version(_) => AlertDescription::PROTOCOL_VERSION,
            Self::TooLong(_) => AlertDescription::RECORD_OVERFLOW,
        }
    }
}
