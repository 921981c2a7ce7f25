//! What the scenarios share: a certificate that is really verified, and pairs of sessions.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tcpls_tokio::{
    Acceptor, ClientConfig, Connector, ServerConfig, Session, TransportConfig, default_provider,
};
use tokio::io::DuplexStream;

pub(crate) const SERVER_NAME: &str = "server.example";

pub(crate) fn server_name() -> ServerName<'static> {
    ServerName::try_from(SERVER_NAME).unwrap()
}

/// A certificate for [`SERVER_NAME`] and who trusts it.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: Vec<u8>,
}

impl Identity {
    pub(crate) fn generate() -> Self {
        let made = rcgen::generate_simple_self_signed([SERVER_NAME.to_owned()]).unwrap();
        Self {
            chain: vec![made.cert.der().clone()],
            key: made.signing_key.serialize_der(),
        }
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.chain[0].clone()).unwrap();
        roots
    }

    pub(crate) fn client_config(&self) -> ClientConfig {
        ClientConfig::with_root_certificates(self.roots()).unwrap()
    }

    pub(crate) fn server_config(&self) -> ServerConfig {
        ServerConfig::with_single_cert(self.chain.clone(), self.key()).unwrap()
    }

    pub(crate) fn rustls_client(&self) -> rustls::ClientConfig {
        rustls::ClientConfig::builder_with_provider(default_provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(self.roots())
            .with_no_client_auth()
    }

    pub(crate) fn rustls_server(&self) -> rustls::ServerConfig {
        rustls::ServerConfig::builder_with_provider(default_provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), self.key())
            .unwrap()
    }
}

/// Client and server session over an in-memory pipe.
pub(crate) async fn pair() -> (Session, Session) {
    pair_with(TransportConfig::default()).await
}

pub(crate) async fn pair_with(transport: TransportConfig) -> (Session, Session) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    pair_over(near, far, transport).await
}

pub(crate) async fn pair_over(
    near: DuplexStream,
    far: DuplexStream,
    transport: TransportConfig,
) -> (Session, Session) {
    let identity = Identity::generate();
    let transport = Arc::new(transport);
    let (mut client, mut server) = (identity.client_config(), identity.server_config());
    client.transport_config(Arc::clone(&transport));
    server.transport_config(transport);
    let (connector, acceptor) = (Connector::new(client), Acceptor::new(server));
    let (near, far) = tokio::join!(connector.connect(server_name(), near), acceptor.accept(far));
    (near.unwrap(), far.unwrap())
}

/// Bytes that differ from place to place and from stream to stream.
pub(crate) fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
    .take(len)
    .collect()
}
