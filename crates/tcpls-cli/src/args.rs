//! The command line.

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::commands::{connect, demo, echo, perf, probe};
use crate::exit::{Exit, Failure};
use crate::log::DefaultLog;
use crate::report::Format;

/// TCPLS: QUIC-like streams over TCP and TLS 1.3
#[derive(Debug, Parser)]
#[command(name = "tcpls", version)]
pub(crate) struct Cli {
    /// Print reports as JSON, one object per line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::Args),
    Echo(echo::Args),
    Connect(connect::Args),
    Probe(probe::Args),
    Perf(perf::Args),
}

/// What came of the command line.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// A command to run.
    Run(Box<Cli>),
    /// Help or the version was asked for, and shown.
    Shown,
}

impl Cli {
    /// Reads the arguments of the process.
    pub(crate) fn from_command_line() -> Result<Parsed, Failure> {
        let mut command = Self::command().after_help(Exit::table());
        let matches = command.try_get_matches_from_mut(std::env::args_os());
        match matches.and_then(|matches| Self::from_arg_matches(&matches)) {
            Ok(cli) => Ok(Parsed::Run(Box::new(cli))),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
                ) =>
            {
                // A reader that closed the pipe has seen enough.
                let _printed = error.print();
                Ok(Parsed::Shown)
            }
            Err(error) => Err(usage(&error)),
        }
    }

    /// How the command prints its report.
    pub(crate) fn format(&self) -> Format {
        if self.json {
            Format::Json
        } else {
            Format::Text
        }
    }
}

impl Command {
    /// What is logged when `RUST_LOG` says nothing.
    pub(crate) fn default_log(&self) -> DefaultLog {
        match self {
            Self::Echo(_) => DefaultLog::Clients,
            Self::Perf(args) => args.default_log(),
            Self::Demo(_) | Self::Connect(_) | Self::Probe(_) => DefaultLog::Off,
        }
    }
}

/// The first paragraph of clap's message, as one line.
fn usage(error: &clap::Error) -> Failure {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::new(Exit::Usage, "a command is missing; see --help");
    }
    let text = error.render().to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let message = paragraph.strip_prefix("error: ").unwrap_or(paragraph);
    Failure::new(Exit::Usage, format!("{message}; see --help"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
