//! Connections: their records, acknowledgments and state, and the table of all of a session.

mod ack;
mod liveness;
mod rank;
mod sent;
mod start;
mod state;
mod table;

use std::{collections::BTreeMap, time::Instant};

pub(crate) use ack::{AckState, Elicits};
pub(crate) use liveness::{Content, Health, Liveness, Load, Verdict};
pub(crate) use rank::Rank;
pub(crate) use sent::{Outstanding, SentRecords};
pub use start::{ConnectionStart, KeyGenerations};
pub(crate) use state::{ConnectionState, ReadHalf, WriteHalf};
pub(crate) use table::{Connections, Uniqueness};

use crate::{
    ConnectionHandle, ConnectionStats, SessionConfig,
    crypto::PostHandshake,
    session::{Expected, Lead, PathState, Probes},
    stream::Stretch,
    wire::{ConnectionId, RecordSequence, Role},
};

/// One TCP connection of the session.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) heard: Heard,
    /// What the first records are padded to.
    pub(crate) record_sizes: [usize; 2],
    pub(crate) state: ConnectionState,
    /// The number of the next record to be applied; `None` after 2^64-1.
    pub(crate) next_received: Option<RecordSequence>,
    pub(crate) acks: AckState,
    pub(crate) sent: SentRecords,
    pub(crate) path: PathState,
    pub(crate) probes: Probes,
    pub(crate) liveness: Liveness,
    /// Up to which frame of other connections this one sent duplicates.
    pub(crate) duplicated: BTreeMap<ConnectionHandle, u64>,
    /// Stream bytes that it took, for schedulers that compare.
    pub(crate) turns: u64,
    pub(crate) report: Report,
    pub(crate) ping: Ping,
    pub(crate) pump: Pump,
    pub(crate) outlet: Outlet,
    pub(crate) key_update: KeyUpdateState,
    pub(crate) messages: PostHandshake,
    /// Records without frames in a row (reading A-29).
    pub(crate) empty_records: u32,
    pub(crate) stats: ConnectionStats,
    /// What the last record sent began with.
    pub(crate) lead: Option<Lead>,
    pub(crate) expected: Expected,
    /// Where in its receive buffers the last record lies.
    pub(crate) stretch: Stretch,
}

/// Whether an authentic record of the peer arrived on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It did; on the first connection the handshake stands for it.
    Yes,
    /// Not yet: nobody knows whether this connection leads to the peer.
    NotYet,
}

impl Heard {
    fn initially(id: ConnectionId) -> Self {
        if id == ConnectionId::FIRST {
            Self::Yes
        } else {
            Self::NotYet
        }
    }
}

/// Whether the peer was told, in a Connection Reset, that a connection failed (reading A-14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    None,
    /// It was, or will be.
    Sent,
}

/// The Ping of this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ping {
    None,
    Due,
    Sent(Instant),
}

/// Whether the driver knows that there is something to transmit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pump {
    /// It was told `Idle` (or nothing yet).
    Idle,
    /// It was told that there is something, and is expected to ask.
    Told,
}

/// Whether the socket takes what it is given, as far as the driver told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outlet {
    Open,
    /// It takes no more for now.
    Blocked,
}

/// The key generations of a connection, and whether the peer wants to see another (reading A-26).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyUpdateState {
    /// Generation of the records sent.
    pub(crate) sent: u32,
    /// Generation of the records received.
    pub(crate) received: u32,
    pub(crate) answer: KeyUpdateAnswer,
}

/// Whether the peer asked for a key update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyUpdateAnswer {
    NotAsked,
    Due,
}

impl Connection {
    fn new(start: ConnectionStart, role: Role, config: &SessionConfig, now: Instant) -> Self {
        Self {
            id: start.id,
            heard: Heard::initially(start.id),
            record_sizes: start.record_sizes,
            state: ConnectionState::OPEN,
            next_received: Some(start.first_received),
            acks: AckState::new(config),
            sent: SentRecords::new(start.first_sent),
            path: PathState::default(),
            probes: Probes::default(),
            liveness: Liveness::new(now),
            duplicated: BTreeMap::new(),
            turns: 0,
            report: Report::None,
            ping: Ping::None,
            pump: Pump::Idle,
            outlet: Outlet::Open,
            key_update: KeyUpdateState {
                sent: start.generations.sent,
                received: start.generations.received,
                answer: KeyUpdateAnswer::NotAsked,
            },
            messages: PostHandshake::new(role),
            empty_records: 0,
            stats: ConnectionStats::default(),
            lead: None,
            expected: Expected::default(),
            stretch: Stretch::default(),
        }
    }

    /// How good it is for new frames; `None` when it takes none.
    pub(crate) fn rank(&self) -> Option<Rank> {
        Rank::of(self)
    }

    /// What the peer's TCP is to acknowledge here. After the last words nobody asks for an answer that does
    /// not come, so this side does.
    pub(crate) fn load(&self) -> Load {
        if self.sent.holds_data() {
            Load::Data
        } else if self.sent.awaits_ack() || self.state.write != WriteHalf::Open {
            Load::Ping
        } else {
            Load::Answers
        }
    }
}
