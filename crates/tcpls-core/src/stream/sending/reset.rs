//! Sending halves that end before their data does.

use super::{Event, EventQueue, SendHalf, SendState, Sending, StreamId, length, offset};

impl Sending {
    /// Breaks the stream off: what the peer does not have is dropped. Returns whether there was
    /// something to break off.
    pub(crate) fn reset(&mut self, half: &mut SendHalf) -> bool {
        let resettable = !half.state.is_over() && half.state != SendState::Reset;
        if resettable {
            // Closing waits for the end of the stream in either case.
            if matches!(half.state, SendState::Open | SendState::Abandoned) {
                self.finishing += 1;
            }
            self.leave_line(half);
            self.unsent -= length(half.unsent());
            let dropped = half.reset();
            self.held -= dropped.held;
            self.backlog = self.backlog.saturating_sub(offset(dropped.unsent));
            self.stop_waiting(half);
        }
        resettable
    }

    /// The peer wants no more of this stream. Returns whether that breaks it off.
    pub(crate) fn on_stopped(
        &mut self,
        stream: StreamId,
        half: &mut SendHalf,
        code: u32,
        events: &mut EventQueue,
    ) -> bool {
        let reset = self.reset(half);
        if reset {
            half.reset_code = code;
            half.stopped = Some(code);
            events.push(Event::Stopped { stream, code });
        }
        reset
    }

    /// The peer knows that the stream was broken off.
    pub(crate) fn on_reset_acked(&mut self, half: &mut SendHalf) {
        if half.state.on_reset_acked() {
            self.finishing -= 1;
        }
    }
}
