//! Which stream sends next.

use std::collections::{BTreeMap, VecDeque};

use crate::{number::offset, wire::StreamId};

/// How a stream shares with others of its priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sharing {
    /// It takes turns with them: of one record each, or where the connection is fast, of as many as it
    /// sends in half a millisecond, up to 256 KiB. A stream that had no turn while all others had one goes
    /// ahead of them. The default.
    #[default]
    InTurns,
    /// Once it has its turn it keeps it, until nothing of it is left to send. Streams that do so are
    /// finished one after the other, in the order in which they got something to send, which suits
    /// receivers that can do nothing with parts. Small ones, of at most 4 KiB, still go between.
    OneByOne,
}

/// A stream with at most this many bytes to send goes ahead of those with more.
const SMALL: u64 = 4096;

/// How many small ones in a row may go ahead, and how many that are not due one more turn.
const AHEAD_IN_A_ROW: u8 = 8;

/// How far a stream is in taking turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Share {
    /// Bytes that are left of its turn; 0 between turns.
    left: u64,
    /// How many turns were over when its last one was; `None` before the first.
    turn: Option<u64>,
}

/// The streams that have something to send, and none that has not, so that idle streams cost nothing.
///
/// Those of the highest priority go first; streams of one priority take turns.
#[derive(Debug, Default)]
pub(crate) struct ReadyQueue {
    levels: BTreeMap<i32, Turns>,
    /// The priority of the stream that sent last, and how it came to that.
    latest: (i32, Place),
    /// How many streams are in it, those included that had their turn and have more.
    count: usize,
}

/// Streams of one priority, which take turns.
///
/// A stream that just got a little data goes ahead of those in the middle of a lot, but only
/// [`AHEAD_IN_A_ROW`] times before one of these sends a frame.
///
/// A stream that comes with more goes ahead of those that wait for another turn, for one turn, if it
/// would have had one by now had it waited with them. As it has no more turns than they have, that is
/// fair; so that any number of new streams is, too, [`AHEAD_IN_A_ROW`] of these leave one turn to the others.
#[derive(Debug, Default)]
struct Turns {
    small: VecDeque<StreamId>,
    /// In the middle of a turn.
    current: VecDeque<StreamId>,
    due: VecDeque<StreamId>,
    bulk: VecDeque<StreamId>,
    small_in_a_row: u8,
    due_in_a_row: u8,
    /// How many turns are over.
    over: u64,
    /// Sent in the record that is being built and have more: one record carries a stream once
    /// (draft 4.5).
    served: Vec<StreamId>,
    /// Those of them that keep their turn.
    staying: Vec<StreamId>,
}

/// Where a stream waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    Small,
    Current,
    Due,
    #[default]
    Bulk,
}

impl ReadyQueue {
    /// Adds a stream that has `unsent` bytes to send and is not in the queue.
    pub(crate) fn add(&mut self, stream: StreamId, unsent: u64, priority: i32, share: Share) {
        self.count += 1;
        let turns = self.levels.entry(priority).or_default();
        if unsent <= SMALL {
            turns.small.push_back(stream);
        } else if turns.is_due(share) {
            turns.due.push_back(stream);
        } else {
            turns.bulk.push_back(stream);
        }
    }

    /// The stream whose turn it is.
    pub(crate) fn next(&self) -> Option<StreamId> {
        self.levels
            .values()
            .rev()
            .find_map(|turns| turns.list(turns.place()?).front().copied())
    }

    /// Takes out the stream that [`next`](Self::next) gave.
    pub(crate) fn advance(&mut self) {
        let mut levels = self.levels.iter_mut().rev();
        let latest = levels.find_map(|(priority, turns)| Some((*priority, turns.advance()?)));
        self.count = self.count.saturating_sub(usize::from(latest.is_some()));
        self.latest = latest.unwrap_or_default();
    }

