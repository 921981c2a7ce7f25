//! Silence: when it ends the session, and when a Ping is to break it (reading A-46).

use std::time::Instant;

use super::Reading;
use crate::SessionConfig;

/// When the session last showed signs of life.
#[derive(Debug)]
pub(crate) struct Activity {
    /// Silence counts from here: the last record received, or the first ack-eliciting one sent since,
    /// so that Pings into a hole do not keep a session alive.
    silent_since: Instant,
    sent: SentSince,
    /// The last record received or keep-alive asked for.
    quiet_since: Instant,
    hearing: Hearing,
}

/// Whether the peer could be heard all the time since the last record received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hearing {
    AllTheTime,
    /// Sockets were not read for a while, because the application here is slow.
    Interrupted,
}

/// Whether an ack-eliciting record was sent since the last one received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SentSince {
    Nothing,
    Something,
}

impl Activity {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            silent_since: now,
            sent: SentSince::Nothing,
            quiet_since: now,
            hearing: Hearing::AllTheTime,
        }
    }

    /// An authentic record was received.
    pub(crate) fn on_received(&mut self, now: Instant) {
        self.silent_since = now;
        self.quiet_since = now;
        self.sent = SentSince::Nothing;
        self.hearing = Hearing::AllTheTime;
    }

    /// Sockets are read again after they were not: what the peer said meanwhile is still in them.
    pub(crate) fn on_reading_resumed(&mut self) {
        self.hearing = Hearing::Interrupted;
    }

    /// Nothing was received for long. Returns whether that may be because nothing was read; then
    /// silence counts from now on.
    pub(crate) fn excuse(&mut self, reading: Reading, now: Instant) -> bool {
        let hearing = std::mem::replace(&mut self.hearing, Hearing::AllTheTime);
        let excused = reading == Reading::Paused || hearing == Hearing::Interrupted;
        if excused {
            self.silent_since = now;
        }
        excused
    }

    /// An ack-eliciting record was given out.
    pub(crate) fn on_eliciting_sent(&mut self, now: Instant) {
        if self.sent == SentSince::Nothing {
            self.sent = SentSince::Something;
            self.silent_since = now;
        }
    }

    /// A keep-alive was asked for.
    pub(crate) fn on_keep_alive(&mut self, now: Instant) {
        self.quiet_since = now;
    }

    /// When silence ends the session.
    pub(crate) fn idle_deadline(&self, config: &SessionConfig) -> Option<Instant> {
        Some(self.silent_since + config.idle_timeout?)
    }

    /// When a Ping is to break the silence.
    pub(crate) fn keep_alive_deadline(&self, config: &SessionConfig) -> Option<Instant> {
        Some(self.quiet_since + config.keep_alive?)
    }
}
