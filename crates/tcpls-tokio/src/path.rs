//! Paths: the TCP connections of a session, as the application sees them.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tcpls_core::wire::ConnectionId;
use tcpls_core::{ConnectionFailure, ConnectionHandle, ConnectionStats, PathStatus, RetireError};
use tokio::sync::broadcast;

use crate::PathError;
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

    /// Says what it is for, from now on and when it is opened again after a failure. The peer is told when
    /// both sides agreed on that ([`Features::CONNECTION_STATE`](crate::Features::CONNECTION_STATE)), and
    /// follows unless its application said something itself; else it decides about what it sends.
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

    /// What the peer wants it to be for, as far as it said. Followed here unless
    /// [`set_status`](Self::set_status) or [`PathOptions`](crate::PathOptions) say something else.
    pub fn peer_status(&self) -> Option<PathStatus> {
        let status = |state: &State| state.core.peer_path_status(self.connection);
        self.shared.inspect(status)
    }

    /// Where the server sees the client's end of it, at a client and as far as the server said. Where that
    /// is not the [local address](Self::local_address), there is a translator of addresses on the path.
    pub fn observed_address(&self) -> Option<SocketAddr> {
        let address = |state: &State| state.core.observed_address(self.connection);
        self.shared.inspect(address)
    }

    /// Asks the peer's session for an answer on this very connection and measures how long that takes:
    /// TCP's round trip, and the time in the queues and tasks of both sides. With a peer that speaks the
    /// draft alone the answer, an acknowledgment, may come on another connection. Of several calls at a
    /// time the last one asks for all.
    ///
    /// # Errors
    /// [`PathError::Lost`] when the connection or the session ends before the answer comes.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it completes, the answer is passed over.
    pub async fn probe(&self) -> Result<Duration, PathError> {
        let mut events = self.shared.update(|state, _| {
            let events = state.path_events();
            state.core.probe(self.connection);
            PathEvents::new(events)
        });
        let lost = PathError::Lost(ConnectionFailure::SessionEnded);
        loop {
            if self.is_closed() {
                return Err(lost);
            }
            match events.recv().await {
                Some(PathEvent::Probed { id, round_trip }) if id == self.id => {
                    return Ok(round_trip);
                }
                Some(PathEvent::Closed { id, reason }) if id == self.id => {
                    return Err(reason.map_or(lost, PathError::Lost));
                }
                None => return Err(lost),
                // The answer may be among what was missed.
                Some(PathEvent::Lagged(_)) => self
                    .shared
                    .update(|state, _| state.core.probe(self.connection)),
                Some(_) => {}
            }
        }
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
    /// The peer says what a connection is for.
    PeerStatus {
        /// Its Connection ID.
        id: ConnectionId,
        /// What the peer wants it to be for.
        status: PathStatus,
    },
    /// The peer answered on a connection: see [`Path::probe`].
    Probed {
        /// Its Connection ID.
        id: ConnectionId,
        /// From question to answer.
        round_trip: Duration,
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
