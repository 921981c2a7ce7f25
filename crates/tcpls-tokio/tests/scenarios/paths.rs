//! Sessions over several connections that come and go.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::common::{Identity, SERVER_NAME, pattern, server_name, until};
use crate::healing::{closed, established};
use crate::joins::{Peers, joined, killable};
use tcpls_tokio::{
    Acceptor, ConnectionFailure, Connector, Endpoint, FollowPaths, Path, PathError, PathEvent,
    PathOptions, SessionConfig, SessionError, TransportConfig,
};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// Sends `data` on a new stream of `from` and reads it at `to`.
pub(crate) async fn transfer(
    from: &tcpls_tokio::Session,
    to: &tcpls_tokio::Session,
    data: Vec<u8>,
) {
    let (mut send, _recv) = from.open_bi().await.unwrap();
    let copy = data.clone();
    let writing = tokio::spawn(async move {
        send.write_all(&copy).await.unwrap();
        send.finish().unwrap();
        send.stopped().await.unwrap();
    });
    let (_send, mut recv) = to.accept_bi().await.unwrap();
    assert!(recv.read_to_end(1 << 30).await.unwrap() == data);
    writing.await.unwrap();
}

/// Sends on a new stream over `path` until that is over, however fast it is, and reads all at `to`.
pub(crate) async fn transfer_while_there(
    path: &Path,
    from: &tcpls_tokio::Session,
    to: &tcpls_tokio::Session,
) {
    let (mut send, _recv) = from.open_bi().await.unwrap();
    send.set_paths(std::slice::from_ref(path)).unwrap();
    let piece = |number| pattern(number, 256 << 10);
    let writing = async {
        let mut sent = 0;
        while !path.is_closed() {
            send.write_all(&piece(sent)).await.unwrap();
            sent += 1;
        }
        send.finish().unwrap();
        send.stopped().await.unwrap();
        sent
    };
    let reading = async {
        let (_send, mut recv) = to.accept_bi().await.unwrap();
        let (mut received, mut got) = (0, piece(0));
        while recv.read_exact(&mut got).await.is_ok() {
            assert!(got == piece(received));
            received += 1;
        }
        assert_eq!(recv.read_chunk(1).await.unwrap(), None);
        received
    };
    let (sent, received) = tokio::join!(writing, reading);
    assert_eq!(sent, received);
}

/// R10, R18, R21, R22, A-14: a transfer in both directions survives the connection that the session began on.
#[tokio::test]
async fn streams_survive_the_first_connection() {
    let (near, far, relay) = killable();
    let peers = Peers::over(near, far, TransportConfig::default()).await;
    let path = peers.join().await.unwrap();
    assert_eq!(path.id().as_u32(), 1);
    let (near, far) = (peers.client.paths(), peers.server.paths());
    let kill = async {
        let moved = |path: &Path| path.stats().bytes_received > 1 << 20;
        let both = || moved(&near[0]) && moved(&far[0]);
        until("both transfers have begun", both).await;
        relay.abort();
    };
    tokio::join!(
        transfer_while_there(&near[0], &peers.client, &peers.server),
        transfer_while_there(&far[0], &peers.server, &peers.client),
        kill
    );
    for (session, path) in [(&peers.client, &near[0]), (&peers.server, &far[0])] {
        until("the first connection is over", || path.is_closed()).await;
        assert!(session.stats().bytes_retransmitted > 0);
        assert_eq!((session.paths().len(), session.stats().connections), (1, 2));
    }
    transfer(&peers.client, &peers.server, pattern(3, 100_000)).await;
}

