//! Clients and servers over TCP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::Notify;

use crate::acceptor::Acceptor;
use crate::config::{ClientConfig, ServerConfig};
use crate::connector::{Connected, Connector};
use crate::error::ConnectError;
use crate::incoming::{Incoming, Listening};
use crate::registry::Registry;
use crate::session::Session;

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
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let registry = Registry::default();
        let acceptor = Acceptor::with_registry(Arc::new(config), registry.clone());
        let server = Listening::new(TcpListener::from_std(listener)?, acceptor);
        Ok(Self::new(None, Some(server), registry))
    }

    /// Opens a TCP connection to `address` and starts a session on it. `server_name` is what the
    /// server's certificate must be for: a DNS name or an IP address.
    ///
    /// Several addresses are tried in turn.
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
        let target = self.target(address, server_name).await?;
        let tcp = target.dial().await?;
        target.connector.connect(target.name, tcp).await
    }

    /// As [`connect`](Self::connect), but a server that speaks only TLS 1.3 gives a plain TLS
    /// stream.
    ///
    /// Where the connection breaks or stays silent once TCPLS was offered, as behind a box that does
    /// not let the extension through, one more attempt does without the offer (reading A-40).
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
        let target = self.target(address, server_name).await?;
        let tcp = target.dial().await?;
        let connector = target.connector;
        match connector.connect_or_plain(target.name.clone(), tcp).await {
            Err(error) if error.is_loss() => {
                tracing::debug!(%error, "trying again without the TCPLS extensions");
                let again = async {
                    let tcp = target.dial().await?;
                    connector
                        .connect_without_offer(target.name.clone(), tcp)
                        .await
                };
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

    /// Where the endpoint listens.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] when it is not a server, or what the operating system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.inner.server {
            Some(server) => server.local_addr(),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// How many sessions of this endpoint are not over.
    pub fn open_sessions(&self) -> usize {
        self.inner.registry.live()
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

    /// Where to connect to, and with what.
    async fn target(
        &self,
        address: impl ToSocketAddrs,
        server_name: &str,
    ) -> Result<Target<'_>, ConnectError> {
        let connector = self
            .inner
            .connector
            .as_ref()
            .ok_or(ConnectError::NoConfig("client"))?;
        if self.inner.closed.is_set() {
            return Err(ConnectError::EndpointClosed);
        }
        let name = ServerName::try_from(server_name)
            .map_err(|_| ConnectError::InvalidServerName(server_name.to_owned()))?
            .to_owned();
        let addresses = connector
            .within_limit(async { Ok(tokio::net::lookup_host(address).await?.collect()) })
            .await?;
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
    /// Opens a TCP connection to the first address that takes one.
    async fn dial(&self) -> Result<TcpStream, ConnectError> {
        let dial = async { Ok(TcpStream::connect(self.addresses.as_slice()).await?) };
        self.connector.within_limit(dial).await
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
