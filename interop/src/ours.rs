//! Our own endpoints, set up for a row.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::{CipherSuite, NamedGroup};
use tcpls_tokio::core::crypto::Backend;
#[cfg(feature = "openssl-peer")]
use tcpls_tokio::core::crypto::TlsServer;
use tcpls_tokio::{
    ClientConfig, ConnectError, Connected, Endpoint, HandshakeInfo, Incoming, PlainStream, Profile,
    ServerConfig, Session, SessionConfig, SessionError, TransportConfig,
};
use tokio::task::JoinHandle;

use crate::authority::SERVER_NAME;
use crate::lab::Lab;

/// How an endpoint differs from one with all defaults.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    /// The only suite, instead of all of TLS 1.3.
    pub(crate) suite: Option<CipherSuite>,
    /// The key exchange groups in order of preference, instead of rustls' own list.
    pub(crate) groups: Vec<NamedGroup>,
    /// What protects records, instead of the default backend.
    pub(crate) backend: Option<Backend>,
    /// Records after which keys are updated, instead of the suite's own limit.
    pub(crate) key_update_after: Option<u64>,
    /// Whether a client shows a certificate, or a server demands one.
    pub(crate) client_certificate: ClientCertificate,
    /// Whether the endpoint offers what the draft does not have.
    pub(crate) profile: Profile,
    /// How long a session waits for a connection when it has none, instead of 30 s.
    pub(crate) linger: Option<Duration>,
}

/// What an endpoint does about certificates of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ClientCertificate {
    /// Neither shown nor asked for.
    #[default]
    None,
    /// Shown by a client, demanded by a server.
    Used,
}

impl Setup {
    /// A client that trusts the lab's authority.
    pub(crate) fn client(&self, lab: &Lab) -> Result<Endpoint> {
        let builder = rustls::ClientConfig::builder_with_provider(self.provider()?)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(Arc::clone(&lab.authority.roots));
        let identity = &lab.authority.client;
        let tls = match self.client_certificate {
            ClientCertificate::None => builder.with_no_client_auth(),
            ClientCertificate::Used => {
                builder.with_client_auth_cert(identity.chain(), identity.key())?
            }
        };
        let mut config = ClientConfig::new(&Arc::new(tls))?;
        config.transport_config(Arc::new(self.transport()));
        Ok(Endpoint::client(config))
    }

    /// A server on a free port with the lab's certificate.
    pub(crate) fn server(&self, lab: &Lab) -> Result<(Endpoint, SocketAddr)> {
        let mut config = ServerConfig::new(&self.rustls_server(lab)?)?;
        config.transport_config(Arc::new(self.transport()));
        let endpoint = Endpoint::server(config, SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = endpoint.local_addr()?;
        Ok((endpoint, address))
    }

    /// The same for the handshake alone.
    #[cfg(feature = "openssl-peer")]
    pub(crate) fn tls_server(&self, lab: &Lab) -> Result<TlsServer> {
        Ok(TlsServer::new(&*self.rustls_server(lab)?)?)
    }

    fn rustls_server(&self, lab: &Lab) -> Result<Arc<rustls::ServerConfig>> {
        let provider = self.provider()?;
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?;
        let roots = Arc::clone(&lab.authority.roots);
        let builder = match self.client_certificate {
            ClientCertificate::None => builder.with_no_client_auth(),
            ClientCertificate::Used => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(roots, provider).build()?,
            ),
        };
        let identity = &lab.authority.server;
        Ok(Arc::new(
            builder.with_single_cert(identity.chain(), identity.key())?,
        ))
    }

    fn transport(&self) -> TransportConfig {
        let mut transport = TransportConfig::default();
        if let Some(backend) = self.backend {
            transport.backend(backend);
        }
        let mut session = SessionConfig::default();
        session.profile(self.profile);
        if let Some(records) = self.key_update_after {
            session.key_update_after(records);
        }
        if let Some(linger) = self.linger {
            session.orphan_timeout(Some(linger));
        }
        transport.session(session);
        transport
    }

    fn provider(&self) -> Result<Arc<CryptoProvider>> {
        let mut base = aws_lc_rs::default_provider();
        if let Some(suite) = self.suite {
            base.cipher_suites.retain(|known| known.suite() == suite);
        }
        if !self.groups.is_empty() {
            let known = aws_lc_rs::ALL_KX_GROUPS;
            let find = |group: &NamedGroup| known.iter().copied().find(|k| k.name() == *group);
            base.kx_groups = self.groups.iter().filter_map(find).collect();
            ensure!(
                base.kx_groups.len() == self.groups.len(),
                "a group that rustls lacks"
            );
        }
        Ok(Arc::new(tcpls_tokio::provider(&base)))
    }
}

