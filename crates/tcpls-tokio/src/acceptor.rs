//! The server side over any byte stream.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use tcpls_core::crypto::{
    Answer, FirstFlight, HelloReader, JoinHello, ReceivedHello, ServerHandshake,
};
use tcpls_core::wire::{Offered, Role};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::config::ServerConfig;
use crate::connector::Connected;
use crate::error::ConnectError;
use crate::establish::{self, Handover};
use crate::handshake;
use crate::io::Transport;
use crate::registry::Registry;
use crate::session::Session;

/// Accepts sessions as the server, over any byte stream.
///
/// What [`Endpoint`](crate::Endpoint) does over TCP; this is for tests, proxies and other
/// transports.
#[derive(Clone, Debug)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    registry: Registry,
}

impl Acceptor {
    /// An acceptor with this configuration.
    pub fn new(config: ServerConfig) -> Self {
        Self::with_registry(Arc::new(config), Registry::default())
    }

    pub(crate) fn with_registry(config: Arc<ServerConfig>, registry: Registry) -> Self {
        Self { config, registry }
    }

    /// Runs the handshake of a client that speaks TCPLS.
    ///
    /// # Errors
    /// [`ConnectError::NotTcpls`] when the client speaks only TLS; all others when there is no
    /// secure connection at all. The client was told why where TLS has an alert for it.
    ///
    /// # Cancel safety
    /// Dropped before it completes, the handshake is given up and `io` is closed.
    pub async fn accept<IO>(&self, io: IO) -> Result<Session, ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.accept_or_plain(io).await?.into_session().await
    }

    /// As [`accept`](Self::accept), but a client that speaks only TLS 1.3 gives a plain TLS
    /// stream.
    ///
    /// # Errors
    /// As [`accept`](Self::accept), without [`ConnectError::NotTcpls`].
    ///
    /// # Cancel safety
    /// Dropped before it completes, the handshake is given up and `io` is closed.
    pub async fn accept_or_plain<IO>(&self, io: IO) -> Result<Connected, ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let limit = self.config.transport.handshake_timeout;
        let transport = Transport::new(io);
        handshake::within(limit, async {
            self.read_hello(transport).await?.run().await
        })
        .await
    }

    /// Reads the client's first message without answering it, to decide by server name,
    /// application protocols or what it offers.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    ///
    /// # Cancel safety
    /// Dropped before it completes, `io` is closed.
    pub async fn hello<IO>(&self, io: IO) -> Result<Hello, ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let limit = self.config.transport.handshake_timeout;
        handshake::within(limit, self.read_hello(Transport::new(io))).await
    }

    /// Waits until every session that was started here is over and its connections are closed.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn wait_idle(&self) {
        self.registry.wait_idle().await;
    }

    async fn read_hello(&self, mut transport: Transport) -> Result<Hello, ConnectError> {
        let mut reader = HelloReader::new(self.config.transport.codec);
        let mut received = BytesMut::new();
        loop {
            match reader.read(&mut received) {
                Ok(FirstFlight::Incomplete) => {}
                Ok(FirstFlight::Hello(hello)) => {
                    let acceptor = self.clone();
                    return Ok(Hello {
                        acceptor,
                        message: hello,
                        transport,
                        received,
                    });
                }
                Ok(FirstFlight::Join(_)) => {
                    // No session here takes further connections: whatever the token says, it is
                    // not one of them, and all such answers are alike (reading A-23).
                    refuse(&mut transport, &JoinHello::refusal()).await;
                    return Err(ConnectError::UnknownToken);
                }
                Err(error) => {
                    let mut alert = Vec::new();
                    reader.write(&mut alert);
                    refuse(&mut transport, &alert).await;
                    return Err(error.into());
                }
            }
            if handshake::read(&mut transport, &mut received).await? == 0 {
                return Err(ConnectError::Closed);
            }
        }
    }
}

/// A client that has said what it wants and has not been answered.
///
/// Dropping it closes the connection.
pub struct Hello {
    acceptor: Acceptor,
    message: ReceivedHello,
    transport: Transport,
    /// What came after the hello.
    received: BytesMut,
}

impl Hello {
    /// The host name that the client asks for.
    pub fn server_name(&self) -> Option<&str> {
        self.message.server_name()
    }

    /// The application protocols that the client offers, best first.
    pub fn alpn_protocols(&self) -> Vec<&[u8]> {
        let hello = self.message.client_hello().ok();
        hello
            .and_then(|hello| hello.alpn_protocols().ok())
            .map(Iterator::collect)
            .unwrap_or_default()
    }

    /// Whether the client speaks TCPLS.
    pub fn offers_tcpls(&self) -> bool {
        self.message.offered() != Offered::Nothing
    }

    /// The client's address, over TCP.
    pub fn remote_address(&self) -> Option<SocketAddr> {
        self.transport.addresses.remote
    }

    /// Goes on with the handshake and starts a session.
    ///
    /// # Errors
    /// As [`Acceptor::accept`].
    ///
    /// # Cancel safety
    /// Dropped before it completes, the connection is closed.
    pub async fn accept(self) -> Result<Session, ConnectError> {
        self.accept_or_plain().await?.into_session().await
    }

    /// As [`accept`](Self::accept), but a client that speaks only TLS 1.3 gives a plain TLS stream.
    ///
    /// # Errors
    /// As [`accept`](Self::accept), without [`ConnectError::NotTcpls`].
    ///
    /// # Cancel safety
    /// Dropped before it completes, the connection is closed.
    pub async fn accept_or_plain(self) -> Result<Connected, ConnectError> {
        let limit = self.acceptor.config.transport.handshake_timeout;
        handshake::within(limit, self.run()).await
    }

    async fn run(self) -> Result<Connected, ConnectError> {
        let Self {
            acceptor,
            message: hello,
            mut transport,
            mut received,
        } = self;
        let Acceptor { config, registry } = acceptor;
        let token = config.new_token()?;
        let answer = Answer::Tcpls {
            token: Some(token.duplicate()),
            params: None,
        };
        let options = config.transport.handshake_options();
        let handshake = ServerHandshake::accept(&hello, &config.tls, answer, options)?;
        let established = handshake::run(handshake, &mut transport, &mut received).await?;
        let handover = Handover {
            transport,
            established,
            received,
            sent_token: Some(token),
        };
        establish::start(Role::Server, &config.transport, handover, &registry)
    }
}

impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello")
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

/// Tells a client why it is not served, as far as it listens.
async fn refuse(transport: &mut Transport, alert: &[u8]) {
    if let Err(error) = handshake::send_and_end(transport, alert).await {
        tracing::debug!(%error, "a refused client did not take its alert");
    }
}
