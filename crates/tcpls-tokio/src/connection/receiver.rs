//! What the read half of a connection is read with: the socket, the records' keys and the buffers.
//!
//! Whoever holds it reads. Mostly that is the connection's own task, which waits for the socket. A task
//! that waits for the very stream whose data comes in bulk reads at its own call: it need not be woken,
//! and has the data first. What it finds no more of, it leaves to the connection's task, which tells it
//! when there is more.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tcpls_core::crypto::{OpenError, OpenedRecord, RecordOpener};
use tcpls_core::{ConnectionHandle, LandedRecord};
use tokio::task::coop;

use super::fate::{Fate, Stage};
use super::reader::ReadEnd;
use super::receive_buffer::ReceiveBuffer;
use super::target::{Next, Target};
use super::task_mutex::TaskMutex;
use super::writer::failure;
use crate::io::ReadIo;
use crate::shared::{Appetite, Shared, State};

/// What a read gives at least as long as data comes in bulk.
const BULK: usize = 16 * 1024;

/// How many times others than its task read before those have a turn whom that woke: 4 MiB at most.
const AT_A_STRETCH: u8 = 16;

/// The read half of one connection, driven by its task or by who waits for the data.
pub(crate) struct Receiver {
    pub(super) half: TaskMutex<ReadHalf>,
    pub(super) fate: Arc<Fate>,
}

pub(super) struct ReadHalf {
    pub(super) connection: ConnectionHandle,
    pub(super) io: ReadIo,
    opener: RecordOpener,
    pub(super) buffer: ReceiveBuffer,
    opened: Vec<OpenedRecord>,
    /// Records whose data is in the memory of who reads it.
    landed: Vec<LandedRecord>,
    /// How many times bytes were read into the buffer.
    pub(super) reads: u64,
    /// How many times others than its task read since that did or was asked to.
    pub(super) in_a_row: u8,
    /// Who reads next, as soon as there is more.
    pub(super) next: Option<Waker>,
    /// How receiving ended, when somebody else than its task saw it.
    pub(super) end: Option<ReadEnd>,
    /// Whether the session wanted more when it got what somebody else than its task read.
    pub(super) appetite: Appetite,
}

impl Receiver {
    /// `received` is what the handshake left unread.
    pub(crate) fn new(
        connection: ConnectionHandle,
        io: ReadIo,
        opener: RecordOpener,
        received: &[u8],
        fate: Arc<Fate>,
    ) -> Self {
        Self {
            half: TaskMutex::new(ReadHalf {
                connection,
                io,
                opener,
                buffer: ReceiveBuffer::beginning_with(received),
                opened: Vec::new(),
                landed: Vec::new(),
                reads: 0,
                in_a_row: 0,
                next: None,
                end: None,
                appetite: Appetite::More,
            }),
            fate,
        }
    }

    /// Reads what the socket has, if the runtime knows of something, for a task that waits for it, and
    /// then looks with `look` what came of it, which is told how many bytes are in `target`. `None` when
    /// there was nothing to look at: the task is woken when there is.
    pub(crate) fn read_now<R>(
        &self,
        shared: &Shared,
        cx: &Context<'_>,
        target: Option<Target<'_>>,
        look: impl FnOnce(&mut State, usize) -> R,
    ) -> Option<R> {
        let mut half = self.half.visit()?;
        let budget = coop::poll_proceed(&mut Context::from_waker(cx.waker()));
        let found = match (budget, self.fate.stage()) {
            (Poll::Ready(budget), Stage::Live) => {
                let found = half.read_now(shared, cx, target, look);
                if found.is_some() {
                    budget.made_progress();
                }
                found
            }
            (Poll::Pending, _) | (_, Stage::WriteFailed | Stage::Over | Stage::Aborted) => None,
        };
        if half.end.is_some() {
            // Its task has to see that.
            drop(half);
        } else {
            half.leave();
        }
        found
    }
}

impl ReadHalf {
    fn read_now<R>(
        &mut self,
        shared: &Shared,
        cx: &Context<'_>,
        mut target: Option<Target<'_>>,
        look: impl FnOnce(&mut State, usize) -> R,
    ) -> Option<R> {
        // At rest there is no buffer, and whoever comes for nothing is not to leave one behind: the task,
        // which has a look first, is the one that gives it back.
        if self.end.is_some() || !self.buffer.is_there() {
            return None;
        }
        if self.in_a_row >= AT_A_STRETCH {
            self.next = Some(cx.waker().clone());
            return None;
        }
        self.buffer.make_room();
        match self.io.try_read(&mut self.buffer.bytes) {
            Ok(0) => self.end = Some(ReadEnd::Eof),
            Ok(count) => {
                self.reads += 1;
                self.in_a_row += 1;
                let bulk = count >= BULK;
                let landed = target.as_mut().map_or(Ok(()), |target| self.land(target));
                if let Err(end) = landed.and_then(|()| self.open_buffered()) {
                    self.end = Some(end);
                }
                if self.opened.is_empty() && self.landed.is_empty() {
                    self.next = Some(cx.waker().clone());
                    return None;
                }
                let connection = self.connection;
                let (landed, opened) = (&mut self.landed, &mut self.opened);
                let (appetite, found) = shared.receive(connection, |state, now| {
                    if !bulk {
                        state.bulk = None;
                    }
                    let read = match target {
                        Some(target) => target.deliver(state, connection, landed, now),
                        None => 0,
                    };
                    for record in opened.drain(..) {
                        state.core.handle_record(connection, record, now);
                    }
                    look(state, read)
                });
                self.appetite = appetite;
                return Some(found);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.next = Some(cx.waker().clone());
            }
            Err(error) => self.end = Some(ReadEnd::Failed(failure(&error))),
        }
        None
    }

    /// Opens records into `target`, as long as they are what is expected there and it has room.
    fn land(&mut self, target: &mut Target<'_>) -> Result<(), ReadEnd> {
        let bytes = &mut self.buffer.bytes;
        loop {
            match target
                .open_next(&mut self.opener, bytes)
                .map_err(ReadEnd::NotOpened)?
            {
                Next::Landed(record) => self.landed.push(record),
                Next::Other(record) => {
                    self.opened.push(record);
                    return Ok(());
                }
                Next::None => return Ok(()),
            }
        }
    }

    /// Gives back what a connection at rest does not need: also the lists, which are long after many small
    /// records. Returns whether no buffer is left.
    pub(super) fn give_up(&mut self) -> bool {
        self.opened = Vec::new();
        self.landed = Vec::new();
        self.buffer.give_up()
    }

    /// Opens every whole record in the buffer. After an error, those before are opened.
    fn open_buffered(&mut self) -> Result<(), ReadEnd> {
        while let Some(record) = self
            .opener
            .open_next(&mut self.buffer.bytes)
            .map_err(|error: OpenError| ReadEnd::NotOpened(error))?
        {
            self.opened.push(record);
        }
        Ok(())
    }

    /// Opens every whole record in the buffer and hands them over under one lock.
    pub(super) fn hand_in(&mut self, shared: &Shared, bulk: bool) -> Result<Appetite, ReadEnd> {
        let result = self.open_buffered();
        if self.opened.is_empty() {
            return result.map(|()| Appetite::Unknown);
        }
        let connection = self.connection;
        let opened = &mut self.opened;
        let (appetite, ()) = shared.receive(connection, |state, now| {
            state.bulk = bulk.then_some(connection);
            for record in opened.drain(..) {
                state.core.handle_record(connection, record, now);
            }
        });
        result.map(|()| appetite)
    }
}

#[cfg(test)]
mod tests;
