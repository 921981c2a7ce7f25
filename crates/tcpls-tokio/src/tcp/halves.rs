//! The two directions of a TCP connection, without a lock between them.
//!
//! tokio's own halves do not let a third party at the socket; these share it with whoever asks the
//! system about it.

use std::io::{self, Read};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::io::Receive;

/// The receiving direction of a connection.
#[derive(Debug)]
pub(crate) struct TcpReadHalf {
    stream: Arc<TcpStream>,
    busy: Arc<Busy>,
}

/// The sending direction of a connection; it is shut down when dropped.
#[derive(Debug)]
pub(crate) struct TcpWriteHalf {
    stream: Arc<TcpStream>,
    busy: Arc<Busy>,
    open: bool,
}

/// Both directions of `stream`, each for one task.
pub(super) fn split(stream: &Arc<TcpStream>) -> (TcpReadHalf, TcpWriteHalf) {
    let busy = Arc::new(Busy::default());
    let read = TcpReadHalf {
        stream: Arc::clone(stream),
        busy: Arc::clone(&busy),
    };
    let write = TcpWriteHalf {
        stream: Arc::clone(stream),
        busy,
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
            ready!(self.busy.poll_sent(cx));
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

    fn try_read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        if self.busy.is_sending() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let room = buffer.capacity() - buffer.len();
        once(&self.stream, Interest::READABLE, room, || {
            self.stream.try_read_buf(buffer)
        })
        .unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.stream.poll_read_ready(cx))?;
        self.busy.poll_sent(cx).map(Ok)
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
            let sending = self.busy.send();
            let written = once(&self.stream, Interest::WRITABLE, buf.len(), || {
                self.stream.try_write(buf)
            });
            drop(sending);
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

/// Whether a system call sends on the socket.
///
/// Linux has one lock for a socket, and a thread that wants to read while another one sends much sleeps until
/// that is done, even if all it would find is an acknowledgment. So the receiving direction keeps away
/// meanwhile, and its thread does something else.
#[derive(Debug, Default)]
struct Busy {
    sending: AtomicBool,
    /// Who wants to read.
    reader: Mutex<Option<Waker>>,
}

impl Busy {
    /// Says that something is being sent, until the guard is dropped.
    fn send(&self) -> Sending<'_> {
        self.sending.store(true, Ordering::SeqCst);
        Sending(self)
    }

    /// Whether something is being sent now.
    fn is_sending(&self) -> bool {
        self.sending.load(Ordering::SeqCst)
    }

    /// Waits until nothing is sent.
    fn poll_sent(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_sending() {
            return Poll::Ready(());
        }
        let mut reader = self.reader();
        *reader = Some(cx.waker().clone());
        // Whoever has sent looks for the reader after saying so.
        if self.is_sending() {
            Poll::Pending
        } else {
            *reader = None;
            Poll::Ready(())
        }
    }

    fn reader(&self) -> MutexGuard<'_, Option<Waker>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something is being sent.
struct Sending<'a>(&'a Busy);

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.0.sending.store(false, Ordering::SeqCst);
        let reader = self.0.reader().take();
        if let Some(reader) = reader {
            reader.wake();
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn the_reader_keeps_away_while_something_is_sent_and_is_woken_right_after() {
        let busy = Busy::default();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let cx = Context::from_waker(&waker);
        assert_eq!(busy.poll_sent(&cx), Poll::Ready(()));
        let sending = busy.send();
        assert_eq!(busy.poll_sent(&cx), Poll::Pending);
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        drop(sending);
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert_eq!(busy.poll_sent(&cx), Poll::Ready(()));
        drop(busy.send());
        assert_eq!(woken.0.load(Ordering::SeqCst), 1, "nobody wanted to read");
    }
}
