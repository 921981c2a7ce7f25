//! TCPLS on the wire: bytes to values and back, with no state and no I/O.
//!
//! This is the lowest crate of the stack. It knows the frames that a decrypted TLS record carries
//! (draft 5.2), the TLS extensions that negotiate TCPLS (draft 5.1) and enough of the TLS hello
//! messages to read, insert and strip those extensions. "The draft" is draft-piraux-tcpls in its
//! version 04; a "reading" is a choice of this project where the draft leaves one, listed with its
//! reason in `spec/readings.toml`. Everything is `no_std` with `alloc`.
//!
//! Bytes that come from a peer are only ever read through [`cursor`]; a parser returns a value that
//! is right by construction or an error, never panics, and never allocates from a length field
//! alone.
//!
//! # Records
//!
//! A record is read from its end, so that stream data can stay where it was decrypted. Building one
//! puts the largest stream data first and hands it back to be sealed from where it lies:
//!
//! ```
//! use tcpls_wire::{
//!     AckFrame, ConnectionId, Fin, Frame, FrameSet, RecordBuilder, RecordFrames, RecordSequence, Role,
//!     StreamId,
//! };
//!
//! let stream = StreamId::nth(Role::Client, 0).ok_or("no such stream")?;
//! let connection = ConnectionId::FIRST;
//! let ack = Frame::Ack(AckFrame { connection, highest: RecordSequence::from_wire(7) });
//!
//! let mut builder = RecordBuilder::new(16_384);
//! builder.push_stream(stream, 0, Fin::End, "hello")?;
//! builder.push_control(&ack)?;
//! let mut tail = Vec::new();
//! let lead = builder.finish(&mut tail).unwrap_or_default();
//! let plaintext = [lead.as_bytes(), &tail].concat();
//!
//! let mut frames = RecordFrames::parse(&plaintext, FrameSet::Draft)?.iter();
//! assert_eq!(frames.next(), Some(ack));
//! assert!(matches!(frames.next(), Some(Frame::Stream(frame)) if frame.data == b"hello"));
//! assert_eq!(frames.next(), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Handshake
//!
//! [`ClientHello`], [`ServerHello`] and [`EncryptedExtensions`] read whole handshake messages;
//! [`insert_extensions`] and [`strip_extensions`] put what [`ExtensionCodec`] encodes into a message
//! and take it out again.

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
    AckFrame, CloseSpace, ConnectionCloseFrame, ConnectionPriorityFrame, ConnectionResetFrame,
    ExtendedFrame, ExtendedTokenFrame, Fin, Frame, FrameSet, NewAddressFrame, NewTokenFrame,
    ObservedAddressFrame, PaddingRun, PriorityFlags, RemoveAddressFrame, ResetStreamFrame,
    SessionCloseFrame, StopSendingFrame, StreamChangeFrame, StreamDataLimitFrame, StreamFrame,
    UnknownFrame,
};
pub use hello::{
    ClientHello, ClientOffer, EncryptedExtensions, Offered, ServerAnswer, ServerHello, Tcpls,
    insert_extensions, strip_extensions,
};
pub use id::{AddressId, ConnectionId, RecordSequence, Role, StreamId, TokenSequence};
pub use params::{Features, ParamId, Params, SessionParams};
pub use record::{PushError, RecordBuilder, RecordFrames};
pub use token::{Token, TokenRef};
