//! What the scenarios share: a certificate that is really verified, and pairs of sessions.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tcpls_tokio::{
    Acceptor, ClientConfig, Connector, PathEvent, PathEvents, ServerConfig, Session,
    TransportConfig, default_provider,
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

/// Lets time pass by the turns of this test's runtime instead of the wall clock: a millisecond at a time, and
/// not before all that could go on had its turn. A machine that is slow or does something else for a while
/// makes nothing late that way, neither the test's own limits nor those of sessions. For tests over TCP on one
/// thread; without sockets `start_paused` does, which would not wait for what is under way in the system.
///
/// Time stands still once the result is dropped.
pub(crate) fn patient_time() -> impl Sized {
    const TICK: Duration = Duration::from_millis(1);
    tokio::time::pause();
    let (going_on, over) = mpsc::channel::<()>();
    let (tick, mut ticks) = tokio::sync::mpsc::channel(1);
    // While this runs, paused time does not jump ahead by itself.
    tokio::task::spawn_blocking(move || {
        while over.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if tick.blocking_send(()).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while ticks.recv().await.is_some() {
            tokio::time::advance(TICK).await;
        }
    });
    going_on
}

/// Longer than anything takes that a test waits for.
const LONG: Duration = Duration::from_secs(60);

/// Waits until something is so, and not for ever.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let in_time = tokio::time::timeout(LONG, waiting).await;
    assert!(in_time.is_ok(), "it is never so that {what}");
}

/// Waits for an event of the paths, and not for ever. Others come in between: where the machine is busy, paths
/// may be silent for a moment.
pub(crate) async fn path_event<T>(
    events: &mut PathEvents,
    find: impl Fn(PathEvent) -> Option<T>,
) -> T {
    let waiting = async {
        loop {
            if let Some(found) = find(events.recv().await.unwrap()) {
                return found;
            }
        }
    };
    tokio::time::timeout(LONG, waiting).await.unwrap()
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
