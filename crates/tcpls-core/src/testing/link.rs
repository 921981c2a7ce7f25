//! One direction of a TCP connection.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{PathInfo, number::offset};

/// How the two directions of a connection behave.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// From a write to the moment when it can be read.
    pub latency: Duration,
    /// Bytes between the two applications, on their way or unread, at which writes are refused.
    pub buffer: usize,
    /// The most bytes that one read returns; each read returns a random number up to it.
    pub largest_read: usize,
    /// The most bytes that one write takes; each write takes a random number up to it.
    pub largest_write: usize,
    /// Whether the ends look at what TCP says.
    pub observed: bool,
    /// Bytes that get through in a second; `None` for any number. TCP keeps what waits for them unsent,
    /// beyond twice what is on its way then.
    pub rate: Option<u32>,
}

impl Default for LinkConfig {
    /// 10 ms, 256 KiB, not observed, at any rate, and reads and writes as large as they come.
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(10),
            buffer: 256 * 1024,
            largest_read: usize::MAX,
            largest_write: usize::MAX,
            observed: false,
            rate: None,
        }
    }
}

/// Bytes on their way from one application to the other.
#[derive(Debug)]
pub(super) struct Pipe {
    latency: Duration,
    buffer: usize,
    rate: Option<u32>,
    /// Written and not arrived.
    in_flight: VecDeque<Segment>,
    /// Arrived.
    readable: Vec<u8>,
    held: usize,
    end: PipeEnd,
    /// Whether nothing arrives.
    hole: bool,
    /// When the sending end last heard from the other one.
    heard: Instant,
}

/// What one write left.
#[derive(Debug)]
struct Segment {
    /// When its first byte goes.
    goes: Instant,
    /// When its last byte arrives.
    arrives: Instant,
    bytes: Vec<u8>,
}

/// Whether and how the pipe ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PipeEnd {
    /// It goes on.
    Open,
    /// After what was written.
    Fin(Instant),
    /// At once; what was not read is gone.
    Reset,
}

impl Pipe {
    pub(super) fn new(config: &LinkConfig, now: Instant) -> Self {
        Self {
            latency: config.latency,
            buffer: config.buffer,
            rate: config.rate,
            in_flight: VecDeque::new(),
            readable: Vec::new(),
            held: 0,
            end: PipeEnd::Open,
            hole: false,
            heard: now,
        }
    }

    /// Swallows everything from now on, until [`heal`](Self::heal).
    pub(super) fn blackhole(&mut self) {
        self.hole = true;
    }

    /// Lets arrive what TCP sends again.
    pub(super) fn heal(&mut self, now: Instant) {
        if std::mem::take(&mut self.hole) {
            for segment in &mut self.in_flight {
                segment.arrives = segment.arrives.max(now + self.latency);
            }
        }
    }

    /// What TCP says at the sending end.
    pub(super) fn path_info(&self, now: Instant) -> PathInfo {
        let lens = self.in_flight.iter();
        let total: u64 = lens.map(|segment| offset(segment.bytes.len())).sum();
        let window = match self.rate {
            Some(rate) => {
                let micros = self.latency.as_micros().saturating_mul(4);
                let bytes = u128::from(rate).saturating_mul(micros) / 1_000_000;
                u64::try_from(bytes).unwrap_or(u64::MAX).max(15_000)
            }
            None => offset(self.buffer),
        };
        let heard = match self.in_flight.front() {
            // Its parts are acknowledged one by one.
            Some(segment) if !self.hole && segment.goes + self.latency <= now => now,
            _ => self.heard,
        };
        PathInfo {
            round_trip: self.latency * 2,
            round_trip_variation: Duration::ZERO,
            congestion_window: window,
            in_flight: total.min(window),
            unsent: total.saturating_sub(window),
            since_ack: now.saturating_duration_since(heard),
        }
    }

