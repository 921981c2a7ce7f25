//! Writers that are told of room and do not come.

use std::time::{Duration, Instant};

use super::{EventQueue, Streams, Told};

/// How long who was told of room has to come for it, when nothing else goes on.
const PATIENCE: Duration = Duration::from_millis(25);

/// Until when those who were told are waited for, while others stand in line.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stall {
    until: Option<Instant>,
}

impl Streams {
    /// Data went out or was acknowledged: if it was the last, who stands in line for room hears of it now or
    /// after a while.
    pub(crate) fn note_stall(&mut self, now: Instant) {
        let stalled = self.sending.is_stalled();
        self.stall.until = stalled.then(|| now.checked_add(PATIENCE)).flatten();
    }

    /// When all are told who stand in line for room, should nothing go on until then.
    pub(crate) fn stall_deadline(&self) -> Option<Instant> {
        self.stall.until
    }

    /// Tells all who stand in line if nobody has come for the room that there is.
    pub(crate) fn on_timeout(&mut self, now: Instant, events: &mut EventQueue) {
        if self.stall.until.is_some_and(|until| until <= now) {
            self.stall.until = None;
            if self.sending.is_stalled() {
                self.sending
                    .wake_blocked(Told::AllWhenQuiet, &mut self.map, events);
            }
        }
    }
}
