//! Whether what a connection sends still gets through (reading A-45).

use std::time::{Duration, Instant};

use crate::{PathInfo, scheduler::PathView, wire::Role};

/// How much later than usual an acknowledgment may come, at least.
const LEAST_LATENESS: Duration = Duration::from_millis(30);

/// How long a Ping alone may go unanswered, at least.
const PING_PATIENCE: Duration = Duration::from_millis(100);

/// The least silence of a sender that makes its receiver ask.
const LEAST_SILENCE: Duration = Duration::from_millis(100);

/// How long ago stream bytes may have come for silence to mean something.
const RECENT: Duration = Duration::from_secs(1);

/// How old an observation may be for decisions.
const FRESH: Duration = Duration::from_millis(10);

/// What is known of the path under one connection, and since when it has been silent.
///
/// Nothing here counts without observations of TCP: over transports that have none, a connection is
/// well until it ends.
#[derive(Debug)]
pub(crate) struct Liveness {
    info: Option<PathInfo>,
    observed: Option<Instant>,
    /// Nothing was in flight until then.
    clear_until: Instant,
    /// When TCP was last seen to have nothing left of what it was given.
    delivered: Instant,
    /// Since when the peer's TCP has room for nothing, as far as was observed.
    blocked: Option<Instant>,
    /// Bytes given out since the last observation.
    given: u64,
    /// When something was given out last.
    gave: Instant,
    health: Health,
    check: Check,
    /// When the last record came.
    received: Instant,
    /// When the last stream bytes came.
    stream_bytes: Option<Instant>,
    /// Pings of either side that broke a silence since then.
    pings: u32,
}

/// Whether acknowledgments come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Well,
    /// Not for longer than usual: what it carries is sent elsewhere, too.
    Suspect,
}

/// When the path is to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    None,
    At(Instant),
    /// The driver was asked.
    Asked,
}

/// What an observation changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Unchanged,
    Suspect,
    Recovered,
    /// TCP made no progress for the whole time that it has.
    Dead,
}

/// What a connection waits for the peer's TCP to acknowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// Only what nobody acknowledges in turn.
    Answers,
    /// A Ping and nothing else.
    Ping,
    Data,
}

