//! Two namespaces, a client's and a server's, joined by disjoint paths.
//!
//! Path `i` is the interface `c<i>` of the client with the addresses `10.9.i.1` and `fd09:i::1`, the
//! interface `s<i>` of the server with `10.9.i.2` and `fd09:i::2`, and the relay between them.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::conditions::Conditions;
use super::namespaces::Namespace;
use super::programs::run;
use super::relay::Relay;
use crate::scenario::Skip;

/// How long a new network may take until its paths answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where TAP devices come from.
const TUN: &str = "/dev/net/tun";

/// Nothing listens here: an attempt to connect is refused after one round trip.
const CLOSED_PORT: u16 = 9;

/// A lab network; removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Network {
    relays: Vec<Relay>,
    /// Where the client runs.
    pub(crate) client: Namespace,
    /// Where the server runs.
    pub(crate) server: Namespace,
}

/// What a path is like to start with, the same both ways.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quality {
    /// Of every path, in bits per second; 0 for no limit.
    pub(crate) rate: u64,
    /// Without waiting in queues.
    pub(crate) round_trip: Duration,
    /// How much the queue before the line holds, in time.
    pub(crate) queue: Duration,
}

impl Quality {
    /// `megabits` per second, a round trip of `milliseconds`, and a queue of 50 ms.
    pub(crate) fn new(megabits: u64, milliseconds: u64) -> Self {
        Self {
            rate: megabits * 1_000_000,
            round_trip: Duration::from_millis(milliseconds),
            queue: Duration::from_millis(50),
        }
    }
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// `10.9.i.0/24`.
    V4,
    /// `fd09:i::/64`.
    V6,
}

/// Directions of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Both directions.
    Both,
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

impl Network {
    /// Builds a network with one path for each of `qualities`, and waits until all of them answer.
    ///
    /// Blocks for some tens of milliseconds.
    pub(crate) fn new(qualities: &[Quality]) -> Result<Self> {
        need_privileges()?;
        let mut network = Self {
            relays: Vec::new(),
            client: Namespace::new("client")?,
            server: Namespace::new("server")?,
        };
        for namespace in [&network.client, &network.server] {
            namespace.set_parameters(&[
                ("ipv6/conf/all/accept_dad", "0"),
                ("ipv6/conf/default/accept_dad", "0"),
                // Otherwise an interface that goes down loses its IPv6 address for good.
                ("ipv6/conf/all/keep_addr_on_down", "1"),
                ("ipv4/conf/all/rp_filter", "0"),
                ("ipv4/conf/default/rp_filter", "0"),
                // No transfer may profit or suffer from the one before.
                ("ipv4/tcp_no_metrics_save", "1"),
            ])?;
        }
        for (quality, number) in qualities.iter().zip(1..) {
            network.add_path(number, *quality)?;
        }
        for number in 1..=network.relays.len() {
            let number = u8::try_from(number)?;
            for family in [Family::V4, Family::V6] {
                network.wait_until_reachable(number, family)?;
            }
        }
        Ok(network)
    }

    /// Lets `change` set the conditions of a path in the given directions.
    pub(crate) fn set(&self, path: u8, way: Way, change: impl Fn(&Conditions)) -> Result<()> {
        let index = usize::from(path).checked_sub(1);
        let relay = index
            .and_then(|index| self.relays.get(index))
            .with_context(|| format!("no path {path}"))?;
        if way != Way::Down {
            change(&relay.forth);
        }
        if way != Way::Up {
            change(&relay.back);
        }
        Ok(())
    }

    /// Gives a path another quality from now on.
    pub(crate) fn set_quality(&self, path: u8, quality: Quality) -> Result<()> {
        self.set(path, Way::Both, |conditions| {
            conditions.set_rate(quality.rate);
            conditions.set_delay(quality.round_trip / 2);
            conditions.set_queue(quality.queue);
        })
    }

    /// Lets everything vanish on a path.
    pub(crate) fn cut(&self, path: u8) -> Result<()> {
        self.set(path, Way::Both, |conditions| conditions.set_hole(true))
    }

    /// Lets everything of one address family vanish on a path, but not the search for neighbours.
    pub(crate) fn cut_family(&self, path: u8, family: Family) -> Result<()> {
        let frame_type = match family {
            Family::V4 => 0x0800,
            Family::V6 => 0x86dd,
        };
        self.set(path, Way::Both, |conditions| conditions.swallow(frame_type))
    }

    /// Undoes [`cut`](Self::cut).
    pub(crate) fn heal(&self, path: u8) -> Result<()> {
        self.set(path, Way::Both, |conditions| conditions.set_hole(false))
    }

    /// Aborts every TCP connection of the client on a path, as a user of the kernel would: the
    /// client sees an error at once, the server an RST half a round trip later.
    pub(crate) fn reset(&self, path: u8) -> Result<()> {
        let address = client_address(path, Family::V4).to_string();
        let mut aborted = 0;
        self.client.enter(|| {
            // Prints a line for each connection.
            let printed = run("ss", &["-tnHK", "state", "established", "src", &address])?;
            aborted = printed.lines().count();
            anyhow::Ok(())
        })??;
        ensure!(aborted > 0, "no connection to abort on path {path}");
        Ok(())
    }

