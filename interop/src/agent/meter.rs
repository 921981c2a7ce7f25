//! When bytes arrive at the application: total, hash, bins of 10 ms, and the gaps between them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::lab::clock::Moment;

/// The width of a bin.
pub(crate) const BIN: Duration = Duration::from_millis(10);

/// Shorter gaps are not listed.
const SHORTEST_GAP: Duration = Duration::from_millis(5);

/// Longer lists would say nothing more.
const GAPS: usize = 200;

/// Two arrivals with nothing between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gap {
    /// The last arrival before.
    pub(crate) begin: Moment,
    /// The first after.
    pub(crate) end: Moment,
}

impl Gap {
    /// How long nothing arrived.
    pub(crate) fn length(self) -> Duration {
        self.end.since(self.begin)
    }
}

/// How a transfer arrived.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Arrivals {
    /// When it was asked for.
    pub(crate) begin: Moment,
    /// The first byte.
    pub(crate) first: Moment,
    /// The last byte.
    pub(crate) last: Moment,
    /// All bytes.
    pub(crate) bytes: u64,
    /// Of all bytes, as hexadecimal digits.
    pub(crate) sha256: String,
    /// Bytes in each [`BIN`] since `begin`.
    pub(crate) bins: Vec<u64>,
    /// The longest gaps in the order of time.
    pub(crate) gaps: Vec<Gap>,
}

/// Takes note of arrivals.
#[derive(Debug)]
pub(crate) struct Meter {
    begin: Moment,
    arrivals: Option<(Moment, Moment)>,
    bytes: u64,
    hash: Sha256,
    bins: Vec<u64>,
    gaps: Vec<Gap>,
}

impl Meter {
    /// A meter of a transfer that is asked for at `begin`.
    pub(crate) fn new(begin: Moment) -> Self {
        Self {
            begin,
            arrivals: None,
            bytes: 0,
            hash: Sha256::new(),
            bins: Vec::new(),
            gaps: Vec::new(),
        }
    }

    /// Takes note of `bytes` that arrive at `now`.
    pub(crate) fn record(&mut self, bytes: &[u8], now: Moment) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(length);
        self.hash.update(bytes);
        let first = self.arrivals.map_or(now, |(first, last)| {
            let gap = Gap {
                begin: last,
                end: now,
            };
            if gap.length() >= SHORTEST_GAP {
                self.gaps.push(gap);
            }
            first
        });
        self.arrivals = Some((first, now));
        let bin = now.since(self.begin).as_nanos() / BIN.as_nanos();
        let bin = usize::try_from(bin).unwrap_or(usize::MAX);
        if self.bins.len() <= bin {
            self.bins.resize(bin.saturating_add(1), 0);
        }
        if let Some(bin) = self.bins.get_mut(bin) {
            *bin += length;
        }
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What was noted.
    pub(crate) fn finish(mut self) -> Arrivals {
        self.gaps.sort_by_key(|gap| std::cmp::Reverse(gap.length()));
        self.gaps.truncate(GAPS);
        self.gaps.sort_by_key(|gap| gap.begin);
        let (first, last) = self.arrivals.unwrap_or((self.begin, self.begin));
        Arrivals {
            begin: self.begin,
            first,
            last,
            bytes: self.bytes,
            sha256: hexadecimal(&self.hash.finalize()),
            bins: self.bins,
            gaps: self.gaps,
        }
    }
}

impl Arrivals {
    /// The longest gap that ends after `from` and begins before `to`.
    pub(crate) fn longest_gap(&self, from: Moment, to: Moment) -> Duration {
        let touching = self
            .gaps
            .iter()
            .filter(|gap| gap.end > from && gap.begin < to);
        touching.map(|gap| gap.length()).max().unwrap_or_default()
    }

    /// From the request to the last byte.
    pub(crate) fn total(&self) -> Duration {
        self.last.since(self.begin)
    }

    /// Bits per second between the first byte and the last.
    pub(crate) fn goodput(&self) -> f64 {
        rate(self.bytes, self.last.since(self.first))
    }

    /// The lowest and the highest goodput of all windows of `width` between two moments, in bits per
    /// second.
    pub(crate) fn extremes(&self, width: Duration, from: Moment, to: Moment) -> (f64, f64) {
        let mut extremes = (f64::INFINITY, 0.0);
        let mut begin = from;
        while begin.after(width) <= to {
            let goodput = self.goodput_between(begin, begin.after(width));
            extremes = (f64::min(extremes.0, goodput), f64::max(extremes.1, goodput));
            begin = begin.after(BIN);
        }
        extremes
    }

    /// Bits per second of what arrived between two moments, to the width of a bin.
    pub(crate) fn goodput_between(&self, from: Moment, to: Moment) -> f64 {
        let bin = |moment: Moment| {
            let bin = moment.since(self.begin).as_nanos() / BIN.as_nanos();
            usize::try_from(bin).unwrap_or(usize::MAX)
        };
        let (from, to) = (bin(from), bin(to));
        let bins = self.bins.iter().take(to).skip(from);
        let width = BIN * u32::try_from(to.saturating_sub(from)).unwrap_or(u32::MAX);
        rate(bins.sum(), width)
    }
}

/// Bits per second.
fn rate(bytes: u64, time: Duration) -> f64 {
    let bits = u32::try_from(bytes / 1000).map_or(f64::MAX, f64::from) * 8000.0;
    let seconds = time.as_secs_f64();
    if seconds > 0.0 { bits / seconds } else { 0.0 }
}

/// Two digits for each byte.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _infallible = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Moment {
        Moment::default().after(Duration::from_millis(milliseconds))
    }

    #[test]
    fn gaps_and_bins_tell_when_bytes_arrived() {
        let mut meter = Meter::new(at(0));
        for (time, length) in [(3, 10), (5, 10), (105, 10), (108, 1000), (140, 1)] {
            meter.record(&vec![0; length], at(time));
        }
        let arrivals = meter.finish();
        assert_eq!(arrivals.bytes, 1031);
        assert_eq!(arrivals.bins.len(), 15);
        assert_eq!(
            (arrivals.bins[0], arrivals.bins[10], arrivals.bins[14]),
            (20, 1010, 1)
        );
        assert_eq!(
            arrivals.longest_gap(at(0), at(200)),
            Duration::from_millis(100)
        );
        assert_eq!(
            arrivals.longest_gap(at(106), at(200)),
            Duration::from_millis(32)
        );
        assert_eq!(arrivals.longest_gap(at(106), at(107)), Duration::ZERO);
        assert_eq!(arrivals.total(), Duration::from_millis(140));
    }

    #[test]
    fn goodput_between_counts_whole_bins() {
        let mut meter = Meter::new(at(0));
        for bin in 0..100 {
            meter.record(&[0; 1000], at(bin * 10 + 1));
        }
        let arrivals = meter.finish();
        let goodput = arrivals.goodput_between(at(200), at(700));
        assert!((goodput - 800_000.0).abs() < 1.0, "{goodput}");
    }

    #[test]
    fn the_hash_is_of_all_bytes() {
        let mut meter = Meter::new(at(0));
        meter.record(b"ab", at(1));
        meter.record(b"c", at(2));
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(meter.finish().sha256, expected);
    }
}