impl Liveness {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            info: None,
            observed: None,
            clear_until: now,
            delivered: now,
            blocked: None,
            given: 0,
            gave: now,
            health: Health::Well,
            check: Check::None,
            received: now,
            stream_bytes: None,
            pings: 0,
        }
    }

    /// Something was given out.
    pub(crate) fn on_given(&mut self, bytes: u64, load: Load, now: Instant) {
        let in_flight = self.info.map_or(0, |info| info.in_flight) + self.given;
        if in_flight == 0 {
            self.clear_until = now;
        }
        self.given += bytes;
        let gave = std::mem::replace(&mut self.gave, now);
        // Who asked finds out by itself whether the answer comes.
        let answers_data = self.stream_bytes.is_some_and(|at| at >= gave);
        let matters = load != Load::Answers || answers_data;
        if self.check == Check::None && self.info.is_some() && matters {
            self.check = Check::At(now + self.patience(load));
        }
    }

    /// The peer has everything that was given out, and says so here: TCP need not be asked.
    pub(crate) fn on_all_acked(&mut self, now: Instant) {
        if self.health == Health::Suspect {
            return;
        }
        if self.has_some() {
            self.delivered = now;
        }
        if let Some(info) = &mut self.info {
            info.in_flight = 0;
            info.unsent = 0;
        }
        self.given = 0;
        self.blocked = None;
        self.clear_until = now;
        self.check = Check::None;
    }

    /// TCP was asked.
    pub(crate) fn on_info(
        &mut self,
        info: PathInfo,
        load: Load,
        timeout: Duration,
        now: Instant,
    ) -> Verdict {
        let had_some = self.has_some();
        self.info = Some(info);
        self.given = 0;
        if had_some && !self.has_some() {
            self.delivered = now;
        }
        self.observed = Some(now);
        if info.in_flight == 0 && info.unsent > 0 {
            self.blocked.get_or_insert(now);
        } else {
            self.blocked = None;
        }
        if info.in_flight == 0 {
            self.clear_until = now;
            self.check = if info.unsent == 0 {
                Check::None
            } else {
                Check::At(now + self.patience(load))
            };
            return self.turn(Health::Well);
        }
        let heard = now.checked_sub(info.since_ack).unwrap_or(self.clear_until);
        let waiting_since = heard.max(self.clear_until);
        let waited = now.saturating_duration_since(waiting_since);
        let patience = self.patience(load);
        if waited >= timeout {
            self.check = Check::None;
            return Verdict::Dead;
        }
        if waited < patience {
            self.check = Check::At(waiting_since + patience);
            return self.turn(Health::Well);
        }
        self.check = Check::At((now + patience).min(waiting_since + timeout));
        self.turn(Health::Suspect)
    }

    /// A record came.
    pub(crate) fn on_received(&mut self, content: Content, now: Instant) {
        self.received = now;
        match content {
            Content::StreamBytes => {
                self.stream_bytes = Some(now);
                self.pings = 0;
            }
            // The same silence made the peer ask: one of the two is enough.
            Content::Ping => self.pings = self.pings.saturating_add(1),
            Content::Other => {}
        }
    }

    /// When the driver is to look at TCP.
    pub(crate) fn check_deadline(&self) -> Option<Instant> {
        match self.check {
            Check::At(at) => Some(at),
            Check::None | Check::Asked => None,
        }
    }

    /// Whether the driver is to look at TCP now; it is asked once.
    pub(crate) fn take_check(&mut self, now: Instant) -> bool {
        let due = self.check_deadline().is_some_and(|at| at <= now);
        if due {
            self.check = Check::Asked;
        }
        due
    }

    /// When the silence of a peer that just sent stream bytes makes this side ask; it does so less and
    /// less often, and not for ever. A server waits half as long again: where both sides heard something, a
    /// client asks, which can do something about it.
    pub(crate) fn silence_deadline(&self, role: Role) -> Option<Instant> {
        let (info, stream_bytes) = (self.info?, self.stream_bytes?);
        let first = (info.round_trip * 3).max(LEAST_SILENCE);
        let first = match role {
            Role::Client => first,
            Role::Server => first * 3 / 2,
        };
        let silence = first * (1 << self.pings.min(8));
        let at = self.received.checked_add(silence)?;
        (at <= stream_bytes + RECENT).then_some(at)
    }

    /// A Ping breaks the silence.
    pub(crate) fn on_silence(&mut self, now: Instant) {
        self.pings = self.pings.saturating_add(1);
        self.received = now;
    }

    /// Whether an observation is worth its system call.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        self.observed
            .is_none_or(|at| now.saturating_duration_since(at) >= FRESH)
    }

    /// Since when TCP has nothing left of what it was given: now, as long as it has and is getting on
    /// with it; `None` where TCP says nothing (any more).
    pub(crate) fn delivered(&self, now: Instant) -> Option<Instant> {
        let observed = self.observed?.checked_add(RECENT)?;
        if !self.has_some() {
            return Some(self.delivered);
        }
        (self.health == Health::Well && observed > now).then_some(now)
    }

    /// Whether TCP has something that the peer's TCP did not acknowledge.
    fn has_some(&self) -> bool {
        let info = self.info.unwrap_or_default();
        info.in_flight + info.unsent + self.given > 0
    }

    pub(crate) fn health(&self) -> Health {
        self.health
    }

    /// The last observation.
    pub(crate) fn info(&self) -> Option<PathInfo> {
        self.info
    }

    /// The path as a scheduler sees it: the last observation, and what was given out since.
    pub(crate) fn view(&self) -> PathView {
        let mut info = self.info.unwrap_or_default();
        info.unsent += self.given;
        let blocked = self.observed.zip(self.blocked);
        let blocked = blocked.map(|(observed, since)| observed.saturating_duration_since(since));
        PathView::new(info).with_blocked(blocked.unwrap_or_default())
    }

    fn patience(&self, load: Load) -> Duration {
        let Some(info) = self.info else {
            return PING_PATIENCE;
        };
        match load {
            Load::Answers | Load::Ping => (info.round_trip * 2).max(PING_PATIENCE),
            Load::Data => info.round_trip + (info.round_trip_variation * 2).max(LEAST_LATENESS),
        }
    }

    fn turn(&mut self, health: Health) -> Verdict {
        let before = std::mem::replace(&mut self.health, health);
        match (before, health) {
            (Health::Well, Health::Suspect) => Verdict::Suspect,
            (Health::Suspect, Health::Well) => Verdict::Recovered,
            (Health::Well, Health::Well) | (Health::Suspect, Health::Suspect) => Verdict::Unchanged,
        }
    }
}

/// What a received record had in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    StreamBytes,
    /// A Ping, and none.
    Ping,
    Other,
}
