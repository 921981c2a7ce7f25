//! How long a token can be used (`spec/extensions.md` 6.4).

use std::time::{Duration, Instant};

/// Until when a token is good, at one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// From then on the server gives the client another one.
    stale: Instant,
    /// From then on it is not taken any more.
    end: Instant,
}

/// How much earlier than the server the client lets go of a token at most.
const LONGEST_CAUTION: Duration = Duration::from_secs(30);

impl Lifetime {
    /// At the server, of a token that is issued now; at least a second.
    pub(super) fn issued(lifetime: Duration, now: Instant) -> Self {
        let lifetime = lifetime.max(Duration::from_secs(1));
        Self {
            stale: now + lifetime / 4 * 3,
            end: now + lifetime,
        }
    }

    /// At the client, of a token that comes now and is good for this many seconds; `None` where that is
    /// as long as the session. The client stops a bit early, because the server counts from before.
    pub(super) fn received(seconds: u32, now: Instant) -> Option<Self> {
        let lifetime = Duration::from_secs(u64::from(seconds));
        let caution = (lifetime / 8).min(LONGEST_CAUTION);
        let end = now.checked_add(lifetime.saturating_sub(caution))?;
        (seconds > 0).then_some(Self { stale: end, end })
    }

    /// The seconds that are left, for the wire: at least 1.
    pub(super) fn seconds(self, now: Instant) -> u32 {
        let left = self.end.saturating_duration_since(now).as_secs();
        u32::try_from(left).unwrap_or(u32::MAX).max(1)
    }

    pub(super) fn is_stale(self, now: Instant) -> bool {
        self.stale <= now
    }

    pub(super) fn is_over(self, now: Instant) -> bool {
        self.end <= now
    }

    /// When it is to be replaced, and when it is over.
    pub(super) fn turns(self) -> [Instant; 2] {
        [self.stale, self.end]
    }
}
