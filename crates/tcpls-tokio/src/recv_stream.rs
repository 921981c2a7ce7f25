//! The receiving half of a stream.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tcpls_core::Landing;
use tcpls_core::wire::StreamId;
use tcpls_core::wire::frame::MAX_PLAINTEXT;
use tokio::io::{AsyncRead, ReadBuf};

use crate::connection::{Receiver, Target};
use crate::error::{ReadError, ReadToEndError};
use crate::session::Handle;
use crate::shared::{Interest, State};

/// The receiving half of a stream: the peer's bytes in order, each once, then the end.
///
/// The end is only ever seen when the peer finished the stream; one that the peer reset and a session
/// that is lost before show as errors. Dropping it early is [`stop`](Self::stop) with code 0.
#[derive(Debug)]
pub struct RecvStream {
    handle: Arc<Handle>,
    id: StreamId,
    reading: Reading,
    /// Empty between calls; kept for its allocation.
    taken: Vec<Bytes>,
}

/// Whether the application reads a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Wanted,
    /// It said that it would not. The session forgets that, and what was unread, with the stream.
    Stopped,
}

impl RecvStream {
    pub(crate) fn new(handle: Arc<Handle>, id: StreamId) -> Self {
        Self {
            handle,
            id,
            reading: Reading::Wanted,
            taken: Vec::new(),
        }
    }

