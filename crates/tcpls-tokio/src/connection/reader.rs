//! The read half of a connection: reads the socket, opens records, hands them to the session.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tcpls_core::crypto::OpenError;
use tcpls_core::wire::hello::join::{AnswerReader, AnswerStage, JoinFailure};
use tcpls_core::{ConnectionFailure, ConnectionHandle};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::fate::Stage;
use super::receiver::{ReadHalf, Receiver};
use super::task_mutex::Spoilt;
use super::writer::failure;
use crate::io::ReadIo;
use crate::registry::Registration;
use crate::shared::{Appetite, Shared};

/// What is read before any buffer is allocated, from a connection at rest.
const PROBE: usize = 4 * 1024;
/// How long a connection that is over is still read, so that it ends without a RST.
const LINGER: Duration = Duration::from_secs(1);
/// Received bytes after which the application gets its turn.
const YIELD: usize = 64 * 1024;
/// How long a connection at rest keeps its buffers, at least; twice that at most.
const KEEP: Duration = Duration::from_millis(200);
/// How long it takes at most until a connection at rest notices that what it received was read.
const LONGEST_KEEP: Duration = Duration::from_secs(10);

/// The task of one connection's read half.
pub(crate) struct Reader {
    connection: ConnectionHandle,
    receiver: Arc<Receiver>,
    /// Once there was something to give back.
    rest: Option<Rest>,
    /// At a client that joins, until the first protected record.
    answer: Option<Answer>,
}

impl Reader {
    pub(crate) fn new(connection: ConnectionHandle, receiver: Arc<Receiver>) -> Self {
        Self {
            connection,
            receiver,
            rest: None,
            answer: None,
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
            self.receiver.half.set_owner(cx);
            shared.with_slot(self.connection, |slot| slot.register_reader(cx));
            Poll::Ready(())
        })
        .await;
        if let Some(end) = self.read_all(&shared).await {
            shared.read_ended(self.connection, end);
        }
        if self.receiver.fate.stage() == Stage::Over {
            // Closing a socket with unread input makes the kernel send a RST, which can destroy
            // our last records on their way: read what the peer still sends, for a while.
            let _elapsed = tokio::time::timeout(LINGER, self.discard()).await;
        }
        drop((self, registration));
    }

    /// `None` when the session needs nothing more from this connection.
    pub(super) async fn read_all(&mut self, shared: &Shared) -> Option<ReadEnd> {
        while let Some(mut answer) = self.answer.take() {
            let read = |half: &mut ReadHalf, _: &mut Context<'_>| {
                Poll::Ready(answer.read(&mut half.buffer.bytes))
            };
            match self.receiver.with_half(read).await {
                Ok(Ok(AnswerStage::Protected)) => {}
                Ok(Ok(AnswerStage::Waiting | AnswerStage::Answered)) => {
                    self.answer = Some(answer);
                    match self.fill_unless_over().await? {
                        Ok(Filled::Nothing) => {
                            return Some(ReadEnd::Failed(ConnectionFailure::Eof));
                        }
                        Ok(Filled::Something | Filled::Sated) => {}
                        Err(end) => return Some(end),
                    }
                }
                Ok(Err(_)) => return Some(ReadEnd::Failed(ConnectionFailure::NotJoined)),
                Err(spoilt) => return Some(spoilt.into()),
            }
        }
        loop {
            match self.hand_in(shared).await {
                Ok(Appetite::More) => {}
                Ok(Appetite::Unknown) => {
                    poll_fn(|cx| shared.poll_wants_read(self.connection, cx)).await;
                }
                Err(end) => return Some(end),
            }
            match self.fill_unless_over().await? {
                Ok(Filled::Something | Filled::Sated) => {}
                Ok(Filled::Nothing) => return Some(ReadEnd::Eof),
                Err(end) => return Some(end),
            }
        }
    }

    /// Hands over what was read. If that was much, who reads it runs before more is read: what was just
    /// decrypted is in the cache.
    async fn hand_in(&self, shared: &Shared) -> Result<Appetite, ReadEnd> {
        let hand_in = |half: &mut ReadHalf, _: &mut Context<'_>| {
            let much = half.buffer.bytes.len() >= YIELD;
            Poll::Ready((much, half.hand_in(shared, much)))
        };
        let (much, appetite) = self.receiver.with_half(hand_in).await?;
        if much {
            give_way().await;
        }
        appetite
    }

    /// Reads once. Once nothing can be written, nothing is waited for either: what has arrived by then
    /// is all there is.
    async fn fill_unless_over(&mut self) -> Option<Result<Filled, ReadEnd>> {
        let fate = Arc::clone(&self.receiver.fate);
        let turn = {
            let mut fill = pin!(self.fill());
            poll_fn(|cx| match fate.stage() {
                Stage::Live => fill.as_mut().poll(cx).map(Ok),
                ended @ (Stage::WriteFailed | Stage::Over | Stage::Aborted) => {
                    Poll::Ready(Err(ended))
                }
            })
            .await
        };
        match turn {
            Ok(result) => Some(result),
            Err(Stage::WriteFailed) => {
                let fill = |half: &mut ReadHalf, _: &mut Context<'_>| Poll::Ready(half.fill_rest());
                let filled = self.receiver.with_half(fill).await;
                Some(filled.unwrap_or_else(|spoilt| Err(spoilt.into())))
            }
            Err(Stage::Live | Stage::Over | Stage::Aborted) => None,
        }
    }

    async fn discard(&self) {
        let read = || {
            let read =
                |half: &mut ReadHalf, cx: &mut Context<'_>| poll_some(&mut half.io, cx, |_| {});
            self.receiver.with_half(read)
        };
        while matches!(read().await, Ok(Ok(1..))) {}
    }

    /// Reads once, or lets somebody else do so. A connection that has been quiet for a while holds no
    /// buffer meanwhile.
    async fn fill(&mut self) -> Result<Filled, ReadEnd> {
        loop {
            let rest = &mut self.rest;
            let turn = |half: &mut ReadHalf, cx: &mut Context<'_>| {
                let turn = half.poll_turn(cx);
                if turn.is_pending() {
                    half.poll_rest(rest, cx);
                }
                turn
            };
            match self.receiver.with_half(turn).await? {
                Turn::Read(result) => return filled(result),
                Turn::Sated => return Ok(Filled::Sated),
                Turn::Ended(end) => return Err(end),
                Turn::LeftToOther => give_way().await,
            }
        }
    }
}

