//! Clients and servers over TCP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio::net::ToSocketAddrs;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::acceptor::Acceptor;
use crate::config::{ClientConfig, ServerConfig};
use crate::connector::{Connected, Connector};
use crate::error::ConnectError;
use crate::incoming::{Incoming, Listening};
use crate::race::Race;
use crate::registry::Registry;
use crate::session::Session;
use crate::tcp::{self, Family};

/// Starts and accepts sessions over TCP.
///
/// Cheap to clone; all clones are the same endpoint. Sessions outlive it: use
/// [`wait_idle`](Self::wait_idle) before the runtime ends, so that what they still have to send
/// is sent. Only connections that join a session need the server's endpoint: it accepts them, in a task
/// of its own, until it is closed or dropped.
#[derive(Clone, Debug)]
pub struct Endpoint {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    connector: Option<Connector>,
    server: Option<Listening>,
    registry: Registry,
    closed: Closed,
}

/// Set once, when the endpoint stops accepting.
#[derive(Debug, Default)]
struct Closed {
    flag: std::sync::atomic::AtomicBool,
    notify: Notify,
}

impl Endpoint {
    /// An endpoint that connects with `config`.
    pub fn client(config: ClientConfig) -> Self {
        let registry = Registry::default();
        let connector = Connector::with_registry(Arc::new(config), registry.clone());
        Self::new(Some(connector), None, registry)
    }

    /// An endpoint that listens on `address` (port 0: any free one, see
    /// [`local_addr`](Self::local_addr)) and accepts with `config`.
    ///
    /// # Errors
    /// What the operating system says against listening there.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn server(config: ServerConfig, address: SocketAddr) -> io::Result<Self> {
        Self::server_at(config, &[address])
    }

    /// As [`server`](Self::server) on several addresses: a session that begins on one of them takes
    /// further connections on all. Port 0 is another free port on each.
    ///
    /// With an IPv4 address among them, "::" takes IPv6 alone.
    ///
    /// # Errors
    /// What the operating system says against listening on one of them, or
    /// [`io::ErrorKind::InvalidInput`] without any.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn server_at(config: ServerConfig, addresses: &[SocketAddr]) -> io::Result<Self> {
        if addresses.is_empty() {
            let text = "there is no address to listen on";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let congestion_control = config.transport.congestion_control.as_deref();
        let family = if addresses.iter().any(SocketAddr::is_ipv4) {
            Family::OfAddress
        } else {
            Family::Any
        };
        let mut listeners = Vec::new();
        for address in addresses {
            listeners.push(tcp::listen(*address, family, congestion_control)?);
        }
        let registry = Registry::default();
        let acceptor = Acceptor::with_registry(Arc::new(config), registry.clone());
        let server = Listening::new(listeners, &acceptor);
        Ok(Self::new(None, Some(server), registry))
    }

    /// Opens a TCP connection to `address` and starts a session on it. `server_name` is what the
    /// server's certificate must be for: a DNS name or an IP address.
    ///
    /// Several addresses are raced as in RFC 8305: both families in turn, each 250 ms after the one
    /// before, or at once when that one failed. The TLS handshake runs on the first connection that comes
    /// about; see [`ClientConfig::spare_connections`] for the others. All of it together may take the
    /// [`handshake_timeout`](crate::TransportConfig::handshake_timeout).
    ///
    /// # Errors
    /// [`ConnectError::NotTcpls`] when the server speaks only TLS; all others when there is no
    /// secure connection at all.
    ///
    /// # Cancel safety
    /// Dropped before it completes, the attempt is given up.
    pub async fn connect(
        &self,
        address: impl ToSocketAddrs,
        server_name: &str,
    ) -> Result<Session, ConnectError> {
        let connector = self.connector()?;
        let work = async {
            let target = self.target(address, server_name).await?;
            target.connect().await?.into_session().await
        };
        connector.within_limit(work).await
    }

    /// As [`connect`](Self::connect), but a server that speaks only TLS 1.3 gives a plain TLS
    /// stream.
    ///
    /// Where the connection breaks or stays silent once TCPLS was offered, as behind a box that does
    /// not let the extension through, one more attempt does without the offer, in as much time again
    /// (reading A-40).
    ///
    /// # Errors
    /// As [`connect`](Self::connect), without [`ConnectError::NotTcpls`].
    ///
    /// # Cancel safety
    /// Dropped before it completes, the attempt is given up.
    pub async fn connect_or_plain(
        &self,
        address: impl ToSocketAddrs,
        server_name: &str,
    ) -> Result<Connected, ConnectError> {
        let connector = self.connector()?;
        let target = connector
            .within_limit(self.target(address, server_name))
            .await?;
        match connector.within_limit(target.connect()).await {
            Err(error) if error.is_loss() => {
                tracing::debug!(%error, "trying again without the TCPLS extensions");
                let again = connector.within_limit(target.connect_without_offer());
                // If that is no better, the extensions are not to blame.
                again.await.map_err(|_| error)
            }
            result => result,
        }
    }

    /// Waits for the next client; `None` once the endpoint is closed, or when it is not a server.
    ///
    /// Connections that join a session of this endpoint go there and do not appear here, whether this
    /// is called or not. The others do once their first message was read, or was not one, so that a slow
    /// client holds up nobody else.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it completes, no connection was taken.
    pub async fn accept(&self) -> Option<Incoming> {
        let server = self.inner.server.as_ref()?;
        tokio::select! {
            biased;
            () = self.inner.closed.wait() => None,
            incoming = server.next() => incoming,
        }
    }

    /// Where the endpoint listens; with several addresses, the first.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] when it is not a server, or what the operating system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let first = self.local_addrs()?.into_iter().next();
        first.ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    /// Where the endpoint listens, in the order in which the addresses were given.
    ///
    /// # Errors
    /// As [`local_addr`](Self::local_addr).
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.inner.server {
            Some(server) => server.local_addrs(),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// How many sessions of this endpoint are not over.
    pub fn open_sessions(&self) -> usize {
        self.inner.registry.live()
    }

    /// How many sessions were refused because their client's address had too many:
    /// [`ServerConfig::sessions_per_address`].
    pub fn refused_sessions(&self) -> u64 {
        self.inner.registry.clients().refused()
    }

    /// Accepts nothing more and closes every session as its own [`Session::close`] would.
    pub fn close(&self) {
        self.inner.closed.set();
        if let Some(server) = &self.inner.server {
            server.stop();
        }
        self.inner.registry.close_all();
    }

    /// Waits until every session of this endpoint is over and its connections are closed.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn wait_idle(&self) {
        self.inner.registry.wait_idle().await;
    }

    fn connector(&self) -> Result<&Connector, ConnectError> {
        if self.inner.closed.is_set() {
            return Err(ConnectError::EndpointClosed);
        }
        let connector = self.inner.connector.as_ref();
        connector.ok_or(ConnectError::NoConfig("client"))
    }

    /// Where to connect to, and with what.
    async fn target(
        &self,
        address: impl ToSocketAddrs,
        server_name: &str,
    ) -> Result<Target<'_>, ConnectError> {
        let connector = self.connector()?;
        let name = ServerName::try_from(server_name)
            .map_err(|_| ConnectError::InvalidServerName(server_name.to_owned()))?
            .to_owned();
        let addresses = tokio::net::lookup_host(address).await?.collect();
        Ok(Target {
            connector,
            name,
            addresses,
        })
    }

    fn new(connector: Option<Connector>, server: Option<Listening>, registry: Registry) -> Self {
        let closed = Closed::default();
        Self {
            inner: Arc::new(Inner {
                connector,
                server,
                registry,
                closed,
            }),
        }
    }
}

