//! How connections get into a session, and who does not.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Identity, pattern, server_name};
use tcpls_tokio::{
    Acceptor, ConnectError, Connector, JoinFailure, Path, PathError, Session, SessionConfig,
    TransportConfig,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::task::AbortHandle;

/// Two ends of a session, and where further connections are accepted.
pub(crate) struct Peers {
    pub(crate) client: Session,
    pub(crate) server: Session,
    pub(crate) acceptor: Acceptor,
    connector: Connector,
}

impl Peers {
    pub(crate) async fn new(transport: TransportConfig) -> Self {
        let (near, far) = tokio::io::duplex(64 * 1024);
        Self::over(near, far, transport).await
    }

    pub(crate) async fn over(
        near: DuplexStream,
        far: DuplexStream,
        transport: TransportConfig,
    ) -> Self {
        let identity = Identity::generate();
        let transport = Arc::new(transport);
        let (mut client, mut server) = (identity.client_config(), identity.server_config());
        client.transport_config(Arc::clone(&transport));
        server.transport_config(transport);
        let (connector, acceptor) = (Connector::new(client), Acceptor::new(server));
        let connect = connector.connect(server_name(), near);
        let (client, server) = tokio::join!(connect, acceptor.accept(far));
        Self {
            client: client.unwrap(),
            server: server.unwrap(),
            acceptor,
            connector,
        }
    }

    /// Joins one more connection.
    pub(crate) async fn join(&self) -> Result<Path, PathError> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let acceptor = self.acceptor.clone();
        tokio::spawn(async move {
            let error = acceptor.accept(far).await.unwrap_err();
            assert!(
                matches!(error, ConnectError::Joined | ConnectError::Closed),
                "{error}"
            );
        });
        self.client.join_over(near).await
    }

    /// The first bytes of a join that gets no answer, and what becomes of it.
    async fn captured(&self) -> (Vec<u8>, DuplexStream, tokio::task::JoinHandle<PathError>) {
        let (near, mut far) = tokio::io::duplex(64 * 1024);
        let client = self.client.clone();
        let joining = tokio::spawn(async move { client.join_over(near).await.unwrap_err() });
        let mut hello = vec![0; 5];
        far.read_exact(&mut hello).await.unwrap();
        let length = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
        hello.resize(5 + length, 0);
        far.read_exact(&mut hello[5..]).await.unwrap();
        (hello, far, joining)
    }

    /// Shows these bytes to the server; what it answers until it hangs up, and what it says of it.
    async fn show(&self, bytes: &[u8]) -> (Vec<u8>, ConnectError) {
        let (mut near, far) = tokio::io::duplex(64 * 1024);
        near.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let read = async {
            near.read_to_end(&mut answer).await.unwrap();
        };
        let (error, ()) = tokio::join!(self.acceptor.accept(far), read);
        (answer, error.unwrap_err())
    }

    /// The session still carries data.
    async fn is_unhurt(&self) {
        let (mut send, _recv) = self.client.open_bi().await.unwrap();
        let data = pattern(3, 50_000);
        send.write_all(&data).await.unwrap();
        send.finish().unwrap();
        let (_send, mut recv) = self.server.accept_bi().await.unwrap();
        assert!(recv.read_to_end(1 << 20).await.unwrap() == data);
        assert_eq!(self.client.close_reason(), None);
    }
}

/// Both sides counted as many connections.
pub(crate) fn joined(peers: &Peers) {
    let (client, server) = (peers.client.stats(), peers.server.stats());
    assert_eq!(client.connections, server.connections);
}

/// The ends of a connection that goes through a relay, which can be killed.
pub(crate) fn killable() -> (DuplexStream, DuplexStream, AbortHandle) {
    let (near, mut near_far) = tokio::io::duplex(64 * 1024);
    let (mut far_near, far) = tokio::io::duplex(64 * 1024);
    let relay = tokio::spawn(async move {
        let _end = tokio::io::copy_bidirectional(&mut near_far, &mut far_near).await;
    });
    (near, far, relay.abort_handle())
}

/// The types of the records in `bytes`.
fn record_types(mut bytes: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    while let [kind, _, _, high, low, rest @ ..] = bytes {
        types.push(*kind);
        bytes = &rest[usize::from(u16::from_be_bytes([*high, *low]))..];
    }
    types
}

const ILLEGAL_PARAMETER: [u8; 7] = [21, 3, 3, 0, 2, 2, 47];