    /// Takes the client's interface of a path down.
    pub(crate) fn link_down(&self, path: u8) -> Result<()> {
        self.client.ip(&[format!("link set c{path} down")])
    }

    /// Lets the client reach the server's address of path `to` over path `over`, too.
    pub(crate) fn route(&self, to: u8, over: u8) -> Result<()> {
        let metric = 100;
        self.client.ip(&[format!(
            "route add 10.9.{to}.0/24 via 10.9.{over}.2 dev c{over} metric {metric}"
        )])
    }

    /// Brings the client's interface of a path up again.
    pub(crate) fn link_up(&self, path: u8) -> Result<()> {
        self.client.ip(&[format!("link set c{path} up")])
    }

    /// Takes the client's IPv4 address of a path away, and gives it another one.
    pub(crate) fn change_address(&self, path: u8) -> Result<()> {
        self.client.ip(&[
            format!("addr del 10.9.{path}.1/24 dev c{path}"),
            format!("addr add 10.9.{path}.3/24 dev c{path}"),
        ])
    }

    /// Bounds the receive buffer of every TCP connection, and with it the window. Where the queues hold
    /// a window nothing is lost, and TCP has no dips of its own.
    pub(crate) fn bound_receive_buffers(&self, bytes: u64) -> Result<()> {
        for namespace in [&self.client, &self.server] {
            namespace.set_parameters(&[("ipv4/tcp_rmem", &format!("4096 131072 {bytes}"))])?;
        }
        Ok(())
    }

    /// The shortest of `attempts` round trips on a path, as TCP's handshake sees them.
    pub(crate) fn round_trip(&self, path: u8, family: Family, attempts: u32) -> Result<Duration> {
        let address = SocketAddr::new(server_address(path, family), CLOSED_PORT);
        let round_trips = self.client.enter(|| {
            (0..attempts)
                .filter_map(|_| refusal(address, Duration::from_secs(1)))
                .min()
        })?;
        round_trips.with_context(|| format!("{address} does not answer"))
    }

    fn add_path(&mut self, number: u8, quality: Quality) -> Result<()> {
        let names = [format!("c{number}"), format!("s{number}")];
        let [client, server] = &names;
        self.relays
            .push(Relay::new((&self.client, client), (&self.server, server))?);
        self.set_quality(number, quality)?;
        for (namespace, name, side) in [(&self.client, client, 1), (&self.server, server, 2)] {
            namespace.ip(&[
                format!("addr add 10.9.{number}.{side}/24 dev {name}"),
                format!("addr add fd09:{number}::{side}/64 dev {name} nodad"),
                format!("link set {name} up"),
            ])?;
        }
        Ok(())
    }

    fn wait_until_reachable(&self, path: u8, family: Family) -> Result<()> {
        let address = SocketAddr::new(server_address(path, family), CLOSED_PORT);
        let reached = self.client.enter(|| {
            let begun = Instant::now();
            while begun.elapsed() < PATIENCE {
                let asked = Instant::now();
                if refusal(address, Duration::from_secs(1)).is_some() {
                    return true;
                }
                // An unreachable network says so at once.
                std::thread::sleep(Duration::from_millis(20).saturating_sub(asked.elapsed()));
            }
            false
        })?;
        if !reached {
            bail!("{address} does not answer in a new network");
        }
        Ok(())
    }
}

/// The client's address on a path.
pub(crate) fn client_address(path: u8, family: Family) -> IpAddr {
    address(path, family, 1)
}

/// The server's address on a path.
pub(crate) fn server_address(path: u8, family: Family) -> IpAddr {
    address(path, family, 2)
}

fn address(path: u8, family: Family, side: u8) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 9, path, side).into(),
        Family::V6 => {
            let (path, side) = (u16::from(path), u16::from(side));
            Ipv6Addr::new(0xfd09, path, 0, 0, 0, 0, 0, side).into()
        }
    }
}

/// How long it took `address` to refuse a connection; `None` if it did something else.
fn refusal(address: SocketAddr, limit: Duration) -> Option<Duration> {
    let begun = Instant::now();
    let error = TcpStream::connect_timeout(&address, limit).err()?;
    (error.kind() == ErrorKind::ConnectionRefused).then(|| begun.elapsed())
}

/// Skips the row where this process may not create networks.
fn need_privileges() -> Result<()> {
    const HINT: &str = "run as root, or in a user namespace as CONTRIBUTING.md says";
    for program in ["ip", "ss"] {
        if run(program, &["-V"]).is_err() {
            let reason = format!("no `{program}` program: apt-get install iproute2");
            return Err(Skip(reason).into());
        }
    }
    if let Err(error) = OpenOptions::new().read(true).write(true).open(TUN) {
        return Err(Skip(format!("no TAP devices: {TUN}: {error}")).into());
    }
    if let Err(error) = Namespace::new("probe") {
        let reason = format!("cannot create network namespaces ({error:#}): {HINT}");
        return Err(Skip(reason).into());
    }
    Ok(())
}
