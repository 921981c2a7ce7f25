//! Where a connection begins.

use crate::wire::{ConnectionId, RecordSequence};

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
}

impl ConnectionStart {
    /// The start of a connection that joined, with nothing padded.
    pub const fn joined(id: ConnectionId) -> Self {
        Self {
            id,
            first_sent: RecordSequence::ZERO,
            first_received: RecordSequence::ZERO,
            record_sizes: [0; 2],
        }
    }
}
