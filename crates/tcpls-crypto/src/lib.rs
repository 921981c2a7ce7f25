//! TCPLS record protection and handshake, on an unmodified rustls.
//!
//! TCPLS (draft-piraux-tcpls) runs one TLS 1.3 handshake and then uses its keys on several TCP
//! connections. This crate does what that takes from cryptography, without any I/O:
//!
//! - **The handshake**: [`ClientHandshake`] and [`ServerHandshake`] are bytes in, bytes out. TLS itself
//!   is rustls, configured by the user as for any other purpose, on a provider that [`provider()`]
//!   makes from rustls' own: that is how the extensions of TCPLS get into the hello messages and their
//!   signatures. A peer that does not know TCPLS gives plain TLS 1.3. A server reads the client's
//!   hello first, with [`HelloReader`], because it may belong to a session that exists.
//! - **The record layer**: a TCPLS connection is an ordinary TLS 1.3 record layer whose nonce also
//!   contains the identifier of the connection (draft 4.3). [`RecordSealer`] and [`RecordOpener`] are
//!   the write and read half of one connection. The connections of a session share their
//!   [`DirectionKeys`], and with them key updates and the limits on the use of a key.
//!
//! The records are protected by aws-lc-rs (feature `aws-lc`, the default) or by the crates of the
//! `RustCrypto` project (feature `rustcrypto`); with both, [`Options::backend`] chooses.
//!
//! # Example
//!
//! A handshake in memory, then a record on the connection that carried it and one on a connection
//! that joins later:
//!
//! ```
//! use std::sync::Arc;
//!
//! use bytes::BytesMut;
//! use rustls_pki_types::{PrivatePkcs8KeyDer, ServerName};
//! use tcpls_crypto::wire::{ConnectionId, RecordSequence};
//! use tcpls_crypto::{
//!     Answer, ClientHandshake, FirstFlight, HelloReader, Offer, Options, Plaintext, RecordOpener,
//!     RecordSealer, ServerHandshake, TlsClient, TlsServer, WriteBuffer, provider,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Ordinary rustls configurations, on the provider of this crate.
//! let base = rustls::crypto::aws_lc_rs::default_provider();
//! let provider = Arc::new(provider(&base));
//! let identity = rcgen::generate_simple_self_signed(["tcpls.test".to_owned()])?;
//! let mut roots = rustls::RootCertStore::empty();
//! roots.add(identity.cert.der().clone())?;
//! let client_config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
//!     .with_safe_default_protocol_versions()?
//!     .with_root_certificates(roots)
//!     .with_no_client_auth();
//! let key = PrivatePkcs8KeyDer::from(identity.signing_key.serialize_der());
//! let server_config = rustls::ServerConfig::builder_with_provider(provider)
//!     .with_safe_default_protocol_versions()?
//!     .with_no_client_auth()
//!     .with_single_cert(vec![identity.cert.der().clone()], key.into())?;
//! let tls_client = TlsClient::new(&client_config)?;
//! let tls_server = TlsServer::new(&server_config)?;
//!
//! // The client's hello is there at once; the server reads it before it decides how to answer.
//! let options = Options::default();
//! let name = ServerName::try_from("tcpls.test")?;
//! let offer = Offer::Tcpls { params: None };
//! let mut client = ClientHandshake::new(&tls_client, name, offer, options)?;
//! let (mut sent, mut to_server, mut to_client) = (Vec::new(), BytesMut::new(), BytesMut::new());
//! client.write(&mut sent);
//! to_server.extend_from_slice(&sent);
//! let FirstFlight::Hello(hello) = HelloReader::new(options.codec).read(&mut to_server)? else {
//!     return Err("not a whole hello".into());
//! };
//! let answer = Answer::Tcpls { token: None, params: None };
//! let mut server = ServerHandshake::accept(&hello, &tls_server, answer, options)?;
//!
//! // Whatever either end has to write goes to the other one.
//! while !(client.is_complete() && server.is_complete()) {
//!     sent.clear();
//!     server.write(&mut sent);
//!     to_client.extend_from_slice(&sent);
//!     client.read(&mut to_client)?;
//!     sent.clear();
//!     client.write(&mut sent);
//!     to_server.extend_from_slice(&sent);
//!     server.read(&mut to_server)?;
//! }
//! server.write(&mut sent);
//! let (client, server) = (client.finish()?, server.finish()?);
//!
//! // The connection that carried the handshake goes on where that ended; joined ones start at 0.
//! let (send, receive) = (client.keys.send, server.keys.receive);
//! for (id, first) in [
//!     (ConnectionId::FIRST, client.first_sent),
//!     (ConnectionId::from_wire(1), RecordSequence::ZERO),
//! ] {
//!     let mut sealer = RecordSealer::new(Arc::clone(&send), id, first)?;
//!     let mut opener = RecordOpener::new(Arc::clone(&receive), id, first)?;
//!     let mut out = WriteBuffer::new();
//!     sealer.seal(&Plaintext::application_data(b"stream data ", b"and frames"), &mut out)?;
//!     let record = opener.open_next(&mut BytesMut::from(out.pending()))?.ok_or("incomplete")?;
//!     assert_eq!(record.payload, "stream data and frames");
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(not(any(feature = "aws-lc", feature = "rustcrypto")))]
compile_error!("tcpls-crypto needs one of the features `aws-lc` (default) and `rustcrypto`");

pub use tcpls_wire as wire;

mod aead;
mod deframe;
mod exporter;
mod fault;
mod generations;
mod handshake;
mod header;
mod key_schedule;
mod key_update;
mod limits;
mod nonce;
mod open;
mod post_handshake;
mod provider;
mod random;
mod seal;
mod secrets;
mod suite;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod write_buffer;

pub use aead::Backend;
pub use deframe::{Deframed, deframe};
pub use exporter::{ExportError, Exporter};
pub use fault::{NotAuthentic, OpenError, RecordFault};
pub use handshake::{
    Answer, ClientHandshake, ConfigError, Established, FirstFlight, HandshakeError, HandshakeInfo,
    HelloReader, JoinHello, Negotiated, NotTls, Offer, Options, PlainReason, ReceivedHello,
    ServerHandshake, TicketError, TicketStore, TlsClient, TlsServer,
};
pub use header::{
    ContentType, HEADER_LEN, MAX_CIPHERTEXT, MAX_PLAINTEXT, MAX_SEALED_RECORD, TAG_LEN,
};
pub use key_update::{HandshakeFault, KeyUpdateRequest, key_update_message};
pub use limits::Limits;
pub use nonce::{NONCE_LEN, nonce};
pub use open::{OpenedInto, OpenedRecord, RecordOpener};
pub use post_handshake::{PostHandshake, PostHandshakeFault, PostHandshakeMessage};
pub use provider::provider;
pub use random::RandomBlock;
pub use seal::{Plaintext, RecordSealer, SealError, Sealed};
pub use secrets::{DirectionKeys, KeyError, RecordKey, SessionKeys};
pub use suite::{Hash, Suite};
pub use write_buffer::WriteBuffer;
