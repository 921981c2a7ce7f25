//! The five bytes before a TLS record, and what kind of record they announce (reading A-18).

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

/// The header of a record that is protected: type 23, version 0x0303.
pub(crate) fn protected_header(length: u16) -> [u8; HEADER_LEN] {
    let [high, low] = length.to_be_bytes();
    [ContentType::ApplicationData.as_u8(), 3, 3, high, low]
}
