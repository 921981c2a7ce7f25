//! What the orchestrator and an agent tell each other: one JSON value in each line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::meter::Arrivals;
use crate::lab::clock::Moment;

/// What an agent speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A TCPLS session of ours.
    Ours,
    /// TLS over the kernel's Multipath TCP.
    Mptcp,
    /// TLS over one TCP connection.
    Tls,
}

/// The first line that an agent reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// What to speak.
    pub(crate) kind: Kind,
    /// Which end to be.
    pub(crate) role: Role,
    /// The algorithm of every socket, as the kernel names it.
    pub(crate) congestion_control: String,
    /// What each stream carries; all but the first need a session of ours.
    pub(crate) streams: Vec<Transfer>,
}

/// An end of the connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Connects.
    Client {
        /// Where to, in the order of preference; only sessions try another than the first.
        remotes: Vec<SocketAddr>,
        /// The authority to trust, as a PEM file.
        root_file: PathBuf,
        /// What a session does by itself.
        follow: Follow,
    },
    /// Waits for one client.
    Server(Server),
}

/// Which paths a session opens by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Follow {
    /// Those that failed.
    Failed,
    /// These, and one from every network interface.
    Interfaces,
}

/// How to serve.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Server {
    /// Where.
    pub(crate) address: SocketAddr,
    /// The certificate, as a PEM file.
    pub(crate) certificate_file: PathBuf,
    /// Its key, as a PEM file.
    pub(crate) key_file: PathBuf,
    /// Addresses to advertise to the peer of a session.
    pub(crate) advertised: Vec<SocketAddr>,
}

/// What one stream carries. Both ends derive the same random bytes from the seed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Transfer {
    /// Bytes from the client.
    pub(crate) upload: u64,
    /// Bytes from the server.
    pub(crate) download: u64,
    /// The only path to use, if there is a wish: its place in the order in which they were opened, from 0.
    pub(crate) path: Option<usize>,
}

/// The lines after that, while the agent runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Command {
    /// Start the transfers.
    Go,
    /// Join another connection to the session.
    OpenPath {
        /// Where to.
        remote: SocketAddr,
        /// Where from.
        local: IpAddr,
    },
    /// Join another connection to the session as soon as that works, and again when it fails.
    KeepPath {
        /// Where to.
        remote: SocketAddr,
        /// Where from.
        local: IpAddr,
    },
    /// Open a path, and retire all others once it is there.
    Migrate {
        /// Where to.
        remote: SocketAddr,
        /// Where from.
        local: IpAddr,
    },
    /// At a server, tell the peer that an address will no longer do.
    Withdraw {
        /// Which.
        address: SocketAddr,
    },
    /// Close everything and end.
    End,
}

/// What an agent prints.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    /// The server accepts at this address.
    Listening(SocketAddr),
    /// The handshake is done.
    Connected {
        /// When it began.
        begun: Moment,
        /// When it was done.
        done: Moment,
    },
    /// An answer to [`Command::OpenPath`].
    PathOpened {
        /// When.
        at: Moment,
        /// Why not, if it failed.
        failure: Option<String>,
    },
    /// A path joined the session, by whose wish ever.
    PathJoined {
        /// When.
        at: Moment,
        /// Its Connection ID.
        id: u32,
    },
    /// A path of the session is over.
    PathClosed {
        /// When it was noticed.
        at: Moment,
        /// Its Connection ID.
        id: u32,
        /// Why, if it failed.
        reason: Option<String>,
    },
    /// Bytes that have arrived on a stream so far, every now and then.
    Progress {
        /// Which.
        stream: usize,
        /// How many.
        received: u64,
    },
    /// All of a stream was sent, or the sender was told that it is.
    Sent {
        /// Which.
        stream: usize,
        /// Of all the bytes, as hexadecimal digits.
        sha256: String,
    },
    /// All of a stream has arrived.
    Received {
        /// Which.
        stream: usize,
        /// How.
        arrivals: Arrivals,
    },
    /// Something worth a line in a log.
    Note(String),
    /// The agent gives up.
    Failed(String),
}

impl Event {
    /// How all of `number` has arrived, if this tells it.
    pub(crate) fn received(&self, number: usize) -> Option<&Arrivals> {
        if let Self::Received { stream, arrivals } = self {
            return (*stream == number).then_some(arrivals);
        }
        None
    }

    /// The hash of all that was sent on stream `number`, if this tells it.
    pub(crate) fn sent(&self, number: usize) -> Option<&str> {
        if let Self::Sent { stream, sha256 } = self {
            return (*stream == number).then_some(sha256.as_str());
        }
        None
    }

    /// How much of stream `number` has arrived, if this tells it.
    pub(crate) fn progress(&self, number: usize) -> Option<u64> {
        if let Self::Progress { stream, received } = self {
            return (*stream == number).then_some(*received);
        }
        None
    }

    /// How long the handshake took, TCP's included, if this tells it.
    pub(crate) fn connected(&self) -> Option<Duration> {
        if let Self::Connected { begun, done } = self {
            return Some(done.since(*begun));
        }
        None
    }

    /// When a path joined, if this tells it.
    pub(crate) fn path_joined(&self) -> Option<Moment> {
        if let Self::PathJoined { at, .. } = self {
            return Some(*at);
        }
        None
    }

    /// Whether a path could be opened, if this tells it.
    pub(crate) fn path_opened(&self) -> Option<Result<(), String>> {
        if let Self::PathOpened { failure, .. } = self {
            return Some(failure.clone().map_or(Ok(()), Err));
        }
        None
    }
}
