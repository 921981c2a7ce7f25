//! Session tickets: the next session resumes this one.

use std::sync::Arc;
use std::time::Duration;

use tcpls_tokio::{Acceptor, Connector, Profile, Session, SessionConfig, TransportConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy, duplex, split};
use tokio::sync::watch;

use crate::common::{Identity, pattern, server_name};
use crate::paths::transfer;

fn ends(profile: Profile) -> (Connector, Acceptor) {
    let mut session = SessionConfig::new();
    session.profile(profile);
    let mut transport = TransportConfig::default();
    transport.session(session);
    let transport = Arc::new(transport);
    let identity = Identity::generate();
    let (mut client, mut server) = (identity.client_config(), identity.server_config());
    client.transport_config(Arc::clone(&transport));
    server.transport_config(transport);
    (Connector::new(client), Acceptor::new(server))
}

/// A session over a pipe that holds what the server sends after the handshake until `gate` is open.
async fn session(
    connector: &Connector,
    acceptor: &Acceptor,
    gate: watch::Receiver<bool>,
) -> (Session, Session) {
    let (near, far) = (duplex(1 << 16), duplex(1 << 16));
    let (shook_hands, handshake) = watch::channel(false);
    tokio::spawn(relay(near.1, far.1, handshake, gate));
    let connecting = async {
        let session = connector.connect(server_name(), near.0).await.unwrap();
        shook_hands.send_replace(true);
        session
    };
    let (client, server) = tokio::join!(connecting, acceptor.accept(far.0));
    (client, server.unwrap())
}

async fn relay(
    near: DuplexStream,
    far: DuplexStream,
    handshake: watch::Receiver<bool>,
    mut gate: watch::Receiver<bool>,
) {
    let (mut from_client, mut to_client) = split(near);
    let (mut from_server, mut to_server) = split(far);
    tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
    let mut bytes = vec![0; 4096];
    while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
        if *handshake.borrow() && gate.wait_for(|open| *open).await.is_err() {
            return;
        }
        if to_client.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

/// tickets come on the first connection after the handshake was handed over; the next session resumes
/// with one, however late they came, with the profile and without.
#[tokio::test(start_paused = true)]
async fn the_next_session_resumes() {
    for profile in [Profile::Extended, Profile::DraftOnly] {
        let (connector, acceptor) = ends(profile);
        let (open, gate) = watch::channel(false);
        let (client, server) = session(&connector, &acceptor, gate.clone()).await;
        assert!(!client.handshake().is_resumed() && !server.handshake().is_resumed());

        // Nothing arrived yet that the server sent after the handshake.
        let now = watch::channel(true).1;
        let (other, peer) = session(&connector, &acceptor, now.clone()).await;
        assert!(!other.handshake().is_resumed(), "without a ticket");
        transfer(&other, &peer, pattern(1, 1000)).await;

        tokio::time::sleep(Duration::from_millis(20)).await;
        open.send_replace(true);
        transfer(&server, &client, pattern(2, 100_000)).await;
        for _ in 0..2 {
            let (client, server) = session(&connector, &acceptor, now.clone()).await;
            assert!(client.handshake().is_resumed() && server.handshake().is_resumed());
            transfer(&client, &server, pattern(3, 10_000)).await;
            transfer(&server, &client, pattern(4, 10_000)).await;
            assert_eq!(client.peer_params().is_some(), profile == Profile::Extended);
        }
    }
}

/// tickets that come late, after the session has changed its keys, are good as well.
#[tokio::test(start_paused = true)]
async fn late_tickets_are_stored() {
    let (connector, acceptor) = ends(Profile::Extended);
    let (open, gate) = watch::channel(false);
    let (client, server) = session(&connector, &acceptor, gate).await;
    server.force_key_update();
    client.force_key_update();
    open.send_replace(true);
    transfer(&server, &client, pattern(2, 1000)).await;
    assert!(client.paths()[0].stats().send_generation >= 1);
    drop((client, server));
    let (client, _server) = session(&connector, &acceptor, watch::channel(true).1).await;
    assert!(client.handshake().is_resumed());
}
