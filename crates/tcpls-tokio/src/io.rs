//! Byte streams: what a session runs over, split into halves that need no common lock.

use std::any::Any;
use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::path_options::PathOptions;

/// The read half of a connection.
pub(crate) type ReadIo = Box<dyn AsyncRead + Send + Unpin>;
/// The write half of a connection.
pub(crate) type WriteIo = Box<dyn AsyncWrite + Send + Unpin>;

/// Whether an error of this kind says that the other end, or something on the path, broke the
/// connection.
pub(crate) fn is_reset(kind: ErrorKind) -> bool {
    [
        ErrorKind::ConnectionReset,
        ErrorKind::ConnectionAborted,
        ErrorKind::BrokenPipe,
    ]
    .contains(&kind)
}

/// The two ends of one path, where the transport has addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: Option<SocketAddr>,
}

/// A byte stream under a session: the handshake runs on it whole, records on its halves.
pub(crate) struct Transport {
    pub(crate) read: ReadIo,
    pub(crate) write: WriteIo,
    pub(crate) addresses: Addresses,
    /// How it was opened, where another could be opened like it.
    pub(crate) options: Option<PathOptions>,
}

impl Transport {
    /// Splits `io`. A [`TcpStream`] is split without a lock between its halves, and sends what it
    /// is given at once: records are batched before they reach the socket.
    pub(crate) fn new<IO>(io: IO) -> Self
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut slot = Some(io);
        let any: &mut dyn Any = &mut slot;
        if let Some(tcp) = any
            .downcast_mut::<Option<TcpStream>>()
            .and_then(Option::take)
        {
            return Self::tcp(tcp);
        }
        match slot {
            Some(io) => {
                let (read, write) = tokio::io::split(io);
                Self {
                    read: Box::new(read),
                    write: Box::new(write),
                    addresses: Addresses::default(),
                    options: None,
                }
            }
            // `slot` is only emptied by the branch above, which returns.
            None => Self {
                read: Box::new(tokio::io::empty()),
                write: Box::new(tokio::io::sink()),
                addresses: Addresses::default(),
                options: None,
            },
        }
    }

    /// Remembers how it was opened.
    pub(crate) fn opened_with(self, options: PathOptions) -> Self {
        Self {
            options: Some(options),
            ..self
        }
    }

    fn tcp(stream: TcpStream) -> Self {
        let addresses = Addresses {
            local: stream.local_addr().ok(),
            remote: stream.peer_addr().ok(),
        };
        // A socket that refuses the option still carries the session, only later.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY refused");
        }
        let (read, write) = stream.into_split();
        Self {
            read: Box::new(read),
            write: Box::new(write),
            addresses,
            options: None,
        }
    }
}
