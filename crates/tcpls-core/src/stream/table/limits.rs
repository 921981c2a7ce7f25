//! Limits on data and streams that both sides agreed on (`spec/extensions.md` 6.1).

use std::time::{Duration, Instant};

use super::{
    CloseReason, Event, EventQueue, Features, News, Reader, Signal, Stream, StreamId, Streams,
};
use crate::{
    stream::{grant::Grant, recv::RecvHalf},
    wire::{ExtendedFrame, SessionParams, StreamDataLimitFrame},
};

impl Streams {
    /// What each side lets the other send at first.
    pub(super) fn agree_on_limits(&mut self, peer: &SessionParams) {
        if !self.has_limits() {
            return;
        }
        let windows = self.windows;
        self.receiving.grant = Grant::new(windows.session, windows.most_session);
        let (session, stream) = (peer.max_data, peer.max_stream_data);
        self.sending
            .allow(session.unwrap_or(u64::MAX), stream.unwrap_or(u64::MAX));
        self.opening.agree(peer.max_streams.unwrap_or(u32::MAX));
    }

    /// A stream that was just opened.
    pub(super) fn new_stream(&self) -> Box<Stream> {
        let grant = if self.has_limits() {
            Grant::new(self.windows.stream, self.windows.most_stream)
        } else {
            Grant::default()
        };
        Box::new(Stream {
            send: self.sending.new_half(),
            recv: RecvHalf::new(grant),
            ..Stream::default()
        })
    }

    /// The peer lets the session send more.
    pub(crate) fn on_max_data(&mut self, limit: u64) -> News {
        News::when(self.sending.on_max_data(limit, &mut self.map))
    }

    /// The peer lets a stream send more.
    pub(crate) fn on_max_stream_data(
        &mut self,
        frame: StreamDataLimitFrame,
        events: &mut EventQueue,
    ) -> Result<News, CloseReason> {
        let id = frame.stream;
        let opens = self.open_if_new(id, events)?;
        self.check_receiver(id, events)?;
        let Some(stream) = self.map.get_mut(&id) else {
            return Ok(opens);
        };
        let more = self
            .sending
            .on_max_stream_data(id, &mut stream.send, frame.max, events);
        Ok(News::when(more || opens == News::Some))
    }

    /// The peer lets this side open more streams.
    pub(crate) fn on_max_streams(&mut self, count: u32, events: &mut EventQueue) -> News {
        let (news, awaited) = self.opening.on_max_streams(count);
        if awaited == News::Some {
            self.sending.opener_served();
            events.push(Event::StreamsAvailable);
        }
        news
    }

    /// A frame names a stream; returns whether that opens it.
    pub(crate) fn open_if_new(
        &mut self,
        id: StreamId,
        events: &mut EventQueue,
    ) -> Result<News, CloseReason> {
        if self.opening.was_opened(id) {
            return Ok(News::None);
        }
        self.open_for_peer(id, events)?;
        Ok(News::Some)
    }

    /// Whether both sides say how far the other may go.
    pub(super) fn has_limits(&self) -> bool {
        self.features.contains(Features::FLOW_CONTROL)
    }

    /// The application took some of a stream, or nobody wants it: the peer is told when that gives it
    /// enough room.
    pub(super) fn note_taken(&mut self, id: StreamId) {
        let due = self.map.get(&id).map_or(News::None, |stream| {
            Self::limit_due(&stream.recv, self.features)
        });
        self.note_limits(id, due);
    }

    /// The same when it is known whether the limit of the stream is to be moved.
    pub(super) fn note_limits(&mut self, id: StreamId, due: News) {
        let grant = &self.receiving.grant;
        // Where the window is full of what nobody reads, crumbs are all that those have who wait.
        if grant.is_due() || grant.is_used_up() && self.receiving.is_waiting() {
            self.signals.push(Signal::MaxData);
        }
        if due == News::Some {
            self.signals.push(Signal::MaxStreamData(id));
        }
    }

    /// Whether the peer is to be told that it may go further on this half, between peers with such `features`.
    pub(super) fn limit_due(half: &RecvHalf, features: Features) -> News {
        let stopped = half.reader == Reader::Stopped && features.contains(Features::STREAM_RESET);
        News::when(half.is_grant_due() && !stopped)
    }

    /// The frame with the limit of a stream, unless its end is known.
    pub(super) fn stream_limit(
        &mut self,
        id: StreamId,
        now: Instant,
        round_trip: Option<Duration>,
    ) -> Option<ExtendedFrame<'static>> {
        let half = &mut self.map.get_mut(&id)?.recv;
        if half.state.end().is_some() {
            return None;
        }
        let max = half.grant.renew(now, round_trip)?;
        // One stream that nobody reads is not to take the session's window from the others.
        self.receiving
            .grant
            .widen(half.grant.window().saturating_mul(2));
        Some(ExtendedFrame::MaxStreamData(StreamDataLimitFrame {
            stream: id,
            max,
        }))
    }
}
