//! The two directions of a TCP connection, without a lock between them.
//!
//! tokio's own halves do not let a third party at the socket; these share it with whoever asks the
//! system about it.

use std::io::{self, Read};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::io::Receive;

/// The receiving direction of a connection.
#[derive(Debug)]
pub(crate) struct TcpReadHalf {
    stream: Arc<TcpStream>,
}

/// The sending direction of a connection; it is shut down when dropped.
#[derive(Debug)]
pub(crate) struct TcpWriteHalf {
    stream: Arc<TcpStream>,
    open: bool,
}

/// Both directions of `stream`, each for one task.
pub(super) fn split(stream: &Arc<TcpStream>) -> (TcpReadHalf, TcpWriteHalf) {
    let read = TcpReadHalf {
        stream: Arc::clone(stream),
    };
    let write = TcpWriteHalf {
        stream: Arc::clone(stream),
        open: true,
    };
    (read, write)
}

impl AsyncRead for TcpReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buf.remaining();
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            let read = once(&self.stream, Interest::READABLE, room, || {
                self.stream.try_read_buf(buf)
            });
            if let Some(result) = read {
                return Poll::Ready(result.map(|_| ()));
            }
        }
    }
}

impl Receive for TcpReadHalf {
    fn read_now(&mut self, space: &mut [u8]) -> io::Result<usize> {
        (&*SockRef::from(&*self.stream)).read(space)
    }
}

impl AsyncWrite for TcpWriteHalf {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            let written = once(&self.stream, Interest::WRITABLE, buf.len(), || {
                self.stream.try_write(buf)
            });
            if let Some(result) = written {
                return Poll::Ready(result);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open = false;
        Poll::Ready(shut_down(&self.stream))
    }
}

impl Drop for TcpWriteHalf {
    fn drop(&mut self) {
        if self.open && !is_reset_on_close(&self.stream) {
            // The connection is over either way.
            let _gone = shut_down(&self.stream);
        }
    }
}

/// Reads or writes once with `room` bytes of room; `None` when the socket was not ready after all.
///
/// A socket that takes or gives less than there is room for has nothing left: it counts as not ready
/// until the system says otherwise, which saves a call that would only say so. The readiness that is
/// taken back is the one from before the call, so that nothing that came since is missed.
fn once(
    stream: &TcpStream,
    interest: Interest,
    room: usize,
    call: impl FnOnce() -> io::Result<usize>,
) -> Option<io::Result<usize>> {
    let mut result = None;
    let _drained = stream.try_io(interest, || match call() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
        done => {
            let partial = matches!(done, Ok(count) if 0 < count && count < room);
            result = Some(done);
            if partial && TELLS_AGAIN {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(())
        }
    });
    result
}

/// Whether the system tells anew when a socket that was drained gets ready, as epoll does when it is
/// asked for edges.
const TELLS_AGAIN: bool = cfg!(target_os = "linux");

/// Whether a FIN would only come before the RST.
fn is_reset_on_close(stream: &TcpStream) -> bool {
    let linger = SockRef::from(stream).linger();
    linger.is_ok_and(|linger| linger == Some(Duration::ZERO))
}

fn shut_down(stream: &TcpStream) -> io::Result<()> {
    match SockRef::from(stream).shutdown(Shutdown::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}
