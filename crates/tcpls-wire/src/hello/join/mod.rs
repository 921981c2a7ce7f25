//! The hellos of a connection that joins a session (draft 5.1.2), made without any public-key
//! operation.
//!
//! A joined connection does no handshake of its own: it is protected with the session's keys from
//! its first protected record on (draft 4.3). What it shows before that is to look like a TLS 1.3
//! handshake (R23), in one of two [shapes](JoinShape), and nothing in it depends on anything but
//! the session's first hello, the token and random bytes (reading A-20):
//!
//! ```text
//! client                                        server
//!   ClientHello      JoinTemplate::hello ->
//!                                           JoinRequest::parse, then JoinRequest::answer
//!                                        <- ServerHello, change_cipher_spec
//!   AnswerReader::read
//!   change_cipher_spec                   ->
//!   protected records                   <->
//! ```
//!
//! In [`JoinShape::Resumption`] the client does not wait for the answer: its `change_cipher_spec` and
//! records follow the hello at once, as early data would. The server protects nothing before a
//! record of the client turned out to be authentic (reading A-21). [`size`] tells how long the first
//! records are to be.
//!
//! # Random bytes
//!
//! Random fields are filled by a source that the caller brings, see [`RandomSource`]. Made-up key
//! shares are the kind of bytes that a real one encodes to: ML-KEM coefficients and ciphertexts have
//! the distribution of real ones, and an X25519 share has the form of a coordinate. One that is
//! drawn instead of computed is a point of the curve itself in one case of two, and in the right
//! subgroup in one of eight; who calculates with it can tell, and the hello has its `tcpls_join` to
//! be told by anyway.

mod answer;
mod coefficients;
mod failure;
mod key_share;
mod offer;
mod parts;
mod request;
pub mod size;
mod template;
mod write;

pub use answer::{AnswerReader, AnswerStage, Progress};
pub use failure::{HelloField, JoinFailure};
pub use key_share::JoinGroup;
pub use offer::JoinOffer;
pub use request::JoinRequest;
pub use template::{ExtensionOrder, JoinTemplate, SessionFacts, TemplateError};

/// Fills a buffer with bytes that nobody can predict, as from a CSPRNG.
pub type RandomSource<'a> = dyn FnMut(&mut [u8]) + 'a;

/// The record `change_cipher_spec`, which means nothing in TLS 1.3 and is sent for middleboxes
/// (RFC 8446 appendix D.4).
pub const CHANGE_CIPHER_SPEC: [u8; 6] = [RECORD_CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1];

/// What a joining connection looks like: the client chooses, the server mirrors (reading A-20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinShape {
    /// The resumption of an earlier session with early data: for a client whose session has a live
    /// connection, and that sends at once.
    Resumption,
    /// A handshake from scratch: for a client whose session has no live connection. It seals nothing
    /// before the server speaks, so that a network that swallows hellos costs no token (reading
    /// A-44).
    Full,
}

const RECORD_HEADER: usize = 5;
const RECORD_CHANGE_CIPHER_SPEC: u8 = 20;
const RECORD_ALERT: u8 = 21;
const RECORD_HANDSHAKE: u8 = 22;
const RECORD_APPLICATION_DATA: u8 = 23;

const TLS12: [u8; 2] = [3, 3];
const TLS13: [u8; 2] = [3, 4];