impl Receiver {
    /// Drives the half as soon as nobody else does.
    async fn with_half<R>(
        &self,
        mut drive: impl FnMut(&mut ReadHalf, &mut Context<'_>) -> Poll<R>,
    ) -> Result<R, Spoilt> {
        poll_fn(|cx| {
            let mut half = ready!(self.half.poll_lock(cx))?;
            drive(&mut half, cx).map(Ok)
        })
        .await
    }
}

/// Since when a connection has been at rest, about.
struct Rest {
    timer: Pin<Box<Sleep>>,
    keep: Duration,
    /// How often it had been read when the timer was set.
    reads: u64,
}

impl Rest {
    fn wait(&mut self, keep: Duration, reads: u64) {
        (self.keep, self.reads) = (keep, reads);
        self.timer.as_mut().reset(Instant::now() + keep);
    }
}

/// What a wait for the socket came to.
pub(super) enum Filled {
    /// There are more bytes.
    Something,
    /// There are none, and will be none.
    Nothing,
    /// The session is to be asked whether it wants more.
    Sated,
}

/// What became of a turn of the connection's task.
enum Turn {
    /// It read.
    Read(io::Result<usize>),
    /// Somebody else read what the session has enough of.
    Sated,
    /// Somebody else saw the end.
    Ended(ReadEnd),
    /// There is something, and who waits for it was told.
    LeftToOther,
}

impl ReadHalf {
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        if let Some(end) = self.end.take() {
            return Poll::Ready(Turn::Ended(end));
        }
        if std::mem::replace(&mut self.appetite, Appetite::More) == Appetite::Unknown {
            return Poll::Ready(Turn::Sated);
        }
        self.in_a_row = 0;
        if let Some(next) = &self.next {
            let ready = ready!(self.io.poll_ready(cx));
            next.wake_by_ref();
            self.next = None;
            return Poll::Ready(match ready {
                Ok(()) => Turn::LeftToOther,
                Err(error) => Turn::Read(Err(error)),
            });
        }
        if !self.buffer.is_there() {
            return poll_probe(&mut self.io, &mut self.buffer.bytes, cx).map(Turn::Read);
        }
        self.buffer.make_room();
        let read = pin!(self.io.read_buf(&mut self.buffer.bytes));
        let read = ready!(read.poll(cx));
        self.reads += 1;
        Poll::Ready(Turn::Read(read))
    }

    /// Gives the buffers back when nothing has been read for a while.
    fn poll_rest(&mut self, rest: &mut Option<Rest>, cx: &mut Context<'_>) {
        while self.buffer.is_there() && self.buffer.bytes.is_empty() {
            let timer = rest.get_or_insert_with(|| Rest {
                timer: Box::pin(tokio::time::sleep(KEEP)),
                keep: KEEP,
                reads: self.reads,
            });
            if timer.timer.as_mut().poll(cx).is_pending() {
                return;
            }
            if timer.reads != self.reads {
                timer.wait(KEEP, self.reads);
            } else if self.give_up() {
                *rest = None;
            } else {
                timer.wait((timer.keep * 2).min(LONGEST_KEEP), self.reads);
            }
        }
    }

    /// Reads once of what has arrived and is all there will be, unless somebody else saw the end of it.
    pub(super) fn fill_rest(&mut self) -> Result<Filled, ReadEnd> {
        match self.end.take() {
            Some(end) => Err(end),
            None => filled(self.fill_now()),
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

/// How a connection's receiving direction ended.
#[derive(Clone, Debug)]
pub(crate) enum ReadEnd {
    Eof,
    Failed(ConnectionFailure),
    NotOpened(OpenError),
}

impl From<Spoilt> for ReadEnd {
    /// What was read and not handed over is lost, so what is in other records is of no use either.
    fn from(_: Spoilt) -> Self {
        Self::Failed(ConnectionFailure::Abandoned)
    }
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

fn filled(read: io::Result<usize>) -> Result<Filled, ReadEnd> {
    match read {
        Ok(0) => Ok(Filled::Nothing),
        Ok(_) => Ok(Filled::Something),
        Err(error) => Err(ReadEnd::Failed(failure(&error))),
    }
}

/// Reads into the stack first, so that waiting costs no buffer. What came gets a piece of its own size: once
/// that is used up, as it is after the Ping of a peer at rest, the connection rests as before.
fn poll_probe(
    io: &mut ReadIo,
    buffer: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    poll_some(io, cx, |read| *buffer = BytesMut::from(read))
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
