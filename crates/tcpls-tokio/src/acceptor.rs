//! The server side over any byte stream.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tcpls_core::crypto::{
    Answer, FirstFlight, HelloReader, JoinHello, ReceivedHello, ServerHandshake,
};
use tcpls_core::wire::{Offered, TokenSequence};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::config::ServerConfig;
use crate::connector::Connected;
use crate::error::ConnectError;
use crate::establish::{self, Handover, ServerSide, Side};
use crate::handshake;
use crate::io::Transport;
use crate::join;
use crate::registry::Registry;
use crate::session::Session;
use crate::token_table::TokenTable;

/// Accepts sessions as the server, over any byte stream.
///
/// What [`Endpoint`](crate::Endpoint) does over TCP; this is for tests, proxies and other
/// transports.
///
/// Connections join the sessions of the acceptor that they are given to, and of its clones: the methods
/// then return [`ConnectError::Joined`], and there is nothing more to do.
#[derive(Clone, Debug)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    registry: Registry,
    tokens: TokenTable,
}

impl Acceptor {
    /// An acceptor with this configuration.
    pub fn new(config: ServerConfig) -> Self {
        Self::with_registry(Arc::new(config), Registry::default())
    }

    pub(crate) fn with_registry(config: Arc<ServerConfig>, registry: Registry) -> Self {
        Self {
            config,
            registry,
            tokens: TokenTable::default(),
        }
    }

    /// Runs the handshake of a client that speaks TCPLS.
    ///
    /// # Errors
    /// [`ConnectError::NotTcpls`] when the client speaks only TLS, [`ConnectError::Joined`] when the
    /// connection joined a session that was accepted before; all others when there is no secure
    /// connection at all. The client was told why where TLS has an alert for it.
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
            let hello = self.read_hello(transport).await?;
            // A handshake's future is large, and callers keep theirs small.
            Box::pin(hello.run()).await
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
        self.hello_over(Transport::new(io)).await
    }

    pub(crate) async fn hello_over(&self, transport: Transport) -> Result<Hello, ConnectError> {
        let limit = self.config.transport.handshake_timeout;
        handshake::within(limit, self.read_hello(transport)).await
    }

    /// Waits until every session that was started here is over and its connections are closed.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn wait_idle(&self) {
        self.registry.wait_idle().await;
    }

    /// The time for the first message is one for all of it, however little comes at a time.
    async fn read_hello(&self, mut transport: Transport) -> Result<Hello, ConnectError> {
        let limit = self.config.transport.handshake_timeout.min(HELLO_TIMEOUT);
        let flight = self.read_first_flight(&mut transport);
        let (flight, received, total) = handshake::within(limit, flight).await?;
        match flight {
            Flight::Hello(message) => Ok(Hello {
                acceptor: self.clone(),
                message,
                transport,
                received,
            }),
            // Few clients join at first: those who do not need no room for what comes of it.
            Flight::Join(hello) => {
                Err(Box::pin(self.join(hello, transport, received, total)).await)
            }
        }
    }

    /// Returns it with what came behind it and how many bytes came at all.
    async fn read_first_flight(
        &self,
        transport: &mut Transport,
    ) -> Result<(Flight, BytesMut, usize), ConnectError> {
        let mut reader = HelloReader::new(self.config.transport.codec);
        let mut received = BytesMut::new();
        let mut total = 0;
        loop {
            match reader.read(&mut received) {
                Ok(FirstFlight::Incomplete) => {}
                Ok(FirstFlight::Hello(hello)) => {
                    return Ok((Flight::Hello(hello), received, total));
                }
                Ok(FirstFlight::Join(hello)) => return Ok((Flight::Join(hello), received, total)),
                Err(error) => {
                    let mut alert = Vec::new();
                    reader.write(&mut alert);
                    Box::pin(refuse(transport, &alert)).await;
                    return Err(error.into());
                }
            }
            match handshake::read(transport, &mut received).await? {
                0 => return Err(ConnectError::Closed),
                count => total += count,
            }
        }
    }

    /// Answers a connection that wants to join a session. Whatever is wrong with it, the answer is the
    /// same (reading A-23).
    async fn join(
        &self,
        hello: JoinHello,
        transport: Transport,
        received: BytesMut,
        total: usize,
    ) -> ConnectError {
        let answered = match self.tokens.take(hello.token()) {
            Some(entry) => join::answer(&hello, entry, transport, received, total).await,
            None => Err(transport),
        };
        match answered {
            Ok(()) => ConnectError::Joined,
            Err(mut transport) => {
                refuse(&mut transport, &JoinHello::refusal()).await;
                ConnectError::UnknownToken
            }
        }
    }
}

/// How long a client's first message may take, beside the whole handshake's time.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// A client's first message that is complete.
enum Flight {
    Hello(ReceivedHello),
    Join(JoinHello),
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
        handshake::within(limit, Box::pin(self.run())).await
    }

    async fn run(self) -> Result<Connected, ConnectError> {
        let Self {
            acceptor,
            message: hello,
            mut transport,
            mut received,
        } = self;
        let Acceptor {
            config,
            registry,
            tokens,
        } = acceptor;
        let place = match transport.addresses.remote {
            Some(remote) => {
                let place = registry
                    .clients()
                    .enter(remote.ip(), config.sessions_per_address);
                Some(place.ok_or(ConnectError::TooManySessions)?)
            }
            None => None,
        };
        let token = config.new_token()?;
        // A client may join before the server has read the end of its handshake (reading A-22).
        let mut tokens = tokens.session_tokens();
        tokens.insert(token.duplicate(), TokenSequence::EARLY.connection_id());
        let answer = Answer::Tcpls {
            token: Some(token.duplicate()),
            params: config.transport.session.params(),
        };
        let options = config.transport.handshake_options();
        let handshake = ServerHandshake::accept(&hello, &config.tls, answer, options)?;
        let established = handshake::run(handshake, &mut transport, &mut received).await?;
        let handover = Handover {
            transport,
            established,
            received,
            side: Side::Server(ServerSide {
                config,
                token,
                tokens,
                place,
            }),
        };
        establish::start(handover, &registry)
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
