//! How much the peer lets this side send (`spec/extensions.md` 6.1).

use std::collections::BTreeMap;

use super::{Allowance, Limit, QueuePlace, SendHalf, Sending, Stream, StreamId};
use crate::event::EventQueue;

impl Sending {
    /// What the peer allowed at the start: in the session, and on each stream.
    pub(crate) fn allow(&mut self, session: u64, stream: u64) {
        self.allowance = Allowance::new(session);
        self.first_allowance = Allowance::new(stream);
    }

    /// A half of a new stream.
    pub(crate) fn new_half(&self) -> SendHalf {
        SendHalf {
            allowance: self.first_allowance,
            ..SendHalf::default()
        }
    }

    /// The peer lets the session send more: of the streams that waited for it, as many go on as it
    /// serves, so that a small step costs little however many wait. Returns whether it does.
    pub(crate) fn on_max_data(
        &mut self,
        limit: u64,
        streams: &mut BTreeMap<StreamId, Box<Stream>>,
    ) -> bool {
        let before = self.allowance.limit();
        let more = self.allowance.raise(limit);
        if more {
            for lane in 0..self.starved.limits().count() {
                self.wake(lane, limit - before, streams);
            }
            self.starved.prune();
        }
        more
    }

    /// A stream is not ready any more: where it was the last one, and the session still lets out
    /// something, others go on that waited. So nobody waits while a lane has nobody to use the limit.
    pub(crate) fn refill(&mut self, streams: &mut BTreeMap<StreamId, Box<Stream>>) {
        let credit = self.credit();
        if credit == 0 || self.starved.is_empty() {
            return;
        }
        let unused = |limit: &Limit| !self.ready.has(limit);
        let lanes: Vec<_> = self.starved.limits().map(unused).collect();
        for (lane, _) in lanes.into_iter().enumerate().filter(|(_, unused)| *unused) {
            self.wake(lane, credit, streams);
        }
        self.starved.prune();
    }

    /// The stream does not wait for the session's limit any more.
    pub(super) fn leave_line(&mut self, half: &mut SendHalf) {
        if let QueuePlace::Starved(turn) = half.place {
            self.starved.remove(turn);
            half.place = QueuePlace::Out;
        }
    }

    /// The stream has another limit or priority: it waits elsewhere, or not at all.
    pub(super) fn rejoin(&mut self, id: StreamId, half: &mut SendHalf) {
        if matches!(half.place, QueuePlace::Starved(_)) {
            self.leave_line(half);
            self.queue(id, half);
        }
    }

    /// As many streams of this lane go on as `credit` bytes serve.
    fn wake(&mut self, lane: usize, credit: u64, streams: &mut BTreeMap<StreamId, Box<Stream>>) {
        let mut promised: u64 = 0;
        while promised < credit
            && let Some(id) = self.starved.take(lane)
        {
            if let Some(half) = streams.get_mut(&id).map(|stream| &mut stream.send) {
                promised = promised.saturating_add(half.wanted());
                half.place = QueuePlace::Out;
                self.queue(id, half);
            }
        }
    }

    /// The peer lets a stream send more, so its writer may have room. Returns whether it does.
    pub(crate) fn on_max_stream_data(
        &mut self,
        id: StreamId,
        half: &mut SendHalf,
        limit: u64,
        events: &mut EventQueue,
    ) -> bool {
        let more = half.allowance.raise(limit);
        if more {
            self.queue(id, half);
            self.wake_writer(id, half, events);
        }
        more
    }

    /// How many bytes the session lets out now.
    pub(super) fn credit(&self) -> u64 {
        self.allowance.limit().saturating_sub(self.used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SessionConfig, stream::Sharing, wire::Role};

    /// Streams with 10 bytes each that the session lets none of out.
    fn starved(count: u32) -> (Sending, BTreeMap<StreamId, Box<Stream>>) {
        let mut sending = Sending::new(&SessionConfig::new());
        sending.allow(0, u64::MAX);
        let mut streams = BTreeMap::new();
        for id in (0..count).map(|index| StreamId::nth(Role::Client, index).unwrap()) {
            let mut stream = Box::<Stream>::default();
            sending.write(id, &mut stream.send, &[0; 10]).unwrap();
            streams.insert(id, stream);
        }
        (sending, streams)
    }

    fn waiting(streams: &BTreeMap<StreamId, Box<Stream>>) -> usize {
        let places = streams.values().map(|stream| stream.send.place);
        let waits = |place: &QueuePlace| matches!(place, QueuePlace::Starved(_));
        places.filter(waits).count()
    }

    /// A step of the limit wakes as many streams as it serves, and all have their turn.
    #[test]
    fn a_step_of_the_limit_wakes_as_many_streams_as_it_serves() {
        let (mut sending, mut streams) = starved(100);
        for limit in 1..=1000 {
            let before = waiting(&streams);
            assert!(sending.on_max_data(limit, &mut streams));
            assert_eq!(before - waiting(&streams), 1);
            let frame = sending.take_frame(0, &mut streams, 100, 0).unwrap();
            assert_eq!(frame.data.len(), 1);
            sending.end_record();
        }
        assert!(!sending.is_ready() && sending.starved.is_empty());
    }

    /// Streams that are to be finished one after the other are, also when the limit comes in small steps.
    #[test]
    fn streams_keep_their_turn_across_steps_of_the_limit() {
        for step in [1, 7, 13] {
            let (mut sending, mut streams) = starved(3);
            for stream in streams.values_mut() {
                stream.send.sharing = Sharing::OneByOne;
            }
            let mut order = Vec::new();
            for count in 1.. {
                sending.on_max_data(count * step, &mut streams);
                while let Some(frame) = sending.take_frame(0, &mut streams, 100, 0) {
                    order.push(frame.stream);
                    sending.end_record();
                }
                if waiting(&streams) == 0 {
                    break;
                }
            }
            assert!(order.is_sorted(), "{order:?}");
            assert!(order.ends_with(&[StreamId::nth(Role::Client, 2).unwrap()]));
        }
    }

    /// What a stream was woken for and does not use goes to the next one.
    #[test]
    fn credit_that_is_left_over_goes_to_the_next_stream() {
        let (mut sending, mut streams) = starved(100);
        assert!(sending.on_max_data(10, &mut streams));
        let first = StreamId::nth(Role::Client, 0).unwrap();
        sending.reset(&mut streams.get_mut(&first).unwrap().send);
        let frame = sending.take_frame(0, &mut streams, 100, 0).unwrap();
        assert_eq!(Some(frame.stream), StreamId::nth(Role::Client, 1));
        assert_eq!(frame.data.len(), 10);
    }

    /// A stream that is broken off is not remembered as one that waits, and one of a higher priority
    /// goes first.
    #[test]
    fn the_line_holds_those_that_wait_in_the_order_of_their_priorities() {
        let (mut sending, mut streams) = starved(3);
        let [first, second, last] =
            [0, 1, 2].map(|index| StreamId::nth(Role::Client, index).unwrap());
        sending.set_priority(last, &mut streams.get_mut(&last).unwrap().send, 1);
        let mut events = EventQueue::default();
        let half = &mut streams.get_mut(&first).unwrap().send;
        assert!(sending.on_stopped(first, half, 1, &mut events));
        assert!(sending.on_max_data(20, &mut streams));
        assert!(sending.starved.is_empty());
        for id in [last, second] {
            let frame = sending.take_frame(0, &mut streams, 100, 0).unwrap();
            assert_eq!(frame.stream, id);
        }
    }
}
