//! How this side spreads what it sends over the paths.

use std::sync::Arc;

use clap::ValueEnum;
use tcpls_tokio::scheduler::{
    EarliestCompletion, LowestRtt, Redundant, RoundRobin, Scheduler as Policy,
};

/// The schedulers of the library, and one path with spares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scheduler {
    /// The path with the lowest round trip time, as long as it has room
    LowestRtt,
    /// The path on which the next record would arrive first
    EarliestCompletion,
    /// Each path in its turn
    RoundRobin,
    /// Every record on every path
    Redundant,
    /// The first path alone; the others when it fails
    Backup,
}

impl Scheduler {
    /// The library's policy. That the others are spares is for their status to say.
    pub(super) fn policy(self) -> Arc<dyn Policy> {
        match self {
            Self::LowestRtt => Arc::new(LowestRtt),
            Self::EarliestCompletion | Self::Backup => Arc::new(EarliestCompletion),
            Self::RoundRobin => Arc::new(RoundRobin),
            Self::Redundant => Arc::new(Redundant),
        }
    }
}
