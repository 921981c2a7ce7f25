//! All connections that a session ever had.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use super::{Connection, Rank, sent::MAX_IN_FLIGHT};
use crate::{
    ConnectionHandle, ConnectionStart, SessionConfig,
    spent_ids::SpentIds,
    wire::{ConnectionId, Role},
};

/// The connections of one session, by local handle and by identifier.
///
/// One that is over stays for a while: late ACKs name it, and its counters can be read. Of older ones
/// nothing is left but their identifiers, which must not come back.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// Those that are not over, in the order they came.
    live: Vec<ConnectionHandle>,
    /// The same connections, each at the place of its handle. There are few, and whatever happens asks for
    /// some of them.
    current: Vec<Connection>,
    /// Those that are over.
    past: BTreeMap<ConnectionHandle, Box<Connection>>,
    by_id: BTreeMap<ConnectionId, ConnectionHandle>,
    /// Those that failed and may remember what they carried, in the order in which they did.
    failed: VecDeque<ConnectionHandle>,
    /// Those that are over and kept, in the order they ended.
    ended: VecDeque<ConnectionHandle>,
    forgotten: SpentIds,
    added: u32,
}

/// Whether an identifier was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uniqueness {
    Unique,
    Repeated,
}

/// How many connections are kept that are over, some 700 bytes each.
const KEPT: usize = 64;

impl Connections {
    /// Adds a connection, unless its identifier was used before.
    pub(crate) fn add(
        &mut self,
        start: ConnectionStart,
        role: Role,
        config: &SessionConfig,
        now: Instant,
    ) -> (ConnectionHandle, Uniqueness) {
        let handle = ConnectionHandle::nth(self.added);
        self.added += 1;
        if self.by_id.contains_key(&start.id) || self.forgotten.contains(start.id) {
            return (handle, Uniqueness::Repeated);
        }
        self.by_id.insert(start.id, handle);
        self.live.push(handle);
        // No room for several at a time: most sessions have one.
        self.current.reserve_exact(1);
        let connection = Connection::new(start, role, config, now);
        self.current.push(connection);
        (handle, Uniqueness::Unique)
    }

    pub(crate) fn get(&self, handle: ConnectionHandle) -> Option<&Connection> {
        match self.place(handle) {
            Some(place) => self.current.get(place),
            None => self.past.get(&handle).map(Box::as_ref),
        }
    }

    pub(crate) fn get_mut(&mut self, handle: ConnectionHandle) -> Option<&mut Connection> {
        match self.place(handle) {
            Some(place) => self.current.get_mut(place),
            None => self.past.get_mut(&handle).map(Box::as_mut),
        }
    }

    /// The connection with this identifier, also when it is over.
    pub(crate) fn find(&self, id: ConnectionId) -> Option<ConnectionHandle> {
        self.by_id.get(&id).copied()
    }

    /// Whether there was a connection with this identifier that is over for so long that nothing of it
    /// matters any more.
    pub(crate) fn was_forgotten(&self, id: ConnectionId) -> bool {
        self.forgotten.contains(id)
    }

    /// Forgets the connections that are over for longest, apart from those that are still `needed`.
    pub(crate) fn forget_old(&mut self, needed: &[ConnectionHandle]) {
        while self.ended.len() > KEPT {
            let old = self.ended.iter().position(|ended| !needed.contains(ended));
            let Some(handle) = old.and_then(|at| self.ended.remove(at)) else {
                return;
            };
            if let Some(connection) = self.past.remove(&handle) {
                self.by_id.remove(&connection.id);
                self.forgotten.insert(connection.id);
            }
            self.for_each_live(|connection| {
                connection.duplicated.remove(&handle);
            });
        }
    }

    /// Handles of those that are not over.
    pub(crate) fn live(&self) -> &[ConnectionHandle] {
        &self.live
    }

    /// Those that are not over.
    pub(crate) fn iter_live(&self) -> impl Iterator<Item = (ConnectionHandle, &Connection)> + '_ {
        self.live.iter().copied().zip(&self.current)
    }

    /// Calls `visit` for each connection that is not over.
    pub(crate) fn for_each_live(&mut self, mut visit: impl FnMut(&mut Connection)) {
        for connection in &mut self.current {
            visit(connection);
        }
    }

    /// The best rank that a live connection has: those of this rank carry what the session sends.
    pub(crate) fn best_rank(&self) -> Option<Rank> {
        self.iter_live()
            .filter_map(|(_, connection)| connection.rank())
            .min()
    }

    /// Whether this rank, which a live connection has, is the best one.
    pub(crate) fn is_best(&self, rank: Rank) -> bool {
        self.live.len() == 1 || self.best_rank() == Some(rank)
    }

    /// Connections that get through to the peer, as far as anybody knows.
    pub(crate) fn usable(&self) -> usize {
        self.iter_live()
            .filter(|(_, connection)| connection.rank().is_some_and(Rank::is_usable))
            .count()
    }

    /// The connection is over.
    pub(crate) fn bury(&mut self, handle: ConnectionHandle) {
        if let Some(place) = self.place(handle) {
            self.live.remove(place);
            let connection = Box::new(self.current.remove(place));
            self.past.insert(handle, connection);
            self.ended.push_back(handle);
        }
    }

    /// The connection failed, and remembers what it carried until the peer's last word about it.
    pub(crate) fn remember(&mut self, handle: ConnectionHandle) {
        self.failed.push_back(handle);
    }

    /// Takes out the oldest connection that failed, if those that did remember more frames together than
    /// one connection may have in flight.
    pub(crate) fn take_beyond_memory(&mut self) -> Option<ConnectionHandle> {
        let in_flight = |handle: &ConnectionHandle| {
            let connection = self.get(*handle);
            connection.map_or(0, |connection| connection.sent.in_flight())
        };
        let remembered: usize = self.failed.iter().map(in_flight).sum();
        let beyond = remembered > MAX_IN_FLIGHT;
        let holding = |handle: &ConnectionHandle| in_flight(handle) > 0;
        self.failed = self.failed.iter().copied().filter(holding).collect();
        beyond.then(|| self.failed.pop_front()).flatten()
    }

    /// How many connections there ever were.
    pub(crate) fn added(&self) -> u32 {
        self.added
    }

    /// Where a connection that is not over stands.
    fn place(&self, handle: ConnectionHandle) -> Option<usize> {
        self.live.iter().position(|live| *live == handle)
    }
}
