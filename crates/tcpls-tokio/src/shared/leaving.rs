//! Connections that use an address that was withdrawn (draft 5.2.8).

use std::time::{Duration, Instant};

use tcpls_core::{ConnectionFailure, ConnectionHandle, RetireError, Session as Core};

/// Connections that are to end because of an address, and cannot yet: they are all that the session has.
///
/// Each is retired as soon as another connection can take over, and given up when none comes in time;
/// then the session waits for one (reading A-33).
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    connections: Vec<ConnectionHandle>,
    deadline: Option<Instant>,
}

/// How long they wait for another connection.
const PATIENCE: Duration = Duration::from_secs(2);

impl Leaving {
    /// This connection is to end.
    pub(super) fn add(&mut self, core: &mut Core, connection: ConnectionHandle, now: Instant) {
        if !core.is_established(connection) {
            core.handle_failure(connection, ConnectionFailure::Abandoned, now);
        } else if !self.connections.contains(&connection) {
            self.connections.push(connection);
            self.go_on(core, now);
        }
    }

    /// Retires those that need not wait any more.
    pub(super) fn go_on(&mut self, core: &mut Core, now: Instant) {
        self.connections
            .retain(|connection| core.retire(*connection, now) == Err(RetireError::LastConnection));
        self.deadline = match (self.connections.is_empty(), self.deadline) {
            (true, _) => None,
            (false, Some(deadline)) => Some(deadline),
            (false, None) => Some(now + PATIENCE),
        };
    }

    /// Gives those up that have waited for too long.
    pub(super) fn handle_timeout(&mut self, core: &mut Core, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            for connection in self.connections.drain(..) {
                core.handle_failure(connection, ConnectionFailure::Abandoned, now);
            }
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How many connections are in use only until others are there.
    pub(crate) fn waiting(&self, core: &Core) -> usize {
        let in_use = |connection: &&ConnectionHandle| !core.is_suspect(**connection);
        self.connections.iter().filter(in_use).count()
    }
}
