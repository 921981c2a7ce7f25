//! The project's own commands, run as `cargo xtask <command>`.
//!
//! Each command lives in its own module and can be run alone; `cargo xtask ci` runs all that the
//! continuous integration runs, in the same order.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command-line tool talks on its standard streams and tells how long things took"
)]

mod bench;
mod ci;
mod debian;
mod interop;
mod layers;
mod metadata;
mod openssl;
mod process;
mod spec;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check that every crate depends on the one below it and on nothing above, and that the
    /// lower floors touch no clock, socket or runtime.
    Layers,
    /// Check that every requirement and reading in `spec/` has a place in the code and a test.
    Spec {
        /// First fill in the lists of tests from the doc comments that name a requirement.
        #[arg(long)]
        update: bool,
    },
    /// Run all that the continuous integration runs, in the same order.
    Ci {
        /// Run only these steps.
        steps: Vec<String>,
    },
    /// Run our endpoints against other implementations, over loopback.
    Interop {
        /// Passed on to the scenarios: `--quick`, `--json FILE`, `--markdown FILE`, `--only NAME`,
        /// `--trace DIRECTORY`, `--list`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Measure TCPLS beside other transports, on loopback, in release.
    Bench {
        /// Passed on to the program: `--quick`, `--json FILE`, `--svg FILE`, `--markdown FILE`,
        /// `--only WORKLOAD`, `--peers NAME,NAME`, `--rounds N`, `--window MILLISECONDS`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Layers => layers::run(),
        Command::Spec { update } => spec::run(if update {
            spec::Mode::Update
        } else {
            spec::Mode::Check
        }),
        Command::Ci { steps } => ci::run_steps(&steps),
        Command::Bench { arguments } => bench::compare(&arguments),
        Command::Interop { arguments } => interop::run_scenarios(&arguments),
    };
    match outcome {
        Ok(Verdict::Clean) => ExitCode::SUCCESS,
        Ok(Verdict::Violated) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// What a check came to; a check that could not run at all is an error instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing to complain about.
    Clean,
    /// At least one complaint was printed.
    Violated,
}

impl Verdict {
    /// Prints every complaint of the check called `name`, or that there is none.
    fn report(name: &str, checked: &str, complaints: &[String]) -> Self {
        if complaints.is_empty() {
            println!("{name}: {checked}, nothing to complain about");
            return Self::Clean;
        }
        for complaint in complaints {
            println!("{name}: {complaint}");
        }
        println!("{name}: {} complaint(s)", complaints.len());
        Self::Violated
    }
}
