//! Errors of the decoders and encoders, by blame: the peer's bytes, or the caller's values.

use thiserror::Error;

use crate::AlertDescription;

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
