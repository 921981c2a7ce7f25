//! The `tcpls` program: try TCPLS, serve it, connect to it, look at a peer and measure.
//!
//! Reports go to standard output, as text or with `--json` as one JSON object per line. Everything
//! else goes to standard error: an error is exactly one line, and sets the exit code (see
//! [`exit::Exit`]).

mod args;
mod certificates;
mod client;
mod commands;
mod cpu;
mod dialler;
mod digest;
mod exit;
mod file_limit;
mod log;
mod memory;
mod number;
mod path_arg;
mod profile_arg;
mod progress;
mod report;
mod server;
mod silencer;
mod stdio;
mod target;
mod tls;

use std::io::Write as _;
use std::process::ExitCode;

use crate::args::{Cli, Parsed};
use crate::exit::{Exit, Failure};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // With standard error gone, the exit code still tells.
            let _written = writeln!(std::io::stderr(), "error: {}", failure.message);
            failure.exit.into()
        }
    }
}

fn run() -> Result<(), Failure> {
    let cli = match Cli::from_command_line()? {
        Parsed::Run(cli) => cli,
        Parsed::Shown => return Ok(()),
    };
    log::start(cli.command.default_log())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("no runtime: {error}")))?;
    let result = runtime.block_on(commands::run(*cli));
    // Sessions were closed by the command; whatever still runs is not waited for.
    runtime.shutdown_background();
    result
}
