//! When the records received on one connection are acknowledged (readings ).

use std::time::{Duration, Instant};

use crate::{SessionConfig, wire::RecordSequence};

/// What was received on one connection and what of it was acknowledged.
///
/// Only *applied* records get here (reading A-14). Nothing is acknowledged before the first one: the
/// wire has no word for "nothing" (reading A-10).
#[derive(Debug)]
pub(crate) struct AckState {
    policy: AckPolicy,
    /// The last record applied.
    highest: Option<RecordSequence>,
    /// Ack-eliciting records since the last ACK frame.
    eliciting: u32,
    /// Their bytes.
    bytes: usize,
    urgency: Urgency,
}

/// How long acknowledgments may wait (reading A-11).
#[derive(Debug, Clone, Copy)]
struct AckPolicy {
    records: u32,
    bytes: usize,
    delay: Duration,
}

/// Whether an ACK frame is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// Nothing new that elicits one (reading A-12).
    None,
    /// With the next record that has room, at the latest at this time.
    By(Instant),
    /// In a record of its own if need be.
    Now,
}

/// How long an acknowledgment waits at most while there are other connections: what the peer does not
/// know to have arrived goes out again, and ahead of what is missing, when this connection fails.
const SHORT_DELAY: Duration = Duration::from_millis(5);

/// How an applied record is to be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Elicits {
    /// Not for its own sake: only ACK and Padding in it.
    Nothing,
    /// Within the policy.
    Soon,
    /// Within the policy and a short time.
    Sooner,
    /// At once: Ping, FIN, Connection Reset.
    AtOnce,
}

impl AckState {
    pub(crate) fn new(config: &SessionConfig) -> Self {
        let policy = AckPolicy {
            records: config.ack_after_records,
            bytes: config.ack_after_bytes,
            delay: config.ack_delay,
        };
        Self {
            policy,
            highest: None,
            eliciting: 0,
            bytes: 0,
            urgency: Urgency::None,
        }
    }

    /// A record of `bytes` bytes was applied.
    pub(crate) fn on_applied(
        &mut self,
        sequence: RecordSequence,
        bytes: usize,
        elicits: Elicits,
        now: Instant,
    ) {
        self.highest = Some(sequence);
        if elicits == Elicits::Nothing {
            return;
        }
        self.eliciting += 1;
        self.bytes += bytes;
        let policy = self.policy;
        if elicits == Elicits::AtOnce
            || self.eliciting >= policy.records
            || self.bytes >= policy.bytes
        {
            self.urgency = Urgency::Now;
        } else if self.urgency == Urgency::None {
            let delay = match elicits {
                Elicits::Sooner => policy.delay.min(SHORT_DELAY),
                Elicits::Nothing | Elicits::Soon | Elicits::AtOnce => policy.delay,
            };
            self.urgency = Urgency::By(now + delay);
        }
    }

    /// The ACK frame may be lost: it is wanted again.
    pub(crate) fn redo(&mut self) {
        if self.highest.is_some() {
            self.urgency = Urgency::Now;
        }
    }

    /// What to acknowledge in a record of its own if need be.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<RecordSequence> {
        if self.is_due(now) { self.take() } else { None }
    }

    /// What to acknowledge in a record that goes out anyway.
    pub(crate) fn take_pending(&mut self) -> Option<RecordSequence> {
        if self.urgency == Urgency::None {
            None
        } else {
            self.take()
        }
    }

    /// What to acknowledge in the last word about this connection.
    pub(crate) fn take(&mut self) -> Option<RecordSequence> {
        self.urgency = Urgency::None;
        self.eliciting = 0;
        self.bytes = 0;
        self.highest
    }

    /// A deadline that has passed makes the acknowledgment due.
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        if self.is_due(now) {
            self.urgency = Urgency::Now;
        }
    }

    /// When the acknowledgment has waited long enough.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.urgency {
            Urgency::By(deadline) => Some(deadline),
            Urgency::None | Urgency::Now => None,
        }
    }

    /// Whether an ACK frame is wanted at once.
    pub(crate) fn is_wanted_now(&self) -> bool {
        self.urgency == Urgency::Now
    }

    /// Whether an ACK frame is wanted, at once or later.
    pub(crate) fn is_wanted(&self) -> bool {
        self.urgency != Urgency::None
    }

    fn is_due(&self, now: Instant) -> bool {
        match self.urgency {
            Urgency::None => false,
            Urgency::By(deadline) => deadline <= now,
            Urgency::Now => true,
        }
    }
}
