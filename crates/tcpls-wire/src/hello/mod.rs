//! The TLS hello messages as far as TCPLS goes: reading, inserting and stripping its extensions.
//!
//! Every parser takes a whole handshake message with its header, `Type:1 Length:3 body[Length]`
//! (RFC 8446 section 4), already put together from its records.

mod client_hello;
mod encrypted_extensions;
mod extension_list;
pub mod join;
mod registry;
mod rewrite;
mod server_hello;

pub use client_hello::{ClientHello, ClientOffer};
pub use encrypted_extensions::{EncryptedExtensions, Offered, ServerAnswer};
pub use extension_list::ExtensionList;
pub use registry::{CipherSuite, NamedGroup};
pub use rewrite::{insert_extensions, strip_extensions};
pub use server_hello::ServerHello;

use core::fmt;

use crate::{DecodeError, HelloError, cursor::Reader};

/// Length of the header of a handshake message, in bytes.
pub const HANDSHAKE_HEADER: usize = 4;

/// Type of a handshake message, 8 bits (RFC 8446 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandshakeType(u8);

impl HandshakeType {
    /// `client_hello`
    pub const CLIENT_HELLO: Self = Self(1);
    /// `server_hello`, also a `HelloRetryRequest`
    pub const SERVER_HELLO: Self = Self(2);
    /// `new_session_ticket`
    pub const NEW_SESSION_TICKET: Self = Self(4);
    /// `encrypted_extensions`
    pub const ENCRYPTED_EXTENSIONS: Self = Self(8);
    /// `certificate_request`
    pub const CERTIFICATE_REQUEST: Self = Self(13);
    /// `finished`
    pub const FINISHED: Self = Self(20);
    /// `key_update`
    pub const KEY_UPDATE: Self = Self(24);
    /// `message_hash`, the stand-in for the first `ClientHello` in a transcript
    pub const MESSAGE_HASH: Self = Self(254);

    /// The type with this value on the wire.
    pub const fn from_wire(value: u8) -> Self {
        Self(value)
    }

    /// The value on the wire.
    pub const fn as_u8(self) -> u8 {
        self.0
    }
}

/// One handshake message among several.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HandshakeMessage<'a> {
    /// What it is.
    pub kind: HandshakeType,
    /// The message with its header.
    pub bytes: &'a [u8],
    /// The message without its header.
    pub body: &'a [u8],
}

impl<'a> HandshakeMessage<'a> {
    /// Takes the first message off `stream`, or returns `None` and takes nothing while it is not
    /// there as a whole.
    ///
    /// A message may announce up to 2^24-1 bytes: whoever collects them sets the bound, with
    /// [`Self::announced_length`].
    pub fn take_first(stream: &mut &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(stream);
        let kind = HandshakeType(reader.u8().ok()?);
        let length = usize::try_from(reader.u24().ok()?).ok()?;
        let body = reader.take(length).ok()?;
        let bytes = stream.get(..HANDSHAKE_HEADER + length)?;
        *stream = reader.rest();
        Some(Self { kind, bytes, body })
    }

    /// Length of the first message of `stream` with its header, in bytes, once the header is there.
    pub fn announced_length(stream: &[u8]) -> Option<usize> {
        let mut reader = Reader::new(stream);
        reader.u8().ok()?;
        Some(HANDSHAKE_HEADER + usize::try_from(reader.u24().ok()?).ok()?)
    }
}

impl fmt::Debug for HandshakeMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "HandshakeMessage(type {}, {} bytes)",
            self.kind.as_u8(),
            self.bytes.len()
        )
    }
}

/// Whether a hello carries the `tcpls` extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tcpls {
    /// It does.
    Present,
    /// It does not.
    Absent,
}

impl Tcpls {
    /// Whether it is [`Tcpls::Present`].
    pub fn is_present(self) -> bool {
        self == Self::Present
    }
}

/// The body of `message`, which is one whole message of type `kind` and nothing more.
fn body_of(message: &[u8], kind: HandshakeType) -> Result<Reader<'_>, HelloError> {
    let mut reader = Reader::new(message);
    let found = HandshakeType(reader.u8()?);
    if found != kind {
        return Err(HelloError::UnexpectedMessage(found.as_u8()));
    }
    let length = usize::try_from(reader.u24()?).map_err(|_| DecodeError::Truncated)?;
    let body = reader.take(length)?;
    reader.finish()?;
    Ok(Reader::new(body))
}
