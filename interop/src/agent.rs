//! One end of a connection, in a process and a namespace of its own.
//!
//! This program starts itself again as `agent NAMESPACE`. Standard input brings a [`Setup`] and then
//! [`Command`]s, standard output takes [`Event`]s, one JSON value in each line. An agent ends when its
//! input does, so that none outlives the run.

pub(crate) mod meter;
pub(crate) mod protocol;

mod byte_stream;
mod ours;
mod sockets;
mod transfer;

use std::io::Write;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

use crate::lab::namespaces::move_into;
use protocol::{Command, Event, Kind, Role, Setup};

/// The first argument of an agent.
pub(crate) const ARGUMENT: &str = "agent";

/// Runs an agent in the namespace called `namespace` to its end.
pub(crate) fn main(namespace: &str) -> Result<()> {
    move_into(namespace)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let result = runtime.block_on(run());
    if let Err(error) = &result {
        tell(&Event::Failed(format!("{error:#}")));
    }
    // Reading standard input blocks a thread of the runtime for good.
    runtime.shutdown_background();
    result
}

async fn run() -> Result<()> {
    let mut commands = Commands(BufReader::new(tokio::io::stdin()).lines());
    let setup: Setup = commands.read().await?.context("no setup")?;
    ensure!(
        setup.kind == Kind::Ours || setup.streams.len() == 1,
        "several streams need a session"
    );
    match (setup.kind, setup.role.clone()) {
        (
            Kind::Ours,
            Role::Client {
                remotes, root_file, ..
            },
        ) => ours::client(&setup, &remotes, &root_file, &mut commands).await,
        (Kind::Ours, Role::Server(server)) => ours::server(&setup, &server, &mut commands).await,
        (
            Kind::Mptcp | Kind::Tls,
            Role::Client {
                remotes, root_file, ..
            },
        ) => byte_stream::client(&setup, &remotes, &root_file, &mut commands).await,
        (Kind::Mptcp | Kind::Tls, Role::Server(server)) => {
            byte_stream::server(&setup, &server, &mut commands).await
        }
    }
}

/// What the orchestrator says.
struct Commands(Lines<BufReader<Stdin>>);

impl Commands {
    /// The next command; the end of input is one to end.
    async fn next(&mut self) -> Result<Command> {
        Ok(self.read().await?.unwrap_or(Command::End))
    }

    /// Waits for the command to end; no other makes sense any more.
    async fn end(&mut self) -> Result<()> {
        let command = self.next().await?;
        ensure!(matches!(command, Command::End), "unexpected {command:?}");
        Ok(())
    }

    async fn read<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>> {
        match self.0.next_line().await? {
            Some(line) => Ok(Some(serde_json::from_str(&line)?)),
            None => Ok(None),
        }
    }
}

/// Prints an event.
fn tell(event: &Event) {
    let Ok(line) = serde_json::to_string(event) else {
        return;
    };
    let mut output = std::io::stdout().lock();
    // Without a reader there is nobody left to tell; the end of input follows.
    let _gone = writeln!(output, "{line}").and_then(|()| output.flush());
}
