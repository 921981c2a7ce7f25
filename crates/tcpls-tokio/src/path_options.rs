//! Where and how another path is to be opened.

use std::net::{IpAddr, SocketAddr};

use tcpls_core::{AddressStanding, PathStatus};
use tokio::net::TcpStream;

use crate::config::TransportConfig;
use crate::error::PathError;
use crate::shared::Shared;
use crate::tcp::{self, Dial, DialError};

/// How to open another TCP connection of a session; see
/// [`Session::open_path`](crate::Session::open_path).
///
/// ```
/// # use tcpls_tokio::PathOptions;
/// let mut options = PathOptions::new();
/// options.remote(([192, 0, 2, 1], 443).into()).local([198, 51, 100, 7].into());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathOptions {
    remote: Option<SocketAddr>,
    local: Option<IpAddr>,
    device: Option<String>,
    congestion_control: Option<String>,
    status: PathStatus,
}

impl PathOptions {
    /// To where the session's first connection went, and everything else as the system chooses.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where to connect to; default: where the session's first connection went.
    pub fn remote(&mut self, address: SocketAddr) -> &mut Self {
        self.remote = Some(address);
        self
    }

    /// The local address to connect from; default: the system's choice for the remote address. Which
    /// interface the packets leave through is still for the routing table to say: see
    /// [`device`](Self::device).
    pub fn local(&mut self, address: IpAddr) -> &mut Self {
        self.local = Some(address);
        self
    }

    /// The network interface to use whatever the routing table says, by its name, like "eth1". Linux
    /// only; before Linux 5.7 it takes the capability `CAP_NET_RAW`.
    pub fn device(&mut self, name: impl Into<String>) -> &mut Self {
        self.device = Some(name.into());
        self
    }

    /// TCP's congestion control on this path, by the system's name for it, like "cubic"; default:
    /// that of the configuration, or else the system's choice. Linux only, and of algorithms that the system has and allows.
    pub fn congestion_control(&mut self, name: impl Into<String>) -> &mut Self {
        self.congestion_control = Some(name.into());
        self
    }

    /// What the path is for; default: its share of the load. The peer is not told and decides about what
    /// it sends itself.
    pub fn status(&mut self, status: PathStatus) -> &mut Self {
        self.status = status;
        self
    }

    /// To this address, and everything else as the system chooses.
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self {
            remote: Some(address),
            ..Self::default()
        }
    }

    /// The same, to `first` unless another address was set, and with the congestion control of the
    /// session's configuration unless another was.
    pub(crate) fn resolved(
        &self,
        first: Option<SocketAddr>,
        config: &TransportConfig,
    ) -> Result<Self, PathError> {
        let congestion_control = self.congestion_control.as_ref();
        Ok(Self {
            remote: Some(self.remote.or(first).ok_or(PathError::NoAddress)?),
            congestion_control: congestion_control
                .or(config.congestion_control.as_ref())
                .cloned(),
            ..self.clone()
        })
    }

    /// R52: nothing is opened to an address that the server withdrew.
    pub(crate) fn check(&self, shared: &Shared) -> Result<(), PathError> {
        let Some(remote) = self.remote else {
            return Ok(());
        };
        match shared.inspect(|state| state.core.peer_address(remote)) {
            AddressStanding::Withdrawn(_) => Err(PathError::AddressWithdrawn(remote)),
            AddressStanding::Unknown | AddressStanding::Advertised(_) => Ok(()),
        }
    }

    pub(crate) fn remote_address(&self) -> Option<SocketAddr> {
        self.remote
    }

    pub(crate) fn path_status(&self) -> PathStatus {
        self.status
    }

    pub(crate) fn local_address(&self) -> Option<IpAddr> {
        self.local
    }

    /// Opens the TCP connection.
    pub(crate) async fn dial(&self) -> Result<TcpStream, PathError> {
        let remote = self.remote.ok_or(PathError::NoAddress)?;
        Ok(self.dial_to(remote).await?)
    }

    /// The same, to `remote` whatever was set.
    pub(crate) async fn dial_to(&self, remote: SocketAddr) -> Result<TcpStream, DialError> {
        let dial = Dial {
            remote,
            local: self.local,
            device: self.device.as_deref(),
            congestion_control: self.congestion_control.as_deref(),
        };
        tcp::dial(dial).await
    }
}
