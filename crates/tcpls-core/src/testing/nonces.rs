//! Every nonce of a pair, to see that none repeats.

use std::collections::BTreeSet;

use crate::{
    crypto::RecordSealer,
    wire::{ConnectionId, RecordSequence, Role},
};

/// The nonces that were used under the keys of one pair.
///
/// Side and generation name the key; within it, the nonce is made of Connection ID and record number
/// (draft 4.3), and nothing else.
#[derive(Debug, Default)]
pub(super) struct Nonces {
    used: BTreeSet<(bool, u32, ConnectionId, u64)>,
}

/// Follows one sealer through its generations.
#[derive(Debug, Clone, Copy)]
pub(super) struct NonceSequence {
    generation: u32,
    next: u64,
}

impl NonceSequence {
    /// That of a sealer in generation 0.
    pub(super) fn of(sealer: &RecordSealer) -> Self {
        let next = sealer.next_sequence().map_or(0, RecordSequence::as_u64);
        Self {
            generation: sealer.generation(),
            next,
        }
    }
}

impl Nonces {
    /// The sealer is about to seal a record.
    pub(super) fn note(&mut self, role: Role, sealer: &RecordSealer, at: &mut NonceSequence) {
        if sealer.generation() != at.generation {
            *at = NonceSequence {
                generation: sealer.generation(),
                next: 0,
            };
        }
        let nonce = (
            role == Role::Client,
            at.generation,
            sealer.connection(),
            at.next,
        );
        at.next += 1;
        assert!(self.used.insert(nonce), "a nonce repeats: {nonce:?}");
    }

    /// How many there were.
    pub(super) fn count(&self) -> usize {
        self.used.len()
    }
}
