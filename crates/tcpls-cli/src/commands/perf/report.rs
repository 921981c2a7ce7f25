//! What a measurement found out.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::control::{Direction, Request};
use super::paths::{Broken, PathReport};
use crate::number::{Size, gbit_per_s, real};

/// What was measured, before it is made a report.
#[derive(Debug)]
pub(super) struct Measured {
    /// Bytes that the server's application read.
    pub(super) to_server: u64,
    /// Bytes that the client's application read.
    pub(super) to_client: u64,
    /// From the first stream until everything was read.
    pub(super) time: Duration,
    pub(super) cpu_local: Option<f64>,
    pub(super) cpu_remote: Option<f64>,
    pub(super) connections: u32,
    pub(super) cipher_suite: &'static str,
    /// Stream bytes that the client sent again because their connection failed.
    pub(super) bytes_retransmitted: u64,
    pub(super) paths: Vec<PathReport>,
    pub(super) failures: Vec<Broken>,
    pub(super) intervals: Vec<Interval>,
}

/// The report of a measurement.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    direction: Direction,
    /// Bytes that the receiving applications read.
    bytes: u64,
    bytes_to_server: u64,
    bytes_to_client: u64,
    seconds: f64,
    gbit_per_s: f64,
    /// `null` where the system does not tell.
    cpu_s_local: Option<f64>,
    cpu_s_remote: Option<f64>,
    streams: u32,
    /// Streams beside those on which nothing was sent.
    idle_streams: u32,
    stalled_streams: u32,
    connections: u32,
    cipher_suite: &'static str,
    bytes_retransmitted: u64,
    paths: Vec<PathReport>,
    failures: Vec<Broken>,
    intervals: Vec<Interval>,
}

impl Report {
    pub(super) fn new(request: &Request, measured: Measured) -> Self {
        let bytes = measured.to_server.saturating_add(measured.to_client);
        Self {
            direction: request.direction,
            bytes,
            bytes_to_server: measured.to_server,
            bytes_to_client: measured.to_client,
            seconds: measured.time.as_secs_f64(),
            gbit_per_s: gbit_per_s(bytes, measured.time),
            cpu_s_local: measured.cpu_local,
            cpu_s_remote: measured.cpu_remote,
            streams: request.streams,
            idle_streams: request.idle_streams,
            stalled_streams: request.stalled_streams,
            connections: measured.connections,
            cipher_suite: measured.cipher_suite,
            bytes_retransmitted: measured.bytes_retransmitted,
            paths: measured.paths,
            failures: measured.failures,
            intervals: measured.intervals,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.direction {
            Direction::ToServer => "to the server",
            Direction::ToClient => "to the client",
            Direction::Both => "both ways",
        };
        writeln!(
            f,
            "{} {what} in {:.2} s: {:.2} Gbit/s",
            Size(self.bytes),
            self.seconds,
            self.gbit_per_s
        )?;
        write!(f, "streams {}", self.streams)?;
        if self.idle_streams > 0 {
            write!(f, " beside {} idle ones", self.idle_streams)?;
        }
        if self.stalled_streams > 0 {
            write!(f, " beside {} that nobody reads", self.stalled_streams)?;
        }
        let connections = self.connections;
        writeln!(f, ", connections {connections}, {}", self.cipher_suite)?;
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        for path in &self.paths {
            writeln!(f, "{path}")?;
        }
        if self.bytes_retransmitted > 0 {
            let again = Size(self.bytes_retransmitted);
            writeln!(f, "sent again after failures: {again}")?;
        }
        let shown = |cpu: Option<f64>| {
            cpu.map_or_else(|| "unavailable".to_owned(), |s| format!("{s:.2} s"))
        };
        write!(
            f,
            "CPU here {}, there {}",
            shown(self.cpu_s_local),
            shown(self.cpu_s_remote)
        )?;
        if let (Some(local), Some(remote)) = (self.cpu_s_local, self.cpu_s_remote)
            && self.bytes > 0
        {
            let gib = real(self.bytes) / real(1 << 30);
            write!(f, ", together {:.2} s for each GiB", (local + remote) / gib)?;
        }
        Ok(())
    }
}

/// A stretch of the measurement.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Interval {
    start: f64,
    end: f64,
    bytes: u64,
    gbit_per_s: f64,
    /// Bytes from the start of the measurement.
    #[serde(skip)]
    sum: u64,
}

impl Interval {
    /// What came between the end of `last` and `end`, when `sum` bytes came from the start on.
    pub(super) fn after(last: Option<&Self>, end: Duration, sum: u64) -> Self {
        let (start, before) = last.map_or((0.0, 0), |last| (last.end, last.sum));
        let bytes = sum.saturating_sub(before);
        let time = Duration::try_from_secs_f64(end.as_secs_f64() - start).unwrap_or_default();
        Self {
            start,
            end: end.as_secs_f64(),
            bytes,
            gbit_per_s: gbit_per_s(bytes, time),
            sum,
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:6.2} - {:6.2} s  {:>12}  {:.2} Gbit/s",
            self.start,
            self.end,
            Size(self.bytes).to_string(),
            self.gbit_per_s
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_count_what_came_in_between() {
        let first = Interval::after(None, Duration::from_secs(1), 1000);
        let second = Interval::after(Some(&first), Duration::from_secs(3), 1500);
        assert_eq!((first.bytes, second.bytes), (1000, 500));
        assert!((second.gbit_per_s - 2e-6).abs() < 1e-12, "{second:?}");
    }
}
