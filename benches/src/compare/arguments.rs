//! What can be asked of the program.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// The command line.
#[derive(Debug, Parser)]
#[command(about = "TCPLS beside other transports on loopback")]
pub(crate) struct Arguments {
    /// Fewer and shorter rounds: under two minutes.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Rounds; each does every workload with every transport.
    #[arg(long)]
    rounds: Option<usize>,
    /// Milliseconds that each measurement takes, except those of a fixed amount of work.
    #[arg(long)]
    window: Option<u64>,
    /// Worker threads of the runtime that runs both ends.
    #[arg(long, default_value_t = 2)]
    pub(crate) workers: usize,
    /// Only workloads whose name contains this.
    #[arg(long, default_value = "")]
    pub(crate) only: String,
    /// Only transports whose name contains one of these, separated by commas.
    #[arg(long, default_value = "", value_delimiter = ',')]
    pub(crate) peers: Vec<String>,
    /// Keep the figures as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Keep a bar chart.
    #[arg(long)]
    pub(crate) svg: Option<PathBuf>,
    /// Keep the tables as Markdown.
    #[arg(long)]
    pub(crate) markdown: Option<PathBuf>,
}

impl Arguments {
    /// How many rounds.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 4 }).max(1)
    }

    /// How much each measurement takes.
    pub(crate) fn effort(&self) -> Effort {
        let window = self.window.unwrap_or(if self.quick { 100 } else { 400 });
        Effort {
            warm_up: Duration::from_millis(window / 4),
            window: Duration::from_millis(window.max(1)),
            small_streams: if self.quick { 2_000 } else { 10_000 },
            idle: if self.quick { 100 } else { 400 },
        }
    }

    /// Whether this transport was asked for.
    pub(crate) fn wants_peer(&self, name: &str) -> bool {
        self.peers.iter().any(|part| name.contains(part))
    }
}

/// How long, and how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Time before a measurement begins, for buffers, windows and congestion control to settle.
    pub(crate) warm_up: Duration,
    /// Time of a measurement.
    pub(crate) window: Duration,
    /// How many small streams.
    pub(crate) small_streams: usize,
    /// How many idle sessions, and idle streams of one session.
    pub(crate) idle: usize,
}
