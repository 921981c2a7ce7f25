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
mod process;
#[cfg(target_os = "linux")]
pub(crate) mod programs;
#[cfg(target_os = "linux")]
mod relay;
#[cfg(target_os = "linux")]
pub(crate) mod trial;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result};
use tempfile::TempDir;

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
}

impl Lab {
    /// Makes certificates and looks at the machine.
    pub(crate) fn new(pace: Pace) -> Result<Arc<Self>> {
        let scratch = TempDir::with_prefix("tcpls-interop").context("no scratch directory")?;
        let authority = Authority::new(scratch.path())?;
        Ok(Arc::new(Self {
            authority,
            openssl: openssl_version(),
            pace,
            scratch,
        }))
    }

    /// A path for a file of the row called `name`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory().join(name)
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
