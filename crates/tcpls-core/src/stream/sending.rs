//! What the sending halves of a session share: the send buffer's limit, turns, and waiting writers.

mod credit;
mod promises;
mod reset;
mod room;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use self::promises::Promises;
pub(crate) use self::{promises::Promise, room::Told};
use super::{
    News, Stream,
    lanes::{Lanes, Limit},
    ready::{Sent, Sharing},
    send::{Allowance, Holder, Outgoing, QueuePlace, Room, SendHalf},
    send_buffer::MAX_PIECE,
    starved::Starved,
    state::SendState,
};
use crate::{
    ConnectionHandle, Event, SessionConfig, WriteError,
    event::EventQueue,
    number::{length, offset},
    sent::SentRange,
    wire::StreamId,
};

/// Sums and queues over all sending halves.
#[derive(Debug)]
pub(crate) struct Sending {
    stream_limit: usize,
    session_limit: usize,
    /// Bytes unsent or unacknowledged.
    held: usize,
    /// Bytes of these that were never sent.
    unsent: usize,
    /// Bytes that wait to be sent, for the first time or again.
    backlog: u64,
    /// Things that local writers wait for the peer to acknowledge.
    waiting: usize,
    /// Streams that were finished here and that the peer does not have all of.
    finishing: usize,
    ready: Lanes,
    /// How many bytes streams sent at most in a turn, lately.
    turn: u64,
    promises: Promises,
    /// Streams whose writer waits for room of the session.
    blocked: VecDeque<StreamId>,
    /// Streams whose writer waited until nothing was left unsent, which is now so.
    drained: Vec<StreamId>,
    bytes_retransmitted: u64,
    frames_retransmitted: u64,
    /// How many bytes the peer lets all streams send, and how many they have sent.
    allowance: Allowance,
    used: u64,
    /// How far a new stream may go.
    first_allowance: Allowance,
    /// Streams that wait for the limit of the session to move.
    starved: Starved,
}

impl Sending {
    pub(crate) fn new(config: &SessionConfig) -> Self {
        Self {
            stream_limit: config.stream_send_buffer,
            session_limit: config.session_send_buffer,
            held: 0,
            backlog: 0,
            waiting: 0,
            finishing: 0,
            ready: Lanes::default(),
            turn: 0,
            unsent: 0,
            promises: Promises::default(),
            blocked: VecDeque::new(),
            drained: Vec::new(),
            bytes_retransmitted: 0,
            frames_retransmitted: 0,
            allowance: Allowance::default(),
            used: 0,
            first_allowance: Allowance::default(),
            starved: Starved::default(),
        }
    }

    /// Copies a prefix of `data` in.
    pub(crate) fn write(
        &mut self,
        id: StreamId,
        half: &mut SendHalf,
        data: &[u8],
    ) -> Result<usize, WriteError> {
        let room = self.admit(id, half, data.len())?;
        let part = data.get(..room).unwrap_or(data);
        half.buffer.write(part);
        self.on_written(id, half, part.len());
        Ok(part.len())
    }

    /// Takes a prefix off `chunk`, by reference.
    pub(crate) fn write_chunk(
        &mut self,
        id: StreamId,
        half: &mut SendHalf,
        chunk: &mut Bytes,
    ) -> Result<usize, WriteError> {
        let room = self.admit(id, half, chunk.len())?;
        let part = chunk.split_to(room.min(chunk.len()));
        let len = part.len();
        half.buffer.push(part);
        self.on_written(id, half, len);
        Ok(len)
    }

    /// Ends the stream, unless it was ended, reset or left before.
    pub(crate) fn finish(&mut self, id: StreamId, half: &mut SendHalf) -> Result<(), WriteError> {
        if let Some(refusal) = half.refusal() {
            return Err(refusal);
        }
        half.state.finish();
        self.finishing += 1;
        self.stop_waiting_for_room(half);
        self.drop_promise(half);
        self.queue(id, half);
        Ok(())
    }

    /// Whether the peer has everything; if not, the writer waits for it.
    pub(crate) fn poll_acked(&mut self, half: &mut SendHalf) -> Result<bool, WriteError> {
        if half.state.is_done() {
            return Ok(true);
        }
        if let Some(error) = half.broken_off() {
            return Err(error);
        }
        if !half.waiting.end {
            half.waiting.end = true;
            self.waiting += 1;
        }
        Ok(false)
    }

