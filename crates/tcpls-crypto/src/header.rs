//! The five bytes before a TLS record, and what kind of record they announce (reading A-18).

use tcpls_wire::AlertDescription;

/// Length of a record header: `Type:1 Version:2 Length:2`.
pub const HEADER_LEN: usize = 5;
/// Length of an authentication tag.
pub const TAG_LEN: usize = 16;
/// The longest plaintext of a record, without its content type and padding.
pub const MAX_PLAINTEXT: usize = 16_384;
/// The longest protected part of a record: RFC 8446 section 5.2 allows 256 bytes of expansion.
pub const MAX_CIPHERTEXT: usize = MAX_PLAINTEXT + 256;
/// The longest record that is ever sent: header, plaintext, content type and tag.
pub const MAX_SEALED_RECORD: usize = HEADER_LEN + MAX_PLAINTEXT + 1 + TAG_LEN;

/// What a protected record contains: the content type inside the encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// 21
    Alert,
    /// 22: `NewSessionTicket` and `KeyUpdate`.
    Handshake,
    /// 23: TCPLS frames, or the bytes of a plain TLS connection.
    ApplicationData,
}

impl ContentType {
    /// The type with this byte on the wire; `None` for those that a protected record cannot have.
    pub const fn from_wire(byte: u8) -> Option<Self> {
        match byte {
            21 => Some(Self::Alert),
            22 => Some(Self::Handshake),
            23 => Some(Self::ApplicationData),
            _ => None,
        }
    }

    /// The byte on the wire.
    pub const fn as_u8(self) -> u8 {
        match self {
            Self::Alert => 21,
            Self::Handshake => 22,
            Self::ApplicationData => 23,
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

/// The header of a record that is protected: type 23, version 0x0303.
pub(crate) fn protected_header(length: u16) -> [u8; HEADER_LEN] {
    let [high, low] = length.to_be_bytes();
    [ContentType::ApplicationData.as_u8(), 3, 3, high, low]
}
