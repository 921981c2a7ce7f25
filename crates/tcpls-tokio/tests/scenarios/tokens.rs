//! Tokens, and the connections of a session one after the other.

use tcpls_tokio::{PathError, Profile, Session, SessionConfig, TokenError, TransportConfig};

use crate::common::{pattern, until};
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
#[tokio::test(start_paused = true)]
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
#[tokio::test(start_paused = true)]
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

/// A client asks for tokens and gets them; with a server that speaks the draft alone it is told that it cannot.
#[tokio::test(start_paused = true)]
async fn a_client_asks_for_tokens() {
    let peers = Peers::new(TransportConfig::default()).await;
    peers.client.request_tokens(20).unwrap();
    let unused = || peers.client.stats().unused_tokens;
    until("there are as many as asked for", || unused() >= 20).await;
    assert_eq!(peers.server.request_tokens(1), Err(TokenError::NotClient));
    let draft = Peers::new(draft_only()).await;
    let unsupported = Err(TokenError::UnsupportedByPeer);
    assert_eq!(draft.client.request_tokens(20), unsupported);
}

/// The lowest and the highest key generation that this side's live connections send at.
fn generations(session: &Session) -> Option<(u32, u32)> {
    let paths = session.paths();
    let generations = || paths.iter().map(|path| path.stats().send_generation);
    Some((generations().min()?, generations().max()?))
}

/// keys are replaced at will on every path and at both ends, and those that join afterwards have the
/// same ones, with the profile and without.
#[tokio::test(start_paused = true)]
async fn keys_are_replaced_at_will() {
    for transport in [TransportConfig::default(), draft_only()] {
        let peers = Peers::new(transport).await;
        peers.join().await.unwrap();
        for expected in 1..=20 {
            peers.client.force_key_update();
            for session in [&peers.client, &peers.server] {
                let is_new = || generations(session) == Some((expected, expected));
                until("all paths have the new keys", is_new).await;
            }
        }
        peers.join().await.unwrap();
        transfer(&peers.client, &peers.server, pattern(3, 1 << 20)).await;
        transfer(&peers.server, &peers.client, pattern(4, 1 << 20)).await;
        for session in [&peers.client, &peers.server] {
            assert_eq!((session.paths().len(), session.close_reason()), (3, None));
        }
    }
}
