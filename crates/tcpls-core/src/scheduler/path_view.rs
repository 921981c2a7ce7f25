//! What a scheduler sees of a connection.

use std::time::Duration;

use crate::PathInfo;

/// A connection as a scheduler sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathView {
    info: PathInfo,
    turns: u64,
    /// How long the peer's TCP has had room for nothing.
    blocked: Duration,
    at_work: bool,
}

impl PathView {
    /// A view on what TCP said last.
    pub fn new(info: PathInfo) -> Self {
        Self {
            info,
            turns: 0,
            blocked: Duration::ZERO,
            at_work: false,
        }
    }

    /// With a count of what it took in this session's rounds.
    pub(crate) fn with_turns(mut self, turns: u64) -> Self {
        self.turns = turns;
        self
    }

    /// Of the connection that took data last and has room for more.
    pub(crate) fn at_work(mut self) -> Self {
        self.at_work = true;
        self
    }

    /// With the time for which nothing has gone out although something waits.
    pub(crate) fn with_blocked(mut self, time: Duration) -> Self {
        self.blocked = time;
        self
    }

    /// What TCP said last, with what it was given since then in [`PathInfo::unsent`].
    pub fn info(&self) -> &PathInfo {
        &self.info
    }

    /// Bytes that the connection took since the set of usable connections last grew.
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// Whether this connection took data last and its socket has taken all of it, as far as that is known.
    pub fn is_at_work(&self) -> bool {
        self.at_work
    }

    /// Whether TCP says anything about the connection.
    pub fn is_observed(&self) -> bool {
        self.info.congestion_window > 0
    }

    /// Whether TCP could send more at once. True where it says nothing.
    pub fn has_room(&self) -> bool {
        self.info.congestion_window == 0
            || self.blocked <= self.info.round_trip
                && self.info.in_flight + self.info.unsent < self.info.congestion_window
    }

    /// Bytes that go out in this time at the present speed. Zero where TCP says nothing.
    pub fn bytes_in(&self, time: Duration) -> u64 {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let window = self.info.congestion_window;
        window.saturating_mul(micros(time)) / micros(self.info.round_trip).max(1)
    }

    /// How long until the last of `bytes` arrives that are given to this connection now. Zero where
    /// TCP says nothing. A peer that has had no room for a while is taken to have none for as long again.
    pub fn arrival(&self, bytes: u64) -> Duration {
        let PathInfo {
            round_trip,
            congestion_window,
            in_flight,
            unsent,
            ..
        } = self.info;
        let one_way = round_trip / 2;
        if congestion_window == 0 {
            return one_way;
        }
        let queued = in_flight.saturating_add(unsent).saturating_add(bytes);
        let waiting = queued.saturating_sub(congestion_window);
        let micros = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
        let wait = waiting.saturating_mul(micros) / congestion_window;
        one_way
            .saturating_add(Duration::from_micros(wait))
            .saturating_add(self.blocked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(window: u64, in_flight: u64, unsent: u64) -> PathView {
        PathView::new(PathInfo {
            round_trip: Duration::from_millis(20),
            congestion_window: window,
            in_flight,
            unsent,
            ..PathInfo::default()
        })
    }

    #[test]
    fn what_fits_the_window_arrives_after_half_a_round_trip() {
        let empty = view(100_000, 0, 0);
        assert_eq!(empty.arrival(100_000), Duration::from_millis(10));
        assert_eq!(empty.arrival(200_000), Duration::from_millis(30));
        let full = view(100_000, 100_000, 50_000);
        assert_eq!(full.arrival(0), Duration::from_millis(20));
        assert!(empty.has_room() && !full.has_room());
    }

    #[test]
    fn a_window_goes_out_in_a_round_trip() {
        let path = view(100_000, 0, 0);
        assert_eq!(path.bytes_in(Duration::from_millis(50)), 250_000);
        assert_eq!(
            PathView::new(PathInfo::default()).bytes_in(Duration::MAX),
            0
        );
    }

    #[test]
    fn nothing_known_is_no_reason_to_wait() {
        let unknown = PathView::new(PathInfo::default());
        assert_eq!(unknown.arrival(u64::MAX), Duration::ZERO);
        assert!(unknown.has_room());
        let strange = view(1, u64::MAX, u64::MAX);
        assert!(strange.arrival(u64::MAX) > Duration::from_secs(1));
    }
}
