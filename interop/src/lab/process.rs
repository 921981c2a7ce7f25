//! An agent as the orchestrator sees it: started, told, listened to, and killed at the latest when
//! dropped.

use std::fs::File;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::namespaces::Namespace;
use crate::agent;
use crate::agent::protocol::{Event, Setup};

/// How long an agent may take to end once told to.
const GOODBYE: Duration = Duration::from_secs(8);

/// A running agent.
#[derive(Debug)]
pub(crate) struct Agent {
    name: &'static str,
    child: Child,
    input: ChildStdin,
    events: mpsc::UnboundedReceiver<Event>,
    seen: Vec<Event>,
}

impl Agent {
    /// Starts one called `name` inside `namespace`.
    pub(crate) async fn start(
        name: &'static str,
        namespace: &Namespace,
        setup: &Setup,
        trace: Option<File>,
    ) -> Result<Self> {
        let mut child = Command::new("/proc/self/exe")
            .args([agent::ARGUMENT, namespace.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start an agent")?;
        let input = child.stdin.take().context("an agent without input")?;
        let output = child.stdout.take().context("an agent without output")?;
        let (sender, events) = mpsc::unbounded_channel();
        tokio::spawn(listen(output, sender, trace));
        let mut agent = Self {
            name,
            child,
            input,
            events,
            seen: Vec::new(),
        };
        agent.say(setup).await?;
        Ok(agent)
    }

    /// Sends a command or the setup.
    pub(crate) async fn say(&mut self, value: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        let told = self.input.write_all(&line).await;
        told.with_context(|| format!("the {} is gone", self.name))
    }

    /// Waits until `pick` takes one of the events, those before included.
    pub(crate) async fn wait_for<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut pick: impl FnMut(&Event) -> Option<T>,
    ) -> Result<T> {
        if let Some(found) = self.seen.iter().find_map(&mut pick) {
            return Ok(found);
        }
        let name = self.name;
        let waiting = async {
            while let Some(event) = self.events.recv().await {
                let found = pick(&event);
                if let Event::Failed(reason) = &event {
                    bail!("the {name} failed: {reason}");
                }
                self.seen.push(event);
                if let Some(found) = found {
                    return Ok(found);
                }
            }
            bail!("the {name} ended before {what}")
        };
        match timeout(limit, waiting).await {
            Ok(result) => result,
            Err(_) => bail!("no {what} from the {name} in {} s", limit.as_secs()),
        }
    }

    /// What it said until the last wait.
    pub(crate) fn seen(&self) -> &[Event] {
        &self.seen
    }

    /// Tells it to end, waits until it did, and gives all that it said.
    pub(crate) async fn end(mut self) -> Result<Vec<Event>> {
        self.say(&agent::protocol::Command::End).await?;
        if timeout(GOODBYE, self.child.wait()).await.is_err() {
            bail!("the {} does not end", self.name);
        }
        while let Some(event) = self.events.recv().await {
            self.seen.push(event);
        }
        Ok(self.seen)
    }
}

async fn listen(
    output: ChildStdout,
    sender: mpsc::UnboundedSender<Event>,
    mut trace: Option<File>,
) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(trace) = &mut trace {
            // A trace is for looking at; a full disk does not fail a row.
            let _incomplete = writeln!(trace, "{line}");
        }
        let event = serde_json::from_str(&line)
            .unwrap_or_else(|error| Event::Failed(format!("`{line}`: {error}")));
        if sender.send(event).is_err() {
            return;
        }
    }
}
