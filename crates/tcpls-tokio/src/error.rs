//! What can go wrong, by who is to blame and what to do about it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

pub use tcpls_core::CloseReason as SessionError;
use tcpls_core::crypto::{ConfigError, HandshakeError, KeyError, PlainReason};
use tcpls_core::wire::hello::join::JoinFailure;
use tcpls_core::{CloseCode, ConnectionFailure};
use thiserror::Error;

use crate::io::is_reset;
use crate::tcp::DialError;

/// Why [`Session::open_bi`](crate::Session::open_bi) opened no stream.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// Streams that were dropped before they were finished fill the limit on open streams, and
    /// with a peer that speaks the draft alone they cannot be ended (reading A-34): finish
    /// streams instead of dropping them, or open a new session.
    #[error("streams dropped unfinished fill the limit on open streams")]
    StreamLimit,
    /// The peer does not know of unidirectional streams.
    #[error("the peer does not know of unidirectional streams")]
    UnsupportedByPeer,
    /// All 2^31 stream identifiers of this side are used: open a new session.
    #[error("the stream identifiers of this side are used up")]
    IdsUsedUp,
    /// The session is over, or closing.
    #[error("the session is over: {0}")]
    SessionLost(SessionError),
}

impl From<tcpls_core::OpenError> for OpenError {
    fn from(error: tcpls_core::OpenError) -> Self {
        match error {
            tcpls_core::OpenError::StreamLimit => Self::StreamLimit,
            tcpls_core::OpenError::UnsupportedByPeer => Self::UnsupportedByPeer,
            tcpls_core::OpenError::IdsUsedUp => Self::IdsUsedUp,
            tcpls_core::OpenError::Lost(reason) => Self::SessionLost(reason),
            tcpls_core::OpenError::Closing | tcpls_core::OpenError::Blocked => {
                Self::SessionLost(SessionError::LocalClose)
            }
        }
    }
}

/// Why nothing was written to a stream.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// The stream was finished or reset before.
    #[error("the stream was finished before")]
    ClosedStream,
    /// The peer wants no more of the stream, and said so with this code.
    #[error("the peer stopped the stream with code {0}")]
    Stopped(u32),
    /// The session ended, or is closing; what was not acknowledged may or may not have arrived.
    #[error("the session is over: {0}")]
    SessionLost(SessionError),
}

/// Why nothing was read from a stream.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// Reading was stopped before.
    #[error("reading this stream was stopped before")]
    ClosedStream,
    /// The peer broke the stream off with this code: what was read is a prefix of what it wrote.
    #[error("the peer reset the stream with code {0}")]
    Reset(u32),
    /// The session ended before the stream did: what was read is a prefix of what the peer wrote.
    #[error("the session ended before the stream: {0}")]
    SessionLost(SessionError),
}

/// Why a stream was not read to its end.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadToEndError {
    /// Reading failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The stream is longer than the caller allows.
    #[error("the stream is longer than allowed")]
    TooLong,
}

/// Why the peer's acknowledgement of a whole stream will not come.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoppedError {
    /// The stream was reset here.
    #[error("the stream was reset")]
    ClosedStream,
    /// The session ended first.
    #[error("the session ended before the stream was acknowledged: {0}")]
    SessionLost(SessionError),
}

/// Why a stream was not reset. It goes on as it was.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetError {
    /// The peer speaks the draft alone, which has no frame for it; finishing the stream instead would
    /// pass a part off as the whole (reading A-34).
    #[error("the peer has no way to learn of a reset")]
    UnsupportedByPeer,
    /// There is nothing left to break off: the peer has all of it, it was reset before, or the session
    /// is over.
    #[error("the stream is over")]
    ClosedStream,
}

impl From<tcpls_core::ResetError> for ResetError {
    fn from(error: tcpls_core::ResetError) -> Self {
        match error {
            tcpls_core::ResetError::UnsupportedByPeer => Self::UnsupportedByPeer,
            tcpls_core::ResetError::Over | tcpls_core::ResetError::UnknownStream => {
                Self::ClosedStream
            }
        }
    }
}

