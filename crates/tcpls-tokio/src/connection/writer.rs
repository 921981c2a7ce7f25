//! The write half of a connection: takes records from the session, seals them, writes them.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tcpls_core::crypto::{RecordSealer, SealError, WriteBuffer};
use tcpls_core::{ConnectionFailure, ConnectionHandle, Transmit, TransmitState};
use tokio::io::AsyncWrite;

use super::fate::{self, Fate};
use super::task_mutex::{Spoilt, TaskMutex};
use crate::block;
use crate::io::{WriteIo, is_reset};
use crate::registry::Registration;
use crate::shared::{self, Portion, Shared};

/// How long a connection that is over may take to send what it was given before: a peer that does
/// not read must not keep it for ever.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The write half of one connection, driven by whoever has something to send.
pub(crate) struct Writer {
    half: TaskMutex<WriteHalf>,
}

impl Writer {
    /// `prefix` is sent before the first record.
    pub(crate) fn new(
        connection: ConnectionHandle,
        io: WriteIo,
        sealer: RecordSealer,
        prefix: &[u8],
    ) -> Self {
        let mut pending = WriteBuffer::new();
        pending.extend_from_slice(prefix);
        Self {
            half: TaskMutex::new(WriteHalf {
                connection,
                io,
                sealer,
                transmit: Transmit::default(),
                sealed: pending,
                stage: Stage::Open,
            }),
        }
    }

    /// Sends what the session has for this connection until the connection ends. `registration` is kept
    /// until then.
    pub(crate) async fn run(
        self: Arc<Self>,
        shared: Arc<Shared>,
        connection: ConnectionHandle,
        fate: Arc<Fate>,
        registration: Arc<Registration>,
    ) {
        let mut last_words = pin!(None);
        let mut known: Option<Waker> = None;
        let end = std::future::poll_fn(|cx| {
            if fate.stage() == fate::Stage::Aborted {
                return Poll::Ready(Ok(()));
            }
            // Its word stays, so the session need not be asked to keep it each time.
            if !known
                .as_ref()
                .is_some_and(|known| known.will_wake(cx.waker()))
            {
                self.half.set_owner(cx);
                shared.with_slot(connection, |slot| slot.register_writer(cx));
                known = Some(cx.waker().clone());
            }
            if fate.stage() == fate::Stage::Over {
                if last_words.is_none() {
                    last_words.set(Some(tokio::time::sleep(LAST_WORDS)));
                }
                if let Some(late) = last_words.as_mut().as_pin_mut()
                    && late.poll(cx).is_ready()
                {
                    return Poll::Ready(Ok(()));
                }
            }
            match ready!(self.half.poll_lock(cx)) {
                Ok(mut half) => half.poll_drive(&shared, cx, Turn::OWN),
                Err(Spoilt) => Poll::Ready(Err(ConnectionFailure::Abandoned)),
            }
        })
        .await;
        if let Err(failure) = end {
            // The peer's last records may still be readable.
            shared.write_failed(connection, failure);
        }
        drop((self, registration));
    }

    /// Sends the full records that the session has right now, on behalf of the writer's task `task`; what
    /// fills none, and what the socket does not take, is left to that task.
    pub(crate) fn kick(&self, shared: &Shared, task: Waker) {
        let Some(mut half) = self.half.visit() else {
            task.wake();
            return;
        };
        let mut cx = Context::from_waker(&task);
        let is_news = !matches!(half.stage, Stage::Ended(_));
        let driven = half.poll_drive(shared, &mut cx, Turn::BORROWED);
        let connection = half.connection;
        half.leave();
        if let Poll::Ready(end) = driven {
            if let Err(failure) = end
                && is_news
            {
                // The system tells it once: whoever reads next only finds an end of file.
                shared.write_failed(connection, failure);
            }
            // Its task has the last word.
            task.wake();
        }
    }
}

/// What whoever drives a writer sends in one go.
#[derive(Clone, Copy, Debug)]
struct Turn {
    batches: usize,
    portion: Portion,
}

impl Turn {
    /// The writer's own task. It comes again at once; in between the connection is read, which has to wait
    /// while something is sent.
    const OWN: Self = Self {
        batches: 1,
        portion: Portion::Everything,
    };
    /// A task that came with data, which is to get back to its own work.
    const BORROWED: Self = Self {
        batches: 2,
        portion: Portion::FullRecords,
    };
}

struct WriteHalf {
    connection: ConnectionHandle,
    io: WriteIo,
    sealer: RecordSealer,
    transmit: Transmit,
    /// Sealed records on their way to the socket.
    sealed: WriteBuffer,
    stage: Stage,
}

/// How far the sending direction has come.
#[derive(Clone, Debug)]
enum Stage {
    Open,
    /// The session has said its last word here; flush it and half-close.
    Closing,
    Ended(Result<(), ConnectionFailure>),
}

