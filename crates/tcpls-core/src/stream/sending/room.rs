//! How much may be written, and who waits until it is more.
//!
//! Writers that wait for room of the session stand in line for it. What is free is promised to the first of
//! them, a share each, and nobody else gets it meanwhile: a writer that is told finds what it was told
//! of, and one that goes on writing does not take from those who were told, but stands in line again.

use std::collections::BTreeMap;

use super::{MAX_PIECE, News, QueuePlace, Room, SendHalf, Sending, Stream, StreamId, length};
use crate::{Event, WriteError, event::EventQueue};

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
        let for_all = if self.blocked.is_empty() {
            self.not_promised()
        } else {
            0
        };
        free.min(for_all.max(half.promised))
    }

    /// Bytes of the session's room that nobody was told of. Who was told may not want it any more: that is not
    /// to matter while half of it is free, or when nothing would ever tell the others.
    fn not_promised(&self) -> usize {
        let free = self.session_limit.saturating_sub(self.held);
        if self.held <= self.session_limit / 2 || self.is_quiet() {
            free
        } else {
            free.saturating_sub(self.promised)
        }
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
        let kept = half.promised.min(bytes);
        half.promised -= kept;
        self.promised -= kept;
    }

    /// What is left of a promise is for others.
    pub(super) fn drop_promise(&mut self, half: &mut SendHalf) {
        self.promised -= std::mem::take(&mut half.promised);
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
    /// shares. All of them, if there is any room and no acknowledgment will make it more: those that
    /// were told before may want nothing any more.
    pub(crate) fn wake_blocked(
        &mut self,
        streams: &mut BTreeMap<StreamId, Box<Stream>>,
        events: &mut EventQueue,
    ) {
        let share = self.share(self.session_limit);
        let is_last = self.is_quiet() && self.held < self.session_limit;
        let mut room = self.not_promised();
        while !self.blocked.is_empty() && (room >= share || is_last) {
            let Some(id) = self.blocked.pop_front() else {
                return;
            };
            let Some(half) = streams.get_mut(&id).map(|stream| &mut stream.send) else {
                continue;
            };
            if half.waiting.room == Room::OfSession {
                self.stop_waiting_for_room(half);
                self.drop_promise(half);
                half.promised = room.min(share);
                self.promised += half.promised;
                room -= half.promised;
                events.push(Event::Writable(id));
            }
        }
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