/// The stream was finished before, or its session is over.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the stream is closed")]
pub struct ClosedStream;

/// Keying material was not exported: the output is empty or longer than 255 hash lengths.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("keying material of this length cannot be exported")]
pub struct ExportError;

/// Why a configuration cannot be used.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum InvalidConfig {
    /// The TLS configuration was not built on [`provider`](crate::provider).
    #[error(transparent)]
    Provider(#[from] ConfigError),
    /// rustls refused the certificate, the key or the verifier.
    #[error("the TLS configuration is not usable: {0}")]
    Tls(#[from] rustls::Error),
}

/// Why no session came about with a server or a client.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The server name is not a valid DNS name or IP address.
    #[error("'{0}' is not a valid server name")]
    InvalidServerName(String),
    /// The endpoint has no configuration for this role.
    #[error("the endpoint has no {0} configuration")]
    NoConfig(&'static str),
    /// The TCP connection could not be made, or failed during the handshake.
    #[error("{0}")]
    Io(IoError),
    /// The system does not have the congestion control of this name, does not allow it, or is not
    /// Linux.
    #[error("the congestion control '{0}' cannot be used: {1}")]
    CongestionControl(String, IoError),
    /// The network interface of this name cannot be used.
    #[error("the network interface '{0}' cannot be used: {1}")]
    Device(String, IoError),
    /// The TLS handshake failed; the error says on whose account.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The peer closed the TCP connection during the handshake.
    #[error("the peer closed the connection during the handshake")]
    Closed,
    /// The handshake did not finish in time.
    #[error("the handshake did not finish within {0:?}")]
    TimedOut(Duration),
    /// The peer speaks TLS 1.3 but not TCPLS, and the caller asked for a session. The variants of
    /// the methods that allow plain TLS give a stream instead.
    #[error("the peer does not speak TCPLS: {0}")]
    NotTcpls(PlainReason),
    /// The connection joined a session that was accepted before, or is about to: there is no new one.
    #[error("the connection joins an earlier session")]
    Joined,
    /// The client wants to join a session that this server does not have.
    #[error("the client presented a join token that is not valid here")]
    UnknownToken,
    /// The client's address has as many sessions as it may.
    #[error("the client's address has too many sessions")]
    TooManySessions,
    /// The random number generator of the TLS configuration failed.
    #[error("the random number generator failed")]
    NoRandomness,
    /// The endpoint was closed.
    #[error("the endpoint is closed")]
    EndpointClosed,
}

/// Why a connection did not join the session; the session goes on without it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathError {
    /// Only clients open connections (draft 4.2).
    #[error("only a client opens paths")]
    NotClient,
    /// The server has given no token for another connection yet.
    #[error("the server has given no token for another connection")]
    NoToken,
    /// All tokens of the session were used, 255 with a peer that speaks the draft alone: it takes no further
    /// connection (reading A-5).
    #[error("the tokens of the session are used up")]
    TokensUsedUp,
    /// The session did not begin over TCP, so that only
    /// [`PathOptions::remote`](crate::PathOptions::remote) says where to connect to.
    #[error("there is no address to connect to: the session did not begin over TCP")]
    NoAddress,
    /// The server withdrew this address (draft 5.2.8).
    #[error("the server withdrew the address {0}")]
    AddressWithdrawn(SocketAddr),
    /// The path cannot be bound to the network interface of this name: the system has none, does not
    /// allow it, or is not Linux.
    #[error("the network interface '{0}' cannot be used: {1}")]
    Device(String, IoError),
    /// The system does not have the congestion control of this name, does not allow it, or is not
    /// Linux.
    #[error("the congestion control '{0}' cannot be used: {1}")]
    CongestionControl(String, IoError),
    /// The TCP connection could not be made, or failed during the join.
    #[error("{0}")]
    Io(IoError),
    /// The server did not answer the join in time.
    #[error("the join was not answered within {0:?}")]
    TimedOut(Duration),
    /// Something else answered than the server of this session, or the server refused.
    #[error(transparent)]
    NotJoined(JoinFailure),
    /// The connection was lost before the server was heard on it.
    #[error("the connection was lost while it joined: {0}")]
    Lost(ConnectionFailure),
    /// The random number generator of the TLS configuration failed.
    #[error("the random number generator failed")]
    NoRandomness,
    /// The session is over, or closing.
    #[error("the session is over: {0}")]
    SessionLost(SessionError),
}