impl WriteHalf {
    /// Writes, seals and takes records in turn until there is nothing to do.
    ///
    /// Ready when this direction has ended. When its turn is over it wakes the task instead of going on.
    fn poll_drive(
        &mut self,
        shared: &Shared,
        cx: &mut Context<'_>,
        mut turn: Turn,
    ) -> Poll<Result<(), ConnectionFailure>> {
        // The session has told that nothing is left, and tells who is to come when there is more.
        let mut drained = false;
        loop {
            if let Stage::Ended(end) = &self.stage {
                return Poll::Ready(*end);
            }
            match self.poll_write_sealed(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    self.end(Err(failure(&error)));
                    continue;
                }
                Poll::Pending => {
                    shared.blocked(self.connection);
                    return Poll::Pending;
                }
            }
            if matches!(self.stage, Stage::Closing) {
                let end = ready!(Pin::new(&mut self.io).poll_shutdown(cx));
                self.end(end.map_err(|error| failure(&error)));
                continue;
            }
            if turn.batches == 0 && !drained {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            turn.batches = turn.batches.saturating_sub(1);
            let batch = if std::mem::take(&mut drained) {
                Ok(Batch::Nothing)
            } else {
                self.next_batch(shared, turn.portion)
            };
            match batch {
                Ok(Batch::Sealed(next)) => drained = next == TransmitState::Idle,
                Ok(Batch::Partial) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Ok(Batch::Nothing) => {
                    // Bursts end here; what they needed is not kept for the quiet time after them.
                    block::give_buffer(std::mem::take(&mut self.sealed));
                    return self.poll_flush(cx);
                }
                Err(error) => {
                    tracing::warn!(%error, "a record could not be sealed");
                    shared.update(|state, _| match error {
                        Unsealed::Seal(error) => state.core.handle_seal_error(error),
                        Unsealed::Sequence => state.core.abort(),
                    });
                    self.end(Err(ConnectionFailure::Abandoned));
                }
            }
        }
    }

    /// Takes the next records of the session and seals them.
    fn next_batch(&mut self, shared: &Shared, portion: Portion) -> Result<Batch, Unsealed> {
        let next = shared::poll_transmit(shared, self.connection, portion, &mut self.transmit);
        if self.transmit.is_empty() {
            match (next, portion) {
                (TransmitState::Idle, _) => return Ok(Batch::Nothing),
                (TransmitState::More, Portion::FullRecords) => return Ok(Batch::Partial),
                (TransmitState::More, Portion::Everything)
                | (TransmitState::ShutdownWrite | TransmitState::Close, _) => {}
            }
        }
        if self.sealed.capacity() == 0 {
            self.sealed = block::take_buffer();
        }
        let sealed = self.seal_batch();
        self.transmit.clear();
        sealed?;
        match next {
            TransmitState::ShutdownWrite | TransmitState::Close => self.stage = Stage::Closing,
            TransmitState::Idle | TransmitState::More => {}
        }
        Ok(Batch::Sealed(next))
    }

    fn seal_batch(&mut self) -> Result<(), Unsealed> {
        for record in &self.transmit.records {
            let plaintext = record.plaintext(&self.transmit.tails);
            let sequence = self.sealer.seal(&plaintext, &mut self.sealed)?;
            if sequence != record.sequence {
                return Err(Unsealed::Sequence);
            }
        }
        Ok(())
    }

    fn poll_write_sealed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.sealed.is_empty() {
            match ready!(Pin::new(&mut self.io).poll_write(cx, self.sealed.pending()))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.sealed.advance(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Pushes what the transport itself may buffer, then rests.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionFailure>> {
        match Pin::new(&mut self.io).poll_flush(cx) {
            Poll::Ready(Err(error)) => {
                self.end(Err(failure(&error)));
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    fn end(&mut self, end: Result<(), ConnectionFailure>) {
        self.sealed = WriteBuffer::new();
        self.stage = Stage::Ended(end);
    }
}

/// Why a batch did not become records: nothing of it may be sent.
#[derive(Debug, thiserror::Error)]
enum Unsealed {
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("the session and the sealer count records differently")]
    Sequence,
}

/// What became of one look at the session.
enum Batch {
    /// There were some, and this is what the session says of more.
    Sealed(TransmitState),
    /// What there is fills no record.
    Partial,
    Nothing,
}

/// The session's name for what the socket reported.
pub(super) fn failure(error: &io::Error) -> ConnectionFailure {
    let kind = error.kind();
    if is_reset(kind) {
        ConnectionFailure::Reset
    } else if kind == io::ErrorKind::TimedOut {
        ConnectionFailure::TimedOut
    } else {
        ConnectionFailure::Io
    }
}
