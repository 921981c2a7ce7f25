//! The `ServerHello` (RFC 8446 section 4.1.3), in which TCPLS never appears.

use super::{ExtensionList, HandshakeType, body_of};
use crate::{ExtensionCodec, HelloError};

/// The random value that makes a `ServerHello` a `HelloRetryRequest` (RFC 8446 section 4.1.3).
const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
const MAX_SESSION_ID: usize = 32;

/// A view of a `ServerHello` or `HelloRetryRequest`: `Version:2 Random:32 SessionId<0..32>
/// CipherSuite:2 Compression:1 Extensions<..2^16-1>`.
///
/// One of TLS 1.2 is read too, also without an extension list.
#[derive(Debug, Clone, Copy)]
pub struct ServerHello<'a> {
    random: &'a [u8; 32],
    session_id: &'a [u8],
    cipher_suite: u16,
    extensions: ExtensionList<'a>,
}

impl<'a> ServerHello<'a> {
    /// Reads one whole handshake message with its header.
    pub fn parse(message: &'a [u8]) -> Result<Self, HelloError> {
        let mut reader = body_of(message, HandshakeType::SERVER_HELLO)?;
        reader.u16()?;
        let random = reader.array()?;
        let session_id = reader.bytes_u8()?;
        if session_id.len() > MAX_SESSION_ID {
            return Err(HelloError::FieldSize);
        }
        let cipher_suite = reader.u16()?;
        reader.u8()?;
        let extensions = if reader.is_empty() {
            ExtensionList::EMPTY
        } else {
            ExtensionList::parse_last(reader)?
        };
        Ok(Self {
            random,
            session_id,
            cipher_suite,
            extensions,
        })
    }

    /// Refuses TCPLS extensions, none of which belongs here (draft 4, R3, reading A-23).
    pub fn refuse_tcpls(&self, codec: &ExtensionCodec) -> Result<(), HelloError> {
        let points = codec.code_points;
        [points.tcpls, points.join, points.token, points.params]
            .into_iter()
            .try_for_each(|kind| self.extensions.refuse(kind))
    }

    /// Whether it asks for a second `ClientHello`.
    pub fn is_hello_retry_request(&self) -> bool {
        *self.random == HELLO_RETRY_REQUEST
    }

    /// The server's random value.
    pub fn random(&self) -> &'a [u8; 32] {
        self.random
    }

    /// The session identifier that echoes the client's, 0 to 32 bytes.
    pub fn session_id(&self) -> &'a [u8] {
        self.session_id
    }

    /// The cipher suite, as numbered by the TLS registry.
    pub fn cipher_suite(&self) -> u16 {
        self.cipher_suite
    }

    /// The extensions.
    pub fn extensions(&self) -> ExtensionList<'a> {
        self.extensions
    }
}
