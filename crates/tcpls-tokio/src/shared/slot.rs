//! One TCP connection, as the session's state knows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use tcpls_core::ConnectionFailure;

use super::waiting::Wakeups;
use crate::connection::Writer;
use crate::io::Addresses;
use crate::path_options::PathOptions;

/// What a connection brings along.
pub(crate) struct Socket {
    pub(crate) addresses: Addresses,
    /// How to open one like it.
    pub(crate) options: Option<PathOptions>,
    /// Tells the reader that the session needs nothing more from it.
    pub(crate) over: Arc<AtomicBool>,
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
    writer: Arc<Writer>,
    writer_task: Option<Waker>,
    reader_task: Option<Waker>,
    /// Tells the reader, which keeps a share, that the session needs nothing more from it.
    over: Arc<AtomicBool>,
    /// Writing failed; what arrived before is still being read.
    write_failure: Option<ConnectionFailure>,
}

impl Slot {
    pub(super) fn new(socket: Socket, writer: Arc<Writer>) -> Self {
        Self {
            addresses: socket.addresses,
            options: socket.options,
            departure: Departure::Rejoin,
            writer,
            writer_task: None,
            reader_task: None,
            over: socket.over,
            write_failure: None,
        }
    }

    /// Leaves word whom to wake when there is something to send, or the connection is over.
    pub(crate) fn register_writer(&mut self, cx: &Context<'_>) {
        register(&mut self.writer_task, cx);
    }

    /// Leaves word whom to wake when reading goes on, or the connection is over.
    pub(super) fn register_reader(&mut self, cx: &Context<'_>) {
        register(&mut self.reader_task, cx);
    }

    /// Writing failed like this; the reader has the last word.
    pub(crate) fn write_failed(&mut self, failure: ConnectionFailure) {
        self.write_failure = Some(failure);
    }

    /// How writing failed, if it did.
    pub(super) fn write_failure(&self) -> Option<ConnectionFailure> {
        self.write_failure
    }

    /// Has the writer send what there is.
    pub(super) fn wake_writer(&self, wakeups: &mut Wakeups) {
        if let Some(task) = self.writer_task.clone() {
            wakeups.writers.push((Arc::clone(&self.writer), task));
        }
    }

    /// Has the reader go on. Its word stays: it may be waiting for its socket and not come by again.
    pub(super) fn wake_reader(&self, wakeups: &mut Wakeups) {
        wakeups.tasks.extend(self.reader_task.clone());
    }

    /// The session needs the connection no more: both its tasks end.
    pub(super) fn end(self, wakeups: &mut Wakeups) {
        self.over.store(true, Ordering::Release);
        wakeups.tasks.extend(self.writer_task);
        wakeups.tasks.extend(self.reader_task);
    }
}

fn register(task: &mut Option<Waker>, cx: &Context<'_>) {
    if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
        *task = Some(cx.waker().clone());
    }
}
