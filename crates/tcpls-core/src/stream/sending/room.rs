//! How much may be written, and who waits until it is more.
//!
//! Writers that wait for room of the session stand in line for it. What is free is promised to the first of
//! them, a share each, and nobody else gets it meanwhile: a writer that is told finds what it was told
//! of, and one that goes on writing does not take from those who were told, but stands in line again.
//!
//! Some who were told may not want it any more. While data goes out, the others get their promises after
//! a while. When nothing does, all are told, but not before those who were told had time to come: with
//! thousands in line most would come for nothing.

use std::collections::BTreeMap;

use super::{MAX_PIECE, News, QueuePlace, Room, SendHalf, Sending, Stream, StreamId, length};
use crate::{Event, WriteError, event::EventQueue};

/// Which of the writers in line are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// As many as there are shares for.
    First,
    /// The same, or all of them if there is any room and nothing will make it more.
    AllWhenQuiet,
}

/// How much room of a stream is enough to tell its writer at once, in bytes: half of what is taken ahead of the
/// peer.
const ENOUGH: usize = 32 * 1024;

/// How many shares a limit has at least.
const SHARES: usize = 32;

impl Sending {
    /// Bytes that this half may take. Half of the session's buffer is for streams whose peer reads.
    pub(crate) fn room(&self, half: &SendHalf) -> usize {
        self.room_of_stream(half).min(self.room_of_session(half))
    }

    fn room_of_stream(&self, half: &SendHalf) -> usize {
        let stream = self.stream_limit.saturating_sub(half.buffer.held());
        let for_all = (self.session_limit / 2).saturating_sub(self.held);
        stream.min(half.room_at_peer().max(for_all))
    }

    fn room_of_session(&self, half: &SendHalf) -> usize {
        let free = self.session_limit.saturating_sub(self.held);
        // Who was told may not want it any more: that is not to matter to who comes while half of it is free,
        // or when nothing would ever tell them.
        let for_all = if !self.blocked.is_empty() {
            0
        } else if self.held <= self.session_limit / 2 || self.is_quiet() {
            free
        } else {
            self.not_promised()
        };
        free.min(for_all.max(self.promises.left(half.promise)))
    }

    /// Bytes of the session's room that nobody was told of.
    fn not_promised(&self) -> usize {
        let free = self.session_limit.saturating_sub(self.held);
        free.saturating_sub(self.promises.outstanding())
    }

    /// Whether no acknowledgment is to come: nothing is on its way or can go.
    fn is_quiet(&self) -> bool {
        self.held == self.unsent && self.ready.is_empty()
    }

    /// How many bytes may be written; when none, the writer waits.
    pub(super) fn admit(
        &mut self,
        id: StreamId,
        half: &mut SendHalf,
        wanted: usize,
    ) -> Result<usize, WriteError> {
        if let Some(refusal) = half.refusal() {
            return Err(refusal);
        }
        let room = self.room(half);
        if room > 0 || wanted == 0 {
            // Who is in line for room of the session stays there: it costs one event too many.
            if half.waiting.room == Room::OfStream && room > 0 {
                self.stop_waiting_for_room(half);
            }
            return Ok(room.min(wanted));
        }
        self.wait_for_room(id, half);
        Err(WriteError::Blocked)
    }

    fn wait_for_room(&mut self, id: StreamId, half: &mut SendHalf) {
        if half.waiting.room == Room::Enough {
            self.waiting += 1;
            half.waiting.room = Room::OfStream;
        }
        if half.waiting.room == Room::OfStream && self.room_of_stream(half) > 0 {
            half.waiting.room = Room::OfSession;
            self.blocked.push_back(id);
        }
    }

    /// So much was written.
    pub(super) fn use_room(&mut self, half: &mut SendHalf, bytes: usize) {
        self.held += bytes;
        let limit = self.session_limit;
        self.promises.keep(&mut half.promise, bytes, limit);
    }

    /// What is left of a promise is for others.
    pub(super) fn drop_promise(&mut self, half: &mut SendHalf) {
        self.promises.take_back(&mut half.promise);
    }

    /// Some of what this half holds is acknowledged, or the peer lets it send more: its writer is told when
    /// there is enough room, or any and no acknowledgment will make it more.
    pub(super) fn wake_writer(
        &mut self,
        id: StreamId,
        half: &mut SendHalf,
        events: &mut EventQueue,
    ) {
        if half.waiting.room != Room::OfStream {
            return;
        }
        let room = self.room_of_stream(half);
        let is_last = half.place != QueuePlace::Queued && half.buffer.base() == half.buffer.sent();
        if room >= self.share(self.stream_limit).min(ENOUGH) || room > 0 && is_last {
            self.stop_waiting_for_room(half);
            events.push(Event::Writable(id));
        }
    }

    /// Tells writers that wait for room of the session, in the order they came: as many as there are
    /// shares.
    pub(crate) fn wake_blocked(
        &mut self,
        told: Told,
        streams: &mut BTreeMap<StreamId, Box<Stream>>,
        events: &mut EventQueue,
    ) {
        let share = self.share(self.session_limit);
        let stalled = self.is_stalled();
        let all = told == Told::AllWhenQuiet && stalled;
        if all {
            self.promises.forget();
        }
        // What no acknowledgment will make more is enough if nobody was told of it.
        let least = if stalled && self.promises.outstanding() == 0 {
            1
        } else {
            share
        };
        let mut room = self.not_promised();
        while room >= least || all {
            let Some(id) = self.blocked.pop_front() else {
                return;
            };
            let Some(half) = streams.get_mut(&id).map(|stream| &mut stream.send) else {
                continue;
            };
            if half.waiting.room == Room::OfSession {
                self.stop_waiting_for_room(half);
                self.drop_promise(half);
                let promised = room.min(share);
                self.promises.make(&mut half.promise, promised);
                room -= promised;
                events.push(Event::Writable(id));
            }
        }
    }

    /// Whether writers stand in line though there is room, and nothing is on its way or can go: if those who
    /// were told want nothing any more, nobody else will ever hear of it.
    pub(crate) fn is_stalled(&self) -> bool {
        !self.blocked.is_empty() && self.is_quiet() && self.held < self.session_limit
    }

    /// What a writer is told of at a time: what its stream sends in a turn, as each time costs as much as a
    /// record.
    fn share(&self, limit: usize) -> usize {
        length(self.turn).max(MAX_PIECE).min(limit / SHARES).max(1)
    }

    /// Nobody waits for room to write any more; returns whether somebody did.
    pub(crate) fn stop_waiting_for_room(&mut self, half: &mut SendHalf) -> News {
        let waited = std::mem::take(&mut half.waiting.room) != Room::Enough;
        if waited {
            self.waiting -= 1;
        }
        News::when(waited)
    }
}