/// A server to connect to.
struct Target<'a> {
    connector: &'a Connector,
    name: ServerName<'static>,
    addresses: Vec<SocketAddr>,
}

impl Target<'_> {
    /// Offers TCPLS on the first TCP connection that comes about, and has others join it.
    async fn connect(&self) -> Result<Connected, ConnectError> {
        let config = self.connector.config();
        let end = Instant::now() + config.transport.handshake_timeout;
        let mut race = self.race();
        let connection = race.next().await?;
        let wanted = config.spare_connections;
        if wanted > 0 {
            // They connect while the handshake runs, and wait for tokens.
            race.start_all();
        }
        let name = self.name.clone();
        let connected = self.connector.connect_over(name, connection).await?;
        if let Connected::Session(session) = &connected
            && wanted > 0
        {
            session.join_others(race, wanted, end);
        }
        Ok(connected)
    }

    /// Speaks plain TLS on the first TCP connection that comes about.
    async fn connect_without_offer(&self) -> Result<Connected, ConnectError> {
        let connection = self.race().next().await?;
        let name = self.name.clone();
        self.connector.connect_without_offer(name, connection).await
    }

    fn race(&self) -> Race {
        let config = self.connector.config();
        let congestion_control = config.transport.congestion_control.as_deref();
        Race::new(&self.addresses, &config.local_addresses, congestion_control)
    }
}

impl Closed {
    fn set(&self) {
        self.flag.store(true, std::sync::atomic::Ordering::Release);
        self.notify.notify_waiters();
    }

    fn is_set(&self) -> bool {
        self.flag.load(std::sync::atomic::Ordering::Acquire)
    }

    async fn wait(&self) {
        let notified = self.notify.notified();
        if !self.is_set() {
            notified.await;
        }
    }
}
