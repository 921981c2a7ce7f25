//! Network namespaces that belong to this run, and vanish with it.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::signal::unix::{SignalKind, signal};

use super::programs::{ip_batch, run};

/// What the names of all our namespaces begin with; the process id and a counter follow.
const PREFIX: &str = "tcpls-";

/// Where `ip` keeps its names for namespaces.
const DIRECTORY: &str = "/run/netns";

/// Counts the namespaces of this process.
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A network namespace; removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// A new one with only a loopback interface, named after this process and `role`.
    pub(crate) fn new(role: &str) -> Result<Self> {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}-{role}", std::process::id());
        run("ip", &["netns", "add", &name])?;
        let namespace = Self { name };
        namespace.ip(&["link set lo up".to_owned()])?;
        Ok(namespace)
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs commands of `ip` inside.
    pub(crate) fn ip(&self, lines: &[String]) -> Result<()> {
        ip_batch(&self.name, lines)
    }

    /// Sets kernel parameters below `net/`, each as a name and a value.
    pub(crate) fn set_parameters(&self, parameters: &[(&str, &str)]) -> Result<()> {
        self.enter(|| {
            for (name, value) in parameters {
                let path = Path::new("/proc/sys/net").join(name);
                std::fs::write(&path, value)
                    .with_context(|| format!("cannot set {}", path.display()))?;
            }
            Ok(())
        })?
    }

    /// Runs `action` on a thread inside; what it opens stays inside.
    pub(crate) fn enter<T: Send>(&self, action: impl FnOnce() -> T + Send) -> Result<T> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                move_into(&self.name)?;
                Ok(action())
            });
            inside
                .join()
                .map_err(|_| anyhow!("a thread in namespace {} panicked", self.name))?
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.name) {
            eprintln!("interop: {error:#}");
        }
    }
}

/// Moves the calling thread, and the threads that it will start, into the namespace called `name`.
pub(crate) fn move_into(name: &str) -> Result<()> {
    let path = Path::new(DIRECTORY).join(name);
    let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
        .with_context(|| format!("cannot enter {}", path.display()))
}

/// Removes what killed runs have left behind, and from now on what this run created when it is
/// told to end: by Ctrl-C, by a terminal that closes, or by a supervisor.
///
/// Needs a runtime.
pub(crate) fn watch_for_the_end() -> Result<()> {
    remove_leftovers();
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let mut signals = signal(kind)?;
        tokio::spawn(async move {
            signals.recv().await;
            remove_own();
            std::process::exit(128 + kind.as_raw_value());
        });
    }
    Ok(())
}

fn remove_own() {
    let own = format!("{PREFIX}{}-", std::process::id());
    remove_all(|name| name.starts_with(&own));
}

fn remove_leftovers() {
    let mut living = BTreeSet::new();
    remove_all(|name| {
        let Some(process) = owner(name) else {
            return false;
        };
        if Path::new("/proc").join(process.to_string()).exists() {
            living.insert(process);
        }
        !living.contains(&process)
    });
}

/// The process that a namespace called `name` belongs to, if it is one of ours.
fn owner(name: &str) -> Option<u32> {
    let (process, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    process.parse().ok()
}

fn remove_all(mut is_chosen: impl FnMut(&str) -> bool) {
    let Ok(entries) = std::fs::read_dir(DIRECTORY) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if is_chosen(&name)
            && let Err(error) = remove(&name)
        {
            eprintln!("interop: {error:#}");
        }
    }
}

fn remove(name: &str) -> Result<()> {
    run("ip", &["netns", "del", name]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_process_that_made_it() {
        assert_eq!(owner("tcpls-12-3-client"), Some(12));
        assert_eq!(owner("tcpls-x-3-client"), None);
        assert_eq!(owner("somebody-12-3"), None);
    }
}
