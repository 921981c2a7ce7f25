//! Which stream sends next.

use std::collections::VecDeque;

use crate::wire::StreamId;

/// A stream with at most this many bytes to send goes ahead of those with more.
const SMALL: u64 = 4096;

/// How many small ones in a row may go ahead.
const SMALL_IN_A_ROW: u8 = 8;

/// The streams that have something to send, and none that has not, so that idle streams cost nothing.
///
/// Streams take turns of one frame. A stream that just got a little data goes ahead of those in the
/// middle of a lot, but only [`SMALL_IN_A_ROW`] times before one of these has its turn.
#[derive(Debug, Default)]
pub(crate) struct ReadyQueue {
    small: VecDeque<StreamId>,
    bulk: VecDeque<StreamId>,
    small_in_a_row: u8,
    /// Had their turn in the record that is being built and have more: one record carries a stream
    /// once (draft 4.5).
    served: Vec<StreamId>,
}

impl ReadyQueue {
    /// Adds a stream that has `unsent` bytes to send and is not in the queue.
    pub(crate) fn add(&mut self, stream: StreamId, unsent: u64) {
        if unsent <= SMALL {
            self.small.push_back(stream);
        } else {
            self.bulk.push_back(stream);
        }
    }

    /// The stream whose turn it is.
    pub(crate) fn next(&self) -> Option<StreamId> {
        if self.is_turn_of_bulk() {
            self.bulk.front()
        } else {
            self.small.front()
        }
        .copied()
    }

    /// Takes out the stream that [`next`](Self::next) gave.
    pub(crate) fn advance(&mut self) {
        if self.is_turn_of_bulk() {
            self.bulk.pop_front();
            self.small_in_a_row = 0;
        } else {
            self.small.pop_front();
            self.small_in_a_row = self.small_in_a_row.saturating_add(1);
        }
    }

    /// Keeps a stream that had its turn and has more, for the next record.
    pub(crate) fn keep(&mut self, stream: StreamId) {
        self.served.push(stream);
    }

    /// The record is built.
    pub(crate) fn end_record(&mut self) {
        self.bulk.extend(self.served.drain(..));
    }

    /// Takes a stream out, wherever it is in the queue.
    pub(crate) fn remove(&mut self, stream: StreamId) {
        self.small.retain(|other| *other != stream);
        self.bulk.retain(|other| *other != stream);
        self.served.retain(|other| *other != stream);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.small.is_empty() && self.bulk.is_empty() && self.served.is_empty()
    }

    fn is_turn_of_bulk(&self) -> bool {
        !self.bulk.is_empty() && (self.small.is_empty() || self.small_in_a_row >= SMALL_IN_A_ROW)
    }
}
