//! Our endpoints against other implementations of TLS 1.3, over loopback.
//!
//! Run it with `cargo xtask interop`, which first builds it with every peer that this machine has
//! the libraries for. Prints a table, optionally the same as JSON, and fails when a row fails.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command-line tool talks on its standard streams and tells how long things took"
)]

#[cfg(target_os = "linux")]
mod agent;
mod authority;
mod figures;
mod frames;
mod lab;
mod markdown;
mod ours;
mod peers;
mod report;
mod scenario;
mod scenarios;

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;

use lab::Lab;
use report::Report;
use scenario::{Pace, Scenario};

/// Our endpoints against other implementations of TLS 1.3.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask interop", bin_name = "cargo xtask interop")]
struct Arguments {
    /// Leave out rows that only vary another row.
    #[arg(long)]
    quick: bool,
    /// Write the table to this file as JSON, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the table to this file as Markdown, too.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Run only the rows whose name contains this.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// The congestion control of all sockets in the lab, by the kernel's name for it.
    #[arg(long, value_name = "NAME", default_value = "cubic")]
    congestion_control: String,
    /// Keep what the agents of the lab say in this directory, a file each.
    #[arg(long, value_name = "DIRECTORY")]
    trace: Option<PathBuf>,
    /// Print the names of the rows and run none.
    #[arg(long)]
    list: bool,
}

impl Arguments {
    fn pace(&self) -> Pace {
        if self.quick { Pace::Quick } else { Pace::Full }
    }
}

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if let Some(namespace) = agent_namespace() {
        // It has already told why, where its orchestrator listens.
        return agent::main(&namespace).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let arguments = Arguments::parse();
    let outcome = tokio::runtime::Runtime::new()
        .context("no runtime")
        .and_then(|runtime| runtime.block_on(run(&arguments)));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Where to run as an agent, if this process is one.
#[cfg(target_os = "linux")]
fn agent_namespace() -> Option<String> {
    let mut arguments = std::env::args().skip(1);
    (arguments.next()? == agent::ARGUMENT).then(|| arguments.next())?
}

/// Runs the chosen rows; whether none of them failed.
async fn run(arguments: &Arguments) -> Result<bool> {
    let lab = Lab::new(arguments).context("cannot prepare")?;
    #[cfg(target_os = "linux")]
    lab::namespaces::watch_for_the_end()?;
    let chosen: Vec<Scenario> = scenarios::all()
        .into_iter()
        .filter(|scenario| is_chosen(arguments, scenario))
        .collect();
    if chosen.is_empty() {
        bail!("no row has that name; `--list` prints all");
    }
    if arguments.list {
        for scenario in chosen {
            println!("{:<44} {}", scenario.name, scenario.checked);
        }
        return Ok(true);
    }
    let width = chosen.iter().map(|scenario| scenario.name.len()).max();
    let mut report = Report::start(&lab, width.unwrap_or_default());
    for scenario in chosen {
        report.add(scenario.run(&lab).await);
    }
    report.print_summary();
    if let Some(path) = &arguments.json {
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        serde_json::to_writer_pretty(file, &report)?;
    }
    if let Some(path) = &arguments.markdown {
        let text = report.markdown()?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(report.is_clean())
}

fn is_chosen(arguments: &Arguments, scenario: &Scenario) -> bool {
    let named = arguments
        .only
        .as_ref()
        .is_none_or(|name| scenario.name.contains(name.as_str()));
    named && (!arguments.quick || scenario.pace == Pace::Quick)
}
