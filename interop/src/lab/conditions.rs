//! What one direction of a path does to frames, changeable while it runs.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The conditions of one direction. A new one is a wire without delay or limit.
#[derive(Debug)]
pub(crate) struct Conditions {
    delay: AtomicU64,
    jitter: AtomicU64,
    rate: AtomicU64,
    queue: AtomicU64,
    loss: AtomicU64,
    corruption: AtomicU64,
    hole: AtomicBool,
    /// The type of frames that vanish, if not all do; 0 for none.
    swallowed: AtomicU16,
    carried: AtomicU64,
    dropped: AtomicU64,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            delay: AtomicU64::new(0),
            jitter: AtomicU64::new(0),
            rate: AtomicU64::new(0),
            queue: AtomicU64::new(micros(Duration::from_millis(50))),
            loss: AtomicU64::new(0),
            corruption: AtomicU64::new(0),
            hole: AtomicBool::new(false),
            swallowed: AtomicU16::new(0),
            carried: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }
}

impl Conditions {
    /// Sets the time that every frame takes.
    pub(crate) fn set_delay(&self, delay: Duration) {
        self.delay.store(micros(delay), Ordering::Relaxed);
    }

    /// Sets how much longer a frame may take, at random; frames are never reordered.
    pub(crate) fn set_jitter(&self, jitter: Duration) {
        self.jitter.store(micros(jitter), Ordering::Relaxed);
    }

    /// Sets the rate in bits per second; 0 for none.
    pub(crate) fn set_rate(&self, bits_per_second: u64) {
        self.rate.store(bits_per_second, Ordering::Relaxed);
    }

    /// Sets how long a frame may wait for those before it; it is dropped if it would take longer.
    pub(crate) fn set_queue(&self, queue: Duration) {
        self.queue.store(micros(queue), Ordering::Relaxed);
    }

    /// Sets how many frames of a million are lost.
    pub(crate) fn set_loss(&self, per_million: u64) {
        self.loss.store(per_million, Ordering::Relaxed);
    }

    /// Sets how many frames of a million arrive with a bit turned.
    pub(crate) fn set_corruption(&self, per_million: u64) {
        self.corruption.store(per_million, Ordering::Relaxed);
    }

    /// Lets every frame vanish at the entrance from now on, or none. What is under way arrives.
    pub(crate) fn set_hole(&self, hole: bool) {
        self.hole.store(hole, Ordering::Relaxed);
    }

    /// Lets frames of one type vanish from now on, as Ethernet counts them: 0x0800 for IPv4, 0x86dd for
    /// IPv6.
    pub(crate) fn swallow(&self, frame_type: u16) {
        self.swallowed.store(frame_type, Ordering::Relaxed);
    }

    /// How many bytes entered, without the frames that were dropped.
    pub(crate) fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }

    /// How many frames were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// The entrance of one direction: a queue before a line of some rate.
#[derive(Debug)]
pub(super) struct Line<'a> {
    conditions: &'a Conditions,
    /// When the line is done with all frames so far.
    free: Instant,
    /// When the last frame arrives.
    last: Instant,
    random: Random,
}

impl<'a> Line<'a> {
    /// An idle line; `seed` decides about what is random.
    pub(super) fn new(conditions: &'a Conditions, seed: u64, now: Instant) -> Self {
        Self {
            conditions,
            free: now,
            last: now,
            random: Random::new(seed),
        }
    }

