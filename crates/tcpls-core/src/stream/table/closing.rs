//! Streams of a session that closes.

use super::{CloseReason, Event, EventQueue, News, Phase, Streams};

impl Streams {
    /// Nothing is written or opened any more. Who waited for room to do so hears of it now: what it
    /// waited for may never come.
    pub(crate) fn begin_closing(&mut self, events: &mut EventQueue) {
        self.phase = Phase::Closing;
        for (id, stream) in &mut self.map {
            if self.sending.stop_waiting_for_room(&mut stream.send) == News::Some {
                events.push(Event::Writable(*id));
            }
        }
        if self.opening.stop_waiting() == News::Some {
            self.sending.opener_served();
            events.push(Event::StreamsAvailable);
        }
    }

    /// The session is over.
    pub(crate) fn end(&mut self, reason: CloseReason) {
        self.phase = Phase::Over(reason);
    }
}