/// R18, A-19: break before make: a session that lost its only connection goes on with the next one.
#[tokio::test(start_paused = true)]
async fn a_session_without_connections_goes_on_with_the_next() {
    let (near, far, relay) = killable();
    let peers = Peers::over(near, far, TransportConfig::default()).await;
    let (mut send, _recv) = peers.client.open_bi().await.unwrap();
    let data = pattern(5, 3 << 20);
    let copy = data.clone();
    let writing = tokio::spawn(async move {
        send.write_all(&copy).await.unwrap();
        send.finish().unwrap();
    });
    let (_far_send, mut recv) = peers.server.accept_bi().await.unwrap();
    let first = recv.read_chunk(1000).await.unwrap().unwrap();
    relay.abort();
    until("it is noticed", || peers.client.paths().is_empty()).await;
    assert_eq!(peers.client.close_reason(), None);
    peers.join().await.unwrap();
    let rest = recv.read_to_end(1 << 30).await.unwrap();
    assert!([&first[..], &rest].concat() == data);
    writing.await.unwrap();
}

/// without a connection the session waits for its time, and is lost then.
#[tokio::test(start_paused = true)]
async fn a_session_without_connections_is_lost_in_the_end() {
    let (near, far, relay) = killable();
    let peers = Peers::over(near, far, TransportConfig::default()).await;
    let start = tokio::time::Instant::now();
    relay.abort();
    let lost = |error| matches!(error, SessionError::Lost(ConnectionFailure::Eof));
    assert!(lost(peers.client.closed().await));
    assert!(lost(peers.server.closed().await));
    assert_eq!(start.elapsed().as_secs(), 30);
    assert!(matches!(
        peers.join().await.unwrap_err(),
        PathError::SessionLost(SessionError::Lost(_))
    ));
}

/// a server keeps so many sessions without connections and no more: the one that has waited longest
/// goes for the next, and the others go on.
#[tokio::test(start_paused = true)]
async fn few_sessions_wait_for_a_connection() {
    let identity = Identity::generate();
    let mut config = identity.server_config();
    config.orphaned_sessions(2);
    let (acceptor, connector) = (
        Acceptor::new(config),
        Connector::new(identity.client_config()),
    );
    let mut sessions = Vec::new();
    for _ in 0..4 {
        let (near, far, relay) = killable();
        let connect = connector.connect(server_name(), near);
        let (near, far) = tokio::join!(connect, acceptor.accept(far));
        sessions.push((near.unwrap(), far.unwrap(), relay));
    }
    let alone = |session: &tcpls_tokio::Session| session.paths().is_empty();
    for (_near, far, relay) in &sessions[..2] {
        relay.abort();
        until("it is noticed", || alone(far)).await;
    }
    let (near, far, _relay) = &sessions[0];
    let (joining, joined) = tokio::io::duplex(64 * 1024);
    let (path, _joined) = tokio::join!(near.join_over(joining), acceptor.accept(joined));
    path.unwrap();
    for (_near, far, relay) in &sessions[2..] {
        relay.abort();
        until("it is noticed", || alone(far)).await;
    }
    assert_eq!(sessions[1].1.closed().await, SessionError::Aborted);
    for open in [far, &sessions[2].1, &sessions[3].1] {
        assert_eq!(open.close_reason(), None);
    }
    transfer(near, far, pattern(1, 100_000)).await;
}

/// A TCP relay to `to`, until it is killed.
async fn tcp_relay(to: SocketAddr) -> (SocketAddr, AbortHandle) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = TcpStream::connect(to).await.unwrap();
        drop(listener);
        let _end = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    });
    (address, task.abort_handle())
}

/// A path to this address.
fn to(address: SocketAddr) -> PathOptions {
    let mut options = PathOptions::new();
    options.remote(address);
    options
}

