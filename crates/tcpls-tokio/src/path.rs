//! Paths: the TCP connections of a session, as the application sees them.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tcpls_core::wire::ConnectionId;
use tcpls_core::{ConnectionFailure, ConnectionHandle, ConnectionStats, PathStatus, RetireError};
use tokio::sync::broadcast;

use crate::io::Addresses;
use crate::shared::{Departure, Shared, State};

/// One TCP connection of a session.
///
/// Cheap to clone. It does not keep the session open, and its counters stay readable after its end.
#[derive(Clone)]
pub struct Path {
    shared: Arc<Shared>,
    connection: ConnectionHandle,
    id: ConnectionId,
    addresses: Addresses,
}

impl Path {
    /// The path of a connection that is not over; `None` for others.
    pub(crate) fn new(shared: &Arc<Shared>, connection: ConnectionHandle) -> Option<Self> {
        shared.inspect(|state| {
            Some(Self {
                shared: Arc::clone(shared),
                connection,
                id: state.core.connection_id(connection)?,
                addresses: state.connections.get(&connection)?.addresses,
            })
        })
    }

    pub(crate) fn connection(&self) -> ConnectionHandle {
        self.connection
    }

    /// Its Connection ID, which no other connection of the session ever has (draft 4.2.1).
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The peer's address, over TCP.
    pub fn remote_address(&self) -> Option<SocketAddr> {
        self.addresses.remote
    }

    /// The local address, over TCP.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.addresses.local
    }

    /// Counters so far.
    pub fn stats(&self) -> ConnectionStats {
        let stats = |connection| {
            self.shared
                .inspect(|state| state.core.connection_stats(connection))
        };
        stats(self.connection).unwrap_or_default()
    }

    /// Whether it is over.
    pub fn is_closed(&self) -> bool {
        self.shared
            .inspect(|state| !state.connections.contains_key(&self.connection))
    }

    /// Whether the peer's TCP does not answer on it; others carry what it carried (reading A-45).
    pub fn is_suspect(&self) -> bool {
        let look = |state: &State| state.core.is_suspect(self.connection);
        !self.is_closed() && self.shared.inspect(look)
    }

    /// What it is for.
    pub fn status(&self) -> PathStatus {
        let status = |state: &State| state.core.path_status(self.connection);
        self.shared.inspect(status).unwrap_or_default()
    }

    /// Says what it is for, from now on and when it is opened again after a failure. The peer is not told
    /// and decides about what it sends itself.
    pub fn set_status(&self, status: PathStatus) {
        self.shared.update(|state, _| {
            state.core.set_path_status(self.connection, status);
            if let Some(slot) = state.connections.get_mut(&self.connection)
                && let Some(options) = &mut slot.options
            {
                options.status(status);
            }
        });
    }

    /// Ends the connection in order: nothing new goes out on it, and once what it carries is acknowledged
    /// both sides half-close it (reading A-16). It is not opened again. Returns at once;
    /// [`PathEvent::Closed`] tells when it is done.
    ///
    /// When no other connection could carry the session, it is given up at once: what it carried goes
    /// out on the next one, if the session can get one (reading A-19).
    pub fn close(&self) {
        self.shared.update(|state, now| {
            let_go(state, self.connection);
            if state.core.retire(self.connection, now) == Err(RetireError::LastConnection) {
                let failure = ConnectionFailure::Abandoned;
                state.core.handle_failure(self.connection, failure, now);
            }
        });
    }

    /// Ends the connection at once, over TCP with a RST: what it carried and the peer did not acknowledge
    /// goes out on others; without others the session waits for one (reading A-19). It counts as failed,
    /// so a client that [follows its paths](crate::FollowPaths) opens another: to be rid of it,
    /// [`close`](Self::close) it.
    pub fn abort(&self) {
        self.shared.update(|state, now| {
            if let Some(slot) = state.connections.get(&self.connection) {
                slot.abort();
            }
            let failure = ConnectionFailure::Abandoned;
            state.core.handle_failure(self.connection, failure, now);
        });
    }
}

/// The connection is not to be opened again.
fn let_go(state: &mut State, connection: ConnectionHandle) {
    if let Some(slot) = state.connections.get_mut(&connection) {
        slot.departure = Departure::LetGo;
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Path")
            .field("id", &self.id.as_u32())
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

/// A path that came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathEvent {
    /// A connection joined and the peer was heard on it.
    Established {
        /// Its Connection ID.
        id: ConnectionId,
    },
    /// The peer's TCP does not answer on a connection; others take over (reading A-45).
    Suspect {
        /// Its Connection ID.
        id: ConnectionId,
    },
    /// The peer's TCP answers again on a connection that was suspect.
    Recovered {
        /// Its Connection ID.
        id: ConnectionId,
    },
    /// A connection is over; before it was established, its join failed.
    Closed {
        /// Its Connection ID.
        id: ConnectionId,
        /// `None` at the orderly end of the path or the session.
        reason: Option<ConnectionFailure>,
    },
    /// The peer advertised an address (draft 5.2.7).
    AddressAdded {
        /// A server's is one to connect to, a client's one that it may come from (port 0: any).
        address: SocketAddr,
    },
    /// The peer withdrew an address: connections that use it end, and no other will (draft 5.2.8).
    AddressRemoved {
        /// The address.
        address: SocketAddr,
    },
    /// The watcher was too slow: this many events were missed.
    Lagged(u64),
}

/// The paths of a session that come and go.
#[derive(Debug)]
pub struct PathEvents {
    events: broadcast::Receiver<PathEvent>,
}

impl PathEvents {
    pub(crate) fn new(events: broadcast::Receiver<PathEvent>) -> Self {
        Self { events }
    }

    /// Waits for the next event; `None` once the session is over.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn recv(&mut self) -> Option<PathEvent> {
        match self.events.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(PathEvent::Lagged(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