    /// When `frame`, which enters at `now`, arrives; `None` if it does not.
    pub(super) fn admit(&mut self, frame: &mut [u8], now: Instant) -> Option<Instant> {
        let arrival = self.arrival(frame, now);
        let conditions = self.conditions;
        if arrival.is_none() {
            conditions.dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        conditions
            .carried
            .fetch_add(length(frame), Ordering::Relaxed);
        if !is_control(frame) && self.happens(&conditions.corruption) {
            self.corrupt(frame);
        }
        arrival
    }

    fn arrival(&mut self, frame: &[u8], now: Instant) -> Option<Instant> {
        let conditions = self.conditions;
        if conditions.hole.load(Ordering::Relaxed) {
            return None;
        }
        let swallowed = conditions.swallowed.load(Ordering::Relaxed);
        if swallowed != 0 && frame_type(frame) == Some(swallowed) {
            return None;
        }
        if !is_control(frame) && self.happens(&conditions.loss) {
            return None;
        }
        self.free = self.free.max(now);
        let rate = conditions.rate.load(Ordering::Relaxed);
        if let Some(nanoseconds) = (length(frame).saturating_mul(8_000_000_000)).checked_div(rate) {
            let queue = Duration::from_micros(conditions.queue.load(Ordering::Relaxed));
            if self.free.duration_since(now) > queue {
                return None;
            }
            self.free += Duration::from_nanos(nanoseconds);
        }
        let jitter = conditions.jitter.load(Ordering::Relaxed);
        let extra = if jitter > 0 {
            self.random.next() % jitter
        } else {
            0
        };
        let delay = conditions.delay.load(Ordering::Relaxed);
        let arrival = self.free + Duration::from_micros(delay.saturating_add(extra));
        self.last = self.last.max(arrival);
        Some(self.last)
    }

    /// Turns one bit beyond the headers.
    fn corrupt(&mut self, frame: &mut [u8]) {
        const HEADERS: usize = 66;
        let Some(body) = frame.get_mut(HEADERS..).filter(|body| !body.is_empty()) else {
            return;
        };
        let place = usize::try_from(self.random.next()).unwrap_or(usize::MAX) % body.len();
        if let Some(byte) = body.get_mut(place) {
            *byte ^= 1;
        }
    }

    fn happens(&mut self, per_million: &AtomicU64) -> bool {
        let chance = per_million.load(Ordering::Relaxed);
        chance > 0 && self.random.next() % 1_000_000 < chance
    }
}

/// Whether an Ethernet frame carries ARP, which would take seconds to be repeated.
fn is_control(frame: &[u8]) -> bool {
    frame_type(frame) == Some(0x0806)
}

fn frame_type(frame: &[u8]) -> Option<u16> {
    let bytes = frame.get(12..14)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

fn length(frame: &[u8]) -> u64 {
    u64::try_from(frame.len()).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Numbers that look random and are the same in every run.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A sequence that `seed` chooses.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number of the sequence.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn a_frame_takes_its_time_on_the_line_and_the_delay() {
        let conditions = Conditions::default();
        conditions.set_rate(8_000_000);
        conditions.set_delay(10 * MILLISECOND);
        let now = Instant::now();
        let mut line = Line::new(&conditions, 1, now);
        let mut frame = [0; 1000];
        assert_eq!(line.admit(&mut frame, now), Some(now + 11 * MILLISECOND));
        assert_eq!(line.admit(&mut frame, now), Some(now + 12 * MILLISECOND));
    }

    #[test]
    fn a_full_queue_drops_the_last_frame() {
        let conditions = Conditions::default();
        conditions.set_rate(8_000_000);
        conditions.set_queue(3 * MILLISECOND);
        let now = Instant::now();
        let mut line = Line::new(&conditions, 1, now);
        let admitted = (0..10).filter(|_| line.admit(&mut [0; 1000], now).is_some());
        assert_eq!(admitted.count(), 4);
        assert_eq!(conditions.dropped(), 6);
    }

    #[test]
    fn a_hole_swallows_everything() {
        let conditions = Conditions::default();
        let now = Instant::now();
        let mut line = Line::new(&conditions, 1, now);
        conditions.set_hole(true);
        assert_eq!(line.admit(&mut [0; 100], now), None);
        conditions.set_hole(false);
        assert_eq!(line.admit(&mut [0; 100], now), Some(now));
    }

    #[test]
    fn one_family_can_vanish_alone() {
        let conditions = Conditions::default();
        let now = Instant::now();
        let mut line = Line::new(&conditions, 1, now);
        conditions.swallow(0x86dd);
        let mut frame = [0; 60];
        frame[12..14].copy_from_slice(&[0x86, 0xdd]);
        assert_eq!(line.admit(&mut frame, now), None);
        frame[12..14].copy_from_slice(&[0x08, 0x00]);
        assert_eq!(line.admit(&mut frame, now), Some(now));
    }

    #[test]
    fn jitter_does_not_reorder() {
        let conditions = Conditions::default();
        conditions.set_jitter(10 * MILLISECOND);
        let now = Instant::now();
        let mut line = Line::new(&conditions, 1, now);
        let arrivals: Vec<_> = (0..100)
            .filter_map(|_| line.admit(&mut [0; 9], now))
            .collect();
        assert!(arrivals.is_sorted());
        assert_eq!(arrivals.len(), 100);
    }

    #[test]
    fn corruption_turns_one_bit_behind_the_headers() {
        let conditions = Conditions::default();
        conditions.set_corruption(1_000_000);
        let now = Instant::now();
        let mut line = Line::new(&conditions, 1, now);
        let mut frame = [0; 200];
        line.admit(&mut frame, now);
        assert_eq!(frame[..66], [0; 66]);
        assert_eq!(frame.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
    }
}
