//! What a session says about itself when asked.

use std::{net::SocketAddr, time::Instant};

use super::{Session, schedule, state::Lifecycle, stream_change};
use crate::{
    AddressStanding, BudgetStats, CloseReason, ConnectionHandle, ConnectionStats, PathInfo,
    PathStatus, SessionStats, StreamStats,
    connection::{Connection, Health, Heard},
    number::offset,
    wire::{AddressId, ConnectionId, Features, Role, SessionParams, StreamId},
};

impl Session {
    /// What both sides can do beyond the draft.
    pub fn features(&self) -> Features {
        self.terms.features()
    }

    /// What the peer said about itself; `None` with a peer that speaks the draft alone.
    pub fn peer_params(&self) -> Option<&SessionParams> {
        self.terms.peer()
    }

    /// Which side of the session this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Why the session is over, or `None` while it is not.
    pub fn close_reason(&self) -> Option<CloseReason> {
        match self.lifecycle {
            Lifecycle::Closed(reason) => Some(reason),
            Lifecycle::Open | Lifecycle::Finishing(_) | Lifecycle::Draining(_) => None,
        }
    }

    /// The connections that are not over.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionHandle> + '_ {
        self.connections.live().iter().copied()
    }

    /// The wire's identifier of a connection, also after it ended.
    pub fn connection_id(&self, c: ConnectionHandle) -> Option<ConnectionId> {
        Some(self.connections.get(c)?.id)
    }

    /// Whether the peer was heard on a connection, also after it ended.
    pub fn is_established(&self, c: ConnectionHandle) -> bool {
        let heard = |connection: &Connection| connection.heard == Heard::Yes;
        self.connections.get(c).is_some_and(heard)
    }

    /// What the next record of this connection may begin with, stream and offset: the peer announced it
    /// with Stream Change (draft 5.2.9), or the last record goes on. For receivers that want to decrypt in
    /// place; it may prove wrong, in every way (reading A-36).
    pub fn expected_stream(&self, c: ConnectionHandle) -> Option<(StreamId, u64)> {
        stream_change::expected(self, c)
    }

    /// What this connection is for.
    pub fn path_status(&self, c: ConnectionHandle) -> Option<PathStatus> {
        Some(self.connections.get(c)?.path.status())
    }

    /// What TCP last said about a connection, also after it ended.
    pub fn path_info(&self, c: ConnectionHandle) -> Option<PathInfo> {
        self.connections.get(c)?.liveness.info()
    }

    /// Whether what TCP says about a connection is to be read before the next `poll_transmit`.
    pub fn wants_path_info(&self, c: ConnectionHandle, now: Instant) -> bool {
        self.connections
            .get(c)
            .is_some_and(|connection| connection.liveness.is_stale(now))
    }

    /// Bytes of streams that wait to be given out, about.
    pub fn backlog(&self) -> u64 {
        self.streams.backlog()
    }

    /// Whether the peer's TCP does not answer on a connection (reading A-45).
    pub fn is_suspect(&self, c: ConnectionHandle) -> bool {
        let suspect = |connection: &Connection| connection.liveness.health() == Health::Suspect;
        self.connections.get(c).is_some_and(suspect)
    }

    /// Connections on which the peer was heard, that take data, and whose TCP answers.
    pub fn usable_connections(&self) -> usize {
        self.connections.usable()
    }

    /// How many bytes a driver asks [`poll_transmit`](Self::poll_transmit) for at a time on this
    /// connection: as much as makes large writes while it is alone, and little when there is a choice,
    /// because what was given out is no longer the scheduler's.
    pub fn transmit_batch(&self, c: ConnectionHandle) -> usize {
        schedule::batch(self, c)
    }

    /// Whether what this connection is given could go out on another instead, now or soon.
    pub fn has_choice(&self, c: ConnectionHandle) -> bool {
        schedule::has_choice(self, c)
    }

    /// The addresses that the peer advertised and did not withdraw.
    pub fn peer_addresses(&self) -> impl Iterator<Item = (AddressId, SocketAddr)> + '_ {
        self.control.peer_addresses()
    }

    /// What the peer said about its end of a connection (reading A-32). Where that is
    /// [`AddressStanding::Withdrawn`], a client opens no connection to it, and both sides end those that
    /// there are: [`retire`](Self::retire), or
    /// [`handle_failure`](Self::handle_failure) for the last one (reading A-33).
    pub fn peer_address(&self, remote: SocketAddr) -> AddressStanding {
        self.control.peer_address(self.role.peer(), remote)
    }

    /// What this side said about its own end of a connection.
    pub fn own_address(&self, local: SocketAddr) -> AddressStanding {
        self.control.own_address(self.role, local)
    }

    /// Counters of the session.
    pub fn stats(&self) -> SessionStats {
        let mut stats = SessionStats {
            connections: self.connections.added(),
            live_connections: u32::try_from(self.connections.live().len()).unwrap_or(u32::MAX),
            tokens: self.control.tokens().count(),
            unused_tokens: u32::try_from(self.control.tokens().unused()).unwrap_or(u32::MAX),
            budgets: BudgetStats {
                failed_records: self.failed_records.into(),
                ..self.effort.stats()
            },
            ..SessionStats::default()
        };
        self.streams.add_stats(&mut stats);
        stats
    }

    /// Counters of a connection, also after it ended.
    pub fn connection_stats(&self, c: ConnectionHandle) -> Option<ConnectionStats> {
        let connection = self.connections.get(c)?;
        Some(ConnectionStats {
            frames_in_flight: offset(connection.sent.in_flight()),
            send_generation: connection.key_update.sent,
            ..connection.stats
        })
    }

    /// Counters of a stream that still has state.
    pub fn stream_stats(&self, stream: StreamId) -> Option<StreamStats> {
        self.streams.stats_of(stream)
    }
}
