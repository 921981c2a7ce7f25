//! How sessions end.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Identity, SERVER_NAME, pair, pair_over, pattern, server_name};
use tcpls_tokio::{
    Acceptor, CloseCode, Connector, Endpoint, ReadError, ReadToEndError, Session, SessionConfig,
    SessionError, TransportConfig, WriteError,
};
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// R26, R29: `close_notify` goes both ways and everything finished before it arrives.
#[tokio::test(start_paused = true)]
async fn closing_delivers_what_was_finished_before() {
    let (client, server) = pair().await;
    let (mut send, _recv) = client.open_bi().await.unwrap();
    let data = pattern(9, 900_000);
    send.write_all(&data).await.unwrap();
    send.finish().unwrap();
    client.close(0, b"");
    client.close(0, b"");
    let (_far_send, mut far_recv) = server.accept_bi().await.unwrap();
    assert!(far_recv.read_to_end(1 << 20).await.unwrap() == data);
    assert_eq!(server.closed().await, SessionError::PeerClose);
    assert_eq!(client.closed().await, SessionError::LocalClose);
    assert_eq!(client.close_reason(), Some(SessionError::LocalClose));
    assert!(client.open_bi().await.is_err());
    assert!(server.accept_bi().await.is_err());
}

/// The peer's application gets the code and the reason of a close, on the session and on each call that
/// the close ends.
#[tokio::test(start_paused = true)]
async fn a_close_carries_a_code_and_a_reason() {
    let (client, server) = pair().await;
    let (mut send, _recv) = client.open_bi().await.unwrap();
    send.write_all(b"part").await.unwrap();
    let (_far_send, mut far_recv) = server.accept_bi().await.unwrap();
    client.close(42, b"moving house");
    let reason = SessionError::PeerClosed(CloseCode::Application(42));
    assert_eq!(server.closed().await, reason);
    let error = far_recv.read_to_end(100).await.unwrap_err();
    assert_eq!(error, ReadToEndError::Read(ReadError::SessionLost(reason)));
    let said = server.peer_close().unwrap();
    assert_eq!(said.code, CloseCode::Application(42));
    assert_eq!(&said.reason[..], b"moving house");
    assert_eq!(client.closed().await, SessionError::LocalClose);
    assert_eq!(client.peer_close(), None);
}

#[tokio::test(start_paused = true)]
async fn dropping_every_handle_closes_the_session() {
    let (client, server) = pair().await;
    let (send, recv) = client.open_bi().await.unwrap();
    let clone = client.clone();
    drop(client);
    assert_eq!(server.close_reason(), None);
    drop((clone, send, recv));
    assert_eq!(server.closed().await, SessionError::PeerClose);
}

/// a connection that just ends is never a clean end.
#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_without_close_notify_is_lost() {
    let (near, far) = tokio::io::duplex(1 << 20);
    let (near_far, far_near) = tokio::io::duplex(1 << 20);
    // A relay that dies in the middle.
    let relay = tokio::spawn(async move {
        let (mut near, mut far) = (far, near_far);
        tokio::io::copy_bidirectional(&mut near, &mut far).await
    });
    let mut transport = TransportConfig::default();
    let mut session = SessionConfig::new();
    session.orphan_timeout(None);
    transport.session(session);
    let (client, server) = pair_over(near, far_near, transport).await;
    let (mut send, mut recv) = client.open_bi().await.unwrap();
    send.write_all(b"partial").await.unwrap();
    let (_far_send, mut far_recv) = server.accept_bi().await.unwrap();
    assert_eq!(
        &far_recv.read_chunk(100).await.unwrap().unwrap()[..],
        b"partial"
    );
    relay.abort();
    let lost = |error: &SessionError| matches!(error, SessionError::Lost(_));
    let ReadError::SessionLost(reason) = far_recv.read_chunk(100).await.unwrap_err() else {
        panic!("the stream cannot be closed")
    };
    assert!(lost(&reason), "{reason}");
    assert!(lost(&client.closed().await));
    assert!(recv.read_chunk(1).await.is_err());
    assert!(matches!(
        send.write(b"x").await,
        Err(WriteError::SessionLost(_))
    ));
    assert!(send.stopped().await.is_err());
}

#[tokio::test]
async fn an_endpoint_closes_its_sessions_and_waits_for_them() {
    let identity = Identity::generate();
    let server = Endpoint::server(identity.server_config(), ([127, 0, 0, 1], 0).into()).unwrap();
    let client = Endpoint::client(identity.client_config());
    let address = server.local_addr().unwrap();
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (near, far) = tokio::join!(client.connect(address, SERVER_NAME), accept);
    let near = near.unwrap();
    assert_eq!((client.open_sessions(), server.open_sessions()), (1, 1));
    assert_eq!(near.remote_address(), Some(address));
    assert_eq!(near.local_address(), far.remote_address());
    server.close();
    assert!(server.accept().await.is_none());
    assert_eq!(near.closed().await, SessionError::PeerClose);
    server.wait_idle().await;
    client.wait_idle().await;
    assert_eq!((client.open_sessions(), server.open_sessions()), (0, 0));
}