/// R37: who steals a token gets an answer without anything protected in it, and hears no
/// more; the token is used, and the one that it was stolen from is refused. The session goes on.
#[tokio::test(start_paused = true)]
async fn a_stolen_token_gives_nothing() {
    let peers = Peers::new(TransportConfig::default()).await;
    let (hello, mut far, joining) = peers.captured().await;
    let before = tokio::time::Instant::now();
    let (answer, error) = peers.show(&hello).await;
    assert!(matches!(error, ConnectError::Joined), "{error}");
    assert_eq!(record_types(&answer), [22, 20]);
    assert_eq!(before.elapsed().as_secs(), 3);
    let (answer, error) = peers.show(&hello).await;
    assert!(matches!(error, ConnectError::UnknownToken), "{error}");
    assert_eq!(answer, ILLEGAL_PARAMETER);
    far.write_all(&ILLEGAL_PARAMETER).await.ok();
    joining.await.unwrap();
    peers.is_unhurt().await;
    peers.join().await.unwrap();
}

/// who only shows tokens cannot keep more than eight connections of a session: the one that took
/// longest goes for the next, and what is genuine gets in all the same.
#[tokio::test(start_paused = true)]
async fn few_joins_may_be_unproven() {
    let mut transport = TransportConfig::default();
    let mut session = SessionConfig::new();
    session.spare_tokens(16);
    transport.session(session);
    let peers = Peers::new(transport).await;
    let before = tokio::time::Instant::now();
    let mut shown = Vec::new();
    for _ in 0..9 {
        let (hello, _far, joining) = peers.captured().await;
        joining.abort();
        let (mut near, far) = tokio::io::duplex(64 * 1024);
        near.write_all(&hello).await.unwrap();
        let error = peers.acceptor.accept(far).await.unwrap_err();
        assert!(matches!(error, ConnectError::Joined), "{error}");
        shown.push(near);
    }
    let mut ends = Vec::new();
    for mut near in shown {
        near.read_to_end(&mut Vec::new()).await.unwrap();
        ends.push(before.elapsed().as_secs());
    }
    assert_eq!(ends, [0, 3, 3, 3, 3, 3, 3, 3, 3]);
    peers.join().await.unwrap();
    peers.is_unhurt().await;
}

/// bytes that do not authenticate end the connection that they came on, without an answer.
#[tokio::test(start_paused = true)]
async fn a_forged_record_gives_nothing() {
    let peers = Peers::new(TransportConfig::default()).await;
    let (mut hello, _far, joining) = peers.captured().await;
    hello.extend_from_slice(&[20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 40]);
    hello.extend_from_slice(&[9; 40]);
    let (answer, error) = peers.show(&hello).await;
    assert!(matches!(error, ConnectError::Joined), "{error}");
    assert_eq!(record_types(&answer), [22, 20]);
    peers.is_unhurt().await;
    joining.abort();
}

/// A-23, R37: the client whose token is refused learns it, on that path alone.
#[tokio::test(start_paused = true)]
async fn a_refused_join_fails_its_path_only() {
    let peers = Peers::new(TransportConfig::default()).await;
    let (_hello, mut far, joining) = peers.captured().await;
    far.write_all(&ILLEGAL_PARAMETER).await.unwrap();
    let error = joining.await.unwrap();
    let PathError::NotJoined(JoinFailure::Alert(alert)) = error else {
        panic!("{error}")
    };
    assert_eq!(alert.description.as_u8(), 47);
    peers.is_unhurt().await;
    peers.join().await.unwrap();
}

/// A-20, R23: a join that nobody answers ends after three seconds, and its path alone.
#[tokio::test(start_paused = true)]
async fn a_silent_join_ends_after_three_seconds() {
    let peers = Peers::new(TransportConfig::default()).await;
    let before = tokio::time::Instant::now();
    let (_hello, _far, joining) = peers.captured().await;
    let error = joining.await.unwrap();
    assert!(matches!(error, PathError::TimedOut(limit) if limit == Duration::from_secs(3)));
    assert_eq!(before.elapsed().as_secs(), 3);
    peers.is_unhurt().await;
    // Nothing of it is left, though the other end of its connection still is.
    peers.client.close(0, b"");
    let idle = peers.connector.wait_idle();
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, idle).await.unwrap();
}