    /// Takes a prefix of `bytes` and returns its length; 0 while there is no room.
    pub(super) fn write(&mut self, bytes: &[u8], now: Instant) -> usize {
        if self.end != PipeEnd::Open {
            return 0;
        }
        let room = self.buffer.saturating_sub(self.held);
        let taken = bytes.get(..room).unwrap_or(bytes);
        if !taken.is_empty() {
            self.held += taken.len();
            let goes = self.free_at(now);
            let time = match self.rate {
                Some(rate) => {
                    let micros = offset(taken.len()) * 1_000_000 / u64::from(rate.max(1));
                    Duration::from_micros(micros)
                }
                None => Duration::ZERO,
            };
            self.in_flight.push_back(Segment {
                goes,
                arrives: goes + time + self.latency,
                bytes: taken.to_vec(),
            });
        }
        taken.len()
    }

    /// Ends the pipe after what was written.
    pub(super) fn shutdown(&mut self, now: Instant) {
        if self.end == PipeEnd::Open {
            self.end = PipeEnd::Fin(self.free_at(now) + self.latency);
        }
    }

    /// Ends the pipe at once.
    pub(super) fn reset(&mut self) {
        self.end = PipeEnd::Reset;
        self.in_flight.clear();
        self.readable.clear();
    }

    /// Loses all but the first `bytes` of what is on its way.
    pub(super) fn truncate(&mut self, bytes: usize) {
        let mut left = bytes;
        for Segment { bytes, .. } in &mut self.in_flight {
            bytes.truncate(left);
            left -= bytes.len();
        }
    }

    /// Flips one bit of the bytes that were written last; returns whether there were any.
    pub(super) fn corrupt(&mut self) -> bool {
        match self
            .in_flight
            .back_mut()
            .and_then(|segment| segment.bytes.last_mut())
        {
            Some(byte) => {
                *byte ^= 1;
                true
            }
            None => false,
        }
    }

    /// Lets arrive what is due.
    pub(super) fn arrive(&mut self, now: Instant) {
        let arrived = |segment: &Segment| segment.arrives <= now;
        while !self.hole && self.in_flight.front().is_some_and(arrived) {
            self.heard = now;
            if let Some(segment) = self.in_flight.pop_front() {
                self.readable.extend(segment.bytes);
            }
        }
    }

    /// At most `max` of the bytes that arrived. The other end hears that there is room.
    pub(super) fn read(&mut self, max: usize, now: Instant) -> Vec<u8> {
        let rest = self.readable.split_off(max.min(self.readable.len()));
        let taken = std::mem::replace(&mut self.readable, rest);
        self.held -= taken.len();
        if !taken.is_empty() && !self.hole {
            self.heard = now;
        }
        taken
    }

    /// How the pipe has ended for its reader, who has read everything before.
    pub(super) fn end(&self, now: Instant) -> PipeEnd {
        match self.end {
            PipeEnd::Fin(at) if at > now || self.hole || !self.is_empty() => PipeEnd::Open,
            end @ (PipeEnd::Open | PipeEnd::Fin(_) | PipeEnd::Reset) => end,
        }
    }

    /// When something arrives next.
    pub(super) fn next_arrival(&self, now: Instant) -> Option<Instant> {
        if self.hole {
            return None;
        }
        let end = match self.end {
            PipeEnd::Fin(at) if at > now => Some(at),
            PipeEnd::Open | PipeEnd::Fin(_) | PipeEnd::Reset => None,
        };
        let next = self.in_flight.front().map(|segment| segment.arrives);
        next.or(end)
    }

    /// When what was written before is on its way.
    fn free_at(&self, now: Instant) -> Instant {
        let last = self.in_flight.back();
        let free = last.and_then(|segment| segment.arrives.checked_sub(self.latency));
        free.map_or(now, |free| free.max(now))
    }

    fn is_empty(&self) -> bool {
        self.in_flight.is_empty() && self.readable.is_empty()
    }
}
