//! Memory of what is idle, counted by a program of its own: an allocator that counts slows down.

use std::process::Command;

use serde::Deserialize;

use crate::arguments::Effort;
use crate::figure::Metric;
use crate::subject::Outcome;

/// The program that counts; it is built into the same directory as this one.
const PROGRAM: &str = "compare-memory";

/// What is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    Session,
    Stream,
}

pub(crate) const KINDS: [Idle; 2] = [Idle::Session, Idle::Stream];

#[derive(Debug, Deserialize)]
struct Report {
    bytes_each: Option<f64>,
}

impl Idle {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Session => "memory per idle session",
            Self::Stream => "memory per idle stream",
        }
    }
}

/// Heap bytes of one idle thing, both ends.
pub(crate) fn measure(idle: Idle, peer: &str, effort: Effort) -> Outcome {
    let program = std::env::current_exe()?.with_file_name(PROGRAM);
    let what = match idle {
        Idle::Session => "sessions",
        Idle::Stream => "streams",
    };
    let output = Command::new(program)
        .args(["--json", "--peer", peer, "--of", what])
        .args(["--count", &effort.idle.to_string()])
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(said.into());
    }
    let report: Report = serde_json::from_slice(&output.stdout)?;
    let metric = Metric::less("heap of both ends", "KiB");
    Ok(report
        .bytes_each
        .map(|bytes| vec![(metric, bytes / 1024.0)]))
}