/// R12, R14, R18, A-25: over TCP, through the endpoint, whose `accept` shows the session alone.
#[tokio::test(flavor = "multi_thread")]
async fn paths_are_opened_over_tcp() {
    let identity = Identity::generate();
    let server = Endpoint::server(identity.server_config(), ([127, 0, 0, 1], 0).into()).unwrap();
    let client = client_that_follows_nothing(&identity);
    let address = server.local_addr().unwrap();
    let (relayed, relay) = tcp_relay(address).await;
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (near, far) = tokio::join!(client.connect(relayed, SERVER_NAME), accept);
    let near = near.unwrap();
    let mut events = near.path_events();
    let local = IpAddr::from(Ipv4Addr::new(127, 0, 0, 2));
    let path = near
        .open_path(PathOptions::new().remote(address).local(local))
        .await
        .unwrap();
    assert_eq!(path.local_address().unwrap().ip(), local);
    assert_eq!(path.remote_address(), Some(address));
    assert_eq!(established(&mut events).await, path.id().as_u32());
    transfer(&near, &far, pattern(7, 1 << 20)).await;
    relay.abort();
    transfer(&far, &near, pattern(8, 1 << 20)).await;
    assert_eq!(closed(&mut events).await.0, 0);
    path.close();
    assert!(path.is_closed());
    assert!(near.paths().is_empty());
    let direct = to(address);
    let last = near.open_path(&direct).await.unwrap();
    transfer(&near, &far, pattern(9, 1 << 20)).await;
    assert!(last.stats().bytes_sent > 1 << 20);
    let none = tokio::time::timeout(Duration::from_millis(50), server.accept()).await;
    assert!(none.is_err(), "joins do not surface");
    assert_eq!(
        far.open_path(&direct).await.unwrap_err(),
        PathError::NotClient
    );
    near.close(0, b"");
    assert_eq!(far.closed().await, SessionError::PeerClose);
    client.wait_idle().await;
    server.wait_idle().await;
}

/// R12, R14: a path goes where the first one went unless told otherwise, through the network interface
/// and with the congestion control that were asked for, and says which of them cannot be had.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_path_is_opened_as_its_options_say() {
    let identity = Identity::generate();
    let server = Endpoint::server(identity.server_config(), ([127, 0, 0, 1], 0).into()).unwrap();
    let client = Endpoint::client(identity.client_config());
    let address = server.local_addr().unwrap();
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (near, far) = tokio::join!(client.connect(address, SERVER_NAME), accept);
    let near = near.unwrap();
    let mut options = PathOptions::new();
    options.device("lo").congestion_control("reno");
    let path = near.open_path(&options).await.unwrap();
    assert_eq!(path.remote_address(), Some(address));
    transfer(&near, &far, pattern(1, 100_000)).await;
    let refused = near.open_path(PathOptions::new().device("none-such")).await;
    assert!(
        matches!(refused, Err(PathError::Device(name, _)) if name == "none-such"),
        "no such interface"
    );
    let refused = near
        .open_path(PathOptions::new().congestion_control("none-such"))
        .await;
    assert!(
        matches!(refused, Err(PathError::CongestionControl(name, _)) if name == "none-such"),
        "no such congestion control"
    );
    let elsewhere = IpAddr::from([192, 0, 2, 1]);
    let refused = near.open_path(PathOptions::new().local(elsewhere)).await;
    assert!(matches!(refused, Err(PathError::Io(_))), "not our address");
    assert_eq!(near.paths().len(), 2);
}

/// R12: a session that did not begin over TCP has no address of its own to connect to.
#[tokio::test]
async fn a_path_needs_an_address() {
    let peers = Peers::new(TransportConfig::default()).await;
    let refused = peers.client.open_path(&PathOptions::new()).await;
    assert_eq!(refused.unwrap_err(), PathError::NoAddress);
}

/// A client that opens no path by itself.
fn client_that_follows_nothing(identity: &Identity) -> Endpoint {
    let mut config = identity.client_config();
    let mut transport = TransportConfig::default();
    transport.follow_paths(FollowPaths::Off);
    config.transport_config(Arc::new(transport));
    Endpoint::client(config)
}

