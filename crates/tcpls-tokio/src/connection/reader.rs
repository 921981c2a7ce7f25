//! The read half of a connection: reads the socket, opens records, hands them to the session.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tcpls_core::crypto::{OpenError, OpenedRecord, RecordOpener};
use tcpls_core::wire::hello::join::{AnswerReader, AnswerStage, JoinFailure};
use tcpls_core::{ConnectionFailure, ConnectionHandle};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::fate::{Fate, Stage};
use super::receive_buffer::ReceiveBuffer;
use super::writer::failure;
use crate::io::ReadIo;
use crate::registry::Registration;
use crate::shared::Shared;

/// What is read before any buffer is allocated, from a connection at rest.
const PROBE: usize = 4 * 1024;
/// How long a connection that is over is still read, so that it ends without a RST.
const LINGER: Duration = Duration::from_secs(1);
/// Received bytes after which the application gets its turn.
const YIELD: usize = 64 * 1024;
/// How long a connection at rest keeps its buffers.
const KEEP: Duration = Duration::from_millis(200);
/// How long it takes at most until a connection at rest notices that what it received was read.
const LONGEST_KEEP: Duration = Duration::from_secs(10);

/// The read half of one connection.
pub(crate) struct Reader {
    connection: ConnectionHandle,
    io: ReadIo,
    opener: RecordOpener,
    buffer: ReceiveBuffer,
    opened: Vec<OpenedRecord>,
    /// At a client that joins, until the first protected record.
    answer: Option<Answer>,
    /// How long to go on.
    fate: Arc<Fate>,
}

impl Reader {
    /// `received` is what the handshake left unread.
    pub(crate) fn new(
        connection: ConnectionHandle,
        io: ReadIo,
        opener: RecordOpener,
        received: &[u8],
        fate: Arc<Fate>,
    ) -> Self {
        Self {
            connection,
            io,
            opener,
            buffer: ReceiveBuffer::beginning_with(received),
            opened: Vec::new(),
            answer: None,
            fate,
        }
    }

    /// Reads the answer to a join before the records.
    pub(crate) fn expecting(mut self, answer: Option<Answer>) -> Self {
        self.answer = answer;
        self
    }

    /// Reads until the connection ends, then tells the session how it ended. `registration` is kept until
    /// then. In a box, because a future keeps what it is given twice.
    pub(crate) async fn run(
        mut self: Box<Self>,
        shared: Arc<Shared>,
        registration: Arc<Registration>,
    ) {
        poll_fn(|cx| {
            shared.with_slot(self.connection, |slot| slot.register_reader(cx));
            Poll::Ready(())
        })
        .await;
        if let Some(end) = self.read_all(&shared).await {
            shared.read_ended(self.connection, end);
        }
        if self.fate.stage() == Stage::Over {
            // Closing a socket with unread input makes the kernel send a RST, which can destroy
            // our last records on their way: read what the peer still sends, for a while.
            let _elapsed = tokio::time::timeout(LINGER, self.discard()).await;
        }
        drop((self, registration));
    }

    /// `None` when the session needs nothing more from this connection.
    async fn read_all(&mut self, shared: &Shared) -> Option<ReadEnd> {
        while let Some(answer) = &mut self.answer {
            match answer.read(&mut self.buffer.bytes) {
                Ok(AnswerStage::Protected) => self.answer = None,
                Ok(AnswerStage::Waiting | AnswerStage::Answered) => {
                    match self.fill_unless_over().await? {
                        Ok(0) => return Some(ReadEnd::Failed(ConnectionFailure::Eof)),
                        Ok(_) => {}
                        Err(error) => return Some(ReadEnd::Failed(failure(&error))),
                    }
                }
                Err(_) => return Some(ReadEnd::Failed(ConnectionFailure::NotJoined)),
            }
        }
        loop {
            match self.hand_in(shared).await {
                Ok(Appetite::More) => {}
                Ok(Appetite::Unknown) => {
                    poll_fn(|cx| shared.poll_wants_read(self.connection, cx)).await;
                }
                Err(failure) => return Some(failure),
            }
            match self.fill_unless_over().await? {
                Ok(0) => return Some(ReadEnd::Eof),
                Ok(_) => {}
                Err(error) => return Some(ReadEnd::Failed(failure(&error))),
            }
        }
    }

    /// Hands over what was read. If that was much, who reads it runs before more is read: what was just
    /// decrypted is in the cache.
    async fn hand_in(&mut self, shared: &Shared) -> Result<Appetite, ReadEnd> {
        let much = self.buffer.bytes.len() >= YIELD;
        let appetite = self.open_buffered(shared)?;
        if much {
            give_way().await;
        }
        Ok(appetite)
    }