    /// Whether nothing waits to be given out; if something does, the writer waits for that.
    pub(crate) fn poll_sent(half: &mut SendHalf) -> Result<bool, WriteError> {
        if let Some(error) = half.broken_off() {
            return Err(error);
        }
        let sent = half.is_drained();
        half.waiting.sent = !sent;
        Ok(sent)
    }

    /// Tells writers that waited for the last of their data to be given out.
    pub(crate) fn wake_drained(&mut self, events: &mut EventQueue) {
        for id in self.drained.drain(..) {
            events.push(Event::Sent(id));
        }
    }

    /// The application left; returns whether that leaves the stream unfinished.
    pub(crate) fn leave(&mut self, half: &mut SendHalf) -> bool {
        self.stop_waiting(half);
        half.holder = Holder::Nobody;
        half.state == SendState::Open
    }

    /// Something beyond the streams waits for acknowledgments.
    pub(crate) fn opener_waits(&mut self) {
        self.waiting += 1;
    }

    /// It does not any more.
    pub(crate) fn opener_served(&mut self) {
        self.waiting -= 1;
    }

    /// Puts the stream in the queue if it has something to send and is not there.
    pub(crate) fn queue(&mut self, id: StreamId, half: &mut SendHalf) {
        let credit = self.credit();
        if half.place != QueuePlace::Queued && half.next_len(credit).is_some() {
            self.leave_line(half);
            half.place = QueuePlace::Queued;
            self.line_up(id, half);
        } else if half.place == QueuePlace::Out && half.is_starved(credit) {
            let number = match half.sharing {
                Sharing::InTurns => None,
                Sharing::OneByOne => half.line_number,
            };
            let turn = self.starved.add(id, &half.limit, half.priority, number);
            half.line_number = Some(turn.number());
            half.place = QueuePlace::Starved(turn);
        }
    }

    /// Puts the stream in the queue.
    fn line_up(&mut self, id: StreamId, half: &SendHalf) {
        let standing = (half.priority, half.share);
        self.ready.add(id, half.unsent(), &half.limit, standing);
    }

    /// Limits the stream to these connections.
    pub(crate) fn set_limit(&mut self, id: StreamId, half: &mut SendHalf, limit: Limit) {
        let before = std::mem::replace(&mut half.limit, limit);
        if half.place == QueuePlace::Queued {
            self.ready.remove(id, &before);
            self.line_up(id, half);
        }
        self.rejoin(id, half);
    }

    /// Sets which streams this one goes before.
    pub(crate) fn set_priority(&mut self, id: StreamId, half: &mut SendHalf, priority: i32) {
        half.priority = priority;
        if half.place == QueuePlace::Queued {
            self.ready.remove(id, &half.limit);
            self.line_up(id, half);
        }
        self.rejoin(id, half);
    }

