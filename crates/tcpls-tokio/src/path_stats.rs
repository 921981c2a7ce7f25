//! What became of the connections of a session.

use std::net::SocketAddr;

use tcpls_core::wire::ConnectionId;
use tcpls_core::{ConnectionFailure, ConnectionHandle, ConnectionStats, PathInfo, PathStatus};

use crate::io::Addresses;
use crate::shared::State;

/// One connection that a session has or had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathStats {
    /// Its Connection ID.
    pub id: ConnectionId,
    /// The local address, over TCP.
    pub local_address: Option<SocketAddr>,
    /// The peer's address, over TCP.
    pub remote_address: Option<SocketAddr>,
    /// How it is, or why it ended.
    pub state: PathState,
    /// What it is for.
    pub status: PathStatus,
    /// Where the server sees the client's end of it, at a client and as far as the server said.
    pub observed_address: Option<SocketAddr>,
    /// Its counters.
    pub counters: ConnectionStats,
    /// What TCP last said about it, where the system tells.
    pub info: Option<PathInfo>,
    /// Segments that TCP sent again, where the system tells; up to its end, of a connection that is over.
    pub segments_retransmitted: Option<u64>,
}

/// How a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathState {
    /// The peer was not heard on it yet.
    Joining,
    /// It is in use.
    Open,
    /// The peer's TCP does not answer on it (reading A-45).
    Suspect,
    /// It is over.
    Ended {
        /// `None` at the orderly end of the path or the session.
        reason: Option<ConnectionFailure>,
    },
}

/// The connections of a session, in their order, and those that ended and are not forgotten.
#[derive(Debug, Default)]
pub(crate) struct History {
    records: Vec<Record>,
}

#[derive(Debug)]
struct Record {
    connection: ConnectionHandle,
    addresses: Addresses,
    end: Option<End>,
}

/// Why a connection ended, and what it had come to by then.
#[derive(Clone, Copy, Debug)]
struct End {
    reason: Option<ConnectionFailure>,
    segments_retransmitted: Option<u64>,
}

impl History {
    pub(crate) fn on_added(&mut self, connection: ConnectionHandle, addresses: Addresses) {
        self.records.push(Record {
            connection,
            addresses,
            end: None,
        });
    }

    /// Drops what is known of connections that are not `kept`.
    pub(crate) fn retain(&mut self, kept: impl Fn(ConnectionHandle) -> bool) {
        self.records.retain(|record| kept(record.connection));
    }

    pub(crate) fn on_closed(
        &mut self,
        connection: ConnectionHandle,
        reason: Option<ConnectionFailure>,
        segments_retransmitted: Option<u64>,
    ) {
        let is_it = |record: &&mut Record| record.connection == connection;
        if let Some(record) = self.records.iter_mut().find(is_it) {
            record.end = Some(End {
                reason,
                segments_retransmitted,
            });
        }
    }
}

/// All that is known of every connection of the session.
pub(crate) fn path_stats(state: &State) -> Vec<PathStats> {
    let core = &state.core;
    let records = state.history.records.iter();
    let retransmitted = |connection| {
        let slot = state.connections.get(&connection)?;
        slot.segments_retransmitted()
    };
    records
        .filter_map(|record| {
            let connection = record.connection;
            let path = match record.end {
                Some(End { reason, .. }) => PathState::Ended { reason },
                None if core.is_suspect(connection) => PathState::Suspect,
                None if core.is_established(connection) => PathState::Open,
                None => PathState::Joining,
            };
            Some(PathStats {
                id: core.connection_id(connection)?,
                local_address: record.addresses.local,
                remote_address: record.addresses.remote,
                state: path,
                status: core.path_status(connection).unwrap_or_default(),
                observed_address: core.observed_address(connection),
                counters: core.connection_stats(connection)?,
                info: core.path_info(connection),
                segments_retransmitted: match record.end {
                    Some(end) => end.segments_retransmitted,
                    None => retransmitted(connection),
                },
            })
        })
        .collect()
}