/// a token is good under the name that its session was made with, and no other.
#[tokio::test(start_paused = true)]
async fn a_token_is_good_under_one_name() {
    let peers = Peers::new(TransportConfig::default()).await;
    let (mut hello, _far, joining) = peers.captured().await;
    let name = crate::common::SERVER_NAME.as_bytes();
    let at = hello.windows(name.len()).position(|window| window == name);
    hello[at.unwrap()] ^= 1;
    let (answer, error) = peers.show(&hello).await;
    assert!(matches!(error, ConnectError::UnknownToken), "{error}");
    assert_eq!(answer, ILLEGAL_PARAMETER);
    peers.is_unhurt().await;
    joining.abort();
}

/// Passes bytes on and keeps a copy.
async fn tee(mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>) -> Vec<u8> {
    let (mut all, mut some) = (Vec::new(), vec![0; 4096]);
    while let Ok(count @ 1..) = from.read(&mut some).await {
        all.extend_from_slice(&some[..count]);
        if to.write_all(&some[..count]).await.is_err() {
            break;
        }
    }
    all
}

/// The lengths of the protected records in `bytes`, without what protects them.
fn protected(mut bytes: &[u8]) -> Vec<usize> {
    let mut lengths = Vec::new();
    while let [kind, _, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if *kind == 23 {
            lengths.push(length - 17);
        }
        bytes = &rest[length..];
    }
    lengths
}

/// A-20, R23: while another connection lives, a join has the records of a resumption with early data:
/// early data, then `EndOfEarlyData` and `Finished` from the client, `EncryptedExtensions` and
/// `Finished` from the server.
#[tokio::test(start_paused = true)]
async fn a_join_has_the_records_of_a_resumption() {
    let peers = Peers::new(TransportConfig::default()).await;
    let (near, near_far) = tokio::io::duplex(64 * 1024);
    let (far_near, far) = tokio::io::duplex(64 * 1024);
    let (near_read, near_write) = tokio::io::split(near_far);
    let (far_read, far_write) = tokio::io::split(far_near);
    let up = tokio::spawn(tee(near_read, far_write));
    let down = tokio::spawn(tee(far_read, near_write));
    let accept = peers.acceptor.accept(far);
    let (path, _joined) = tokio::join!(peers.client.join_over(near), accept);
    let stats = |session: &Session| session.paths()[1].stats();
    while stats(&peers.client).records_sent < 2 || stats(&peers.server).records_received < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        path.as_ref().unwrap();
        peers.client.ping();
    }
    peers.client.close(0, b"");
    peers.client.closed().await;
    peers.server.closed().await;
    let (up, down) = (up.await.unwrap(), down.await.unwrap());
    assert_eq!(record_types(&up)[..4], [22, 20, 23, 23]);
    assert_eq!(record_types(&down)[..3], [22, 20, 23]);
    let (up, down) = (protected(&up), protected(&down));
    assert!((128..640).contains(&up[0]), "{up:?}");
    // With SHA-384.
    assert_eq!((up[1], down[0]), (4 + 4 + 48, 4 + 2 + 4 + 4 + 48));
}

/// a join shows a made-up ticket that is as long as those of its server.
#[tokio::test(start_paused = true)]
async fn a_join_shows_a_ticket_of_the_usual_length() {
    let peers = Peers::new(TransportConfig::default()).await;
    // The tickets are the first that the server sends.
    peers.is_unhurt().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (hello, _far, joining) = peers.captured().await;
    joining.abort();
    // The extension ends with the age of the ticket and one binder of SHA-384.
    let ticket = 32;
    let before = &hello[..hello.len() - (2 + 1 + 48) - 4 - ticket];
    let lengths = &before[before.len() - 4..];
    assert_eq!(lengths, [0, 2 + 32 + 4, 0, 32]);
}

/// the token names the connection, whichever gets in first.
#[tokio::test(start_paused = true)]
async fn the_token_names_the_connection() {
    let peers = Peers::new(TransportConfig::default()).await;
    let (near, far) = tokio::io::duplex(64 * 1024);
    let client = peers.client.clone();
    let slow = tokio::spawn(async move { client.join_over(near).await.unwrap() });
    tokio::task::yield_now().await;
    assert_eq!(peers.join().await.unwrap().id().as_u32(), 2);
    assert!(peers.acceptor.accept(far).await.is_err());
    assert_eq!(slow.await.unwrap().id().as_u32(), 1);
    let ids = |session: &Session| {
        let paths = session.paths();
        let mut ids: Vec<_> = paths.iter().map(|path| path.id().as_u32()).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&peers.client), [0, 1, 2]);
    assert_eq!(ids(&peers.server), [0, 1, 2]);
}

