//! Byte streams: what a session runs over, split into halves that need no common lock.

use std::any::Any;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadHalf};
use tokio::net::TcpStream;
use tokio::task::unconstrained;

use crate::path_options::PathOptions;
use crate::tcp::Tcp;

/// The read half of a connection.
pub(crate) type ReadIo = Box<dyn Receive>;
/// The write half of a connection.
pub(crate) type WriteIo = Box<dyn AsyncWrite + Send + Unpin>;

/// A byte stream that can also be asked for what it has at hand.
pub(crate) trait Receive: AsyncRead + Send + Unpin {
    /// Reads what has arrived, without waiting for the runtime to notice; 0 is the end, and
    /// [`ErrorKind::WouldBlock`] says that nothing is there.
    fn read_now(&mut self, space: &mut [u8]) -> io::Result<usize>;

    /// Reads once what the runtime knows to have arrived; [`ErrorKind::WouldBlock`] says that it knows of
    /// nothing, or cannot tell.
    fn try_read(&mut self, _buffer: &mut BytesMut) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }

    /// Waits for something to read, where [`try_read`](Self::try_read) can tell.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + Send> Receive for ReadHalf<IO> {
    fn read_now(&mut self, space: &mut [u8]) -> io::Result<usize> {
        // What a task may do in one turn is no measure of what has arrived.
        let read = pin!(unconstrained(self.read(space)));
        match read.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

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
    /// The connection itself, over TCP.
    pub(crate) tcp: Option<Tcp>,
    /// How it was opened, where another could be opened like it.
    pub(crate) options: Option<PathOptions>,
}

impl Transport {
    /// Splits `io`. A [`TcpStream`] is split without a lock between its halves.
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
            Some(io) => Self::halves(io),
            // `slot` is only emptied by the branch above, which returns.
            None => Self::halves(tokio::io::empty()),
        }
    }

    fn halves<IO>(io: IO) -> Self
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (read, write) = tokio::io::split(io);
        Self {
            read: Box::new(read),
            write: Box::new(write),
            addresses: Addresses::default(),
            tcp: None,
            options: None,
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
        Self::of_tcp(stream, addresses)
    }

    /// A TCP connection between these addresses.
    pub(crate) fn of_tcp(stream: TcpStream, addresses: Addresses) -> Self {
        let (tcp, read, write) = Tcp::new(stream);
        Self {
            read: Box::new(read),
            write: Box::new(write),
            addresses,
            tcp: Some(tcp),
            options: None,
        }
    }
}
