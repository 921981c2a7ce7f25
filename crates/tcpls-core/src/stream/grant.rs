//! What this side lets the other one send (`spec/extensions.md` 6.1).

use std::time::{Duration, Instant};

/// An absolute limit that stays a window ahead of what the application took.
///
/// The window grows while all of it is taken within two round trips: then it is what holds the peer
/// back.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Grant {
    /// The limit that the peer was told; `None` for a peer that knows of none.
    granted: Option<u64>,
    /// How far the peer has come.
    reached: u64,
    /// How much of that was read, or is wanted by nobody.
    taken: u64,
    window: u64,
    /// What the window grows to at most.
    most: u64,
    /// When the limit was last moved, and what was taken by then.
    moved: Option<(Instant, u64)>,
}

/// The peer went beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exceeded;

impl Grant {
    /// A limit of `window` at first, whose window grows to `most`.
    pub(crate) fn new(window: u64, most: u64) -> Self {
        Self {
            granted: Some(window),
            window,
            most: most.max(window),
            ..Self::default()
        }
    }

    /// The peer goes `more` bytes further than before.
    pub(crate) fn reach(&mut self, more: u64) -> Result<(), Exceeded> {
        self.reached = self.reached.checked_add(more).ok_or(Exceeded)?;
        match self.granted {
            Some(granted) if self.reached > granted => Err(Exceeded),
            _ => Ok(()),
        }
    }

    /// So many bytes were taken.
    pub(crate) fn take(&mut self, bytes: u64) {
        self.taken += bytes;
    }

    /// All that came is taken, because nobody wants it. Returns how much that was.
    pub(crate) fn take_rest(&mut self) -> u64 {
        let rest = self.reached - self.taken;
        self.taken = self.reached;
        rest
    }

    /// Whether the peer is to be told of a higher limit: when half of what it could have is used up.
    /// What nobody takes does not count, so that the rest of a window is never kept back for it.
    pub(crate) fn is_due(&self) -> bool {
        let Some(granted) = self.granted else {
            return false;
        };
        let available = self.taken.saturating_add(self.window) - self.reached;
        let left = granted - self.reached;
        let gain = available.saturating_sub(left);
        // Crumbs wait: a reader that takes a byte at a time is not to be sent a byte at a time.
        gain > 0 && left <= available / 2 && gain >= (self.window / 8).min(LEAST_GAIN)
    }

    /// Whether the peer went as far as it may, and could be let go on.
    pub(crate) fn is_used_up(&self) -> bool {
        self.granted == Some(self.reached) && self.taken.saturating_add(self.window) > self.reached
    }

    /// Moves the limit; returns the new one.
    pub(crate) fn renew(&mut self, now: Instant, round_trip: Option<Duration>) -> Option<u64> {
        let granted = self.granted?;
        if let Some(((since, before), round_trip)) = self.moved.zip(round_trip) {
            let elapsed = now.saturating_duration_since(since).as_nanos();
            let taken = u128::from(self.taken - before);
            let fast = taken * 2 * round_trip.as_nanos() > u128::from(self.window) * elapsed;
            if fast {
                self.widen(self.window.saturating_mul(2));
            }
        }
        self.moved = Some((now, self.taken));
        let limit = granted.max(self.taken.saturating_add(self.window));
        self.granted = Some(limit);
        Some(limit)
    }

    /// Makes the window at least this wide, as far as it may be.
    pub(crate) fn widen(&mut self, window: u64) {
        self.window = self.window.max(window.min(self.most));
    }

    pub(crate) fn window(&self) -> u64 {
        self.window
    }

    /// Bytes that may be on their way or unread, or `None` without a limit.
    pub(crate) fn outstanding(&self) -> Option<u64> {
        Some(self.granted? - self.taken)
    }
}

/// The least by which a limit is moved, in bytes: about a record.
const LEAST_GAIN: u64 = 16 * 1024;
