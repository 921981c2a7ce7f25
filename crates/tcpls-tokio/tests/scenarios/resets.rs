//! TCP connections that are reset: what had arrived counts, and the session knows at once.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{Identity, SERVER_NAME, patient_time, pattern, until};
use tcpls_tokio::{
    ClientConfig, ConnectionFailure, Endpoint, PathEvent, Profile, Session, SessionConfig,
    TransportConfig,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// A session through a relay that resets the client's connection on command, and what the relay passed on to the client.
struct Relayed {
    near: Session,
    far: Session,
    reset: oneshot::Sender<()>,
    passed: Arc<AtomicUsize>,
    _endpoints: (Endpoint, Endpoint),
}

impl Relayed {
    async fn new(session: SessionConfig) -> Self {
        let identity = Identity::generate();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Endpoint::server(identity.server_config(), loopback).unwrap();
        let mut config: ClientConfig = identity.client_config();
        let mut transport = TransportConfig::default();
        transport.session(session);
        config.transport_config(Arc::new(transport));
        let client = Endpoint::client(config);
        let address = server.local_addr().unwrap();
        let listener = TcpListener::bind(loopback).await.unwrap();
        let relayed = listener.local_addr().unwrap();
        let (reset, inbox) = oneshot::channel();
        let passed = Arc::new(AtomicUsize::new(0));
        tokio::spawn(relay(listener, address, inbox, Arc::clone(&passed)));
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let (near, far) = tokio::join!(client.connect(relayed, SERVER_NAME), accept);
        Self {
            near: near.unwrap(),
            far,
            reset,
            passed,
            _endpoints: (client, server),
        }
    }

    /// Waits until the client's socket got this much.
    async fn passed(&self, bytes: usize) {
        let passed = || self.passed.load(Ordering::Acquire);
        until("the relay passed it on", || passed() >= bytes).await;
    }
}

async fn relay(
    listener: TcpListener,
    to: SocketAddr,
    mut reset: oneshot::Receiver<()>,
    passed: Arc<AtomicUsize>,
) {
    let (near, _) = listener.accept().await.unwrap();
    let (mut far_read, mut far_write) = TcpStream::connect(to).await.unwrap().into_split();
    near.set_zero_linger().unwrap();
    let (mut near_read, mut near_write) = near.into_split();
    let mut up = tokio::spawn(async move {
        let _end = tokio::io::copy(&mut near_read, &mut far_write).await;
        (near_read, far_write)
    });
    let mut space = vec![0; 16_384];
    loop {
        tokio::select! {
            read = far_read.read(&mut space) => match read {
                Ok(count @ 1..) => {
                    near_write.write_all(&space[..count]).await.unwrap();
                    passed.fetch_add(count, Ordering::AcqRel);
                }
                Ok(0) | Err(_) => break,
            },
            _now = &mut reset => break,
        }
    }
    up.abort();
    // Both halves are gone here: the last one that is dropped resets the connection.
    let _aborted = (&mut up).await;
    near_write.forget();
}

/// R21, A-14: what arrived before a reset is the session's, also where the reset is first noticed by a
/// write, while the application is too slow for more to be read.
#[tokio::test]
async fn what_arrived_before_a_reset_is_read() {
    let _time = patient_time();
    let mut session = SessionConfig::new();
    session.unread_soft_cap(1).profile(Profile::DraftOnly);
    let peers = Relayed::new(session).await;
    let data = pattern(1, 48_000);
    let (mut send, _recv) = peers.far.open_bi().await.unwrap();
    send.write_all(&data[..1000]).await.unwrap();
    // The client has one unread piece, so it reads no more.
    let (_send, mut recv) = peers.near.accept_bi().await.unwrap();
    let received = || peers.near.paths()[0].stats().bytes_received;
    until("the first piece is there", || received() >= 1000).await;
    let before = peers.passed.load(Ordering::Acquire);
    send.write_all(&data[1000..]).await.unwrap();
    send.finish().unwrap();
    peers.passed(before + data.len() - 1000).await;
    assert!(received() < 2000, "it does not read");
    let (mut up, _recv) = peers.near.open_bi().await.unwrap();
    let mut events = peers.near.path_events();
    peers.reset.send(()).unwrap();
    let reason = loop {
        up.write_all(b"again").await.unwrap();
        tokio::select! {
            // It may be silent before.
            event = events.recv() => if let PathEvent::Closed { reason, .. } = event.unwrap() {
                break reason;
            },
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    };
    assert_eq!(reason, Some(ConnectionFailure::Reset));
    assert!(recv.read_to_end(1 << 20).await.unwrap() == data);
}
