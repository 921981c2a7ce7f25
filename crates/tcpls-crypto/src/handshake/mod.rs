//! The TLS 1.3 handshake with the extensions of TCPLS, on an unmodified rustls.
//!
//! A TLS extension needs three things: its bytes in the message on the wire, its bytes in the
//! transcript hash, and nobody who refuses it. rustls takes both the transcript hash and the record
//! protection from its [provider](crate::provider()), so those two rewrite the two messages that carry
//! extensions, at the border between rustls and the wire:
//!
//! | side | message | what rustls sees | where the rest comes in or out |
//! |---|---|---|---|
//! | client | its `ClientHello` | its own | the record on its way out, and the transcript |
//! | server | the `ClientHello` | all of it: unknown extensions are ignored | nowhere |
//! | server | its `EncryptedExtensions` | its own | the encrypter, and the transcript |
//! | client | the `EncryptedExtensions` | the part it asked for | the decrypter, and the transcript |
//!
//! Both transcripts equal what is on the wire, so every signature and key binds the extensions as
//! RFC 8446 wants. A mistake in the rewriting makes the Finished messages differ: it fails closed.

mod alert;
mod client;
mod client_hello;
mod config;
mod driver;
mod error;
mod established;
mod exchange;
mod hello;
mod kernel;
mod machine;
mod protection;
mod scope;
mod server;
mod transcript;

use tcpls_wire::{ExtensionCodec, SessionParams};

use crate::{Backend, Limits};

pub use client::{ClientHandshake, Offer};
pub use config::{ConfigError, TlsClient, TlsServer};
pub use error::{HandshakeError, NotTls};
pub use established::{Established, HandshakeInfo, Negotiated, PlainReason};
pub use hello::{FirstFlight, HelloReader, JoinHello, ReceivedHello};
pub use kernel::{TicketError, TicketStore};
pub use server::{Answer, ServerHandshake};

pub(crate) use protection::ExtendedAead;
pub(crate) use transcript::ExtendedHash;

/// How the handshake speaks, and what its keys are used with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Where the TCPLS extensions are, and how tokens are written.
    pub codec: ExtensionCodec,
    /// The library that protects the records of the session.
    pub backend: Backend,
    /// Limits on the use of each key; the suite's own by default.
    pub limits: Option<Limits>,
}

const _: () = assert!(4 + 4 + 33 + 4 + SessionParams::MAX_ENCODED <= config::EXTENSION_ROOM);
