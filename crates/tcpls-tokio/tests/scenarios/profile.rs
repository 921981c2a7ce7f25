//! What two sides agree on beyond the draft, over real handshakes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::common::{Identity, SERVER_NAME, path_event, patient_time, pattern, until};
use crate::healing::closed;
use tcpls_tokio::{
    Endpoint, Features, OpenError, PathError, PathEvent, PathOptions, PathStatus, Profile,
    ReadError, ResetError, Session, SessionConfig, SessionError, TransportConfig, WriteError,
};

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn transport(profile: Profile) -> Arc<TransportConfig> {
    let mut session = SessionConfig::new();
    session.profile(profile);
    let mut transport = TransportConfig::default();
    transport.session(session);
    Arc::new(transport)
}

/// Two sessions, and the endpoint that takes further connections.
async fn pair(client: Profile, server: Profile) -> (Session, Session, Endpoint) {
    let identity = Identity::generate();
    let (mut near, mut far) = (identity.client_config(), identity.server_config());
    near.transport_config(transport(client));
    far.transport_config(transport(server));
    let server = Endpoint::server(far, LOOPBACK).unwrap();
    let client = Endpoint::client(near);
    let address = server.local_addr().unwrap();
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (near, far) = tokio::join!(client.connect(address, SERVER_NAME), accept);
    (near.unwrap(), far, server)
}

/// What one side says about a connection shows at the other, and a probe takes a round trip there.
#[tokio::test]
async fn paths_are_talked_about() {
    let _time = patient_time();
    let (near, far, _server) = pair(Profile::Extended, Profile::Extended).await;
    let mut news = far.path_events();
    let second = near.open_path(&PathOptions::new()).await.unwrap();
    assert!(second.probe().await.unwrap() < Duration::from_secs(10));
    assert_eq!(second.observed_address(), second.local_address());
    let is_told = || {
        let stats = near.path_stats();
        let observed = stats.iter().map(|path| path.observed_address);
        observed.eq(stats.iter().map(|path| path.local_address))
    };
    until("the client knows where it is seen", is_told).await;
    second.set_status(PathStatus::Backup);
    let backup = PathEvent::PeerStatus {
        id: second.id(),
        status: PathStatus::Backup,
    };
    path_event(&mut news, |event| (event == backup).then_some(())).await;
    let there = far
        .paths()
        .into_iter()
        .find(|path| path.id() == second.id());
    let there = there.unwrap();
    assert_eq!(there.status(), PathStatus::Backup);
    assert_eq!(there.peer_status(), Some(PathStatus::Backup));
    there.set_status(PathStatus::Available);
    assert_eq!(there.status(), PathStatus::Available);
    second.close();
    assert_eq!(closed(&mut news).await, (second.id().as_u32(), None));
    until("it is over here, too", || second.is_closed()).await;
    assert!(matches!(second.probe().await, Err(PathError::Lost(_))));
    assert_eq!((near.paths().len(), far.paths().len()), (1, 1));
}

/// A stream that is broken off shows with its code at the other side, and so does one that nobody wants.
#[tokio::test]
async fn streams_are_reset_and_stopped_with_codes() {
    let (near, far, _server) = pair(Profile::Extended, Profile::Extended).await;
    let (mut send, mut recv) = near.open_bi().await.unwrap();
    send.write_all(b"part").await.unwrap();
    let (mut far_send, mut far_recv) = far.accept_bi().await.unwrap();
    assert_eq!(far_recv.read_chunk(4).await.unwrap().unwrap(), b"part"[..]);
    send.reset(7).unwrap();
    assert_eq!(send.reset(8), Err(ResetError::ClosedStream));
    assert_eq!(far_recv.read_chunk(1).await, Err(ReadError::Reset(7)));
    recv.stop(9);
    assert_eq!(recv.read_chunk(1).await, Err(ReadError::ClosedStream));
    assert_eq!(far_send.stopped().await, Ok(Some(9)));
    assert_eq!(far_send.write(b"x").await, Err(WriteError::Stopped(9)));
}

