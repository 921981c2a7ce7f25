//! `cargo xtask layers`: the crates are floors of one house, and data crosses them in order.

mod sources;
mod stack;
mod tree;

pub(crate) use sources::rust_files;

use anyhow::{Context, Result};

use crate::Verdict;
use crate::metadata::Metadata;

/// The floors from the ground up: each stands on the one before it.
const STACK: [&str; 5] = [
    "tcpls-wire",
    "tcpls-crypto",
    "tcpls-core",
    "tcpls-tokio",
    "tcpls-cli",
];

/// Workspace members beside the stack: they may use anything, and no floor may use them.
const TOOLS: [&str; 3] = ["tcpls-interop", "tcpls-benches", "xtask"];

/// The highest floor without input, output, clock or threads; the ones below inherit the rule.
const SANS_IO: &str = "tcpls-core";

/// Runs every check on the workspace around the current directory.
pub(crate) fn run() -> Result<Verdict> {
    let metadata = Metadata::load()?;
    let mut complaints = stack::check(&metadata);
    complaints.extend(tree::check(&metadata));
    complaints.extend(sources::check(&metadata).context("cannot read the sources")?);
    Ok(Verdict::report(
        "layers",
        &format!(
            "{} with {SANS_IO} and below free of I/O and clocks",
            STACK.join(" <- ")
        ),
        &complaints,
    ))
}
