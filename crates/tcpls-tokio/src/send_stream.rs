//! The sending half of a stream.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tcpls_core::wire::StreamId;
use tcpls_core::{Sharing, StreamPaths, StreamStats};
use tokio::io::AsyncWrite;

use crate::block::{self, BLOCK, RECORD_DATA};
use crate::error::{ClosedStream, ResetError, StoppedError, WriteError};
use crate::path::Path;
use crate::session::Handle;
use crate::shared::{Interest, State};

/// Shorter writes are copied where they gather with their neighbours.
const COPY_UNLOCKED: usize = 8 * 1024;

/// The sending half of a stream: an ordered byte stream that ends with [`finish`](Self::finish).
///
/// Bytes are kept until the peer acknowledges them, at most
/// [`stream_send_buffer`](crate::SessionConfig::stream_send_buffer) per stream; a writer waits
/// when they fill it.
///
/// Dropping it unfinished never looks like a clean end to the peer: the stream is reset with code 0. A
/// peer that speaks the draft alone cannot be told: there the reader waits until the session closes and
/// then sees the loss, and the stream goes on counting against the limit on open streams (reading A-34).
#[derive(Debug)]
pub struct SendStream {
    handle: Arc<Handle>,
    id: StreamId,
    finished: bool,
    priority: i32,
}

impl SendStream {
    pub(crate) fn new(handle: Arc<Handle>, id: StreamId) -> Self {
        Self {
            handle,
            id,
            finished: false,
            priority: 0,
        }
    }

