//! One file per command.

pub(crate) mod connect;
pub(crate) mod demo;
pub(crate) mod echo;
pub(crate) mod perf;
pub(crate) mod probe;

use crate::args::{Cli, Command};
use crate::exit::Failure;
use crate::report::{FailureReport, Format};

/// Runs the command. With `--json`, a failure of a command that reports is reported, too.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let format = cli.format();
    let result = match cli.command {
        Command::Demo(args) => demo::run(&args, format).await,
        Command::Probe(args) => probe::run(&args, format).await,
        Command::Perf(args) => perf::run(&args, format).await,
        Command::Echo(args) => return echo::run(&args, format).await,
        Command::Connect(args) => return connect::run(&args, format).await,
    };
    if let (Err(failure), Format::Json) = (&result, format) {
        format.print(&FailureReport::new(failure))?;
    }
    result
}
