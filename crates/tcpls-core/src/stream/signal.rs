//! What the streams have to tell the peer beside their data.

use std::collections::{BTreeSet, VecDeque};

use crate::wire::StreamId;

/// A frame about streams, named by what it is about: its values are looked up when it is sent, so
/// that one that waits is never out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Signal {
    /// The stream is broken off.
    Reset(StreamId),
    /// Nobody reads the stream any more.
    Stop(StreamId),
    /// The limit of the session moved.
    MaxData,
    /// The limit of the stream moved.
    MaxStreamData(StreamId),
    /// The limit on streams moved.
    MaxStreams,
}

/// Signals that wait to be sent, each once.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    queue: VecDeque<Signal>,
    queued: BTreeSet<Signal>,
}

impl Signals {
    /// Queues a signal, unless it is queued already.
    pub(crate) fn push(&mut self, signal: Signal) {
        if self.queued.insert(signal) {
            self.queue.push_back(signal);
        }
    }

    pub(crate) fn front(&self) -> Option<Signal> {
        self.queue.front().copied()
    }

    pub(crate) fn pop(&mut self) {
        if let Some(signal) = self.queue.pop_front() {
            self.queued.remove(&signal);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