    /// The stream's id on the wire (draft 4.1).
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// Writes some of `data`, waiting until there is room; returns how many bytes were taken.
    ///
    /// Only an empty `data` gives 0.
    ///
    /// # Errors
    /// [`WriteError`] when the stream was finished or reset, the peer stopped it, or the session is over or
    /// closing.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it completes, nothing was taken.
    pub async fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        poll_fn(|cx| self.poll_write_bytes(cx, data)).await
    }

    /// Writes all of `data`, waiting for room as often as it takes.
    ///
    /// # Errors
    /// As [`write`](Self::write); an unknown part of `data` may have been taken before.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropped before it completes, a prefix of unknown length was taken.
    pub async fn write_all(&mut self, mut data: &[u8]) -> Result<(), WriteError> {
        while !data.is_empty() {
            let count = self.write(data).await?;
            data = data.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Writes all of `data` without copying it: the bytes are sealed from where they are.
    ///
    /// # Errors
    /// As [`write`](Self::write); a prefix of `data` may have been taken before.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropped before it completes, a prefix of unknown length was taken. A
    /// caller that must know keeps its `Bytes` and uses
    /// [`write_some_chunk`](Self::write_some_chunk).
    pub async fn write_chunk(&mut self, mut data: Bytes) -> Result<(), WriteError> {
        while !data.is_empty() {
            self.write_some_chunk(&mut data).await?;
        }
        Ok(())
    }

    /// Writes a prefix of `data` without copying and advances `data` past it; returns its length.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it completes, nothing was taken and `data` is unchanged.
    pub async fn write_some_chunk(&mut self, data: &mut Bytes) -> Result<usize, WriteError> {
        poll_fn(|cx| self.poll_with(cx, |state, id| state.core.send(id).write_chunk(data))).await
    }

    /// Writes several chunks in order without copying them.
    ///
    /// # Errors
    /// As [`write`](Self::write); a prefix may have been taken before.
    ///
    /// # Cancel safety
    /// Not cancel safe: what was taken has been advanced past in `chunks`, so the caller can go
    /// on with what they still hold.
    pub async fn write_all_chunks(&mut self, chunks: &mut [Bytes]) -> Result<(), WriteError> {
        for chunk in chunks {
            while !chunk.is_empty() {
                self.write_some_chunk(chunk).await?;
            }
        }
        Ok(())
    }

    /// Ends this direction: the peer reads everything written and then the end of the stream.
    ///
    /// Returns at once; [`stopped`](Self::stopped) tells when the peer has it all.
    ///
    /// # Errors
    /// [`ClosedStream`] when it was finished before or the session is over.
    pub fn finish(&mut self) -> Result<(), ClosedStream> {
        self.end().map_err(|_| ClosedStream)
    }

    /// Breaks the stream off: what the peer does not have is not sent any more, and its application gets
    /// `code`, which is the application's own. A finished stream can be broken off too, until the peer has
    /// all of it.
    ///
    /// # Errors
    /// [`ResetError::UnsupportedByPeer`] when the peer speaks the draft alone, and
    /// [`ResetError::ClosedStream`] when there is nothing left to break off; nothing changed then.
    pub fn reset(&mut self, code: u32) -> Result<(), ResetError> {
        let reset = |state: &mut State| state.core.send(self.id).reset(code);
        self.handle.shared.change(reset)?;
        Ok(())
    }

    /// Keeps what is sent from now on to these paths of the session; with none, the default, it may take any.
    ///
    /// Streams on paths of their own do not wait for what the other's loses (draft 4.1). It is a wish:
    /// while none of them works, others carry the stream.
    ///
    /// # Errors
    /// [`ClosedStream`] when all of it was acknowledged or the session is over.
    pub fn set_paths(&mut self, paths: &[Path]) -> Result<(), ClosedStream> {
        let paths = match paths {
            [] => StreamPaths::All,
            paths => StreamPaths::Only(paths.iter().map(Path::connection).collect()),
        };
        let set = |state: &mut State| state.core.send(self.id).set_paths(paths);
        let set = self.handle.shared.change(set);
        set.map_err(|_| ClosedStream)
    }

    /// Which streams of this side the stream goes before; default 0. As long as a stream of a higher
    /// priority has something to send, new or again, those of a lower one wait; streams of one priority
    /// take turns. The peer is not told. Priorities compare among streams that keep to the same paths
    /// ([`set_paths`](Self::set_paths)).
    ///
    /// # Errors
    /// [`ClosedStream`] when all of it was acknowledged or the session is over.
    pub fn set_priority(&mut self, priority: i32) -> Result<(), ClosedStream> {
        let set = |state: &mut State| state.core.send(self.id).set_priority(priority);
        let set = self.handle.shared.change(set);
        set.map_err(|_| ClosedStream)?;
        self.priority = priority;
        Ok(())
    }

    /// How the stream shares with others of the same priority; default [`Sharing::InTurns`].
    ///
    /// # Errors
    /// [`ClosedStream`] when all of it was acknowledged or the session is over.
    pub fn set_sharing(&mut self, sharing: Sharing) -> Result<(), ClosedStream> {
        let set = |state: &mut State| state.core.send(self.id).set_sharing(sharing);
        let set = self.handle.shared.change(set);
        set.map_err(|_| ClosedStream)
    }

    /// The priority that was set last.
    pub fn priority(&self) -> i32 {
        self.priority
    }

    /// Waits until the peer has acknowledged the finished stream, or wants no more of it.
    ///
    /// `Ok(None)` when everything up to the end was acknowledged, and `Some` with the peer's code when
    /// it stopped the stream, which a peer that speaks the draft alone cannot.
    ///
    /// # Errors
    /// [`StoppedError`] when the session ends first, or the stream was reset here.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn stopped(&mut self) -> Result<Option<u32>, StoppedError> {
        poll_fn(|cx| {
            self.handle
                .shared
                .change(|state| self.poll_stopped(state, cx))
        })
        .await
    }

    /// Counters of the stream; zeros once both its directions are done and acknowledged.
    pub fn stats(&self) -> StreamStats {
        self.handle
            .shared
            .inspect(|state| state.core.stream_stats(self.id))
            .unwrap_or_default()
    }

    fn poll_stopped(
        &self,
        state: &mut State,
        cx: &Context<'_>,
    ) -> Poll<Result<Option<u32>, StoppedError>> {
        let mut send = state.core.send(self.id);
        if let Some(code) = send.poll_stopped() {
            return Poll::Ready(Ok(Some(code)));
        }
        match send.poll_acked() {
            Ok(true) => Poll::Ready(Ok(None)),
            Ok(false) => state.waiting.for_stream(self.id, Interest::Acked, cx),
            Err(error) => Poll::Ready(match state.write_error(error) {
                WriteError::Stopped(code) => Ok(Some(code)),
                WriteError::ClosedStream => Err(StoppedError::ClosedStream),
                WriteError::SessionLost(reason) => Err(StoppedError::SessionLost(reason)),
            }),
        }
    }

    fn end(&mut self) -> Result<(), WriteError> {
        self.handle.shared.change(|state| {
            let ended = state.core.send(self.id).finish();
            ended.map_err(|error| state.write_error(error.into()))
        })?;
        self.finished = true;
        Ok(())
    }

    fn poll_write_bytes(&self, cx: &Context<'_>, data: &[u8]) -> Poll<Result<usize, WriteError>> {
        if data.len() < COPY_UNLOCKED {
            return self.poll_with(cx, |state, id| state.core.send(id).write(data));
        }
        // What is long to copy is not copied under the session's lock.
        let room = self
            .handle
            .shared
            .inspect_mut(|state| state.core.send(self.id).capacity());
        let taken = room.min(data.len()).min(BLOCK);
        let (records, rest) = data
            .get(..taken)
            .unwrap_or(data)
            .split_at(taken - taken % RECORD_DATA);
        if records.is_empty() {
            // Less than a record, or no room: then the writer is known to wait.
            return self.poll_with(cx, |state, id| state.core.send(id).write(data));
        }
        let mut chunk = block::copy(records);
        self.poll_with(cx, |state, id| {
            let mut send = state.core.send(id);
            let written = send.write_chunk(&mut chunk)?;
            if written < records.len() || rest.is_empty() {
                return Ok(written);
            }
            // The end of the write goes out with the rest of it, not as a record of its own later.
            Ok(written + send.write(rest).unwrap_or(0))
        })
    }

    /// Runs `write`, and waits for room when it finds none.
    fn poll_with(
        &self,
        cx: &Context<'_>,
        write: impl FnOnce(&mut State, StreamId) -> Result<usize, tcpls_core::WriteError>,
    ) -> Poll<Result<usize, WriteError>> {
        self.handle
            .shared
            .change(|state| match write(state, self.id) {
                Ok(count) => Poll::Ready(Ok(count)),
                Err(tcpls_core::WriteError::Blocked) => {
                    state.waiting.for_stream(self.id, Interest::Write, cx)
                }
                Err(error) => Poll::Ready(Err(state.write_error(error))),
            })
    }
}

impl AsyncWrite for SendStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .poll_write_bytes(cx, data)
            .map_err(Into::into)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .poll_with(cx, |state, id| state.core.send(id).write_vectored(data))
            .map_err(Into::into)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Waits until everything written has left the session's queue for a connection's socket.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.handle
            .shared
            .change(|state| match state.core.send(this.id).poll_sent() {
                Ok(true) => Poll::Ready(Ok(())),
                Ok(false) => state.waiting.for_stream(this.id, Interest::Sent, cx),
                Err(error) => Poll::Ready(Err(state.write_error(error).into())),
            })
    }

    /// Finishes the stream and flushes it. Calling it again is harmless.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.finished {
            self.end()?;
        }
        ready!(self.as_mut().poll_flush(cx))?;
        Poll::Ready(Ok(()))
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        self.handle.shared.change(|state| {
            state
                .waiting
                .forget_stream(self.id, &[Interest::Write, Interest::Acked, Interest::Sent]);
            state.core.drop_send(self.id);
        });
    }
}
