//! Which stream sends next.

use std::collections::{BTreeMap, VecDeque};

use crate::wire::StreamId;

/// How a stream shares with others of its priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sharing {
    /// It takes turns with them, of one record each. The default.
    #[default]
    InTurns,
    /// Once it has its turn it keeps it, until nothing of it is left to send. Streams that do so are
    /// finished one after the other, in the order in which they got something to send, which suits
    /// receivers that can do nothing with parts. Small ones, of at most 4 KiB, still go between.
    OneByOne,
}

/// A stream with at most this many bytes to send goes ahead of those with more.
const SMALL: u64 = 4096;

/// How many small ones in a row may go ahead.
const SMALL_IN_A_ROW: u8 = 8;

/// The streams that have something to send, and none that has not, so that idle streams cost nothing.
///
/// Those of the highest priority go first; streams of one priority take turns.
#[derive(Debug, Default)]
pub(crate) struct ReadyQueue {
    levels: BTreeMap<i32, Turns>,
    /// The priority of the stream that had its turn last.
    latest: i32,
}

/// Streams of one priority, which take turns of one frame.
///
/// A stream that just got a little data goes ahead of those in the middle of a lot, but only
/// [`SMALL_IN_A_ROW`] times before one of these has its turn.
#[derive(Debug, Default)]
struct Turns {
    small: VecDeque<StreamId>,
    bulk: VecDeque<StreamId>,
    small_in_a_row: u8,
    /// Had their turn in the record that is being built and have more: one record carries a stream
    /// once (draft 4.5).
    served: Vec<StreamId>,
    /// Those of them that keep their turn.
    staying: Vec<StreamId>,
}

impl ReadyQueue {
    /// Adds a stream that has `unsent` bytes to send and is not in the queue.
    pub(crate) fn add(&mut self, stream: StreamId, unsent: u64, priority: i32) {
        let turns = self.levels.entry(priority).or_default();
        if unsent <= SMALL {
            turns.small.push_back(stream);
        } else {
            turns.bulk.push_back(stream);
        }
    }

    /// The stream whose turn it is.
    pub(crate) fn next(&self) -> Option<StreamId> {
        self.levels.values().rev().find_map(Turns::next)
    }

    /// Takes out the stream that [`next`](Self::next) gave.
    pub(crate) fn advance(&mut self) {
        let mut levels = self.levels.iter_mut().rev();
        if let Some((priority, turns)) = levels.find(|(_, turns)| turns.next().is_some()) {
            turns.advance();
            self.latest = *priority;
        }
    }

    /// Keeps the stream that had its turn last and has more, for the next record.
    pub(crate) fn keep(&mut self, stream: StreamId, sharing: Sharing) {
        let turns = self.levels.entry(self.latest).or_default();
        match sharing {
            Sharing::InTurns => turns.served.push(stream),
            Sharing::OneByOne => turns.staying.push(stream),
        }
    }

    /// The record is built.
    pub(crate) fn end_record(&mut self) {
        for turns in self.levels.values_mut() {
            turns.bulk.extend(turns.served.drain(..));
            while let Some(stream) = turns.staying.pop() {
                turns.bulk.push_front(stream);
            }
        }
        // One level is kept, so that a stream that comes and goes allocates nothing.
        if self.levels.len() > 1 {
            self.levels.retain(|_, turns| !turns.is_empty());
        }
    }

    /// Takes a stream out, wherever it is in the queue.
    pub(crate) fn remove(&mut self, stream: StreamId) {
        for turns in self.levels.values_mut() {
            turns.small.retain(|other| *other != stream);
            turns.bulk.retain(|other| *other != stream);
            turns.served.retain(|other| *other != stream);
            turns.staying.retain(|other| *other != stream);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.levels.values().all(Turns::is_empty)
    }
}

impl Turns {
    fn next(&self) -> Option<StreamId> {
        if self.is_turn_of_bulk() {
            self.bulk.front()
        } else {
            self.small.front()
        }
        .copied()
    }

    fn advance(&mut self) {
        if self.is_turn_of_bulk() {
            self.bulk.pop_front();
            self.small_in_a_row = 0;
        } else {
            self.small.pop_front();
            self.small_in_a_row = self.small_in_a_row.saturating_add(1);
        }
    }

    fn is_empty(&self) -> bool {
        let served = self.served.is_empty() && self.staying.is_empty();
        self.small.is_empty() && self.bulk.is_empty() && served
    }

    fn is_turn_of_bulk(&self) -> bool {
        !self.bulk.is_empty() && (self.small.is_empty() || self.small_in_a_row >= SMALL_IN_A_ROW)
    }
}
