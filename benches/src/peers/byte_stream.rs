//! Streams that are read and written through `AsyncRead` and `AsyncWrite`, and sessions that are one
//! such stream.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Mutex;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::Error;
use crate::transport::{Receiver, Sender, Session};

/// Bytes of the buffer that is read into.
const READ: usize = 256 * 1024;

/// Writes.
pub(super) struct Writing<W>(pub(super) W);

impl<W: AsyncWrite + Send + Unpin + 'static> Sender for Writing<W> {
    async fn send(&mut self, data: Bytes) -> Result<(), Error> {
        // None of them holds back what it took, except while its socket is full.
        Ok(self.0.write_all(&data).await?)
    }

    async fn finish(&mut self) -> Result<(), Error> {
        Ok(self.0.shutdown().await?)
    }
}

/// Reads, into a buffer that all streams of a thread share: an idle one needs none.
pub(super) struct Reading<R>(pub(super) R);

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

impl<R: AsyncRead + Send + Unpin + 'static> Receiver for Reading<R> {
    async fn receive(&mut self) -> Result<usize, Error> {
        let count = poll_fn(|cx| {
            BUFFER.with_borrow_mut(|buffer| {
                let mut buffer = ReadBuf::new(buffer);
                let from = Pin::new(&mut self.0);
                from.poll_read(cx, &mut buffer)
                    .map_ok(|()| buffer.filled().len())
            })
        });
        Ok(count.await?)
    }
}

/// A session that is one byte stream; the first to ask gets its halves.
pub(super) struct Single<S, R>(Mutex<Option<(S, R)>>);

impl<S, R> Single<S, R> {
    pub(super) fn new(send: S, receive: R) -> Self {
        Self(Mutex::new(Some((send, receive))))
    }

    fn take(&self) -> Result<(S, R), Error> {
        let mut halves = self.0.lock().map_err(|_| "somebody panicked")?;
        halves.take().ok_or_else(|| "this is one stream".into())
    }
}

impl<S: Sender, R: Receiver> Session for Single<S, R> {
    type Sender = S;
    type Receiver = R;

    async fn open(&self) -> Result<(S, R), Error> {
        self.take()
    }

    async fn accept(&self) -> Result<(S, R), Error> {
        self.take()
    }
}
