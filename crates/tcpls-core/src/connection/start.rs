//! Where a connection begins.

use std::sync::Arc;

use crate::{
    crypto::{DirectionKeys, KeyError, RecordOpener, RecordSealer},
    wire::{ConnectionId, RecordSequence},
};

/// Where the records of a connection start, on both halves.
///
/// The connection that carried the handshake starts where the handshake left off; one that joined
/// starts at 0 (reading A-9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionStart {
    /// Its identifier on the wire. Never the same twice in a session.
    pub id: ConnectionId,
    /// The number of the first record that this side will seal.
    pub first_sent: RecordSequence,
    /// The number of the first record that is still to be opened.
    pub first_received: RecordSequence,
    /// What the plaintexts of the first two records sent here are padded to, in bytes; 0 for no
    /// padding. Those of a joined connection are to look like a handshake
    /// ([`size`](crate::wire::hello::join::size), reading A-20).
    pub record_sizes: [usize; 2],
    /// The keys of its first records.
    pub generations: KeyGenerations,
}

/// A key generation for each direction, counted from 0 (reading A-26).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyGenerations {
    /// That of the records that this side seals.
    pub sent: u32,
    /// That of the records that this side opens.
    pub received: u32,
}

impl KeyGenerations {
    /// The generations that the handshake gave.
    pub const FIRST: Self = Self {
        sent: 0,
        received: 0,
    };

    /// So many generations earlier, or the first one.
    pub(crate) fn back_by(self, generations: u32) -> Self {
        Self {
            sent: self.sent.saturating_sub(generations),
            received: self.received.saturating_sub(generations),
        }
    }

    /// The lower one in each direction.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self {
            sent: self.sent.min(other.sent),
            received: self.received.min(other.received),
        }
    }
}

impl ConnectionStart {
    /// The start of the connection that carried the handshake: `sent` is the number of the first record
    /// that this side will seal, `received` that of the first one still to be opened.
    pub const fn first(sent: RecordSequence, received: RecordSequence) -> Self {
        Self {
            id: ConnectionId::FIRST,
            first_sent: sent,
            first_received: received,
            record_sizes: [0; 2],
            generations: KeyGenerations::FIRST,
        }
    }

    /// The start of a connection that joined, with nothing padded and at the first keys.
    pub const fn joined(id: ConnectionId) -> Self {
        Self {
            id,
            ..Self::first(RecordSequence::ZERO, RecordSequence::ZERO)
        }
    }

    /// The sealer of this connection. There must never be two.
    pub fn sealer(&self, keys: Arc<DirectionKeys>) -> Result<RecordSealer, KeyError> {
        match self.generations.sent {
            0 => RecordSealer::new(keys, self.id, self.first_sent),
            generation => RecordSealer::starting_at(keys, self.id, generation),
        }
    }

    /// The opener of this connection.
    pub fn opener(&self, keys: Arc<DirectionKeys>) -> Result<RecordOpener, KeyError> {
        match self.generations.received {
            0 => RecordOpener::new(keys, self.id, self.first_received),
            generation => RecordOpener::starting_at(keys, self.id, generation),
        }
    }

    /// The same at these keys.
    #[must_use]
    pub const fn at(self, generations: KeyGenerations) -> Self {
        Self {
            generations,
            ..self
        }
    }
}
