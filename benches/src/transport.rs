//! What the comparison asks of a transport, so that each workload is written once for all.

use std::future::Future;

use bytes::Bytes;

use crate::{Error, Identity};

/// Bytes of one write, for every transport.
pub const WRITE: usize = 64 * 1024;
/// Bytes that one stream may have on the way, where the transport lets one choose.
pub const STREAM_WINDOW: u32 = 4 << 20;
/// The same for all streams of a session.
pub const SESSION_WINDOW: u32 = 8 << 20;
/// Streams that may be open at a time, where a workload does not need more; some libraries prepare
/// for each of them when a session begins.
pub const STREAMS: u32 = 256;

/// Whether a session carries more than one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multiplexing {
    /// It is one byte stream.
    No,
    /// It carries any number of streams.
    Yes,
}

/// Whether a connection can join a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// One did.
    Yes,
    /// The transport knows no such thing.
    Never,
}

/// A transport as it is compared: a library with its settings.
pub trait Peer: Send + Sync + 'static {
    /// A client and a server of this transport.
    type Link: Link;

    /// How the tables call it.
    fn name(&self) -> &'static str;

    /// Whether it has streams.
    fn multiplexing(&self) -> Multiplexing {
        Multiplexing::Yes
    }

    /// A server that listens on loopback, and a client that trusts it; so many streams may be open at a
    /// time.
    ///
    /// # Errors
    /// What the library says.
    fn link(
        &self,
        identity: &Identity,
        streams: u32,
    ) -> impl Future<Output = Result<Self::Link, Error>> + Send;
}

/// A client and a server, for any number of sessions one after the other.
pub trait Link: Send + Sync + 'static {
    /// One end of a session.
    type Session: Session;

    /// Both ends of a new session, the client's first, once both have it.
    ///
    /// # Errors
    /// What the library says.
    fn establish(
        &self,
    ) -> impl Future<Output = Result<(Self::Session, Self::Session), Error>> + Send;

    /// Lets another connection join the session of which `near` is the client's end.
    ///
    /// # Errors
    /// What the library says.
    fn join(&self, _near: &Self::Session) -> impl Future<Output = Result<Joined, Error>> + Send {
        std::future::ready(Ok(Joined::Never))
    }
}

/// One end of a session; dropping it closes it.
pub trait Session: Send + Sync + 'static {
    /// The sending half of a stream.
    type Sender: Sender;
    /// The receiving half of a stream.
    type Receiver: Receiver;

    /// Opens a stream. The peer may hear of it only once something is sent.
    ///
    /// # Errors
    /// What the library says.
    fn open(&self) -> impl Future<Output = Result<(Self::Sender, Self::Receiver), Error>> + Send;

    /// Takes the next stream that the other end opened.
    ///
    /// # Errors
    /// What the library says.
    fn accept(&self) -> impl Future<Output = Result<(Self::Sender, Self::Receiver), Error>> + Send;
}

/// The sending half of a stream, through the cheapest interface that the library has.
pub trait Sender: Send + 'static {
    /// Sends all of `data`; waits while the peer's application does not read.
    ///
    /// # Errors
    /// What the library says.
    fn send(&mut self, data: Bytes) -> impl Future<Output = Result<(), Error>> + Send;

    /// Ends the stream in this direction.
    ///
    /// # Errors
    /// What the library says.
    fn finish(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
}

/// The receiving half of a stream, through the cheapest interface that the library has.
pub trait Receiver: Send + 'static {
    /// Takes what has arrived, at least a byte, and tells how much; 0 at the end of the stream.
    ///
    /// # Errors
    /// What the library says.
    fn receive(&mut self) -> impl Future<Output = Result<usize, Error>> + Send;
}
