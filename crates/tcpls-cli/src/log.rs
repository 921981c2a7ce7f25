//! Log lines on standard error, for those who ask with `RUST_LOG`.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::exit::{Exit, Failure};

/// What is logged when `RUST_LOG` says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DefaultLog {
    /// Nothing: the command prints what there is to know.
    Off,
    /// One line for each client: servers run unattended.
    Clients,
}

/// Starts logging: `RUST_LOG` is `LEVEL` or `TARGET=LEVEL`, several separated by commas.
pub(crate) fn start(default: DefaultLog) -> Result<(), Failure> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => text
            .parse::<Targets>()
            .map_err(|error| Failure::new(Exit::Usage, format!("RUST_LOG: {error}")))?,
        _ => match default {
            DefaultLog::Off => return Ok(()),
            DefaultLog::Clients => {
                Targets::new().with_target("tcpls", tracing::level_filters::LevelFilter::INFO)
            }
        },
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .init();
    Ok(())
}
