//! What two sides agree on beyond the draft, over real handshakes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::common::{Identity, SERVER_NAME, pattern};
use tcpls_tokio::{
    Endpoint, Features, PathError, PathEvent, PathOptions, PathStatus, Profile, Session,
    SessionConfig, TransportConfig,
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
    let (near, far, _server) = pair(Profile::Extended, Profile::Extended).await;
    let mut news = far.path_events();
    let second = near.open_path(&PathOptions::new()).await.unwrap();
    assert!(second.probe().await.unwrap() < Duration::from_secs(10));
    assert_eq!(second.observed_address(), second.local_address());
    let stats = near.path_stats();
    let observed = stats.iter().map(|path| path.observed_address);
    let locals = stats.iter().map(|path| path.local_address);
    assert!(observed.eq(locals));
    second.set_status(PathStatus::Backup);
    let backup = PathEvent::PeerStatus {
        id: second.id(),
        status: PathStatus::Backup,
    };
    while news.recv().await.unwrap() != backup {}
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
    let closed = PathEvent::Closed {
        id: second.id(),
        reason: None,
    };
    while news.recv().await.unwrap() != closed {}
    while !second.is_closed() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(matches!(second.probe().await, Err(PathError::Lost(_))));
    assert_eq!((near.paths().len(), far.paths().len()), (1, 1));
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