    /// The lanes that have streams with something to send, with what these are limited to.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = (usize, Option<&[ConnectionHandle]>)> + '_ {
        self.ready.ready()
    }

    /// Takes the next Stream frame of this lane if its data fits into `room` bytes whole: a frame is not
    /// cut just to fill up a record that another one started. Streams that take turns have `turn` bytes.
    pub(crate) fn take_frame(
        &mut self,
        lane: usize,
        streams: &mut BTreeMap<StreamId, Box<Stream>>,
        room: usize,
        turn: u64,
    ) -> Option<Outgoing> {
        self.turn = turn;
        while let Some(id) = self.ready.queue(lane)?.next() {
            let half = streams.get_mut(&id).map(|stream| &mut stream.send);
            let credit = self.credit();
            let next_len = half.as_ref().and_then(|half| half.next_len(credit));
            let Some((half, next_len)) = half.zip(next_len) else {
                self.ready.queue(lane)?.advance();
                if let Some(stream) = streams.get_mut(&id) {
                    self.ready.queue(lane)?.end_turn(&mut stream.send.share);
                    self.leave_queue(id, &mut stream.send);
                }
                self.refill(streams);
                continue;
            };
            if next_len + half.reserved() > room {
                return None;
            }
            self.ready.queue(lane)?.advance();
            let before = half.buffer.sent();
            let frame = half.take(id, credit);
            let first = half.buffer.sent() - before;
            self.used += first;
            self.unsent -= length(first);
            self.backlog = self.backlog.saturating_sub(offset(frame.data.len()));
            let next = half.next_len(self.credit());
            let queue = self.ready.queue(lane)?;
            if let Some(next) = next {
                let sent = Sent {
                    bytes: offset(frame.data.len()),
                    next: offset(next),
                    turn,
                };
                queue.keep(id, half.sharing, &mut half.share, sent);
            } else {
                queue.end_turn(&mut half.share);
                self.leave_queue(id, half);
                self.refill(streams);
            }
            return Some(frame);
        }
        None
    }

    /// The stream of this lane whose turn it is and the offset that it is at, if it fills a record.
    pub(crate) fn next_full(
        &self,
        streams: &BTreeMap<StreamId, Box<Stream>>,
        lane: usize,
    ) -> Option<(StreamId, u64)> {
        let id = self.ready.next(lane)?;
        let half = &streams.get(&id)?.send;
        let buffer = &half.buffer;
        let full = half.next_len(self.credit()) == Some(MAX_PIECE);
        full.then(|| (id, buffer.next_offset()))
    }

    /// A record is built: streams that had their turn in it may have the next one.
    pub(crate) fn end_record(&mut self) {
        self.ready.end_record();
    }

    /// A frame of this stream was acknowledged; returns whether the peer now has everything.
    pub(crate) fn on_acked(
        &mut self,
        half: &mut SendHalf,
        sent: SentRange,
        events: &mut EventQueue,
    ) -> bool {
        let acked = half.on_acked(sent);
        self.held -= acked.freed;
        if acked.freed > 0 {
            self.wake_writer(sent.stream, half, events);
        }
        if acked.done {
            self.finishing -= 1;
            self.stop_waiting(half);
            events.push(Event::SendAcked(sent.stream));
        }
        acked.done
    }

    /// A frame of this stream went out on a connection that failed.
    pub(crate) fn on_lost(&mut self, half: &mut SendHalf, sent: SentRange) {
        let bytes = half.on_lost(sent);
        self.backlog += bytes;
        if half.next_len(self.credit()).is_some() {
            self.bytes_retransmitted += bytes;
            self.frames_retransmitted += 1;
            self.queue(sent.stream, half);
        }
    }

    /// A frame that went out on a connection that failed goes out again.
    pub(crate) fn on_repeated(&mut self, bytes: usize) {
        self.bytes_retransmitted += offset(bytes);
        self.frames_retransmitted += 1;
    }

    /// Whether somebody waits for acknowledgments.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Whether a stream was finished and the peer does not have all of it.
    pub(crate) fn is_finishing(&self) -> bool {
        self.finishing > 0
    }

    /// Whether a stream has something to send.
    pub(crate) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Bytes that wait to be sent, about: what was acknowledged before it was sent again counts until
    /// nothing waits.
    pub(crate) fn backlog(&self) -> u64 {
        self.backlog
    }

    /// Bytes unsent or unacknowledged.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Bytes and frames that were queued a second time.
    pub(crate) fn retransmitted(&self) -> (u64, u64) {
        (self.bytes_retransmitted, self.frames_retransmitted)
    }

    fn on_written(&mut self, id: StreamId, half: &mut SendHalf, len: usize) {
        self.use_room(half, len);
        self.unsent += len;
        self.backlog += offset(len);
        self.queue(id, half);
    }

    /// Nothing of this stream waits to be given out.
    fn leave_queue(&mut self, id: StreamId, half: &mut SendHalf) {
        half.place = QueuePlace::Out;
        if self.ready.is_empty() {
            self.backlog = 0;
        }
        if half.unsent() == 0 {
            half.line_number = None;
        }
        self.queue(id, half);
        if half.place == QueuePlace::Out {
            self.drop_promise(half);
        }
        if half.is_drained() && std::mem::take(&mut half.waiting.sent) {
            self.drained.push(id);
        }
    }

    fn stop_waiting(&mut self, half: &mut SendHalf) {
        self.waiting -= std::mem::take(&mut half.waiting).count();
        self.drop_promise(half);
    }
}
