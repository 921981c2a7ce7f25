//! What the figures were measured on.

use serde::Serialize;

/// The machine as the system describes it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    processors: usize,
    system: String,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let description = read("/proc/cpuinfo");
        let model = description
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map_or("unknown processor", |(_, name)| name.trim());
        let release = read("/proc/sys/kernel/osrelease");
        Self {
            processor: model.to_owned(),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            system: format!("{} {}", std::env::consts::OS, release.trim()),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            processor,
            processors,
            system,
        } = self;
        write!(f, "{processor}, {processors} processors, {system}")
    }
}