    /// Keeps the stream that sent `bytes` last and goes on with `next`, for the next record. Where it takes
    /// turns, these are of `turn` bytes.
    pub(crate) fn keep(
        &mut self,
        stream: StreamId,
        sharing: Sharing,
        share: &mut Share,
        Sent { bytes, next, turn }: Sent,
    ) {
        self.count += 1;
        let (priority, place) = self.latest;
        let turns = self.levels.entry(priority).or_default();
        let before = if place == Place::Current {
            share.left
        } else {
            turn
        };
        share.left = before.saturating_sub(bytes);
        if sharing == Sharing::OneByOne || place != Place::Small && next <= share.left {
            turns.staying.push(stream);
        } else {
            turns.served.push(stream);
            self.end_turn(share);
        }
    }

    /// The stream that sent last, or should have, has nothing left to send.
    pub(crate) fn end_turn(&mut self, share: &mut Share) {
        let (priority, place) = self.latest;
        share.left = 0;
        if place != Place::Small
            && let Some(turns) = self.levels.get_mut(&priority)
        {
            turns.over += 1;
            share.turn = Some(turns.over);
        }
    }

    /// The record is built.
    pub(crate) fn end_record(&mut self) {
        for turns in self.levels.values_mut() {
            turns.bulk.extend(turns.served.drain(..));
            while let Some(stream) = turns.staying.pop() {
                turns.current.push_front(stream);
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
            for place in [Place::Small, Place::Current, Place::Due, Place::Bulk] {
                turns.list_mut(place).retain(|other| *other != stream);
            }
            turns.served.retain(|other| *other != stream);
            turns.staying.retain(|other| *other != stream);
        }
        self.count = self.levels.values().map(Turns::count).sum();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// What a stream sent, and how it goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    /// Bytes of the frame that it sent.
    pub(crate) bytes: u64,
    /// Bytes of its next one.
    pub(crate) next: u64,
    /// How long a turn is, in bytes; it is at least one frame.
    pub(crate) turn: u64,
}

impl Turns {
    /// Where the stream waits that sends next.
    fn place(&self) -> Option<Place> {
        let is_there = |place: &Place| !self.list(*place).is_empty();
        let small_waits = self.small_in_a_row >= AHEAD_IN_A_ROW;
        let due_waits = self.due_in_a_row >= AHEAD_IN_A_ROW;
        let mut order = [Place::Small, Place::Current, Place::Due, Place::Bulk];
        if due_waits {
            order = [Place::Small, Place::Current, Place::Bulk, Place::Due];
        }
        if small_waits {
            order.rotate_left(1);
        }
        order.into_iter().find(is_there)
    }

    fn advance(&mut self) -> Option<Place> {
        let place = self.place()?;
        self.list_mut(place).pop_front();
        match place {
            Place::Small => self.small_in_a_row = self.small_in_a_row.saturating_add(1),
            Place::Current => self.small_in_a_row = 0,
            Place::Due => {
                self.small_in_a_row = 0;
                self.due_in_a_row = self.due_in_a_row.saturating_add(1);
            }
            Place::Bulk => (self.small_in_a_row, self.due_in_a_row) = (0, 0),
        }
        Some(place)
    }

    /// Whether a stream would have had a turn since its last one if it had waited for it.
    fn is_due(&self, share: Share) -> bool {
        let waiting = offset(self.due.len() + self.bulk.len());
        share
            .turn
            .is_none_or(|turn| self.over.saturating_sub(turn) >= waiting)
    }

    fn list(&self, place: Place) -> &VecDeque<StreamId> {
        match place {
            Place::Small => &self.small,
            Place::Current => &self.current,
            Place::Due => &self.due,
            Place::Bulk => &self.bulk,
        }
    }

    fn list_mut(&mut self, place: Place) -> &mut VecDeque<StreamId> {
        match place {
            Place::Small => &mut self.small,
            Place::Current => &mut self.current,
            Place::Due => &mut self.due,
            Place::Bulk => &mut self.bulk,
        }
    }

    fn is_empty(&self) -> bool {
        self.count() == 0
    }

    fn count(&self) -> usize {
        let waiting = [&self.small, &self.current, &self.due, &self.bulk];
        let waiting: usize = waiting.into_iter().map(VecDeque::len).sum();
        waiting + self.served.len() + self.staying.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Role;

    const FRAME: u64 = 16_000;
    const TURN: u64 = 4 * FRAME;

    fn id(index: u32) -> StreamId {
        StreamId::nth(Role::Client, index).unwrap()
    }

    /// Streams by their numbers, with frames that are left to send.
    #[derive(Default)]
    struct Sender {
        queue: ReadyQueue,
        streams: BTreeMap<StreamId, (Share, u64)>,
    }

    impl Sender {
        fn add(&mut self, index: u32, frames: u64) {
            let (share, left) = self.streams.entry(id(index)).or_default();
            if *left == 0 {
                self.queue.add(id(index), frames * FRAME, 0, *share);
            }
            *left += frames;
        }

        /// The streams of the next records, of a frame each.
        fn send(&mut self, records: usize) -> Vec<u32> {
            let mut order = Vec::new();
            while order.len() < records {
                let Some(next) = self.queue.next() else {
                    break;
                };
                self.queue.advance();
                let (share, left) = self.streams.get_mut(&next).unwrap();
                *left -= 1;
                let sent = Sent {
                    bytes: FRAME,
                    next: FRAME,
                    turn: TURN,
                };
                if *left > 0 {
                    self.queue.keep(next, Sharing::InTurns, share, sent);
                } else {
                    self.queue.end_turn(share);
                }
                self.queue.end_record();
                order.push(next.as_u32() / 2);
            }
            order
        }
    }

    /// A turn takes as many records as it has room for, in a row.
    #[test]
    fn turns_are_of_bytes() {
        let mut sender = Sender::default();
        for index in 0..3 {
            sender.add(index, 10);
        }
        let order = sender.send(usize::MAX);
        let turns: Vec<_> = order.chunk_by(|a, b| a == b).map(<[u32]>::len).collect();
        assert_eq!(turns, [4, 4, 4, 4, 4, 4, 2, 2, 2]);
    }

    /// Who comes while others have a lot to send, and had no turn meanwhile, waits for one turn and not for
    /// one of each.
    #[test]
    fn who_had_no_turn_for_long_is_next() {
        let mut sender = Sender::default();
        for index in 0..20 {
            sender.add(index, 1000);
        }
        sender.send(1000);
        for _ in 0..3 {
            sender.add(20, 2);
            let order = sender.send(6);
            assert_eq!(order.iter().filter(|index| **index == 20).count(), 2);
            sender.send(100);
        }
    }

    /// But it has no more turns than they: a stream that comes again at once waits like all.
    #[test]
    fn coming_and_going_gains_nothing() {
        let mut sender = Sender::default();
        for index in 0..5 {
            sender.add(index, 1000);
        }
        let mut counts = [0; 6];
        for _ in 0..1000 {
            if sender
                .streams
                .get(&id(5))
                .is_none_or(|(_, left)| *left == 0)
            {
                sender.add(5, 4);
            }
            for index in sender.send(1) {
                counts[usize::try_from(index).unwrap()] += 1;
            }
        }
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(most - least <= 8, "{counts:?}");
    }

    /// However many new streams come, one that has much to send goes on.
    #[test]
    fn new_streams_do_not_starve_old_ones() {
        let mut sender = Sender::default();
        sender.add(0, 1000);
        sender.send(4);
        let mut old = 0;
        for index in 1..500 {
            sender.add(index, 4);
            let order = sender.send(4);
            old += order.iter().filter(|index| **index == 0).count();
        }
        assert!(old >= 4 * 500 / 10, "{old} of {} frames", 4 * 500);
    }
}
