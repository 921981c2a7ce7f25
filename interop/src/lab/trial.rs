//! One transfer between two agents, and what happens to the network meanwhile.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::clock::Moment;
use super::network::{Family, Network, client_address, server_address};
use super::process::Agent;
use super::programs::run;
use crate::agent::meter::Arrivals;
use crate::agent::protocol::{Command, Event, Follow, Kind, Role, Server, Setup, Transfer};
use crate::lab::Lab;
use crate::scenario::Skip;

/// What every server listens on.
const PORT: u16 = 4433;

/// How long a connection, a path or a step of the kernel's may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a whole transfer may take.
const LONG: Duration = Duration::from_secs(45);

/// What is transferred by whom.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// What both ends speak.
    pub(crate) kind: Kind,
    /// The paths to connect before the transfer; the first carries the handshake.
    pub(crate) paths: Vec<u8>,
    /// The families of the first connection's addresses, in the order of preference.
    pub(crate) families: Vec<Family>,
    /// The paths whose addresses the server of a session advertises.
    pub(crate) advertised: Vec<u8>,
    /// Which paths the client of a session opens by itself.
    pub(crate) follow: Follow,
    /// What to transfer.
    pub(crate) streams: Vec<Transfer>,
}

/// Whose bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// The client's, which arrive at the server.
    Upload,
    /// The server's, which arrive at the client.
    Download,
}

/// A connected pair of agents.
#[derive(Debug)]
pub(crate) struct Trial<'a> {
    network: &'a Network,
    kind: Kind,
    client: Agent,
    server: Agent,
    streams: Vec<Transfer>,
}

/// What both agents said.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The client's events.
    pub(crate) client: Vec<Event>,
    /// The server's events.
    pub(crate) server: Vec<Event>,
}

impl<'a> Trial<'a> {
    /// Connects both ends over all paths of the plan.
    pub(crate) async fn start(lab: &Lab, network: &'a Network, plan: &Plan) -> Result<Self> {
        if plan.kind == Kind::Mptcp {
            prepare_kernel(network)?;
        }
        let first = *plan.paths.first().context("a plan without a path")?;
        let setup = |role| Setup {
            kind: plan.kind,
            role,
            congestion_control: lab.congestion_control.clone(),
            streams: plan.streams.clone(),
        };
        let role = Role::Server(Server {
            address: if plan.families.contains(&Family::V6) {
                // Accepts IPv4, too.
                SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT))
            } else {
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT))
            },
            certificate_file: lab.authority.server.certificate_file.clone(),
            key_file: lab.authority.server.key_file.clone(),
            advertised: plan.advertised.iter().copied().map(remote).collect(),
        });
        let number = lab.next_trial();
        let trace = |end| lab.trace(&format!("{number:03}-{:?}-{end}.jsonl", plan.kind));
        let mut server =
            Agent::start("server", &network.server, &setup(role), trace("server")?).await?;
        let listening = |event: &Event| matches!(event, Event::Listening(_)).then_some(());
        server.wait_for("server", PATIENCE, listening).await?;
        let role = Role::Client {
            remotes: plan
                .families
                .iter()
                .map(|family| SocketAddr::new(server_address(first, *family), PORT))
                .collect(),
            root_file: lab.authority.root_file.clone(),
            follow: plan.follow,
        };
        let mut client =
            Agent::start("client", &network.client, &setup(role), trace("client")?).await?;
        let connected = |event: &Event| event.connected().map(drop);
        client.wait_for("handshake", PATIENCE, connected).await?;
        let mut trial = Self {
            network,
            kind: plan.kind,
            client,
            server,
            streams: plan.streams.clone(),
        };
        for path in plan.paths.iter().skip(1) {
            trial.open_path(*path).await?;
        }
        Ok(trial)
    }

    /// Starts the transfers.
    pub(crate) async fn go(&mut self) -> Result<Moment> {
        let now = Moment::now();
        self.client.say(&Command::Go).await?;
        Ok(now)
    }

    /// Connects one more path, and waits until it is there.
    pub(crate) async fn open_path(&mut self, path: u8) -> Result<()> {
        match self.kind {
            Kind::Ours => {
                let command = Command::OpenPath {
                    remote: remote(path),
                    local: client_address(path, Family::V4),
                };
                self.say_and_wait(path, &command).await
            }
            Kind::Mptcp => {
                self.network.client.ip(&[endpoint(path)])?;
                self.wait_for_subflow(path).await
            }
            Kind::Tls => Ok(()),
        }
    }

    /// Moves from one path to another, which is connected first.
    pub(crate) async fn migrate(&mut self, from: u8, to: u8) -> Result<()> {
        match self.kind {
            Kind::Ours => {
                let command = Command::Migrate {
                    remote: remote(to),
                    local: client_address(to, Family::V4),
                };
                self.say_and_wait(to, &command).await
            }
            Kind::Mptcp => {
                self.open_path(to).await?;
                self.remove_endpoint(from)
            }
            Kind::Tls => Ok(()),
        }
    }

    /// Announces that a path will no longer do: the server withdraws its address from a session;
    /// Multipath TCP's client removes its own, which tells the server.
    pub(crate) async fn withdraw(&mut self, path: u8) -> Result<()> {
        match self.kind {
            Kind::Ours => {
                let address = remote(path);
                self.server.say(&Command::Withdraw { address }).await
            }
            Kind::Mptcp => self.remove_endpoint(path),
            Kind::Tls => Ok(()),
        }
    }

    /// Asks for one more path, which may be there at some time.
    pub(crate) async fn offer_path(&mut self, path: u8) -> Result<()> {
        match self.kind {
            Kind::Ours => {
                let command = Command::KeepPath {
                    remote: remote(path),
                    local: client_address(path, Family::V4),
                };
                self.client.say(&command).await
            }
            Kind::Mptcp => self.network.client.ip(&[endpoint(path)]),
            Kind::Tls => Ok(()),
        }
    }

    /// Waits for the first path that joins after `since`; says when it did.
    pub(crate) async fn joined(&mut self, since: Moment) -> Result<Moment> {
        let joined = |event: &Event| event.path_joined().filter(|at| *at > since);
        self.client.wait_for("path", PATIENCE, joined).await
    }

    /// Waits until `bytes` of the first stream have arrived.
    pub(crate) async fn arrived(&mut self, direction: Direction, bytes: u64) -> Result<()> {
        let receiver = match direction {
            Direction::Upload => &mut self.server,
            Direction::Download => &mut self.client,
        };
        let enough = |event: &Event| event.progress(0).filter(|received| *received >= bytes);
        receiver.wait_for("progress", LONG, enough).await.map(drop)
    }

    /// Waits for the end of all transfers, ends both agents, and compares the hashes.
    pub(crate) async fn finish(mut self) -> Result<Outcome> {
        for number in 0..self.streams.len() {
            let received = move |event: &Event| event.received(number).map(drop);
            self.client.wait_for("download", LONG, received).await?;
            self.server.wait_for("upload", LONG, received).await?;
        }
        let (client, server) = tokio::try_join!(self.client.end(), self.server.end())?;
        let outcome = Outcome { client, server };
        for (number, stream) in self.streams.iter().enumerate() {
            outcome.compare(number, Direction::Upload, stream.upload)?;
            outcome.compare(number, Direction::Download, stream.download)?;
        }
        Ok(outcome)
    }

    fn remove_endpoint(&self, path: u8) -> Result<()> {
        let client = &self.network.client;
        let listed = client.enter(|| run("ip", &["mptcp", "endpoint", "show"]))??;
        let address = client_address(path, Family::V4);
        // Lines begin with the address; the first connection's own has the number 0.
        let line = listed.lines().find(|line| {
            let first = line.split_whitespace().next();
            first == Some(address.to_string().as_str())
        });
        let number = line.and_then(|line| {
            line.split_whitespace()
                .skip_while(|word| *word != "id")
                .nth(1)
        });
        let removed = match number {
            Some(number) => format!("mptcp endpoint del id {number}"),
            None => format!("mptcp endpoint del id 0 {address}"),
        };
        client.ip(&[removed])
    }

    /// Tells a session to open a path, and waits until it did.
    async fn say_and_wait(&mut self, path: u8, command: &Command) -> Result<()> {
        let before = self.opened_paths();
        self.client.say(command).await?;
        let mut count = 0;
        let opened = move |event: &Event| {
            let opened = event.path_opened()?;
            count += 1;
            (count > before).then_some(opened)
        };
        let opened = self.client.wait_for("path", PATIENCE, opened).await?;
        opened.map_err(|reason| anyhow!("no path {path}: {reason}"))
    }

    fn opened_paths(&self) -> usize {
        let opened = |event: &&Event| event.path_opened().is_some();
        self.client.seen().iter().filter(opened).count()
    }

    async fn wait_for_subflow(&self, path: u8) -> Result<()> {
        let address = client_address(path, Family::V4).to_string();
        for _ in 0..100 {
            let filter = ["-tnH", "state", "established", "src", &address];
            let printed = self.network.client.enter(|| run("ss", &filter))??;
            if !printed.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(PATIENCE / 100).await;
        }
        anyhow::bail!("no subflow on path {path}")
    }
}

