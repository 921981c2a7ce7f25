//! What two sides agree on beyond the draft, over real handshakes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::common::{Identity, SERVER_NAME, pattern};
use tcpls_tokio::{
    Endpoint, Features, PathOptions, Profile, Session, SessionConfig, TransportConfig,
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
