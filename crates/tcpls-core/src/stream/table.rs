//! All streams of a session: who opened which, what the application may do, what is over.

mod breaking;
mod closing;
mod delivering;
mod kinds;
mod limits;
mod opened;
mod signals;
mod stall;

use std::collections::BTreeMap;

use bytes::Bytes;

use self::stall::Stall;
use super::{
    Activity, Introduction, Kind, Stream,
    kind::{Arrivals, UniStreams},
    lanes::Limit,
    opening::{News, Opening},
    piece::Stretch,
    ready::Sharing,
    receiving::{Effect, Receiving},
    recv::{Reader, RecvHalf},
    send::{Announcement, Outgoing, SendHalf},
    sending::{Sending, Told},
    signal::{Signal, Signals},
};
use crate::{
    CloseReason, ConnectionHandle, Event, FinishError, OpenError, ReadError, ResetError,
    SessionConfig, SessionStats, StreamAnnouncement, StreamStats, WriteError,
    event::EventQueue,
    number::offset,
    sent::SentRange,
    wire::{Features, Role, StreamFrame, StreamId},
};

/// The streams of one session.
///
/// Invariant: a stream that was opened and is not in the map is over. Memory therefore does not grow
/// with streams that are, and nothing here walks over all streams, but once when the session closes.
#[derive(Debug)]
pub(crate) struct Streams {
    announcement: StreamAnnouncement,
    map: BTreeMap<StreamId, Box<Stream>>,
    opening: Opening,
    sending: Sending,
    receiving: Receiving,
    signals: Signals,
    features: Features,
    windows: Windows,
    /// Streams of the peer that wait to be accepted.
    arrivals: Arrivals,
    uni_arrivals: Arrivals,
    uni: UniStreams,
    phase: Phase,
    stall: Stall,
}

/// How many bytes the peer may be ahead of the application.
#[derive(Debug, Clone, Copy)]
struct Windows {
    stream: u64,
    most_stream: u64,
    session: u64,
    most_session: u64,
}

/// How a read left a stream.
#[derive(Debug, Clone, Copy)]
struct AfterRead {
    /// Whether the peer is to be told that it may go further.
    limit: News,
    /// Whether everything was read.
    ended: bool,
}

impl AfterRead {
    fn of(half: &RecvHalf) -> Self {
        Self {
            limit: News::when(half.is_grant_due()),
            ended: half.state.is_ended(),
        }
    }
}

/// What the application may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Everything.
    Open,
    /// Read; what was finished is still sent.
    Closing,
    /// Read what is there.
    Over(CloseReason),
}

impl Streams {
    pub(crate) fn new(role: Role, config: &SessionConfig) -> Self {
        Self {
            announcement: config.announcement,
            map: BTreeMap::new(),
            opening: Opening::new(role, config),
            sending: Sending::new(config),
            receiving: Receiving::new(config),
            signals: Signals::default(),
            features: Features::NONE,
            windows: Windows {
                stream: config.stream_window,
                most_stream: config.max_stream_window,
                session: config.session_window,
                most_session: config.max_session_window,
            },
            arrivals: Arrivals::default(),
            uni_arrivals: Arrivals::default(),
            uni: UniStreams::new(config.peer_uni_streams),
            phase: Phase::Open,
            stall: Stall::default(),
        }
    }

    pub(crate) fn write(&mut self, id: StreamId, data: &[u8]) -> Result<usize, WriteError> {
        let (sending, half) = self.writable(id)?;
        sending.write(id, half, data)
    }

    pub(crate) fn write_chunk(
        &mut self,
        id: StreamId,
        chunk: &mut Bytes,
    ) -> Result<usize, WriteError> {
        let (sending, half) = self.writable(id)?;
        sending.write_chunk(id, half, chunk)
    }

    pub(crate) fn finish(&mut self, id: StreamId) -> Result<(), FinishError> {
        let finished = self
            .writable(id)
            .and_then(|(sending, half)| sending.finish(id, half));
        match finished {
            Ok(()) => Ok(()),
            Err(WriteError::Finished | WriteError::Blocked) => Err(FinishError::Finished),
            Err(WriteError::Reset) => Err(FinishError::Reset),
            Err(WriteError::Stopped(code)) => Err(FinishError::Stopped(code)),
            Err(WriteError::Closing) => Err(FinishError::Closing),
            Err(WriteError::Lost(reason)) => Err(FinishError::Lost(reason)),
            Err(WriteError::UnknownStream) => Err(FinishError::UnknownStream),
        }
    }

