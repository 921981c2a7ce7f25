//! What all rows share: certificates, a scratch directory, and what this machine has.

#[cfg(target_os = "linux")]
pub(crate) mod clock;
#[cfg(target_os = "linux")]
pub(crate) mod conditions;
#[cfg(target_os = "linux")]
pub(crate) mod namespaces;
#[cfg(target_os = "linux")]
pub(crate) mod network;
#[cfg(target_os = "linux")]
pub(crate) mod pauses;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
pub(crate) mod programs;
#[cfg(target_os = "linux")]
mod relay;
#[cfg(target_os = "linux")]
pub(crate) mod trial;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::Arguments;
use crate::authority::Authority;
use crate::scenario::{Pace, Skip};

/// Made once per run; its files are removed at the end.
#[derive(Debug)]
pub(crate) struct Lab {
    /// Certificates for both roles.
    pub(crate) authority: Authority,
    /// What `openssl version` says, if there is one.
    pub(crate) openssl: Option<String>,
    /// Which set of rows runs.
    pub(crate) pace: Pace,
    scratch: TempDir,
    /// Of all sockets in the lab, whatever the kernel's default is, by the kernel's name for it.
    pub(crate) congestion_control: String,
    /// Where the agents' own words are kept, if somewhere.
    trace: Option<PathBuf>,
    trials: AtomicU32,
}

impl Lab {
    /// Makes certificates and looks at the machine.
    pub(crate) fn new(arguments: &Arguments) -> Result<Arc<Self>> {
        let scratch = TempDir::with_prefix("tcpls-interop").context("no scratch directory")?;
        let authority = Authority::new(scratch.path())?;
        Ok(Arc::new(Self {
            authority,
            openssl: openssl_version(),
            pace: arguments.pace(),
            scratch,
            congestion_control: arguments.congestion_control.clone(),
            trace: arguments.trace.clone(),
            trials: AtomicU32::new(0),
        }))
    }

    /// A path for a file of the row called `name`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// Numbers the next trial.
    pub(crate) fn next_trial(&self) -> u32 {
        self.trials.fetch_add(1, Ordering::Relaxed)
    }

    /// The file that keeps what is called `name`, if anything is kept.
    pub(crate) fn trace(&self, name: &str) -> Result<Option<File>> {
        let Some(directory) = &self.trace else {
            return Ok(None);
        };
        std::fs::create_dir_all(directory)?;
        Ok(Some(File::create(directory.join(name))?))
    }

    /// Skips the row unless there is an `openssl` program.
    pub(crate) fn need_openssl(&self) -> Result<()> {
        if self.openssl.is_none() {
            return Err(Skip("no `openssl` program: apt-get install openssl".to_owned()).into());
        }
        Ok(())
    }

    fn directory(&self) -> &Path {
        self.scratch.path()
    }
}

fn openssl_version() -> Option<String> {
    let output = Command::new("openssl").arg("version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}