/// The next client of `endpoint`.
pub(crate) async fn incoming(endpoint: &Endpoint) -> Result<Incoming> {
    endpoint.accept().await.context("our endpoint is closed")
}

/// A session with the server at `address`.
pub(crate) async fn connect(endpoint: &Endpoint, address: SocketAddr) -> Result<Session> {
    endpoint
        .connect(address, SERVER_NAME)
        .await
        .context("no session")
}

/// A plain TLS stream to the server at `address`, which does not speak TCPLS.
pub(crate) async fn connect_plain(endpoint: &Endpoint, address: SocketAddr) -> Result<PlainStream> {
    let connected = endpoint.connect_or_plain(address, SERVER_NAME).await;
    plain(connected.context("no connection")?)
}

/// What is plain, or an error.
pub(crate) fn plain(connected: Connected) -> Result<PlainStream> {
    match connected {
        Connected::Plain(stream) => Ok(*stream),
        Connected::Session(_) => bail!("a session with a peer that does not speak TCPLS"),
    }
}

/// The text of the error that a row expects, if it has one of the expected `words`.
pub(crate) fn expected_error<T>(result: Result<T, ConnectError>, words: &[&str]) -> Result<String> {
    let Err(error) = result else {
        bail!("no error where one was expected")
    };
    let text = error.to_string();
    let clear = words
        .iter()
        .any(|word| text.to_lowercase().contains(&word.to_lowercase()));
    ensure!(clear, "the error `{text}` has none of the words {words:?}");
    ensure!(
        !text.contains('\n'),
        "the error has more than one line: {text}"
    );
    Ok(text)
}

/// Echoes every stream of `session`, each on a task of its own, until the session is over.
pub(crate) fn echo(session: &Session) -> JoinHandle<()> {
    let session = session.clone();
    tokio::spawn(async move {
        while let Ok((mut send, mut recv)) = session.accept_bi().await {
            tokio::spawn(async move {
                let copied = tokio::io::copy(&mut recv, &mut send).await;
                // A stream that was cut off is not finished: the other side must see that.
                copied.is_ok() && send.finish().is_ok()
            });
        }
    })
}

/// Sends `payload` on a stream of its own and expects it back.
pub(crate) async fn round_trip(session: &Session, payload: &[u8]) -> Result<()> {
    let (mut send, mut recv) = session.open_bi().await?;
    let sending = async {
        send.write_all(payload).await?;
        send.finish()?;
        anyhow::Ok(())
    };
    let receiving = async { anyhow::Ok(recv.read_to_end(payload.len()).await?) };
    let ((), received) = tokio::try_join!(sending, receiving)?;
    ensure!(received == payload, "the echo differs from what was sent");
    Ok(())
}

/// Waits for the end of `session`, which the peer is expected to close cleanly.
pub(crate) async fn closed_by_peer(session: &Session) -> Result<()> {
    let reason = session.closed().await;
    ensure!(
        reason == SessionError::PeerClose,
        "the session ended otherwise: {reason}"
    );
    Ok(())
}

/// Bytes that repeat themselves nowhere within a record.
pub(crate) fn payload(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let [byte, ..] = state.to_be_bytes();
        byte
    };
    std::iter::repeat_with(&mut next).take(length).collect()
}

/// Every suite that the draft's nonce rule fits, with a short name.
pub(crate) const SUITES: [(CipherSuite, &str); 3] = [
    (CipherSuite::TLS13_AES_128_GCM_SHA256, "aes-128-gcm"),
    (CipherSuite::TLS13_AES_256_GCM_SHA384, "aes-256-gcm"),
    (
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        "chacha20-poly1305",
    ),
];

/// What a handshake agreed on, in a few words.
pub(crate) fn facts(info: &HandshakeInfo) -> String {
    let group = info
        .key_exchange
        .map(|group| format!(", {group:?}"))
        .unwrap_or_default();
    let kind = if info.is_resumed() { ", resumed" } else { "" };
    format!("{:?}{group}{kind}", info.suite)
}

/// A short name for a backend.
pub(crate) fn label(backend: Backend) -> String {
    format!("{backend:?}").to_lowercase()
}