/// how the bytes of a join are cut on their way makes no difference.
#[tokio::test(start_paused = true)]
async fn a_join_may_trickle() {
    let peers = Peers::new(TransportConfig::default()).await;
    let (near, far) = tokio::io::duplex(1);
    let accept = peers.acceptor.accept(far);
    let (path, accepted) = tokio::join!(peers.client.join_over(near), accept);
    assert!(matches!(accepted, Err(ConnectError::Joined)));
    assert_eq!(path.unwrap().id().as_u32(), 1);
    joined(&peers);
    peers.is_unhurt().await;
}

/// without a live connection nothing is sealed before the server answers, so that networks
/// that swallow hellos, hang up, or answer with a login page cost no token.
#[tokio::test(start_paused = true)]
async fn a_captive_network_costs_no_token() {
    let (near, far, relay) = killable();
    let peers = Peers::over(near, far, TransportConfig::default()).await;
    while peers.client.stats().unused_tokens < 8 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    relay.abort();
    while !peers.client.paths().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (near, mut swallowed) = tokio::io::duplex(20_000);
    let error = peers.client.join_over(near).await.unwrap_err();
    assert!(matches!(error, PathError::TimedOut(_)), "{error}");
    let mut shown = Vec::new();
    swallowed.read_to_end(&mut shown).await.unwrap();
    assert_eq!(record_types(&shown), [22], "a hello and nothing sealed");
    for answer in [&b""[..], b"HTTP/1.1 302 Found\r\n\r\n"] {
        let (near, mut far) = tokio::io::duplex(20_000);
        far.write_all(answer).await.unwrap();
        far.shutdown().await.unwrap();
        let error = peers.client.join_over(near).await.unwrap_err();
        assert!(
            matches!(
                error,
                PathError::Lost(_) | PathError::NotJoined(JoinFailure::NotTls(_))
            ),
            "{error}"
        );
    }
    assert_eq!(peers.client.stats().unused_tokens, 8);
    let path = peers.join().await.unwrap();
    assert_eq!(path.id().as_u32(), 1, "the same token");
    peers.is_unhurt().await;
}

/// a join that overtakes the end of the session's handshake waits for it.
#[tokio::test(start_paused = true)]
async fn joins_at_once_after_the_handshake_get_in() {
    for _ in 0..20 {
        let identity = Identity::generate();
        let acceptor = Acceptor::new(identity.server_config());
        let connector = Connector::new(identity.client_config());
        // The client's last flight lingers in a slow relay.
        let (near, mut relay_near) = tokio::io::duplex(20_000);
        let (mut relay_far, far) = tokio::io::duplex(20_000);
        let relay = tokio::spawn(async move {
            let mut hello = vec![0; 16_384];
            let length = relay_near.read(&mut hello).await.unwrap();
            relay_far.write_all(&hello[..length]).await.unwrap();
            let (mut read, mut write) = tokio::io::split(relay_far);
            let (mut near_read, mut near_write) = tokio::io::split(relay_near);
            let down = tokio::spawn(async move {
                let _end = tokio::io::copy(&mut read, &mut near_write).await;
            });
            tokio::time::sleep(Duration::from_millis(20)).await;
            let _end = tokio::io::copy(&mut near_read, &mut write).await;
            down.abort();
        });
        let accepting = acceptor.clone();
        let server = tokio::spawn(async move { accepting.accept(far).await.unwrap() });
        let client = connector.connect(server_name(), near).await.unwrap();
        let (near, far) = tokio::io::duplex(20_000);
        let (path, joined) = tokio::join!(client.join_over(near), acceptor.accept(far));
        assert!(matches!(joined, Err(ConnectError::Joined)));
        path.unwrap();
        assert_eq!(server.await.unwrap().paths().len(), 2);
        relay.abort();
    }
}

/// a token goes with its session.
#[tokio::test(start_paused = true)]
async fn a_token_does_not_outlive_its_session() {
    let peers = Peers::new(TransportConfig::default()).await;
    let (hello, _far, joining) = peers.captured().await;
    drop(peers.server);
    peers.client.close(0, b"");
    peers.client.closed().await;
    peers.acceptor.wait_idle().await;
    let (mut near, far) = tokio::io::duplex(20_000);
    near.write_all(&hello).await.unwrap();
    let error = peers.acceptor.accept(far).await.unwrap_err();
    assert!(matches!(error, ConnectError::UnknownToken), "{error}");
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, ILLEGAL_PARAMETER);
    joining.abort();
}