    /// Reads once. Once nothing can be written, nothing is waited for either: what has arrived by then
    /// is all there is.
    async fn fill_unless_over(&mut self) -> Option<io::Result<usize>> {
        let fate = Arc::clone(&self.fate);
        let filled = {
            let mut fill = pin!(self.fill());
            poll_fn(|cx| match fate.stage() {
                Stage::Live => fill.as_mut().poll(cx).map(Ok),
                ended @ (Stage::WriteFailed | Stage::Over | Stage::Aborted) => {
                    Poll::Ready(Err(ended))
                }
            })
            .await
        };
        match filled {
            Ok(result) => Some(result),
            Err(Stage::WriteFailed) => Some(self.fill_now()),
            Err(Stage::Live | Stage::Over | Stage::Aborted) => None,
        }
    }

    /// Reads what has arrived; 0 when there is nothing more.
    fn fill_now(&mut self) -> io::Result<usize> {
        let mut space = [0; PROBE];
        match self.io.read_now(&mut space) {
            Ok(count) => {
                let read = space.get(..count).unwrap_or_default();
                self.buffer.bytes.extend_from_slice(read);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn discard(&mut self) {
        let read = |cx: &mut Context<'_>| poll_some(&mut self.io, cx, |_| {});
        let mut read = poll_fn(read);
        while (&mut read).await.is_ok_and(|count| count > 0) {}
    }

    /// Opens every whole record in the buffer and hands them over under one lock.
    fn open_buffered(&mut self, shared: &Shared) -> Result<Appetite, ReadEnd> {
        let result = loop {
            match self.opener.open_next(&mut self.buffer.bytes) {
                Ok(Some(record)) => self.opened.push(record),
                Ok(None) => break Ok(Appetite::Unknown),
                Err(error) => break Err(ReadEnd::NotOpened(error)),
            }
        };
        if self.opened.is_empty() {
            return result;
        }
        let more = shared.receive(self.connection, |state, now| {
            for record in self.opened.drain(..) {
                state.core.handle_record(self.connection, record, now);
            }
        });
        result.map(|unknown| if more { Appetite::More } else { unknown })
    }

    /// Reads once. A connection that has been quiet for a while holds no buffer meanwhile.
    async fn fill(&mut self) -> io::Result<usize> {
        let mut keep = KEEP;
        while self.buffer.is_there() {
            self.buffer.make_room();
            if !self.buffer.bytes.is_empty() {
                return self.io.read_buf(&mut self.buffer.bytes).await;
            }
            let read = self.io.read_buf(&mut self.buffer.bytes);
            if let Ok(result) = tokio::time::timeout(keep, read).await {
                return result;
            }
            self.buffer.give_up();
            keep = (keep * 2).min(LONGEST_KEEP);
        }
        poll_fn(|cx| poll_probe(&mut self.io, &mut self.buffer.bytes, cx)).await
    }
}

/// The answer to a join, and where to leave word of what came instead.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reader: AnswerReader,
    pub(crate) failure: Arc<OnceLock<JoinFailure>>,
}

impl Answer {
    /// Takes what belongs to the answer off the front of `buffer`.
    pub(crate) fn read(&mut self, buffer: &mut BytesMut) -> Result<AnswerStage, JoinFailure> {
        match self.reader.read(buffer) {
            Ok(progress) => {
                buffer.advance(progress.consumed);
                Ok(progress.stage)
            }
            Err(failure) => {
                let _first = self.failure.set(failure);
                Err(failure)
            }
        }
    }
}

/// Whether the session wants to have more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Appetite {
    /// It did when it got the last records.
    More,
    /// It is to be asked.
    Unknown,
}

/// How a connection's receiving direction ended.
#[derive(Clone, Debug)]
pub(crate) enum ReadEnd {
    Eof,
    Failed(ConnectionFailure),
    NotOpened(OpenError),
}

/// Lets those go first who are to run on this thread; another one may go on with the task meanwhile.
///
/// `tokio::task::yield_now` would wait until this thread has nothing else to do, which it never has while it
/// also sends much, and nobody could take the task off it.
async fn give_way() {
    let mut gave_way = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut gave_way, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Reads into the stack first, so that waiting costs no buffer.
fn poll_probe(
    io: &mut ReadIo,
    buffer: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    poll_some(io, cx, |read| buffer.extend_from_slice(read))
}

/// Reads once, and shows what came to `look`.
fn poll_some(
    io: &mut ReadIo,
    cx: &mut Context<'_>,
    look: impl FnOnce(&[u8]),
) -> Poll<io::Result<usize>> {
    let mut space = [const { MaybeUninit::uninit() }; PROBE];
    let mut read = ReadBuf::uninit(&mut space);
    ready!(Pin::new(io).poll_read(cx, &mut read))?;
    look(read.filled());
    Poll::Ready(Ok(read.filled().len()))
}
