//! Connections: their records, acknowledgments and state, and the table of all of a session.

mod ack;
mod sent;
mod state;
mod table;

use std::time::Instant;

pub(crate) use ack::{AckState, Elicits};
pub(crate) use sent::SentRecords;
pub(crate) use state::{ConnectionState, WriteHalf};
pub(crate) use table::{Connections, Uniqueness};

use crate::{
    ConnectionStart, ConnectionStats, SessionConfig,
    crypto::PostHandshake,
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
    pub(crate) ping: Ping,
    pub(crate) pump: Pump,
    pub(crate) key_update: KeyUpdateState,
    pub(crate) messages: PostHandshake,
    pub(crate) floods: Floods,
    pub(crate) stats: ConnectionStats,
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

/// Counts what an honest peer does not do often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Floods {
    /// Records without frames in a row (reading A-29).
    pub(crate) empty_records: u32,
    /// Key updates without application data between them.
    pub(crate) key_updates: u32,
}

impl Connection {
    fn new(start: ConnectionStart, role: Role, config: &SessionConfig) -> Self {
        Self {
            id: start.id,
            heard: Heard::initially(start.id),
            record_sizes: start.record_sizes,
            state: ConnectionState::OPEN,
            next_received: Some(start.first_received),
            acks: AckState::new(config),
            sent: SentRecords::new(start.first_sent),
            ping: Ping::None,
            pump: Pump::Idle,
            key_update: KeyUpdateState {
                sent: 0,
                received: 0,
                answer: KeyUpdateAnswer::NotAsked,
            },
            messages: PostHandshake::new(role),
            floods: Floods::default(),
            stats: ConnectionStats::default(),
        }
    }
}
