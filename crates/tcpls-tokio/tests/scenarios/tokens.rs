//! Tokens, and the connections of a session one after the other.

use tcpls_tokio::{PathError, Profile, SessionConfig, TransportConfig};

use crate::common::pattern;
use crate::joins::Peers;
use crate::paths::transfer;

fn draft_only() -> TransportConfig {
    let mut session = SessionConfig::new();
    session.profile(Profile::DraftOnly);
    let mut transport = TransportConfig::default();
    transport.session(session);
    transport
}

/// R47: 255 connections join a session that follows the draft, one after the other, and then no
/// more.
#[tokio::test]
async fn a_session_of_the_draft_takes_255_connections() {
    let peers = Peers::new(draft_only()).await;
    for expected in 1..=255 {
        let path = peers.join().await.unwrap();
        assert_eq!(path.id().as_u32(), expected);
        path.close();
    }
    assert_eq!(peers.join().await.unwrap_err(), PathError::TokensUsedUp);
    transfer(&peers.client, &peers.server, pattern(1, 10_000)).await;
}

/// R47: with the extension profile a session takes as many connections as anybody wants, under
/// identifiers of which none comes twice; of those that are over for long, little is kept.
#[tokio::test]
async fn a_session_takes_hundreds_of_connections() {
    let peers = Peers::new(TransportConfig::default()).await;
    for expected in 1..=600 {
        let path = peers.join().await.unwrap();
        assert_eq!(path.id().as_u32(), expected);
        if expected % 100 == 0 {
            transfer(&peers.client, &peers.server, pattern(1, 10_000)).await;
        }
        path.close();
    }
    for session in [&peers.client, &peers.server] {
        assert!(session.stats().connections > 600);
        assert!(session.path_stats().len() < 100);
    }
    let data = pattern(2, 100_000);
    transfer(&peers.server, &peers.client, data).await;
}