    /// The stream's id on the wire (draft 4.1).
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// Reads into `buffer`, waiting for data; `None` at the end of the stream.
    ///
    /// Gives `Some(0)` only for an empty `buffer`. What lies in `buffer` beyond what was read, and after a
    /// read that was dropped, is of no meaning: where data comes in bulk, records are decrypted there.
    /// That takes a `buffer` of more than 16 KiB; with one of 256 KiB it costs the least.
    ///
    /// # Errors
    /// [`ReadError`] when the peer reset the stream, reading was stopped, or the session ended before the
    /// stream did.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it completes, nothing was read.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, ReadError> {
        if buffer.is_empty() {
            return Ok(Some(0));
        }
        let count = poll_fn(|cx| self.poll_fill(cx, buffer)).await?;
        Ok((count > 0).then_some(count))
    }

    /// Reads the next bytes, at most `max`, without copying them; `None` at the end of the stream.
    ///
    /// The chunk shares memory with the record it came in.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it completes, nothing was read.
    pub async fn read_chunk(&mut self, max: usize) -> Result<Option<Bytes>, ReadError> {
        let read = |state: &mut State, id| state.core.recv(id).read_chunk(max);
        poll_fn(|cx| self.poll_with(cx, &mut [], read).map_ok(Found::read)).await
    }

    /// Reads the next chunks that are there, as many as `chunks` has places for, without copying them;
    /// tells how many it read, which is at least one, or `None` at the end of the stream.
    ///
    /// They are in order and share memory with the records they came in. This costs a fast reader less than
    /// as many calls of [`read_chunk`](Self::read_chunk). Gives `Some(0)` only for empty `chunks`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it completes, nothing was read.
    pub async fn read_chunks(&mut self, chunks: &mut [Bytes]) -> Result<Option<usize>, ReadError> {
        if chunks.is_empty() {
            return Ok(Some(0));
        }
        let mut read = |state: &mut State, id| {
            let mut recv = state.core.recv(id);
            let mut count = 0;
            for place in &mut *chunks {
                match recv.read_chunk(usize::MAX) {
                    Ok(Some(chunk)) => *place = chunk,
                    Ok(None) => break,
                    Err(_) if count > 0 => break,
                    Err(error) => return Err(error),
                }
                count += 1;
            }
            Ok(count)
        };
        let count =
            poll_fn(|cx| self.poll_with(cx, &mut [], &mut read).map_ok(Found::read)).await?;
        Ok((count > 0).then_some(count))
    }

    /// Reads until the end of the stream, at most `limit` bytes.
    ///
    /// # Errors
    /// [`ReadToEndError::TooLong`] when the stream holds more than `limit` bytes (some of which
    /// were read), or as [`read`](Self::read).
    ///
    /// # Cancel safety
    /// Not cancel safe: what was read before it is dropped is lost.
    pub async fn read_to_end(&mut self, limit: usize) -> Result<Vec<u8>, ReadToEndError> {
        let mut all = Vec::new();
        let mut chunks = [const { Bytes::new() }; AT_ONCE];
        while let Some(count) = self.read_chunks(&mut chunks).await? {
            for chunk in chunks.iter_mut().take(count).map(std::mem::take) {
                if chunk.len() > limit.saturating_sub(all.len()) {
                    return Err(ReadToEndError::TooLong);
                }
                all.extend_from_slice(&chunk);
            }
        }
        Ok(all)
    }

    /// Gives up reading: what still comes is discarded, and the peer is asked to send no more, with
    /// `code` for its application. Reading fails from now on; calling it again changes nothing.
    ///
    /// A peer that speaks the draft alone is not told, because the draft has no frame for it. Dropping
    /// the stream does the same with code 0.
    pub fn stop(&mut self, code: u32) {
        self.reading = Reading::Stopped;
        let stop = |state: &mut State| state.core.recv(self.id).stop_sending(code);
        self.handle.shared.change(stop);
    }

    /// Copies what is there into `buffer`; 0 at the end of the stream.
    ///
    /// The bytes are taken out under the session's lock and copied without it.
    fn poll_fill(&mut self, cx: &Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, ReadError>> {
        let mut taken = std::mem::take(&mut self.taken);
        let room = buffer.len();
        let result = self.poll_with(cx, buffer, |state, id| {
            let mut recv = state.core.recv(id);
            let mut room = room;
            while room > 0 {
                match recv.read_chunk(room) {
                    Ok(Some(chunk)) => {
                        room -= chunk.len();
                        taken.push(chunk);
                    }
                    Ok(None) => break,
                    Err(_) if !taken.is_empty() => break,
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        });
        let mut rest = buffer;
        let mut filled = 0;
        for chunk in taken.drain(..) {
            let (part, later) = rest.split_at_mut(chunk.len());
            part.copy_from_slice(&chunk);
            filled += chunk.len();
            rest = later;
        }
        self.taken = taken;
        result.map_ok(|found| match found {
            Found::Landed(count) => count,
            Found::Read(()) => filled,
        })
    }

    /// Runs `read`, and waits for data when it finds none: first at the socket, where that is where it comes
    /// from next. Then it may be put into `space` at once.
    fn poll_with<R>(
        &self,
        cx: &Context<'_>,
        space: &mut [u8],
        mut read: impl FnMut(&mut State, StreamId) -> Result<R, tcpls_core::ReadError>,
    ) -> Poll<Result<Found<R>, ReadError>> {
        if self.reading == Reading::Stopped {
            return Poll::Ready(Err(ReadError::ClosedStream));
        }
        let shared = &self.handle.shared;
        let room = space.len();
        let mut look = |state: &mut State| self.look(state, cx, room, &mut read);
        let (mut found, mut source) = shared.change(&mut look);
        for _ in 0..AT_A_CALL {
            let Some((receiver, landing)) = source.take() else {
                break;
            };
            let target = landing.map(|landing| Target::new(landing, &mut *space));
            let look = |state: &mut State, landed| {
                state.waiting.take_back(self.id, Interest::Read);
                match landed {
                    0 => look(state),
                    landed => (Poll::Ready(Ok(Found::Landed(landed))), None),
                }
            };
            match receiver.read_now(shared, cx, target, look) {
                Some((now, next)) => (found, source) = (now, next),
                None => break,
            }
        }
        found
    }

    /// Runs `read`; when it finds nothing, leaves word and says who could read more, and what of it could
    /// be put into `room` bytes at once.
    fn look<R>(
        &self,
        state: &mut State,
        cx: &Context<'_>,
        room: usize,
        read: impl FnOnce(&mut State, StreamId) -> Result<R, tcpls_core::ReadError>,
    ) -> (Poll<Result<Found<R>, ReadError>>, Option<Source>) {
        match read(state, self.id) {
            Ok(data) => (Poll::Ready(Ok(Found::Read(data))), None),
            Err(tcpls_core::ReadError::Blocked) => {
                let waits = state.waiting.for_stream(self.id, Interest::Read, cx);
                let source = state.receiver_of(self.id);
                let landing = |state: &State| match room {
                    ..=MAX_PLAINTEXT => None,
                    _ => state.core.landing(self.id),
                };
                (waits, source.map(|source| (source, landing(state))))
            }
            Err(error) => (Poll::Ready(Err(state.read_error(error))), None),
        }
    }
}

/// Who could read more, and where that would begin if it were put where it is wanted.
type Source = (Arc<Receiver>, Option<Landing>);

/// What a read came to.
enum Found<R> {
    Read(R),
    /// So many bytes were put where they were wanted.
    Landed(usize),
}

impl<R: Default> Found<R> {
    /// For reads that want them nowhere.
    fn read(self) -> R {
        match self {
            Self::Read(found) => found,
            Self::Landed(_) => R::default(),
        }
    }
}

/// How often a call reads the socket at most, until something of its stream comes.
const AT_A_CALL: usize = 4;

/// How many chunks [`RecvStream::read_to_end`] reads at a time.
const AT_ONCE: usize = 8;

impl AsyncRead for RecvStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let room = buffer.initialize_unfilled();
        let this = self.get_mut();
        let count = ready!(this.poll_fill(cx, room))?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        self.handle.shared.change(|state| {
            state.waiting.forget_stream(self.id, &[Interest::Read]);
            state.core.drop_recv(self.id);
        });
    }
}
