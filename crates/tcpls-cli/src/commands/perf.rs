//! `tcpls perf`: how fast is it, and what does it cost?

mod client;
mod control;
mod fault;
mod idle;
mod load;
mod paths;
mod report;
mod scheduler;
mod server;

use clap::Subcommand;

use crate::exit::Failure;
use crate::log::DefaultLog;
use crate::report::Format;

/// Measure goodput, CPU time and memory between two machines
///
/// Bytes count once the application at the other end has read them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    side: Side,
}

#[derive(Debug, Subcommand)]
enum Side {
    Server(server::Args),
    Client(client::Args),
    Idle(idle::Args),
}

impl Args {
    pub(crate) fn default_log(&self) -> DefaultLog {
        match self.side {
            Side::Server(_) => DefaultLog::Clients,
            Side::Client(_) | Side::Idle(_) => DefaultLog::Off,
        }
    }
}

pub(crate) async fn run(args: &Args, format: Format) -> Result<(), Failure> {
    match &args.side {
        Side::Server(args) => server::run(args, format).await,
        Side::Client(args) => client::run(args, format).await,
        Side::Idle(args) => idle::run(args, format).await,
    }
}
