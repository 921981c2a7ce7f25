//! TLS 1.3 with tokio-rustls: by itself the floor, and below the multiplexers that run on it.

use std::sync::Arc;

use rustls::CipherSuite;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::byte_stream::{Reading, Single, Writing};
use super::tcp::Listening;
use crate::transport::{Link, Multiplexing, Peer};
use crate::{Error, Identity, SERVER_NAME, only_suite};

/// The cipher suite of every transport.
const SUITE: CipherSuite = CipherSuite::TLS13_AES_128_GCM_SHA256;

/// rustls' configurations for both ends: one cipher suite, and every handshake a full one.
pub(super) fn configurations(
    identity: &Identity,
    protocol: &[u8],
    wrap: fn(&CryptoProvider) -> CryptoProvider,
) -> Result<(rustls::ClientConfig, rustls::ServerConfig), Error> {
    let base = only_suite(rustls::crypto::aws_lc_rs::default_provider(), SUITE);
    let provider = Arc::new(wrap(&base));
    let (mut client, mut server) = (identity.client(&provider)?, identity.server(&provider)?);
    client.resumption = Resumption::disabled();
    server.send_tls13_tickets = 0;
    if !protocol.is_empty() {
        client.alpn_protocols = vec![protocol.to_vec()];
        server.alpn_protocols = vec![protocol.to_vec()];
    }
    Ok((client, server))
}

/// TLS connections over loopback.
pub(super) struct TlsLink {
    tcp: Listening,
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

impl TlsLink {
    pub(super) async fn new(identity: &Identity, protocol: &[u8]) -> Result<Self, Error> {
        let (client, server) = configurations(identity, protocol, Clone::clone)?;
        Ok(Self {
            tcp: Listening::new().await?,
            connector: TlsConnector::from(Arc::new(client)),
            acceptor: TlsAcceptor::from(Arc::new(server)),
        })
    }

    /// Both ends of a new connection, the client's first.
    pub(super) async fn pair(&self) -> Result<(TlsStream<TcpStream>, TlsStream<TcpStream>), Error> {
        let (near, far) = self.tcp.pair().await?;
        let (near, far) = tokio::join!(
            self.connector
                .connect(ServerName::try_from(SERVER_NAME)?, near),
            self.acceptor.accept(far)
        );
        Ok((near?.into(), far?.into()))
    }
}

pub(super) struct TokioRustls;

impl Peer for TokioRustls {
    type Link = TlsLink;

    fn name(&self) -> &'static str {
        "tokio-rustls"
    }

    fn multiplexing(&self) -> Multiplexing {
        Multiplexing::No
    }

    async fn link(&self, identity: &Identity, _streams: u32) -> Result<TlsLink, Error> {
        TlsLink::new(identity, b"").await
    }
}

impl Link for TlsLink {
    type Session =
        Single<Writing<WriteHalf<TlsStream<TcpStream>>>, Reading<ReadHalf<TlsStream<TcpStream>>>>;

    async fn establish(&self) -> Result<(Self::Session, Self::Session), Error> {
        let (near, far) = self.pair().await?;
        let session = |tls: TlsStream<TcpStream>| {
            let (receive, send) = tokio::io::split(tls);
            Single::new(Writing(send), Reading(receive))
        };
        Ok((session(near), session(far)))
    }
}