#[tokio::test]
async fn data_finished_right_before_the_process_ends_arrives_with_wait_idle() {
    let identity = Identity::generate();
    let server = Endpoint::server(identity.server_config(), ([127, 0, 0, 1], 0).into()).unwrap();
    let address = server.local_addr().unwrap();
    let data = pattern(2, 3 << 20);
    let upload = data.clone();
    let client = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            // However late the server's thread has its turn.
            let mut session = SessionConfig::new();
            session.drain_timeout(Duration::from_secs(60));
            let mut transport = TransportConfig::default();
            transport.session(session);
            let mut config = identity.client_config();
            config.transport_config(Arc::new(transport));
            let endpoint = Endpoint::client(config);
            let session = endpoint.connect(address, SERVER_NAME).await.unwrap();
            let (mut send, recv) = session.open_bi().await.unwrap();
            send.write_all(&upload).await.unwrap();
            send.finish().unwrap();
            drop((send, recv, session));
            endpoint.wait_idle().await;
        });
    });
    let session = server.accept().await.unwrap().await.unwrap();
    let (_send, mut recv) = session.accept_bi().await.unwrap();
    // The client's process is gone long before the data is read.
    sleep(Duration::from_millis(200)).await;
    assert!(recv.read_to_end(1 << 30).await.unwrap() == data);
    assert_eq!(session.closed().await, SessionError::PeerClose);
    tokio::task::spawn_blocking(move || client.join().unwrap())
        .await
        .unwrap();
}

/// A session whose peer goes deaf and dumb when `stop` is dropped, without hanging up.
struct Stalling {
    session: Session,
    connector: Connector,
    peer: Session,
    stop: oneshot::Sender<()>,
}

async fn stalling(config: SessionConfig) -> Stalling {
    let identity = Identity::generate();
    let mut transport = TransportConfig::default();
    transport.session(config);
    let mut config = identity.client_config();
    config.transport_config(Arc::new(transport));
    let connector = Connector::new(config);
    let acceptor = Acceptor::new(identity.server_config());
    let (near, mut near_far) = tokio::io::duplex(64 * 1024);
    let (mut far_near, far) = tokio::io::duplex(64 * 1024);
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(async move {
        tokio::select! {
            _ended = tokio::io::copy_bidirectional(&mut near_far, &mut far_near) => {}
            _stopped = stopped => std::future::pending().await,
        }
    });
    let (session, peer) =
        tokio::join!(connector.connect(server_name(), near), acceptor.accept(far));
    Stalling {
        session: session.unwrap(),
        connector,
        peer: peer.unwrap(),
        stop,
    }
}

/// R28: a session that is over leaves nothing behind, although its peer neither reads nor hangs up.
#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_cannot_keep_a_closed_session() {
    let Stalling {
        session,
        connector,
        peer,
        stop,
    } = stalling(SessionConfig::new()).await;
    drop(stop);
    tokio::task::yield_now().await;
    let (mut send, recv) = session.open_bi().await.unwrap();
    send.write_all(&pattern(1, 3 << 20)).await.unwrap();
    send.finish().unwrap();
    drop((send, recv));
    session.close(0, b"");
    assert!(matches!(session.closed().await, SessionError::Lost(_)));
    timeout(Duration::from_secs(60), connector.wait_idle())
        .await
        .unwrap();
    drop(peer);
}

/// A-34 a: a connection that waited for a slow application ends with its session like any other.
#[tokio::test(start_paused = true)]
async fn a_connection_whose_reading_was_resumed_ends_with_its_session() {
    let mut config = SessionConfig::new();
    config.unread_soft_cap(1000);
    let Stalling {
        session,
        connector,
        peer,
        stop,
    } = stalling(config).await;
    let (mut first_send, _first_recv) = peer.open_bi().await.unwrap();
    let (_second_send, _second_recv) = peer.open_bi().await.unwrap();
    let (_send, mut unread) = session.accept_bi().await.unwrap();
    let (_send, mut waiting) = session.accept_bi().await.unwrap();
    if waiting.id() == first_send.id() {
        std::mem::swap(&mut unread, &mut waiting);
    }
    // Somebody waits for the second stream, so that the socket is read in spite of the first.
    let nothing = timeout(Duration::from_secs(1), waiting.read_chunk(1)).await;
    assert!(nothing.is_err());
    first_send.write_all(&[7; 4000]).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    // Nobody does any more, then the application reads what there is.
    drop(waiting);
    let mut count = 0;
    while count < 4000 {
        count += unread.read_chunk(4000).await.unwrap().unwrap().len();
    }
    drop(stop);
    sleep(Duration::from_secs(1)).await;
    session.close(0, b"");
    assert!(matches!(session.closed().await, SessionError::Lost(_)));
    timeout(Duration::from_secs(60), connector.wait_idle())
        .await
        .unwrap();
}

/// d: shutting a stream down is no success when its end was not sent.
#[tokio::test(start_paused = true)]
async fn shutting_down_a_stream_of_a_session_that_is_over_fails() {
    let (client, server) = pair().await;
    let (mut unfinished, _recv) = client.open_bi().await.unwrap();
    unfinished.write_all(b"half").await.unwrap();
    unfinished.flush().await.unwrap();
    let (mut finished, _recv) = client.open_bi().await.unwrap();
    finished.write_all(b"whole").await.unwrap();
    finished.shutdown().await.unwrap();
    finished.stopped().await.unwrap();
    server.close(0, b"");
    assert_eq!(client.closed().await, SessionError::PeerClose);
    let error = unfinished.shutdown().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected);
    finished.shutdown().await.unwrap();
}
