//! Errors of the decoders and encoders, by blame: the peer's bytes, or the caller's values.

use thiserror::Error;

use crate::{AlertDescription, ExtensionType, ParamId};

/// Why bytes from the peer are not what they claim to be.
///
/// A record or message with such an error is rejected as a whole (reading A-30).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// A field needs more bytes than are left.
    #[error("a field is cut short")]
    Truncated,
    /// Bytes follow where the value should have ended.
    #[error("bytes follow the end of the value")]
    TrailingBytes,
    /// The frame type is not one of draft table 2; without a length it cannot be skipped.
    #[error("unknown frame type {0:#04x}")]
    UnknownFrameType(u8),
    /// The value of a frame beyond the draft is longer than its type has.
    #[error("the value of a frame of type {0:#04x} has the wrong length")]
    ExtendedFrameLength(u8),
    /// A session ends with a code of nobody's.
    #[error("unknown close code space {0}")]
    UnknownCloseSpace(u8),
    /// The version byte of a New Address frame is neither 4 nor 6, so the address size is unknown.
    #[error("unknown address version {0}")]
    UnknownAddressVersion(u8),
    /// A Stream frame reaches beyond the last offset, 2^64-1.
    #[error("stream data ends beyond offset 2^64-1")]
    StreamOffsetOverflow,
    /// A New Token frame carries sequence 0, which belongs to the first connection (reading A-6).
    #[error("token sequence 0 belongs to the first connection")]
    ReservedTokenSequence,
    /// A record plaintext is longer than TLS allows, 16384 bytes.
    #[error("record plaintext is longer than 16384 bytes")]
    RecordTooLong,
    /// The level of an alert is neither warning (1) nor fatal (2).
    #[error("unknown alert level {0}")]
    UnknownAlertLevel(u8),
}

impl DecodeError {
    /// The TLS alert that answers this error (RFC 8446 section 6.2).
    pub fn alert(self) -> AlertDescription {
        match self {
            Self::Truncated
            | Self::TrailingBytes
            | Self::UnknownFrameType(_)
            | Self::ExtendedFrameLength(_)
            | Self::UnknownCloseSpace(_)
            | Self::UnknownAddressVersion(_)
            | Self::StreamOffsetOverflow => AlertDescription::DECODE_ERROR,
            Self::ReservedTokenSequence | Self::UnknownAlertLevel(_) => {
                AlertDescription::ILLEGAL_PARAMETER
            }
            Self::RecordTooLong => AlertDescription::RECORD_OVERFLOW,
        }
    }
}

/// Why a value of the caller has no encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The data of a Stream frame does not fit its 16-bit length field.
    #[error("stream data is longer than 65535 bytes")]
    StreamDataTooLong,
    /// A Stream frame would reach beyond the last offset, 2^64-1.
    #[error("stream data ends beyond offset 2^64-1")]
    StreamOffsetOverflow,
}

/// Why a handshake message of the peer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HelloError {
    /// The bytes do not have the shape of the message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The handshake message is of another type than the one that comes here.
    #[error("unexpected handshake message of type {0}")]
    UnexpectedMessage(u8),
    /// A field of the message has a size that TLS does not allow.
    #[error("a field has a size that TLS does not allow")]
    FieldSize,
    /// The host name in `server_name` is not text.
    #[error("the server name is not text")]
    ServerName,
    /// An extension type comes twice in one list (RFC 8446 section 4.2).
    #[error("extension {0} comes twice")]
    DuplicateExtension(ExtensionType),
    /// `pre_shared_key` is not the last extension (RFC 8446 section 4.2.11).
    #[error("pre_shared_key is not the last extension")]
    PreSharedKeyNotLast,
    /// `tcpls` has content (draft 5.1.1).
    #[error("the tcpls extension is not empty")]
    TcplsNotEmpty,
    /// A token extension is neither a bare nor a length-prefixed token (reading A-4).
    #[error("a token extension has the wrong size")]
    TokenSize,
    /// A TCPLS extension is in a message that it is not defined for (draft 5.1, reading A-23).
    #[error("extension {0} is not allowed in this message")]
    MisplacedExtension(ExtensionType),
    /// The server answers an extension that this client did not offer (reading A-23).
    #[error("extension {0} was not offered")]
    UnsolicitedExtension(ExtensionType),
    /// The server gives a token or parameters and yet does not agree to TCPLS (reading A-24).
    #[error("extension {0} comes without tcpls")]
    AnswerWithoutTcpls(ExtensionType),
    /// A session parameter comes twice.
    #[error("parameter {0} comes twice")]
    DuplicateParam(ParamId),
    /// A session parameter is missing without which a feature on offer means nothing.
    #[error("parameter {0} is missing")]
    MissingParam(ParamId),
    /// The value of a session parameter does not have the size of its number.
    #[error("parameter {0} has the wrong size")]
    ParamSize(ParamId),
}

impl HelloError {
    /// The TLS alert that answers this error (RFC 8446 section 6.2).
    pub fn alert(self) -> AlertDescription {
        match self {
            Self::Decode(error) => error.alert(),
            Self::UnexpectedMessage(_) => AlertDescription::UNEXPECTED_MESSAGE,
            Self::FieldSize
            | Self::ServerName
            | Self::TcplsNotEmpty
            | Self::TokenSize
            | Self::ParamSize(_) => AlertDescription::DECODE_ERROR,
            Self::DuplicateExtension(_)
            | Self::PreSharedKeyNotLast
            | Self::MisplacedExtension(_)
            | Self::AnswerWithoutTcpls(_)
            | Self::DuplicateParam(_)
            | Self::MissingParam(_) => AlertDescription::ILLEGAL_PARAMETER,
            Self::UnsolicitedExtension(_) => AlertDescription::UNSUPPORTED_EXTENSION,
        }
    }
}

/// Why extensions cannot be inserted into a message, or taken out of it; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RewriteError {
    /// The message itself is wrong.
    #[error(transparent)]
    Message(#[from] HelloError),
    /// The `ClientHello` ends before an extension list, as one of TLS 1.2 may.
    #[error("the message has no extension list")]
    NoExtensionList,
    /// The message already has an extension of this type, or it is to be inserted twice.
    #[error("extension {0} is already there")]
    AlreadyPresent(ExtensionType),
    /// With the new extensions a length field would overflow: 65535 bytes for an extension or the
    /// whole list, 2^24-1 for the message.
    #[error("the message would become too long")]
    TooLong,
}

impl From<DecodeError> for RewriteError {
    fn from(error: DecodeError) -> Self {
        Self::Message(error.into())
    }
}