    /// Whether the peer has everything; if not, a writer waits for it.
    pub(crate) fn poll_acked(&mut self, id: StreamId) -> Result<bool, WriteError> {
        let opened = self.opening.was_opened(id);
        let acked = match self.map.get_mut(&id) {
            Some(stream) => self.sending.poll_acked(&mut stream.send)?,
            None if opened => true,
            None => return Err(WriteError::UnknownStream),
        };
        match self.phase {
            Phase::Over(reason) if !acked => Err(WriteError::Lost(reason)),
            Phase::Open | Phase::Closing | Phase::Over(_) => Ok(acked),
        }
    }

    /// Whether nothing of this stream waits to be given out; if something does, a writer waits.
    pub(crate) fn poll_sent(&mut self, id: StreamId) -> Result<bool, WriteError> {
        let opened = self.opening.was_opened(id);
        let sent = match self.map.get_mut(&id) {
            Some(stream) => Sending::poll_sent(&mut stream.send)?,
            None if opened => true,
            None => return Err(WriteError::UnknownStream),
        };
        match self.phase {
            Phase::Over(reason) if !sent => Err(WriteError::Lost(reason)),
            Phase::Open | Phase::Closing | Phase::Over(_) => Ok(sent),
        }
    }

    /// Some was given out: tells writers that waited until nothing of their stream is left, and those in line
    /// for room where no acknowledgment will make it more.
    pub(crate) fn on_given_out(&mut self, events: &mut EventQueue) {
        self.sending.wake_drained(events);
        self.sending
            .wake_blocked(Told::First, &mut self.map, events);
    }

    /// Bytes that a write would take.
    pub(crate) fn capacity(&mut self, id: StreamId) -> usize {
        self.writable(id)
            .ok()
            .filter(|(_, half)| half.refusal().is_none())
            .map_or(0, |(sending, half)| sending.room(half))
    }

    pub(crate) fn read_chunk(
        &mut self,
        id: StreamId,
        max: usize,
        events: &mut EventQueue,
    ) -> Result<Option<Bytes>, ReadError> {
        let Some((receiving, half)) = self.readable(id)? else {
            return Ok(None);
        };
        let found = receiving.read_chunk(half, max);
        let after = AfterRead::of(half);
        self.after_read(id, found, after, events)
    }

    pub(crate) fn read(
        &mut self,
        id: StreamId,
        buffer: &mut [u8],
        events: &mut EventQueue,
    ) -> Result<usize, ReadError> {
        let Some((receiving, half)) = self.readable(id)? else {
            return Ok(0);
        };
        let found = receiving.read(half, buffer);
        let after = AfterRead::of(half);
        self.after_read(id, found, after, events)
    }

    /// Limits a stream to these connections.
    pub(crate) fn set_limit(&mut self, id: StreamId, limit: Limit) -> Result<(), WriteError> {
        let (sending, half) = self.writable(id)?;
        sending.set_limit(id, half, limit);
        self.sending.refill(&mut self.map);
        Ok(())
    }

    /// The connections that a stream is limited to; `None` for all.
    pub(crate) fn limit(&self, id: StreamId) -> Option<&[ConnectionHandle]> {
        self.map.get(&id)?.send.limit.as_deref()
    }

    /// Sets which streams a stream goes before.
    pub(crate) fn set_priority(&mut self, id: StreamId, priority: i32) -> Result<(), WriteError> {
        let (sending, half) = self.writable(id)?;
        sending.set_priority(id, half, priority);
        Ok(())
    }

    /// Sets how a stream shares with others of its priority.
    pub(crate) fn set_sharing(&mut self, id: StreamId, sharing: Sharing) -> Result<(), WriteError> {
        self.writable(id)?.1.sharing = sharing;
        Ok(())
    }

