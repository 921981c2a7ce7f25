//! TCPLS record protection and handshake on an unmodified rustls.
//!
//! A TCPLS connection is an ordinary TLS 1.3 record layer whose nonce also contains the identifier
//! of the connection (draft 4.3). This crate owns that record layer: [`RecordSealer`] and
//! [`RecordOpener`] are the write and read half of one connection, and the connections of a session
//! share their [`DirectionKeys`].

pub use tcpls_wire as wire;

mod aead;
mod deframe;
mod exporter;
mod fault;
mod handshake;
mod header;
mod key_schedule;
mod key_update;
mod limits;
mod nonce;
mod open;
mod post_handshake;
mod provider;
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
    HelloReader, JoinHello, MAX_PARAMS, Negotiated, NotTls, Offer, Options, PlainReason,
    ReceivedHello, ServerHandshake, TicketError, TicketStore, TlsClient, TlsServer,
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
pub use seal::{Plaintext, RecordSealer, SealError, Sealed};
pub use secrets::{DirectionKeys, KeyError, RecordKey, SessionKeys};
pub use suite::{Hash, Suite};
pub use write_buffer::WriteBuffer;
