//! Streams that are broken off by either side, where the peer can be told (`spec/extensions.md` 6.2).

use super::{
    CloseReason, Event, EventQueue, Features, Kind, News, Phase, Reader, ResetError, Signal,
    StreamId, Streams, Told,
};
use crate::wire::{ExtendedFrame, ResetStreamFrame, StopSendingFrame};

impl Streams {
    /// Breaks a stream off.
    pub(crate) fn reset(
        &mut self,
        id: StreamId,
        code: u32,
        events: &mut EventQueue,
    ) -> Result<(), ResetError> {
        if !self.breaks_off() {
            return Err(ResetError::UnsupportedByPeer);
        }
        if matches!(self.phase, Phase::Over(_)) {
            return Err(ResetError::Over);
        }
        let opened = self.opening.was_opened(id);
        match self.map.get_mut(&id) {
            Some(stream) if stream.check_receiver(id, self.opening.peer()).is_err() => {
                Err(ResetError::UnknownStream)
            }
            Some(stream) if stream.kind == Kind::Unknown => Err(ResetError::UnknownStream),
            Some(stream) => {
                if !self.sending.reset(&mut stream.send) {
                    return Err(ResetError::Over);
                }
                stream.send.reset_code = code;
                self.signals.push(Signal::Reset(id));
                self.sending
                    .wake_blocked(Told::AllWhenQuiet, &mut self.map, events);
                Ok(())
            }
            None if opened => Err(ResetError::Over),
            None => Err(ResetError::UnknownStream),
        }
    }

    /// The code with which the peer stopped a stream.
    pub(crate) fn stopped(&self, id: StreamId) -> Option<u32> {
        self.map.get(&id)?.send.stopped
    }

    /// The application reads no more of a stream.
    pub(crate) fn stop(&mut self, id: StreamId, code: u32, events: &mut EventQueue) {
        let breaks_off = self.breaks_off();
        let Some(stream) = self.map.get_mut(&id) else {
            return;
        };
        let more_comes = stream.recv.state.end().is_none() && stream.recv.reader != Reader::Stopped;
        self.receiving.stop(&mut stream.recv);
        if more_comes && breaks_off {
            stream.recv.stop_code = code;
            self.signals.push(Signal::Stop(id));
        }
        self.note_taken(id);
        self.settle(id, events);
    }

    /// The application gave up its handle of the sending half.
    pub(crate) fn drop_send(&mut self, id: StreamId, events: &mut EventQueue) {
        let breaks_off = self.breaks_off();
        let Some(stream) = self.map.get_mut(&id) else {
            return;
        };
        let unfinished = self.sending.leave(&mut stream.send);
        if unfinished && breaks_off {
            self.sending.reset(&mut stream.send);
            self.signals.push(Signal::Reset(id));
            self.sending
                .wake_blocked(Told::AllWhenQuiet, &mut self.map, events);
        } else if unfinished {
            stream.send.state.abandon();
            if self.on_abandoned(id) == News::Some {
                self.sending.opener_served();
                events.push(Event::StreamsAvailable);
            }
        } else {
            self.settle(id, events);
        }
    }

    /// The peer broke one of its streams off, or its half of one.
    pub(crate) fn on_reset(
        &mut self,
        frame: ResetStreamFrame,
        events: &mut EventQueue,
    ) -> Result<News, CloseReason> {
        let id = frame.stream;
        let opens = self.open_if_new(id, events)?;
        self.introduce_reset(id, events);
        let Some(stream) = self.map.get_mut(&id) else {
            return Ok(opens);
        };
        stream.check_sender(id, self.opening.peer())?;
        let ended = stream.recv.state.end().is_some();
        self.receiving.reset(&mut stream.recv, frame, events)?;
        self.note_taken(id);
        self.settle(id, events);
        Ok(News::when(!ended || opens == News::Some))
    }

    /// The peer reads no more of a stream.
    pub(crate) fn on_stop_sending(
        &mut self,
        frame: StopSendingFrame,
        events: &mut EventQueue,
    ) -> Result<News, CloseReason> {
        let id = frame.stream;
        let opens = self.open_if_new(id, events)?;
        self.check_receiver(id, events)?;
        if let Some(stream) = self.map.get_mut(&id)
            && self
                .sending
                .on_stopped(id, &mut stream.send, frame.code, events)
        {
            self.signals.push(Signal::Reset(id));
            self.sending
                .wake_blocked(Told::AllWhenQuiet, &mut self.map, events);
            return Ok(News::Some);
        }
        Ok(opens)
    }

    /// Whether the peer knows of streams that are broken off.
    pub(super) fn breaks_off(&self) -> bool {
        self.features.contains(Features::STREAM_RESET)
    }

    /// The frame about the reset of a stream, unless the peer knows.
    pub(super) fn reset_frame(&self, id: StreamId) -> Option<ExtendedFrame<'static>> {
        let half = &self.map.get(&id)?.send;
        half.is_reset_due().then(|| {
            ExtendedFrame::ResetStream(ResetStreamFrame {
                stream: id,
                code: half.reset_code,
                final_size: half.buffer.sent(),
            })
        })
    }

    /// The frame that asks for no more of a stream, while more may come.
    pub(super) fn stop_frame(&self, id: StreamId) -> Option<ExtendedFrame<'static>> {
        let half = &self.map.get(&id)?.recv;
        let more_comes = half.state.end().is_none();
        more_comes.then_some(ExtendedFrame::StopSending(StopSendingFrame {
            stream: id,
            code: half.stop_code,
        }))
    }

    /// The peer knows that a stream was broken off.
    pub(super) fn on_reset_acked(&mut self, id: StreamId, events: &mut EventQueue) {
        if let Some(stream) = self.map.get_mut(&id) {
            self.sending.on_reset_acked(&mut stream.send);
            self.settle(id, events);
        }
    }
}
