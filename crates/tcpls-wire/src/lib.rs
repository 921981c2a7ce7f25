//! TCPLS on the wire: bytes to values and back, with no state and no I/O.
//!
//! This is the lowest crate of the stack. It knows the frames that a decrypted TLS record carries
//! (draft 5.2), the TLS extensions that negotiate TCPLS (draft 5.1) and enough of the TLS hello
//! messages to read, insert and strip those extensions. Everything is `no_std` with `alloc`.
//!
//! Bytes that come from a peer are only ever read through [`cursor`]; a parser returns a value that
//! is right by construction or an error, never panics, and never allocates from a length field
//! alone.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod alert;
pub mod cursor;
pub mod error;
pub mod extension;
pub mod frame;
pub mod hello;
pub mod id;
pub mod params;
pub mod record;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod token;
mod unique;

pub use alert::{Alert, AlertDescription, AlertLevel};
pub use error::{DecodeError, EncodeError, HelloError, RewriteError};
pub use extension::{Extension, ExtensionCodePoints, ExtensionCodec, ExtensionType, TokenForm};
pub use frame::{
    AckFrame, ConnectionResetFrame, Fin, Frame, NewAddressFrame, NewTokenFrame, PaddingRun,
    RemoveAddressFrame, StreamChangeFrame, StreamFrame,
};
pub use hello::{
    ClientHello, ClientOffer, EncryptedExtensions, Offered, ServerAnswer, ServerHello, Tcpls,
    insert_extensions, strip_extensions,
};
pub use id::{AddressId, ConnectionId, RecordSequence, Role, StreamId, TokenSequence};
pub use params::{ParamId, Params};
pub use record::{PushError, RecordBuilder, RecordFrames};
pub use token::{Token, TokenRef};
