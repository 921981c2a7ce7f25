//! What the streams have to tell the peer, and what it knows of that.

use std::time::{Duration, Instant};

use super::{EventQueue, Features, Signal, Streams};
use crate::wire::{ExtendedFrame, SessionParams};

impl Streams {
    /// What both sides can do, and what the peer allows, before the first stream is opened.
    pub(crate) fn agree(&mut self, features: Features, peer: &SessionParams) {
        self.features = features;
        self.agree_on_limits(peer);
        self.uni.agree(peer);
    }

    /// The next frame about streams and what to remember of it. Those that became pointless while
    /// they waited are dropped.
    pub(crate) fn next_signal(
        &mut self,
        now: Instant,
        round_trip: Option<Duration>,
    ) -> Option<(Signal, ExtendedFrame<'static>)> {
        while let Some(signal) = self.signals.front() {
            if let Some(frame) = self.frame(signal, now, round_trip) {
                return Some((signal, frame));
            }
            self.signals.pop();
        }
        None
    }

    /// The frame that [`next_signal`](Self::next_signal) gave is in a record.
    pub(crate) fn advance_signal(&mut self) {
        self.signals.pop();
    }

    /// A frame about streams went out on a connection that failed.
    pub(crate) fn on_signal_lost(&mut self, signal: Signal) {
        self.signals.push(signal);
    }

    /// The peer has a frame about streams.
    pub(crate) fn on_signal_acked(&mut self, signal: Signal, events: &mut EventQueue) {
        match signal {
            Signal::Reset(id) => self.on_reset_acked(id, events),
            Signal::Stop(_) | Signal::MaxData | Signal::MaxStreamData(_) | Signal::MaxStreams => {}
        }
    }

    /// Whether there is something to tell.
    pub(crate) fn has_signals(&self) -> bool {
        !self.signals.is_empty()
    }

    fn frame(
        &mut self,
        signal: Signal,
        now: Instant,
        round_trip: Option<Duration>,
    ) -> Option<ExtendedFrame<'static>> {
        match signal {
            Signal::Reset(id) => self.reset_frame(id),
            Signal::Stop(id) => self.stop_frame(id),
            Signal::MaxData => {
                let limit = self.receiving.grant.renew(now, round_trip)?;
                Some(ExtendedFrame::MaxData(limit))
            }
            Signal::MaxStreamData(id) => self.stream_limit(id, now, round_trip),
            Signal::MaxStreams => Some(ExtendedFrame::MaxStreams(self.opening.renew_grant()?)),
        }
    }
}