/// R21, A-14: TCP's reset of one connection in the middle of a transfer, as a middlebox sends it to both
/// ends, moves it to another.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_moves_a_transfer() {
    let identity = Identity::generate();
    let server = Endpoint::server(identity.server_config(), ([127, 0, 0, 1], 0).into()).unwrap();
    let client = client_that_follows_nothing(&identity);
    let address = server.local_addr().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let relayed = listener.local_addr().unwrap();
    let relay = tokio::spawn(async move {
        let (near, _) = listener.accept().await.unwrap();
        let far = TcpStream::connect(address).await.unwrap();
        let (mut up, mut down) = (vec![0; 16_384], vec![0; 16_384]);
        let mut moved = 0;
        while moved < 3 << 20 {
            tokio::select! {
                ready = near.readable() => {
                    ready.unwrap();
                    moved += forward(&near, &far, &mut up).await;
                }
                ready = far.readable() => {
                    ready.unwrap();
                    moved += forward(&far, &near, &mut down).await;
                }
            }
        }
        for side in [near, far] {
            side.set_zero_linger().unwrap();
        }
    });
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (near, far) = tokio::join!(client.connect(relayed, SERVER_NAME), accept);
    let near = near.unwrap();
    let first = (near.paths().remove(0), far.paths().remove(0));
    near.open_path(&to(address)).await.unwrap();
    tokio::join!(
        transfer_while_there(&first.0, &near, &far),
        transfer_while_there(&first.1, &far, &near)
    );
    until("the relay has reset it", || relay.is_finished()).await;
    relay.await.unwrap();
    assert_eq!(near.paths().len(), 1);
}

/// Moves what is there.
async fn forward(from: &TcpStream, to: &TcpStream, space: &mut [u8]) -> usize {
    let Ok(count) = from.try_read(space) else {
        return 0;
    };
    let mut rest = &space[..count];
    while !rest.is_empty() {
        to.writable().await.unwrap();
        rest = &rest[to.try_write(rest).unwrap_or(0)..];
    }
    count
}

/// A-17, R29: `close_notify` goes both ways on every connection.
#[tokio::test(start_paused = true)]
async fn a_session_says_goodbye_on_all_its_connections() {
    let peers = Peers::new(TransportConfig::default()).await;
    peers.join().await.unwrap();
    peers.join().await.unwrap();
    assert_eq!(peers.server.paths().len(), 3);
    let mut events = peers.client.path_events();
    let data = pattern(4, 2 << 20);
    let (mut send, _recv) = peers.client.open_bi().await.unwrap();
    send.write_all(&data).await.unwrap();
    send.finish().unwrap();
    peers.client.close(0, b"");
    let (_send, mut recv) = peers.server.accept_bi().await.unwrap();
    assert!(recv.read_to_end(1 << 30).await.unwrap() == data);
    assert_eq!(peers.client.closed().await, SessionError::LocalClose);
    assert_eq!(peers.server.closed().await, SessionError::PeerClose);
    for _ in 0..3 {
        let event = events.recv().await.unwrap();
        assert!(
            matches!(event, PathEvent::Closed { reason: None, .. }),
            "{event:?}"
        );
    }
    assert_eq!(events.recv().await, None);
    joined(&peers);
}

/// R9: a stream keeps to the path that it was given, as long as that works.
#[tokio::test(start_paused = true)]
async fn a_stream_keeps_to_its_path() {
    let peers = Peers::new(TransportConfig::default()).await;
    let path = peers.join().await.unwrap();
    let other = peers.client.paths().swap_remove(0);
    let before = other.stats().bytes_sent;
    let (mut send, _recv) = peers.client.open_bi().await.unwrap();
    send.set_paths(std::slice::from_ref(&path)).unwrap();
    let data = pattern(4, 1 << 20);
    let copy = data.clone();
    let writing = tokio::spawn(async move {
        send.write_all(&copy).await.unwrap();
        send.finish().unwrap();
    });
    let (_send, mut recv) = peers.server.accept_bi().await.unwrap();
    assert!(recv.read_to_end(1 << 30).await.unwrap() == data);
    writing.await.unwrap();
    assert!(path.stats().bytes_sent > 1 << 20);
    let sent = other.stats().bytes_sent - before;
    assert!(sent < 10_000, "{sent}");
}

/// R13: the server's tokens bound how many connections there are at a time.
#[tokio::test(start_paused = true)]
async fn connections_are_bounded_by_tokens() {
    let mut transport = TransportConfig::default();
    let mut session = SessionConfig::new();
    session.connections(3);
    transport.session(session);
    let peers = Peers::new(transport).await;
    let path = peers.join().await.unwrap();
    peers.join().await.unwrap();
    assert_eq!(peers.join().await.unwrap_err(), PathError::NoToken);
    path.close();
    peers.join().await.unwrap();
}
