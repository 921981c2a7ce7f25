//! The records sent on one connection, until they are acknowledged.

use std::collections::VecDeque;

use crate::{PeerMisbehaved, sent::SentFrame, wire::RecordSequence};

/// How many frames of a connection are unacknowledged at most. Full records reach 256 MiB before that;
/// tiny ones would otherwise cost more memory than the data in them.
const MAX_IN_FLIGHT: usize = 16_384;

/// What to redo of the records that the peer has not acknowledged, in sending order.
///
/// Records count whatever is in them (reading A-8); only frames that matter have an entry.
#[derive(Debug)]
pub(crate) struct SentRecords {
    /// The number of the next record; `None` when all 2^64 are used.
    next: Option<RecordSequence>,
    frames: VecDeque<(RecordSequence, SentFrame)>,
}

impl SentRecords {
    pub(crate) fn new(first: RecordSequence) -> Self {
        Self {
            next: Some(first),
            frames: VecDeque::new(),
        }
    }

    /// The number of the record that is being built.
    pub(crate) fn next_sequence(&self) -> Option<RecordSequence> {
        self.next
    }

    /// Remembers a frame of the record that is being built.
    pub(crate) fn push(&mut self, frame: SentFrame) {
        if let Some(sequence) = self.next {
            self.frames.push_back((sequence, frame));
        }
    }

    /// The record is given out.
    pub(crate) fn end_record(&mut self) {
        self.next = self.next.and_then(RecordSequence::next);
    }

    /// an ACK can only cover what was sent.
    pub(crate) fn check_ack(&self, highest: RecordSequence) -> Result<(), PeerMisbehaved> {
        match self.next {
            Some(next) if highest >= next => Err(PeerMisbehaved::AckOfUnsentRecord),
            _ => Ok(()),
        }
    }

    /// Takes out the next frame that is acknowledged when everything up to `highest` is. A lower value
    /// than before finds nothing.
    pub(crate) fn take_acked(&mut self, highest: RecordSequence) -> Option<SentFrame> {
        let (sequence, _) = self.frames.front()?;
        if *sequence > highest {
            return None;
        }
        self.frames.pop_front().map(|(_, frame)| frame)
    }

    /// What is unacknowledged. It stays here, so that a late ACK still finds it (reading A-10).
    pub(crate) fn unacked(&self) -> impl Iterator<Item = SentFrame> + '_ {
        self.frames.iter().map(|(_, frame)| *frame)
    }

    /// Whether more Stream frames may be sent before some are acknowledged.
    pub(crate) fn has_room(&self) -> bool {
        self.frames.len() < MAX_IN_FLIGHT
    }

    /// How many frames are unacknowledged.
    pub(crate) fn in_flight(&self) -> usize {
        self.frames.len()
    }

    /// Forgets everything: no ACK will come.
    pub(crate) fn retire(&mut self) {
        self.frames = VecDeque::new();
    }
}
