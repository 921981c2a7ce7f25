//! Times of silence that both sides agree on.

use std::time::Duration;

use tcpls_core::{
    CloseCode, CloseReason, ConnectionFailure, Profile, SessionConfig, TransportCode, WriteError,
    testing::{LinkConfig, Pair, PairConfig, Solo},
    wire::{Features, Role, SessionParams},
};

use crate::talk::{pattern, read_all};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn with_idle(idle: Option<Duration>) -> SessionConfig {
    let mut config = SessionConfig::new();
    config.idle_timeout(idle);
    config
}

fn pair(client: SessionConfig, server: SessionConfig) -> Pair {
    let mut pair = Pair::new(PairConfig {
        seed: 61,
        client,
        server,
        ..PairConfig::default()
    });
    pair.drive();
    pair.issue_tokens();
    pair.drive();
    pair
}

/// the shorter idle time-out counts for both sides, and the peer is told that it was silence.
#[test]
fn the_shorter_idle_timeout_counts() {
    for (client, server) in [(Some(20), None), (Some(60), Some(20)), (Some(20), Some(60))] {
        let config = |idle: Option<u32>| with_idle(idle.map(|seconds| SECOND * seconds));
        let mut pair = pair(config(client), config(server));
        let began = pair.clock.now();
        for role in [Role::Client, Role::Server] {
            let (at, _) = pair.host(role).session.poll_timeout().unwrap();
            assert!(at <= began + SECOND * 20, "{role:?}");
        }
        pair.drive_for(SECOND * 21);
        let ends = [&pair.client, &pair.server].map(|host| host.session.close_reason().unwrap());
        let told = CloseReason::PeerClosed(CloseCode::Transport(TransportCode::IDLE));
        assert!(ends.contains(&CloseReason::IdleTimeout), "{ends:?}");
        for end in ends {
            assert!([CloseReason::IdleTimeout, told].contains(&end), "{end:?}");
        }
    }
}

/// with a peer that speaks the draft alone each side has its own idle time-out.
#[test]
fn a_draft_only_peer_has_its_own_idle_timeout() {
    let mut draft = with_idle(Some(SECOND * 20));
    draft.profile(Profile::DraftOnly);
    let mut pair = pair(SessionConfig::new(), draft);
    assert_eq!(pair.client.session.poll_timeout(), None);
}

/// who keeps a session alive does so within the peer's idle time-out.
#[test]
fn keep_alives_fit_the_peers_idle_timeout() {
    let mut keeping = SessionConfig::new();
    keeping.keep_alive(Some(SECOND * 300));
    let mut pair = pair(keeping, with_idle(Some(SECOND * 15)));
    pair.drive_for(HOUR);
    assert_eq!(pair.client.session.close_reason(), None);
    assert_eq!(pair.server.session.close_reason(), None);
    let handle = pair.client.connection(0);
    let stats = pair.client.session.connection_stats(handle).unwrap();
    let pings = stats.frames_sent.ping;
    assert!((600..=721).contains(&pings), "{pings} in an hour");
}

/// what a session keeps while it has no connection is bounded, and it goes on where it stopped when
/// one joins after twelve hours.
#[test]
fn a_session_outlives_a_night_without_connections() {
    let night = || {
        let mut config = with_idle(Some(SECOND * 60));
        config
            .orphan_timeout(Some(HOUR * 24))
            .keep_alive(Some(SECOND * 20));
        config
            .stream_send_buffer(100_000)
            .session_send_buffer(100_000);
        config
    };
    let mut pair = pair(night(), night());
    let id = pair.client.session.open_bi().unwrap();
    pair.drive();
    pair.reset(0);
    pair.settle();
    let mut written = 0;
    loop {
        let data = pattern(id, Role::Client, written, 7_000);
        match pair.client.session.send(id).write(&data) {
            Ok(len) => written += len,
            Err(error) => {
                assert_eq!(error, WriteError::Blocked);
                break;
            }
        }
    }
    assert!((90_000..=107_000).contains(&written), "{written} bytes");
    let sealed = pair.records_sealed();
    pair.drive_for(HOUR * 12);
    assert_eq!(pair.records_sealed(), sealed, "there is nobody to talk to");
    pair.join_with_token(LinkConfig::default()).unwrap();
    pair.drive_for(SECOND * 5);
    let (bytes, result) = read_all(&mut pair.server, id);
    assert_eq!(result, Err(tcpls_core::ReadError::Blocked));
    assert!(bytes == pattern(id, Role::Client, 0, written));
    for host in [&pair.client, &pair.server] {
        assert_eq!(host.session.close_reason(), None);
    }
}

/// the shorter linger counts for both sides; a side that does not wait says so.
#[test]
fn the_shorter_linger_counts() {
    let lingering = |time: Option<Duration>| {
        let mut config = SessionConfig::new();
        config.orphan_timeout(time);
        config
    };
    let lost = Some(CloseReason::Lost(ConnectionFailure::Reset));
    for (client, server, shorter) in [
        (Some(HOUR), Some(HOUR * 48), HOUR),
        (Some(HOUR * 48), Some(HOUR), HOUR),
        (Some(HOUR), None, Duration::ZERO),
    ] {
        let mut pair = pair(lingering(client), lingering(server));
        pair.reset(0);
        pair.settle();
        if !shorter.is_zero() {
            pair.drive_for(shorter.saturating_sub(SECOND));
            assert_eq!(pair.client.session.close_reason(), None);
            assert_eq!(pair.server.session.close_reason(), None);
            pair.drive_for(SECOND);
        }
        assert_eq!(pair.client.session.close_reason(), lost);
        assert_eq!(pair.server.session.close_reason(), lost);
    }
}

/// What a configuration says in `tcpls_params`, and what a strange peer may say.
#[test]
fn times_are_said_in_the_units_of_the_parameters() {
    let mut config = with_idle(Some(Duration::from_micros(10)));
    config.orphan_timeout(Some(Duration::from_millis(1500)));
    let params = config.params().unwrap();
    assert_eq!((params.max_idle, params.linger), (Some(1), Some(2)));
    config
        .idle_timeout(Some(HOUR * 24 * 365))
        .orphan_timeout(None);
    let params = config.params().unwrap();
    assert_eq!((params.max_idle, params.linger), (Some(u32::MAX), Some(0)));
    let strange = SessionParams {
        max_idle: Some(0),
        keepalive: Some(0),
        features: Features::IDLE,
        ..SessionParams::default()
    };
    let mut server = Solo::with_params(Role::Server, SessionConfig::new(), Some(strange));
    assert_eq!(server.session.poll_timeout(), None);
}