/// A peer that speaks the draft alone cannot be told of a reset, nor of streams of one direction: nothing
/// happens then.
#[tokio::test]
async fn a_draft_only_peer_is_asked_for_nothing_it_does_not_know() {
    let (near, far, _server) = pair(Profile::Extended, Profile::DraftOnly).await;
    let (mut send, _recv) = near.open_bi().await.unwrap();
    send.write_all(b"part").await.unwrap();
    assert_eq!(send.reset(7), Err(ResetError::UnsupportedByPeer));
    send.finish().unwrap();
    let (_far_send, mut far_recv) = far.accept_bi().await.unwrap();
    assert_eq!(far_recv.read_to_end(10).await.unwrap(), b"part");
    let refused = near.open_uni().await.unwrap_err();
    assert_eq!(refused, OpenError::UnsupportedByPeer);
    near.force_key_update();
    near.close(0, b"");
    let reason = far.accept_uni().await.unwrap_err();
    assert_eq!(reason, SessionError::PeerClose);
}

/// The times of the transport configuration reach the session, and the peer.
#[tokio::test]
async fn times_are_set_for_all_sessions() {
    let identity = Identity::generate();
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(Duration::from_secs(90)))
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .session_linger(Some(Duration::from_secs(86_400)));
    let mut near = identity.client_config();
    near.transport_config(Arc::new(transport));
    let server = Endpoint::server(identity.server_config(), LOOPBACK).unwrap();
    let client = Endpoint::client(near);
    let address = server.local_addr().unwrap();
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (near, far) = tokio::join!(client.connect(address, SERVER_NAME), accept);
    let told = far.peer_params().unwrap();
    assert_eq!(told.max_idle, Some(90_000));
    assert_eq!(told.keepalive, Some(20_000));
    assert_eq!(told.linger, Some(86_400));
    assert_eq!(near.unwrap().peer_params().unwrap().max_idle, None);
}

/// With a peer that speaks the draft alone a probe is a Ping, and statuses stay here.
#[tokio::test]
async fn a_draft_only_peer_answers_probes() {
    let (near, far, _server) = pair(Profile::Extended, Profile::DraftOnly).await;
    let path = near.paths().remove(0);
    path.set_status(PathStatus::Backup);
    path.probe().await.unwrap();
    assert_eq!(path.observed_address(), None);
    assert_eq!(far.paths()[0].status(), PathStatus::Available);
    assert_eq!(path.stats().frames_sent.extended, 0);
}

/// Both sides learn from the handshake what the other one can do; when one of them speaks the draft
/// alone, the session does, and works with joins, streams both ways and an orderly end.
#[tokio::test]
async fn the_profile_is_agreed_on_in_the_handshake() {
    let both = [Profile::Extended, Profile::DraftOnly];
    for (client, server) in both
        .into_iter()
        .flat_map(|one| both.map(|other| (one, other)))
    {
        let (near, far, _server) = pair(client, server).await;
        let extended = client == Profile::Extended && server == Profile::Extended;
        for session in [&near, &far] {
            assert_eq!(session.peer_params().is_some(), extended);
            if !extended {
                assert_eq!(session.features(), Features::NONE);
            }
        }
        assert_eq!(near.features(), far.features());
        near.open_path(&PathOptions::new()).await.unwrap();
        let (mut send, mut recv) = near.open_bi().await.unwrap();
        let data = pattern(3, 300_000);
        let echo = tokio::spawn({
            let far = far.clone();
            async move {
                let (mut send, mut recv) = far.accept_bi().await.unwrap();
                tokio::io::copy(&mut recv, &mut send).await.unwrap();
                send.finish().unwrap();
                send.stopped().await
            }
        });
        send.write_all(&data).await.unwrap();
        send.finish().unwrap();
        assert_eq!(recv.read_to_end(data.len()).await.unwrap(), data);
        echo.await.unwrap().unwrap();
        near.close(0, b"");
        assert!(far.closed().await.is_orderly());
    }
}
