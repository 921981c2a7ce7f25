//! Acknowledgments that wait a moment for what the application has to say.
//!
//! A request that arrives is to be acknowledged, and wakes the application, which answers. To wake the
//! connection's writer as well would send the acknowledgment by itself just before the answer, mostly
//! from another thread. So the writer is left alone until the application comes for what arrived: the
//! writer's turn is after its, and everything goes out together. Should it not come, it is waited for
//! no longer than the acknowledgment of any other data.

use std::time::{Duration, Instant};

use tcpls_core::ConnectionHandle;

use super::wakeups::Wakeups;
use super::{Shared, State};
use crate::clock;

/// How long an acknowledgment waits for the application at most.
const PATIENCE: Duration = Duration::from_millis(25);

/// The connections whose writers were not woken yet for an acknowledgment.
#[derive(Debug, Default)]
pub(super) struct Owed {
    connections: Vec<ConnectionHandle>,
    until: Option<Instant>,
}

/// Who looks after the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visitor {
    /// The reader of this connection, with records, at this time.
    Reader(ConnectionHandle, Instant),
    /// Who waits for a stream, or for something else that has nothing to do with what is sent.
    Waiting,
    /// Anybody else.
    Other,
}

/// Whether the session wants to have more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appetite {
    /// It did when it got the last records.
    More,
    /// It is to be asked.
    Unknown,
}

impl Shared {
    /// As [`update`](Self::update), by who read from `connection`.
    pub(crate) fn receive<R>(
        &self,
        connection: ConnectionHandle,
        change: impl FnOnce(&mut State, Instant) -> R,
    ) -> (Appetite, R) {
        let now = clock::now();
        self.visit(Visitor::Reader(connection, now), |state| {
            let result = change(state, now);
            let appetite = if state.core.wants_read(connection) {
                Appetite::More
            } else {
                Appetite::Unknown
            };
            (appetite, result)
        })
    }
}

impl Shared {
    /// The socket of `connection` takes no more for now: others may carry what waits.
    pub(crate) fn blocked(&self, connection: ConnectionHandle) {
        self.visit(Visitor::Waiting, |state| {
            state.core.handle_blocked(connection);
        });
    }
}

impl State {
    /// Has the writer of `connection`, which has something to send, woken: now, or a little later.
    pub(super) fn on_transmit_ready(
        &mut self,
        connection: ConnectionHandle,
        visitor: Visitor,
        wakeups: &mut Wakeups,
    ) {
        let backlog = self.core.backlog();
        if let Visitor::Reader(reader, now) = visitor
            && reader == connection
            && backlog == 0
        {
            self.owed.connections.push(connection);
            self.owed.until.get_or_insert(now + PATIENCE);
        } else if let Some(slot) = self.connections.get(&connection) {
            slot.wake_writer(backlog, wakeups);
        }
    }

    /// Wakes the writers that were left alone, once there is no reason for that any more.
    pub(super) fn settle_debts(&mut self, visitor: Visitor, wakeups: &mut Wakeups) {
        if self.owed.connections.is_empty() {
            return;
        }
        let backlog = self.core.backlog();
        let waits = match visitor {
            Visitor::Reader(..) => !wakeups.tasks.is_empty(),
            Visitor::Waiting => true,
            Visitor::Other => false,
        };
        if waits && backlog == 0 {
            return;
        }
        self.owed.until = None;
        while let Some(connection) = self.owed.connections.pop() {
            if let Some(slot) = self.connections.get(&connection) {
                slot.wake_writer(backlog, wakeups);
            }
        }
    }

    /// The writer of `connection` is at work.
    pub(super) fn on_writer_at_work(&mut self, connection: ConnectionHandle) {
        let owed = &mut self.owed;
        owed.connections.retain(|owed| *owed != connection);
        if owed.connections.is_empty() {
            owed.until = None;
        }
    }

    /// When the writers that were left alone are woken if nobody came.
    pub(super) fn owed_until(&self) -> Option<Instant> {
        self.owed.until
    }
}
