//! The streams that have something to send, apart for each set of connections that they may use.

use std::sync::Arc;

use super::ready::{ReadyQueue, Share};
use crate::{ConnectionHandle, wire::StreamId};

/// The connections that a stream is limited to; `None` for all.
pub(crate) type Limit = Option<Arc<[ConnectionHandle]>>;

/// One queue of streams for each set of connections that ready streams are limited to.
///
/// The first lane is that of the streams without a limit, and stays; others go when they are empty.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
}

#[derive(Debug)]
struct Lane {
    limit: Limit,
    queue: ReadyQueue,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            lanes: vec![Lane::new(None)],
        }
    }
}

impl Lane {
    fn new(limit: Limit) -> Self {
        Self {
            limit,
            queue: ReadyQueue::default(),
        }
    }
}

impl Lanes {
    /// Adds a stream that has `unsent` bytes to send and is in no queue.
    pub(crate) fn add(
        &mut self,
        stream: StreamId,
        unsent: u64,
        limit: &Limit,
        (priority, share): (i32, Share),
    ) {
        let lane = self.lanes.iter().position(|lane| lane.limit == *limit);
        if let Some(lane) = lane.and_then(|index| self.lanes.get_mut(index)) {
            lane.queue.add(stream, unsent, priority, share);
        } else {
            let mut lane = Lane::new(limit.clone());
            lane.queue.add(stream, unsent, priority, share);
            self.lanes.push(lane);
        }
    }

    /// The queue of this lane.
    pub(crate) fn queue(&mut self, lane: usize) -> Option<&mut ReadyQueue> {
        self.lanes.get_mut(lane).map(|lane| &mut lane.queue)
    }

    /// The stream of this lane whose turn it is.
    pub(crate) fn next(&self, lane: usize) -> Option<StreamId> {
        self.lanes.get(lane)?.queue.next()
    }

    /// Takes out a stream with this limit. It costs a walk over the queue.
    pub(crate) fn remove(&mut self, stream: StreamId, limit: &Limit) {
        for lane in &mut self.lanes {
            if lane.limit == *limit {
                lane.queue.remove(stream);
            }
        }
    }

    /// The lanes that have streams: their index, and the connections that these are limited to.
    pub(crate) fn ready(&self) -> impl Iterator<Item = (usize, Option<&[ConnectionHandle]>)> + '_ {
        self.lanes
            .iter()
            .enumerate()
            .filter(|(_, lane)| !lane.queue.is_empty())
            .map(|(index, lane)| (index, lane.limit.as_deref()))
    }

    /// A record is built: streams that had their turn in it may have the next one.
    pub(crate) fn end_record(&mut self) {
        for lane in &mut self.lanes {
            lane.queue.end_record();
        }
        if self.lanes.len() > 1 {
            self.lanes
                .retain(|lane| lane.limit.is_none() || !lane.queue.is_empty());
        }
    }

    /// Whether a stream with this limit is ready.
    pub(crate) fn has(&self, limit: &Limit) -> bool {
        let mut ready = self.lanes.iter().filter(|lane| !lane.queue.is_empty());
        ready.any(|lane| lane.limit == *limit)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.queue.is_empty())
    }
}