impl Outcome {
    /// How the bytes of a stream arrived in one direction.
    pub(crate) fn arrivals(&self, stream: usize, direction: Direction) -> Result<&Arrivals> {
        let events = match direction {
            Direction::Upload => &self.server,
            Direction::Download => &self.client,
        };
        let found = events.iter().find_map(|event| event.received(stream));
        found.context("nothing arrived")
    }

    fn compare(&self, stream: usize, direction: Direction, length: u64) -> Result<()> {
        let events = match direction {
            Direction::Upload => &self.client,
            Direction::Download => &self.server,
        };
        let sent = events.iter().find_map(|event| event.sent(stream));
        let arrivals = self.arrivals(stream, direction)?;
        ensure!(arrivals.bytes == length, "{} bytes", arrivals.bytes);
        ensure!(
            Some(arrivals.sha256.as_str()) == sent,
            "what arrived differs from what was sent"
        );
        Ok(())
    }
}

/// Whether this kernel speaks Multipath TCP.
pub(crate) fn has_mptcp() -> bool {
    std::path::Path::new("/proc/sys/net/mptcp/enabled").exists()
}

fn prepare_kernel(network: &Network) -> Result<()> {
    if !has_mptcp() {
        return Err(Skip("this kernel has no Multipath TCP".to_owned()).into());
    }
    for namespace in [&network.client, &network.server] {
        namespace.ip(&[
            "mptcp endpoint flush".to_owned(),
            "mptcp limits set subflow 8 add_addr_accepted 8".to_owned(),
        ])?;
    }
    Ok(())
}

/// Where the server listens on a path.
fn remote(path: u8) -> SocketAddr {
    SocketAddr::new(server_address(path, Family::V4), PORT)
}

/// The command by which the kernel connects from the client's address on `path`, too.
fn endpoint(path: u8) -> String {
    let address = client_address(path, Family::V4);
    format!("mptcp endpoint add {address} dev c{path} subflow")
}
