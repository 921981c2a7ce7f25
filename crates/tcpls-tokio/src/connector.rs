//! The client side over any byte stream.

use std::sync::Arc;

use bytes::BytesMut;
use rustls_pki_types::ServerName;
use tcpls_core::crypto::{ClientHandshake, Offer, PlainReason};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::config::ClientConfig;
use crate::error::ConnectError;
use crate::establish::{self, Handover, Side};
use crate::handshake;
use crate::io::Transport;
use crate::path_options::PathOptions;
use crate::plain::PlainStream;
use crate::race::Connection;
use crate::registry::Registry;
use crate::session::Session;

/// Starts sessions as the client, over any byte stream.
///
/// What [`Endpoint`](crate::Endpoint) does over TCP; this is for tests, proxies and other
/// transports.
#[derive(Clone, Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    registry: Registry,
}

/// What a peer turned out to speak.
#[derive(Debug)]
pub enum Connected {
    /// TCPLS.
    Session(Session),
    /// TLS 1.3 without TCPLS; [`PlainStream::reason`] says why.
    Plain(Box<PlainStream>),
}

impl Connector {
    /// A connector with this configuration.
    pub fn new(config: ClientConfig) -> Self {
        Self::with_registry(Arc::new(config), Registry::default())
    }

    pub(crate) fn with_registry(config: Arc<ClientConfig>, registry: Registry) -> Self {
        Self { config, registry }
    }

    /// Starts a session over `io` with the server named `server_name`.
    ///
    /// # Errors
    /// [`ConnectError::NotTcpls`] when the server speaks only TLS; all others when there is no
    /// secure connection at all. The peer was told why where TLS has an alert for it.
    ///
    /// # Cancel safety
    /// Dropped before it completes, the handshake is given up and `io` is closed.
    pub async fn connect<IO>(
        &self,
        server_name: ServerName<'static>,
        io: IO,
    ) -> Result<Session, ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.connect_or_plain(server_name, io)
            .await?
            .into_session()
            .await
    }

    /// As [`connect`](Self::connect), but a server that speaks only TLS 1.3 gives a plain TLS
    /// stream.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), without [`ConnectError::NotTcpls`].
    ///
    /// # Cancel safety
    /// Dropped before it completes, the handshake is given up and `io` is closed.
    pub async fn connect_or_plain<IO>(
        &self,
        server_name: ServerName<'static>,
        io: IO,
    ) -> Result<Connected, ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let offer = self.offer();
        // A handshake's future is large, and callers keep theirs small.
        let run = Box::pin(self.run(server_name, Transport::new(io), offer));
        self.within_limit(run).await
    }

    /// As [`connect_or_plain`](Self::connect_or_plain) over a TCP connection of the caller's that was opened
    /// as `options` say: a session opens it again that way when it fails ([`FollowPaths`](crate::FollowPaths)).
    /// To [`connect_or_plain`](Self::connect_or_plain) it is only known where it goes.
    ///
    /// # Errors
    /// As [`connect_or_plain`](Self::connect_or_plain).
    ///
    /// # Cancel safety
    /// Dropped before it completes, the handshake is given up and `tcp` is closed.
    pub async fn connect_opened(
        &self,
        server_name: ServerName<'static>,
        tcp: TcpStream,
        options: &PathOptions,
    ) -> Result<Connected, ConnectError> {
        let first = tcp.peer_addr().ok();
        let resolved = options.resolved(first, &self.config.transport);
        // A connection without a peer has failed: the handshake says how.
        let options = resolved.unwrap_or_else(|_| options.clone());
        let run = Box::pin(self.connect_over(server_name, (tcp, options)));
        self.within_limit(run).await
    }

    /// As [`connect_or_plain`](Self::connect_or_plain) over TCP.
    pub(crate) async fn connect_over(
        &self,
        server_name: ServerName<'static>,
        (tcp, options): Connection,
    ) -> Result<Connected, ConnectError> {
        let transport = Transport::new(tcp).opened_with(options);
        let offer = self.offer();
        Box::pin(self.run(server_name, transport, offer)).await
    }

    /// Plain TLS from the start, after an offer of TCPLS came to nothing (reading A-40).
    pub(crate) async fn connect_without_offer(
        &self,
        server_name: ServerName<'static>,
        (tcp, _options): Connection,
    ) -> Result<Connected, ConnectError> {
        let run = self.run(server_name, Transport::new(tcp), Offer::Plain);
        let mut connected = Box::pin(run).await?;
        if let Connected::Plain(plain) = &mut connected {
            plain.because(PlainReason::OfferLost);
        }
        Ok(connected)
    }

    fn offer(&self) -> Offer {
        Offer::Tcpls {
            params: self.config.transport.session.params(),
        }
    }

    pub(crate) fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Bounds what belongs to establishing a session.
    pub(crate) async fn within_limit<T>(
        &self,
        work: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        handshake::within(self.config.transport.handshake_timeout, work).await
    }

    /// Waits until every session that was started here is over and its connections are closed.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn wait_idle(&self) {
        self.registry.wait_idle().await;
    }

    async fn run(
        &self,
        server_name: ServerName<'static>,
        mut transport: Transport,
        offer: Offer,
    ) -> Result<Connected, ConnectError> {
        let options = self.config.transport.handshake_options();
        let handshake = ClientHandshake::new(&self.config.tls, server_name, offer, options)?;
        let mut received = BytesMut::new();
        let established = handshake::run(handshake, &mut transport, &mut received).await?;
        let handover = Handover {
            transport,
            established,
            received,
            side: Side::Client(Arc::clone(&self.config)),
        };
        establish::start(handover, &self.registry)
    }
}

impl Connected {
    /// The session, or an error that says why there is none; a plain connection is closed.
    ///
    /// # Errors
    /// [`ConnectError::NotTcpls`] for a plain TLS stream.
    pub async fn into_session(self) -> Result<Session, ConnectError> {
        match self {
            Self::Session(session) => Ok(session),
            Self::Plain(plain) => {
                let reason = plain.reason();
                plain.end().await;
                Err(ConnectError::NotTcpls(reason))
            }
        }
    }
}
