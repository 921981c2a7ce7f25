//! Streams of one direction and of two (`spec/extensions.md` 6.12).

use super::{
    CloseReason, Event, EventQueue, Features, Introduction, Kind, News, OpenError, SentRange,
    Stream, StreamId, Streams,
};
use crate::{
    PeerMisbehaved,
    stream::Activity,
    wire::{ExtendedFrame, Role, frame::STREAM_OVERHEAD},
};

impl Streams {
    /// Opens a stream of one direction, if the peer knows of such.
    pub(crate) fn open_uni(&mut self) -> Result<StreamId, OpenError> {
        self.check_open()?;
        if !self.has_kinds() {
            return Err(OpenError::UnsupportedByPeer);
        }
        if self.uni.is_used_up() {
            return Err(OpenError::StreamLimit);
        }
        if !self.uni.may_open() {
            if self.opening.wait() == News::Some {
                self.sending.opener_waits();
            }
            return Err(OpenError::Blocked);
        }
        let id = self.open_as(Kind::Unidirectional(Activity::Counted))?;
        self.uni.on_opened();
        Ok(id)
    }

    /// The next stream of one direction that the peer opened.
    pub(crate) fn accept_uni(&mut self) -> Option<StreamId> {
        self.uni_arrivals.accept()
    }

    /// The peer says that this stream of its has one direction. Returns whether that is news.
    pub(crate) fn on_stream_uni(
        &mut self,
        id: StreamId,
        events: &mut EventQueue,
    ) -> Result<News, CloseReason> {
        if !self.has_kinds() {
            return Ok(News::None);
        }
        if id.initiator() != self.opening.peer() {
            return Err(PeerMisbehaved::NotUnidirectional.into());
        }
        if !self.opening.was_opened(id) {
            self.open_for_peer(id, events)?;
        }
        let Some(stream) = self.map.get_mut(&id) else {
            return Ok(News::None);
        };
        match stream.kind {
            Kind::Unidirectional(_) => Ok(News::None),
            Kind::Bidirectional => Err(PeerMisbehaved::NotUnidirectional.into()),
            Kind::Unknown if self.uni.on_opened_by_peer() => {
                stream.become_incoming();
                Ok(News::Some)
            }
            Kind::Unknown => Err(PeerMisbehaved::StreamsLimit.into()),
        }
    }

    /// The kind of a stream is known for certain now: what was not called a stream of one direction
    /// has two. Hands it out, the first time.
    pub(super) fn introduce(&mut self, id: StreamId, events: &mut EventQueue) {
        let Some(stream) = self.map.get_mut(&id) else {
            return;
        };
        if std::mem::take(&mut stream.introduction) == Introduction::Done {
            return;
        }
        if stream.kind.is_unidirectional() {
            if self.uni_arrivals.push(id) == News::Some {
                events.push(Event::UniStreamIncoming);
            }
        } else {
            stream.kind = Kind::Bidirectional;
            if self.arrivals.push(id) == News::Some {
                events.push(Event::StreamIncoming);
            }
        }
    }

    /// The peer broke a stream off. One of one direction that was not handed out never is: nothing of
    /// it is there. The other half of one with two may be awaited.
    pub(super) fn introduce_reset(&mut self, id: StreamId, events: &mut EventQueue) {
        let Some(stream) = self.map.get_mut(&id) else {
            return;
        };
        if stream.introduction == Introduction::Due && stream.kind.is_unidirectional() {
            stream.introduction = Introduction::Done;
            self.receiving.stop(&mut stream.recv);
        } else {
            self.introduce(id, events);
        }
    }

    /// The peer says that it has more of a stream than it may send.
    pub(crate) fn on_stream_blocked(
        &mut self,
        id: StreamId,
        events: &mut EventQueue,
    ) -> Result<News, CloseReason> {
        let opens = self.open_if_new(id, events)?;
        if let Some(stream) = self.map.get(&id) {
            stream.check_sender(id, self.opening.peer())?;
        }
        Ok(opens)
    }

    /// The peer says something about what this side sends on a stream, which it must have.
    pub(super) fn check_receiver(
        &mut self,
        id: StreamId,
        events: &mut EventQueue,
    ) -> Result<(), PeerMisbehaved> {
        if let Some(stream) = self.map.get(&id) {
            stream.check_receiver(id, self.opening.peer())?;
            self.introduce(id, events);
        }
        Ok(())
    }

    /// A stream of one direction is finished; returns whether that ends the waiting for one to open.
    pub(super) fn on_uni_finished(&mut self, id: StreamId, frees_one: bool) -> News {
        if !frees_one {
            return News::None;
        }
        let of_peer = id.initiator() == self.opening.peer();
        self.uni.on_finished(of_peer);
        if of_peer {
            News::None
        } else {
            self.opening.stop_waiting()
        }
    }

    /// The application left a stream unfinished whose end the peer cannot be told of; returns whether
    /// waiting for a stream to open became pointless with it.
    pub(super) fn on_abandoned(&mut self, id: StreamId) -> News {
        let kind = self.map.get(&id).map(|stream| stream.kind);
        let waiting = self.opening.on_abandoned(id);
        if kind.is_some_and(Kind::is_unidirectional) {
            self.uni.on_abandoned();
            if self.uni.is_used_up() && waiting == News::None {
                return self.opening.stop_waiting();
            }
        }
        waiting
    }

    /// What goes with the Reset of a stream that this side opened, if it has one direction: it may be the
    /// first that the peer hears of it.
    pub(crate) fn reset_company(&self, id: StreamId) -> Option<ExtendedFrame<'static>> {
        let own = id.initiator() != self.opening.peer();
        let stream = self.map.get(&id)?;
        (own && stream.kind.is_unidirectional()).then_some(ExtendedFrame::StreamUni(id))
    }

    /// What a frame that was sent before takes in a record, with its company.
    pub(crate) fn room_for(&self, sent: SentRange) -> usize {
        let length = usize::try_from(sent.length).unwrap_or(usize::MAX);
        let reserved = self
            .map
            .get(&sent.stream)
            .map_or(0, |stream| stream.send.buffer.reserved_at(sent.offset));
        length.saturating_add(STREAM_OVERHEAD + reserved)
    }

    /// Whether streams may have one direction.
    pub(super) fn has_kinds(&self) -> bool {
        self.features.contains(Features::UNIDIRECTIONAL)
    }
}

impl Stream {
    /// Whether `peer` may send data of this stream, and its end.
    pub(super) fn check_sender(&self, id: StreamId, peer: Role) -> Result<(), PeerMisbehaved> {
        if self.kind.is_unidirectional() && id.initiator() != peer {
            return Err(PeerMisbehaved::WrongDirection);
        }
        Ok(())
    }

    /// Whether `peer` may receive data of this stream, and limit it.
    pub(super) fn check_receiver(&self, id: StreamId, peer: Role) -> Result<(), PeerMisbehaved> {
        if self.kind.is_unidirectional() && id.initiator() == peer {
            return Err(PeerMisbehaved::WrongDirection);
        }
        Ok(())
    }
}