impl From<io::Error> for PathError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.into())
    }
}

impl From<DialError> for PathError {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Device(name, error) => Self::Device(name, error.into()),
            DialError::CongestionControl(name, error) => {
                Self::CongestionControl(name, error.into())
            }
            DialError::Io(error) => error.into(),
        }
    }
}

impl From<io::Error> for IoError {
    fn from(error: io::Error) -> Self {
        Self {
            kind: error.kind(),
            text: error.to_string(),
        }
    }
}

impl ConnectError {
    /// Whether the connection broke or stayed silent, without a word from the peer about why.
    pub(crate) fn is_loss(&self) -> bool {
        match self {
            Self::Closed | Self::TimedOut(_) => true,
            Self::Io(error) => is_reset(error.kind),
            Self::Handshake(error) => *error == HandshakeError::Closed,
            Self::InvalidServerName(_)
            | Self::NoConfig(_)
            | Self::CongestionControl(..)
            | Self::Device(..)
            | Self::NotTcpls(_)
            | Self::Joined
            | Self::UnknownToken
            | Self::TooManySessions
            | Self::NoRandomness
            | Self::EndpointClosed => false,
        }
    }
}

impl From<DialError> for ConnectError {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Device(name, error) => Self::Device(name, error.into()),
            DialError::CongestionControl(name, error) => {
                Self::CongestionControl(name, error.into())
            }
            DialError::Io(error) => error.into(),
        }
    }
}

impl From<KeyError> for ConnectError {
    fn from(error: KeyError) -> Self {
        Self::Handshake(error.into())
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::Closed;
        }
        Self::Io(error.into())
    }
}

/// An error of the operating system, in a form that can be cloned and kept.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{text}")]
pub struct IoError {
    kind: io::ErrorKind,
    text: String,
}

impl IoError {
    /// The kind that the operating system reported.
    pub fn kind(&self) -> io::ErrorKind {
        self.kind
    }
}

/// The `io::ErrorKind` under which the end of a session shows in `AsyncRead` and `AsyncWrite`.
fn kind(reason: &SessionError) -> io::ErrorKind {
    match reason {
        SessionError::IdleTimeout => io::ErrorKind::TimedOut,
        SessionError::PeerAlert(_)
        | SessionError::PeerMisbehaved(_)
        | SessionError::PeerClosed(CloseCode::Transport(_)) => io::ErrorKind::ConnectionReset,
        SessionError::Lost(_) => io::ErrorKind::ConnectionAborted,
        SessionError::LocalClose
        | SessionError::PeerClose
        | SessionError::PeerClosed(CloseCode::Application(_))
        | SessionError::Aborted
        | SessionError::LimitExceeded(_)
        | SessionError::Internal(_) => io::ErrorKind::NotConnected,
    }
}

impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        let kind = match &error {
            WriteError::ClosedStream | WriteError::Stopped(_) => io::ErrorKind::BrokenPipe,
            WriteError::SessionLost(reason) => kind(reason),
        };
        Self::new(kind, error)
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        let kind = match &error {
            ReadError::ClosedStream => io::ErrorKind::NotConnected,
            ReadError::Reset(_) => io::ErrorKind::ConnectionReset,
            ReadError::SessionLost(reason) => kind(reason),
        };
        Self::new(kind, error)
    }
}

impl From<ReadToEndError> for io::Error {
    fn from(error: ReadToEndError) -> Self {
        match error {
            ReadToEndError::Read(error) => error.into(),
            ReadToEndError::TooLong => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}
