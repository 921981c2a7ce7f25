//! Clocks: of the wall, and of the processors that this process used.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tcpls_benches::cpu;

/// Bytes that arrived, and whether to go on sending.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    received: AtomicU64,
    stopped: AtomicBool,
}

impl Gauge {
    pub(crate) fn count(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn reading(&self) -> Reading {
        Reading {
            at: now(),
            computed: cpu::process(),
            bytes: self.received.load(Ordering::Relaxed),
        }
    }
}

/// What the clocks and the counter said at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    at: Instant,
    computed: Duration,
    bytes: u64,
}

impl Reading {
    /// Bits per second between `earlier` and this, in billions.
    pub(crate) fn gigabits_since(&self, earlier: &Self) -> f64 {
        let bits = float(self.bytes.saturating_sub(earlier.bytes)) * 8.0;
        bits / 1e9 / (self.at - earlier.at).as_secs_f64()
    }

    /// Seconds of processors for 2^30 bytes between `earlier` and this, of both ends together.
    pub(crate) fn seconds_per_gibibyte_since(&self, earlier: &Self) -> f64 {
        let bytes = float(self.bytes.saturating_sub(earlier.bytes));
        let computed = self.computed.saturating_sub(earlier.computed);
        computed.as_secs_f64() * f64::from(1 << 30) / bytes.max(1.0)
    }
}

/// The time.
#[allow(
    clippy::disallowed_methods,
    reason = "measuring is what this program is for"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// `count` for a ratio.
#[allow(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a rate needs no 64 exact bits"
)]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// `count` per second.
pub(crate) fn per_second(count: usize, took: Duration) -> f64 {
    float(u64::try_from(count).unwrap_or(u64::MAX)) / took.as_secs_f64()
}
