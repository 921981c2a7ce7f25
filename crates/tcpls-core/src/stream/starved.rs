//! The streams with data that the session's limit does not let out (`spec/extensions.md` 6.1).

use std::{cmp::Reverse, collections::BTreeMap};

use super::lanes::Limit;
use crate::wire::StreamId;

/// One line of streams for each set of connections that they are limited to, as with the streams that
/// are ready: what one lane cannot send now does not keep the limit from the others.
#[derive(Debug, Default)]
pub(crate) struct Starved {
    lanes: Vec<Lane>,
    /// How many ever joined a line.
    joined: u64,
}

#[derive(Debug)]
struct Lane {
    limit: Limit,
    line: BTreeMap<Turn, StreamId>,
}

/// A place in a line: the highest priority first, and who came first among those of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    priority: Reverse<i32>,
    number: u64,
}

impl Turn {
    /// What is kept of it by a stream that keeps its turn.
    pub(crate) fn number(self) -> u64 {
        self.number
    }
}

impl Starved {
    /// Adds a stream that is in no line; returns its place: behind all others of its priority, or where
    /// the `number` says that it had before.
    pub(crate) fn add(
        &mut self,
        stream: StreamId,
        limit: &Limit,
        priority: i32,
        number: Option<u64>,
    ) -> Turn {
        self.joined += 1;
        let turn = Turn {
            priority: Reverse(priority),
            number: number.unwrap_or(self.joined),
        };
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.limit == *limit) {
            lane.line.insert(turn, stream);
        } else {
            self.lanes.push(Lane {
                limit: limit.clone(),
                line: BTreeMap::from([(turn, stream)]),
            });
        }
        turn
    }

    /// Takes out the stream that has this place.
    pub(crate) fn remove(&mut self, turn: Turn) {
        for lane in &mut self.lanes {
            lane.line.remove(&turn);
        }
        self.prune();
    }

    /// Takes out the stream of this lane whose turn it is.
    pub(crate) fn take(&mut self, lane: usize) -> Option<StreamId> {
        let (_, stream) = self.lanes.get_mut(lane)?.line.pop_first()?;
        Some(stream)
    }

    /// Forgets lanes without streams; the others may get other indices.
    pub(crate) fn prune(&mut self) {
        self.lanes.retain(|lane| !lane.line.is_empty());
    }

    /// The connections that the streams of each lane are limited to.
    pub(crate) fn limits(&self) -> impl Iterator<Item = &Limit> + '_ {
        self.lanes.iter().map(|lane| &lane.limit)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }
}
