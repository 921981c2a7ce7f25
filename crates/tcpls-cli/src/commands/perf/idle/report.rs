//! What sessions at rest cost.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::Both;
use super::message::Figures;
use crate::number::{Size, real};

/// What was measured, before it is made a report.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) wanted: u32,
    pub(super) opened: u32,
    /// Sessions that did not live until the end.
    pub(super) lost: u32,
    pub(super) problem: Option<String>,
    pub(super) file_limit: Option<u64>,
    pub(super) connect_time: Duration,
    pub(super) idle_time: Duration,
    /// Before the sessions, after they came to rest, and later.
    pub(super) before: Both,
    pub(super) settled: Both,
    pub(super) after: Both,
}

/// The report of a measurement.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    sessions_wanted: u32,
    /// Sessions that came about.
    sessions: u32,
    /// Of these, those that were over at the end.
    sessions_lost: u32,
    /// Sessions that rested at the server at the end.
    sessions_at_server: u32,
    /// Why there are not as many as wanted.
    problem: Option<String>,
    /// The limit on open files of this process.
    file_limit: Option<u64>,
    connect_s: f64,
    idle_s: f64,
    server: Cost,
    client: Cost,
}

/// What one process used; `null` where its system does not tell.
#[derive(Debug, Serialize)]
struct Cost {
    /// Bytes of memory for each session.
    bytes_per_session: Option<u64>,
    /// Bytes of memory of the process before there was any session, and at the end.
    bytes_before: Option<u64>,
    bytes_after: Option<u64>,
    /// CPU time while the sessions came about, for each.
    connect_cpu_us_per_session: Option<f64>,
    /// CPU time of the process while all rested.
    idle_cpu_s: Option<f64>,
    /// The same as a part of one CPU, in percent.
    idle_cpu_percent: Option<f64>,
}

impl Report {
    pub(super) fn new(measured: &Measured) -> Self {
        let Measured {
            before,
            settled,
            after,
            ..
        } = measured;
        let cost = |side: fn(&Both) -> Figures| {
            Cost::new(measured, side(before), side(settled), side(after))
        };
        Self {
            sessions_wanted: measured.wanted,
            sessions: measured.opened,
            sessions_lost: measured.lost,
            sessions_at_server: after.there.resting,
            problem: measured.problem.clone(),
            file_limit: measured.file_limit,
            connect_s: measured.connect_time.as_secs_f64(),
            idle_s: measured.idle_time.as_secs_f64(),
            server: cost(|both| both.there),
            client: cost(|both| both.here),
        }
    }
}

impl Cost {
    fn new(measured: &Measured, before: Figures, settled: Figures, after: Figures) -> Self {
        let sessions = measured.opened.max(1);
        let spent = |from: Figures, to: Figures| Some(to.cpu_seconds? - from.cpu_seconds?);
        let memory = before.memory.zip(after.memory);
        let idle_cpu_s = spent(settled, after);
        Self {
            bytes_per_session: memory
                .map(|(before, after)| after.saturating_sub(before) / u64::from(sessions)),
            bytes_before: before.memory,
            bytes_after: after.memory,
            connect_cpu_us_per_session: spent(before, settled)
                .map(|seconds| seconds * 1e6 / f64::from(sessions)),
            idle_cpu_s,
            idle_cpu_percent: idle_cpu_s
                .map(|seconds| 100.0 * seconds / measured.idle_time.as_secs_f64()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sessions of {} wanted, opened in {:.2} s",
            self.sessions, self.sessions_wanted, self.connect_s
        )?;
        if let Some(problem) = &self.problem {
            write!(f, "; then: {problem}")?;
            if let Some(limit) = self.file_limit {
                write!(f, " (limit on open files here: {limit})")?;
            }
        }
        writeln!(f)?;
        if self.sessions_lost > 0 {
            writeln!(f, "sessions lost while they rested: {}", self.sessions_lost)?;
        }
        writeln!(f, "server: {}", self.server.line(self.idle_s))?;
        write!(f, "client: {}", self.client.line(self.idle_s))
    }
}

impl Cost {
    fn line(&self, idle_s: f64) -> String {
        let memory = self.bytes_per_session.map_or_else(unavailable, kib);
        let whole = self
            .bytes_after
            .map_or_else(unavailable, |bytes| Size(bytes).to_string());
        let cpu = self
            .idle_cpu_s
            .map_or_else(unavailable, |seconds| format!("{seconds:.3} s"));
        format!(
            "{memory} for each session ({whole} in all), CPU time {cpu} in {idle_s:.0} s of rest"
        )
    }
}

fn unavailable() -> String {
    "unavailable".to_owned()
}

/// In the unit that is compared.
fn kib(bytes: u64) -> String {
    format!("{:.1} KiB", real(bytes) / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(memory: u64, cpu_seconds: f64) -> Both {
        let figures = |memory| Figures {
            resting: 10,
            memory: Some(memory),
            cpu_seconds: Some(cpu_seconds),
        };
        Both {
            here: figures(2 * memory),
            there: figures(memory),
        }
    }

    #[test]
    fn each_side_has_its_own_cost() {
        let report = Report::new(&Measured {
            wanted: 20,
            opened: 10,
            lost: 0,
            problem: Some("no more".to_owned()),
            file_limit: Some(1024),
            connect_time: Duration::from_secs(1),
            idle_time: Duration::from_secs(2),
            before: both(1000, 1.0),
            settled: both(50_000, 2.0),
            after: both(41_960, 2.5),
        });
        assert_eq!(report.server.bytes_per_session, Some(4096));
        assert_eq!(report.client.bytes_per_session, Some(8192));
        assert!((report.server.connect_cpu_us_per_session.unwrap() - 1e5).abs() < 1e-6);
        assert!((report.server.idle_cpu_percent.unwrap() - 25.0).abs() < 1e-9);
        let text = report.to_string();
        for part in [
            "10 sessions of 20 wanted",
            "then: no more (limit on open files here: 1024)",
            "server: 4.0 KiB for each session",
            "CPU time 0.500 s in 2 s of rest",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