    /// The lanes of streams that have something to send, with the connections that these are limited to.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = (usize, Option<&[ConnectionHandle]>)> + '_ {
        self.sending.lanes()
    }

    /// Takes the next Stream frame of a lane if its data fits into `room` bytes; turns are of `turn` bytes.
    pub(crate) fn take_frame(&mut self, lane: usize, room: usize, turn: u64) -> Option<Outgoing> {
        self.sending.take_frame(lane, &mut self.map, room, turn)
    }

    /// A Stream frame that was sent before, as far as the peer may lack it.
    pub(crate) fn copy_frame(&self, sent: SentRange) -> Option<Outgoing> {
        self.map.get(&sent.stream)?.send.copy(sent)
    }

    /// The same, counted as sent again because its connection failed.
    pub(crate) fn repeat_frame(&mut self, sent: SentRange) -> Option<Outgoing> {
        let frame = self.copy_frame(sent)?;
        self.sending.on_repeated(frame.data.len());
        Some(frame)
    }

    /// Bytes that wait to be sent.
    pub(crate) fn backlog(&self) -> u64 {
        self.sending.backlog()
    }

    /// The stream of this lane whose turn it is and the offset that it is at, if it fills a record.
    pub(crate) fn next_full(&self, lane: usize) -> Option<(StreamId, u64)> {
        self.sending.next_full(&self.map, lane)
    }

    /// Whether bytes of this stream may come that somebody will read.
    pub(crate) fn is_receiving(&self, id: StreamId) -> bool {
        self.map.get(&id).is_some_and(|stream| {
            stream.recv.reader != Reader::Stopped && !stream.recv.state.is_complete()
        })
    }

    /// A record is built.
    pub(crate) fn end_record(&mut self) {
        self.sending.end_record();
    }

    /// A Stream frame was acknowledged.
    pub(crate) fn on_acked(&mut self, sent: SentRange, events: &mut EventQueue) {
        let Some(stream) = self.map.get_mut(&sent.stream) else {
            return;
        };
        if self.sending.on_acked(&mut stream.send, sent, events) {
            self.settle(sent.stream, events);
        }
        self.sending
            .wake_blocked(Told::First, &mut self.map, events);
    }

    /// A Stream frame went out on a connection that failed.
    pub(crate) fn on_lost(&mut self, sent: SentRange) {
        if let Some(stream) = self.map.get_mut(&sent.stream) {
            self.sending.on_lost(&mut stream.send, sent);
        }
    }

    /// A record of so many bytes came on the connection that has this stretch; its frames are next.
    pub(crate) fn begin_record(&mut self, stretch: &mut Stretch, bytes: usize) {
        self.receiving.begin_record(stretch, bytes);
    }

    /// Applies one Stream frame that lies in `payload`.
    pub(crate) fn receive(
        &mut self,
        frame: &StreamFrame<'_>,
        payload: &Bytes,
        events: &mut EventQueue,
    ) -> Result<Effect, CloseReason> {
        let id = frame.stream;
        let is_new = !self.opening.was_opened(id);
        if is_new {
            self.open_for_peer(id, events)?;
        }
        if frame.offset == 0 {
            self.introduce(id, events);
        }
        let Some(stream) = self.map.get_mut(&id) else {
            self.receiving.discard(frame);
            return Ok(Effect::NONE);
        };
        stream.check_sender(id, self.opening.peer())?;
        let mut effect = self
            .receiving
            .receive(&mut stream.recv, frame, payload, events)?;
        if is_new {
            effect.news = News::Some;
        }
        let ends = stream.is_finished();
        let due = Self::limit_due(&stream.recv, self.features);
        self.note_limits(id, due);
        if ends {
            self.settle(id, events);
        }
        Ok(effect)
    }

    /// A-34 a: whether sockets are to be read: always where the peer was told how far it may go;
    /// otherwise below the soft cap, or while somebody here waits for
    /// what may lie in them behind the data that nobody reads.
    pub(crate) fn wants_read(&self) -> bool {
        self.has_limits()
            || self.receiving.has_room()
            || self.receiving.is_waiting()
            || self.sending.is_waiting()
            || self.phase != Phase::Open
    }

    /// A-34 a: whether what arrives is to be acknowledged. Above the soft cap, sockets that are read
    /// only for somebody who waits would bring in more and more: unacknowledged, what the peer sends
    /// ends with its own send buffer. Some of it is taken, for applications that write much before
    /// they read.
    pub(crate) fn wants_acknowledging(&self) -> bool {
        self.has_limits() || self.receiving.may_hoard() || self.phase != Phase::Open
    }

    /// Whether there is a stream that is not over.
    pub(crate) fn are_open(&self) -> bool {
        !self.map.is_empty()
    }

    /// Whether a stream has something to send.
    pub(crate) fn is_ready(&self) -> bool {
        self.sending.is_ready()
    }

    /// Whether a stream was finished and the peer does not have all of it.
    pub(crate) fn is_finishing(&self) -> bool {
        self.sending.is_finishing()
    }

    pub(crate) fn add_stats(&self, stats: &mut SessionStats) {
        let (own, peer) = self.opening.opened();
        (stats.streams_opened, stats.streams_accepted) = (own.into(), peer.into());
        stats.streams_live = offset(self.map.len());
        stats.bytes_unacked = offset(self.sending.held());
        stats.bytes_unread = offset(self.receiving.unread());
        stats.bytes_out_of_order = offset(self.receiving.ahead());
        stats.bytes_discarded = self.receiving.bytes_discarded();
        (stats.bytes_retransmitted, stats.frames_retransmitted) = self.sending.retransmitted();
    }

    pub(crate) fn stats_of(&self, id: StreamId) -> Option<StreamStats> {
        let stream = self.map.get(&id)?;
        Some(StreamStats {
            bytes_written: stream.send.buffer.end(),
            bytes_sent: stream.send.buffer.sent(),
            bytes_acked: stream.send.buffer.base(),
            bytes_received: stream.recv.assembler.received(),
            bytes_read: stream.recv.assembler.bytes_read(),
        })
    }

    /// Stops counting a stream that is finished, and forgets one that is over.
    fn settle(&mut self, id: StreamId, events: &mut EventQueue) {
        let strict = self.breaks_off() || self.has_limits() || self.has_kinds();
        let Some(stream) = self.map.get_mut(&id) else {
            return;
        };
        // Both sides of a stream of the peer may end without the application: it counts until the
        // application is through with it, too, or the peer could make this side remember any number.
        let ended = if strict && id.initiator() == self.opening.peer() {
            stream.is_over()
        } else {
            stream.is_finished()
        };
        let finished = stream.activity == Activity::Counted && ended;
        if finished {
            stream.activity = Activity::Finished;
        }
        let frees_uni =
            stream.kind == Kind::Unidirectional(Activity::Counted) && stream.is_finished();
        if frees_uni {
            stream.kind = Kind::Unidirectional(Activity::Finished);
        }
        if stream.is_over() {
            self.map.remove(&id);
        }
        let available = finished && self.opening.on_finished(id) == News::Some;
        if self.on_uni_finished(id, frees_uni) == News::Some || available {
            self.sending.opener_served();
            events.push(Event::StreamsAvailable);
        }
        if finished && self.opening.is_grant_due() {
            self.signals.push(Signal::MaxStreams);
        }
    }

    fn writable(&mut self, id: StreamId) -> Result<(&mut Sending, &mut SendHalf), WriteError> {
        match self.phase {
            Phase::Open => {}
            Phase::Closing => return Err(WriteError::Closing),
            Phase::Over(reason) => return Err(WriteError::Lost(reason)),
        }
        let opened = self.opening.was_opened(id);
        match self.map.get_mut(&id) {
            Some(stream) if stream.kind == Kind::Unknown => Err(WriteError::UnknownStream),
            Some(stream) => Ok((&mut self.sending, &mut stream.send)),
            None if opened => Err(WriteError::Finished),
            None => Err(WriteError::UnknownStream),
        }
    }

    /// `None` for a stream that is over: it was read to its end.
    fn readable(
        &mut self,
        id: StreamId,
    ) -> Result<Option<(&mut Receiving, &mut RecvHalf)>, ReadError> {
        let opened = self.opening.was_opened(id);
        match self.map.get_mut(&id) {
            Some(stream)
                if stream.kind.is_unidirectional() && id.initiator() != self.opening.peer() =>
            {
                Err(ReadError::UnknownStream)
            }
            Some(stream) => Ok(Some((&mut self.receiving, &mut stream.recv))),
            None if opened => Ok(None),
            None => Err(ReadError::UnknownStream),
        }
    }

    fn after_read<T>(
        &mut self,
        id: StreamId,
        found: Result<T, ReadError>,
        after: AfterRead,
        events: &mut EventQueue,
    ) -> Result<T, ReadError> {
        self.note_limits(id, after.limit);
        match (found, self.phase) {
            (Err(ReadError::Blocked), Phase::Over(reason)) => Err(ReadError::Lost(reason)),
            (Err(error), _) => Err(error),
            (Ok(found), _) => {
                if after.ended {
                    self.settle(id, events);
                }
                Ok(found)
            }
        }
    }
}
