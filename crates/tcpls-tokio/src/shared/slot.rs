//! One TCP connection, as the session's state knows it.

use std::sync::Arc;
use std::task::{Context, Waker};

use tcpls_core::ConnectionFailure;

use super::pacing::Pacing;
use super::wakeups::Wakeups;
use crate::connection::{Fate, Receiver, Writer};
use crate::io::Addresses;
use crate::path_options::PathOptions;
use crate::tcp::{NO_UNSENT_LIMIT, Tcp};

/// What a connection brings along.
pub(crate) struct Socket {
    pub(crate) addresses: Addresses,
    /// How to open one like it.
    pub(crate) options: Option<PathOptions>,
    pub(crate) tcp: Option<Tcp>,
    /// Tells the reader how long to go on.
    pub(crate) fate: Arc<Fate>,
}

/// What follows when a connection fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// Another is opened in its place.
    Rejoin,
    /// Nothing: it was silent and has a successor. Should it speak again, it is not needed.
    Replaced,
    /// Nothing: it is not wanted any more.
    LetGo,
}

/// What the state knows of one TCP connection and its tasks.
pub(crate) struct Slot {
    pub(crate) addresses: Addresses,
    /// How to open one like it.
    pub(crate) options: Option<PathOptions>,
    pub(crate) departure: Departure,
    /// What can be asked of the connection beside reading and writing, over TCP.
    pub(crate) tcp: Option<Tcp>,
    /// What [`Tcp::set_unsent_limit`] was told last.
    pub(super) unsent_limit: u32,
    pub(super) pacing: Pacing,
    /// What reads it.
    pub(super) receiver: Arc<Receiver>,
    writer: Arc<Writer>,
    writer_task: Option<Waker>,
    reader_task: Option<Waker>,
    /// Tells the reader, which keeps a share, how long to go on.
    fate: Arc<Fate>,
    /// Writing failed; what arrived before is still being read.
    write_failure: Option<ConnectionFailure>,
    reading: Reading,
}

/// Whether the reader may still have something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Open,
    Ended,
}

impl Slot {
    pub(super) fn new(socket: Socket, receiver: Arc<Receiver>, writer: Arc<Writer>) -> Self {
        Self {
            addresses: socket.addresses,
            options: socket.options,
            departure: Departure::Rejoin,
            tcp: socket.tcp,
            unsent_limit: NO_UNSENT_LIMIT,
            pacing: Pacing::default(),
            receiver,
            writer,
            writer_task: None,
            reader_task: None,
            fate: socket.fate,
            write_failure: None,
            reading: Reading::Open,
        }
    }

    /// Leaves word whom to wake when there is something to send, or the connection is over.
    pub(crate) fn register_writer(&mut self, cx: &Context<'_>) {
        register(&mut self.writer_task, cx);
    }

    /// Leaves word whom to wake when reading goes on, or the connection is over.
    pub(crate) fn register_reader(&mut self, cx: &Context<'_>) {
        register(&mut self.reader_task, cx);
    }

    /// Writing failed like this. Says whether the reader will report it, and whom to wake for that.
    pub(super) fn write_failed(&mut self, failure: ConnectionFailure) -> (Reading, Option<Waker>) {
        self.write_failure = Some(failure);
        self.fate.write_failed();
        (self.reading, self.reader_task.clone())
    }

    /// Reading has ended. Returns how writing failed, if it did.
    pub(super) fn read_ended(&mut self) -> Option<ConnectionFailure> {
        self.reading = Reading::Ended;
        self.write_failure
    }

    /// Whether waiting for the application is over, because what is there is all that will come.
    pub(super) fn reads_the_rest(&self) -> bool {
        self.write_failure.is_some()
    }

    /// How many segments TCP sent again so far; `None` where the system does not tell.
    pub(crate) fn segments_retransmitted(&self) -> Option<u64> {
        self.tcp.as_ref()?.segments_retransmitted()
    }

    /// The connection is to vanish, with a RST where it is a TCP connection, as soon as it is over for the
    /// session.
    pub(crate) fn abort(&self) {
        if let Some(tcp) = &self.tcp {
            tcp.reset_on_close();
        }
        self.fate.abort();
    }

    /// Has the writer send what there is: `backlog` bytes of streams and what goes with them. Little is
    /// left to the writer's own task, so that what the application says next goes out in the same
    /// record; much is sent by whoever came with it.
    pub(super) fn wake_writer(&self, backlog: u64, wakeups: &mut Wakeups) {
        let Some(task) = self.writer_task.clone() else {
            return;
        };
        if backlog < SENT_AT_ONCE {
            wakeups.later_writers.push(task);
        } else {
            wakeups.writers.push((Arc::clone(&self.writer), task));
        }
    }

    /// Has the reader go on. Its word stays: it may be waiting for its socket and not come by again.
    pub(super) fn wake_reader(&self, wakeups: &mut Wakeups) {
        wakeups.tasks.extend(self.reader_task.clone());
    }

    /// The session needs the connection no more: both its tasks end.
    pub(super) fn end(self, wakeups: &mut Wakeups) {
        self.fate.end();
        wakeups.tasks.extend(self.writer_task);
        wakeups.tasks.extend(self.reader_task);
    }
}

/// Bytes to send that are worth a system call of their own: a full record.
const SENT_AT_ONCE: u64 = 16 * 1024;

fn register(task: &mut Option<Waker>, cx: &Context<'_>) {
    if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
        *task = Some(cx.waker().clone());
    }
}
