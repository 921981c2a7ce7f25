//! Tokens of the extension profile, over the wire.

use std::time::Duration;

use tcpls_core::{
    CloseReason, ConnectionFailure, Event, Limit, PeerMisbehaved, Profile, SessionConfig,
    TokenError,
    testing::{LinkConfig, Pair, PairConfig, Solo},
    wire::{
        ConnectionId, ExtendedFrame, ExtendedTokenFrame, Features, Frame, Role, SessionParams,
        Token,
    },
};

use crate::talk::{ack, all_frames, pattern, reset, transfer};

fn id(value: u32) -> ConnectionId {
    ConnectionId::from_wire(value)
}

fn token(value: u8) -> Token {
    Token::from_bytes([value; 32])
}

/// A session whose peer knows these tokens.
fn solo(role: Role, config: SessionConfig) -> Solo {
    let params = SessionParams {
        features: Features::TOKENS,
        ..SessionParams::default()
    };
    Solo::with_params(role, config, Some(params))
}

fn new_token(connection: u32, value: &Token) -> ExtendedTokenFrame<'_> {
    ExtendedTokenFrame {
        connection: id(connection),
        token: value.as_token_ref(),
        receive_generation: 0,
        send_generation: 0,
        lifetime: 0,
    }
}

fn extended(frame: ExtendedFrame<'_>) -> Frame<'_> {
    Frame::Extended(frame)
}

fn close_reason(solo: &Solo) -> CloseReason {
    solo.session.close_reason().unwrap()
}

/// A pair whose client has its tokens.
fn pair(config: PairConfig) -> Pair {
    let mut pair = Pair::new(config);
    pair.settle();
    pair.issue_tokens();
    pair.drive();
    pair
}

/// a session joins connections for years. No identifier comes twice, no nonce repeats, which the
/// pair checks, bytes arrive, and what is kept does not grow.
#[test]
fn a_thousand_connections_join_over_time() {
    let mut pair = pair(PairConfig::default());
    let stream = pair.client.session.open_bi().unwrap();
    let mut offset = 0;
    let mut previous = 0;
    for round in 0..1200 {
        let index = pair
            .join_with_token(LinkConfig::default())
            .expect("no token");
        pair.settle();
        pair.issue_tokens();
        let c = pair.client.connection(index);
        let joined = pair.client.session.connection_id(c).unwrap().as_u32();
        assert!(joined > previous, "{joined} after {previous}");
        previous = joined;
        let bytes = pattern(stream, Role::Client, offset, 300);
        offset += 300;
        assert!(transfer(&mut pair, Role::Client, stream, &bytes) == bytes);
        if round % 2 == 0 {
            pair.reset(index - 1);
        } else {
            let (now, c) = (pair.clock.now(), pair.client.connection(index - 1));
            pair.client.session.retire(c, now).unwrap();
        }
        pair.drive_for(Duration::from_secs(60));
        for role in [Role::Client, Role::Server] {
            let session = &pair.host(role).session;
            assert_eq!(session.close_reason(), None);
            let stats = session.stats();
            assert_eq!((stats.live_connections, stats.unused_tokens), (1, 8));
        }
    }
    for role in [Role::Client, Role::Server] {
        let host = pair.host(role);
        let known = (0..=1200).filter(|index| {
            let c = host.connection(*index);
            host.session.connection_id(c).is_some()
        });
        assert!(known.count() < 100);
    }
}

/// beyond 255, too, an ACK or a report for a connection that never was is an error, and one for
/// a connection that is over is ignored, also when nothing of it is kept.
#[test]
fn over_is_not_the_same_as_never() {
    let mut server = solo(Role::Server, SessionConfig::new());
    for value in 1..=600 {
        server.session.issue_token(token(1)).unwrap();
        server.session.redeem_token(id(value)).unwrap();
        let c = server.join(value);
        server.hear_on(c);
        server.session.ping(c);
        assert_eq!(server.transmit_on(c).0.len(), 1);
        let now = server.clock.now();
        server
            .session
            .handle_failure(c, ConnectionFailure::Reset, now);
        server.transmit();
        server.receive(&[reset(value), ack(value, 0)]);
    }
    for value in [300, 400, 600] {
        server.receive(&[ack(value, 0)]);
        server.receive(&[reset(value)]);
        assert_eq!(server.session.close_reason(), None, "{value}");
    }
    server.session.issue_token(token(1)).unwrap();
    server.receive(&[reset(601)]);
    assert_eq!(server.session.close_reason(), None, "issued");
    server.receive(&[reset(602)]);
    let never = PeerMisbehaved::ResetOfUnknownConnection;
    assert_eq!(close_reason(&server), CloseReason::PeerMisbehaved(never));

    let mut client = solo(Role::Client, SessionConfig::new());
    client.receive(&[extended(ExtendedFrame::NewToken(new_token(
        5000,
        &token(1),
    )))]);
    let (start, _) = client.session.take_token().unwrap();
    client.session.handle_join_failure(start.id);
    client.receive(&[reset(5000)]);
    assert_eq!(client.session.close_reason(), None);
    client.receive(&[ack(5001, 0)]);
    let never = PeerMisbehaved::AckOfUnknownConnection;
    assert_eq!(close_reason(&client), CloseReason::PeerMisbehaved(never));
}

/// With a peer that speaks the draft alone there are no frames but the draft's, and 255 tokens.
#[test]
fn the_draft_has_its_own_tokens() {
    let mut config = SessionConfig::new();
    config.token_lifetime(Some(Duration::from_secs(5)));
    let mut server = Solo::new(Role::Server, config);
    for _ in 0..255 {
        server.session.issue_token(token(1)).unwrap();
    }
    assert!(server.session.tokens_used_up());
    assert_eq!(
        server.session.issue_token(token(1)),
        Err(TokenError::UsedUp)
    );
    let withdrawn = server.session.withdraw_token(id(1));
    assert_eq!(withdrawn, Err(TokenError::UnsupportedByPeer));
    server.advance(Duration::from_secs(60));
    assert!(server.session.redeem_token(id(7)).is_ok());
    let sent = server.transmit();
    let frames = all_frames(&sent);
    assert_eq!(frames.len(), 254);
    let draft = |frame: &Frame<'_>| matches!(frame, Frame::NewToken(_));
    assert!(frames.iter().all(draft), "{frames:?}");

    let mut client = Solo::client();
    let asked = client.session.request_tokens(20);
    assert_eq!(asked, Err(TokenError::UnsupportedByPeer));
    assert_eq!(client.transmit(), []);
}

/// A client gets as many tokens as it asks for, up to what the server allows, and asks again with another
/// number.
#[test]
fn a_client_asks_for_tokens() {
    let mut server = SessionConfig::new();
    server.requested_tokens(20);
    let mut pair = pair(PairConfig {
        server,
        ..PairConfig::default()
    });
    for (wanted, expected) in [(12, 12), (100, 20)] {
        pair.client.session.request_tokens(wanted).unwrap();
        pair.drive();
        pair.issue_tokens();
        pair.drive();
        assert_eq!(pair.client.session.stats().unused_tokens, expected);
    }
    pair.client.session.request_tokens(2).unwrap();
    pair.drive();
    for left in (2..20).rev().chain([2]) {
        assert!(pair.join_with_token(LinkConfig::default()).is_some());
        pair.drive();
        pair.issue_tokens();
        pair.drive();
        assert_eq!(pair.client.session.stats().unused_tokens, left);
    }
    let server = pair.server.session.request_tokens(1);
    assert_eq!(server, Err(TokenError::NotClient));
    pair.client.session.abort();
    let late = pair.client.session.request_tokens(1);
    assert_eq!(late, Err(TokenError::Closing));
}

/// A token that the server takes back is refused at once, and the client drops it, whether it has it already
/// or not.
#[test]
fn tokens_are_taken_back() {
    let mut pair = pair(PairConfig::default());
    assert_eq!(pair.server.session.withdraw_token(id(1)), Ok(()));
    let spent = Err(TokenError::Spent);
    assert_eq!(pair.server.session.withdraw_token(id(1)), spent);
    assert_eq!(pair.server.session.redeem_token(id(1)).err(), spent.err());
    assert!(!pair.server.session.is_token_unused(id(1)));
    pair.drive();
    pair.issue_tokens();
    pair.drive();
    assert_eq!(pair.client.session.stats().unused_tokens, 8);
    assert_eq!(pair.client.session.take_token().unwrap().0.id, id(2));

    let mut client = solo(Role::Client, SessionConfig::new());
    client.receive(&[extended(ExtendedFrame::RetireToken(id(300)))]);
    client.receive(&[extended(ExtendedFrame::NewToken(new_token(300, &token(1))))]);
    assert_eq!(client.session.take_token(), None);
    assert_eq!(client.session.close_reason(), None);
}

/// Tokens that expire are replaced in time, so that a client that joins once in a while always has good ones.
#[test]
fn tokens_that_expire_are_replaced() {
    let mut server = SessionConfig::new();
    server.token_lifetime(Some(Duration::from_secs(40)));
    let mut pair = pair(PairConfig {
        server,
        ..PairConfig::default()
    });
    let mut highest = 0;
    for _ in 0..60 {
        for _ in 0..10 {
            pair.drive_for(Duration::from_secs(5));
            pair.issue_tokens();
            pair.drive_for(Duration::from_secs(1));
            let held = pair.client.session.stats().unused_tokens;
            assert!((8..=16).contains(&held), "{held}");
        }
        let index = pair
            .join_with_token(LinkConfig::default())
            .expect("refused");
        pair.drive_for(Duration::from_secs(1));
        let c = pair.client.connection(index);
        highest = pair.client.session.connection_id(c).unwrap().as_u32();
        pair.reset(index);
    }
    assert!(highest > 500, "{highest} is not a new token");
}

/// A session without connections is lost when its last token expires.
#[test]
fn the_last_token_expires() {
    let mut config = SessionConfig::new();
    config.orphan_timeout(Some(Duration::from_secs(3600)));
    let mut client = solo(Role::Client, config);
    let value = token(1);
    let frame = ExtendedTokenFrame {
        lifetime: 80,
        ..new_token(300, &value)
    };
    client.receive(&[extended(ExtendedFrame::NewToken(frame))]);
    let now = client.clock.now();
    let reset = ConnectionFailure::Reset;
    client.session.handle_failure(client.first, reset, now);
    client.advance(Duration::from_secs(69));
    assert_eq!(client.session.close_reason(), None);
    client.advance(Duration::from_secs(2));
    assert_eq!(close_reason(&client), CloseReason::Lost(reset));
}

/// What no honest peer sends about tokens ends the session.
#[test]
fn tokens_of_a_peer_that_misbehaves() {
    let value = token(1);
    let ahead = |receive_generation, send_generation| {
        extended(ExtendedFrame::NewToken(ExtendedTokenFrame {
            receive_generation,
            send_generation,
            ..new_token(300, &value)
        }))
    };
    for (role, frame, fault) in [
        (Role::Client, ahead(0, 1), PeerMisbehaved::TokenGeneration),
        (
            Role::Client,
            ahead(u32::MAX, 0),
            PeerMisbehaved::TokenGeneration,
        ),
        (
            Role::Client,
            extended(ExtendedFrame::TokenRequest(8)),
            PeerMisbehaved::TokenRequestFromServer,
        ),
        (Role::Server, ahead(0, 0), PeerMisbehaved::TokenFromClient),
        (
            Role::Server,
            extended(ExtendedFrame::RetireToken(id(1))),
            PeerMisbehaved::TokenFromClient,
        ),
    ] {
        let mut peer = solo(role, SessionConfig::new());
        peer.receive(&[frame]);
        assert_eq!(close_reason(&peer), CloseReason::PeerMisbehaved(fault));
    }
    let mut client = solo(Role::Client, SessionConfig::new());
    client.receive(&[ahead(3, 0)]);
    assert_eq!(client.session.close_reason(), None, "it may have overtaken");
    let other = token(2);
    client.receive(&[extended(ExtendedFrame::NewToken(new_token(300, &other)))]);
    let changed = PeerMisbehaved::TokenChanged;
    assert_eq!(close_reason(&client), CloseReason::PeerMisbehaved(changed));
}

/// Frames about tokens that were not agreed on are passed over.
#[test]
fn without_agreement_tokens_are_passed_over() {
    let config = SessionConfig::new();
    let params = SessionParams::default();
    let mut client = Solo::with_params(Role::Client, config, Some(params));
    let value = token(1);
    client.receive(&[
        extended(ExtendedFrame::NewToken(new_token(300, &value))),
        extended(ExtendedFrame::RetireToken(id(1))),
        extended(ExtendedFrame::TokenRequest(1)),
    ]);
    assert_eq!(client.session.close_reason(), None);
    assert_eq!(client.session.take_token(), None);
}

/// the token of the handshake is the first one, and those after it say where their connections start.
#[test]
fn tokens_of_the_profile_reach_the_client() {
    let mut draft = SessionConfig::new();
    draft.profile(Profile::DraftOnly);
    for (server, count) in [(SessionConfig::new(), 300), (draft, 255)] {
        let mut pair = Pair::new(PairConfig {
            server,
            ..PairConfig::default()
        });
        for role in [Role::Client, Role::Server] {
            pair.host(role).session.handle_early_token(token(1));
        }
        for expected in 2..=count {
            assert_eq!(pair.server.session.issue_token(token(1)), Ok(id(expected)));
        }
        pair.drive();
        let received = |event: &Event| matches!(event, Event::TokenReceived(_));
        let events = pair.client.take_events();
        let received = events.iter().filter(|event| received(event)).count();
        assert_eq!(received, usize::try_from(count - 1).unwrap());
        assert_eq!(pair.client.session.stats().unused_tokens, count);
    }
}

/// A client that gives up its tokens, and does not read or does not acknowledge that it gets others, costs a
/// bounded amount of memory, and then its session.
#[test]
fn giving_tokens_up_for_ever_ends_the_session() {
    for (reads, expected) in [
        (
            false,
            CloseReason::PeerMisbehaved(PeerMisbehaved::TokenChurn),
        ),
        (
            true,
            CloseReason::LimitExceeded(Limit::UnacknowledgedFrames),
        ),
    ] {
        let mut server = solo(Role::Server, SessionConfig::new());
        let mut given_up = 0;
        while server.session.close_reason().is_none() {
            given_up += 1;
            assert!(given_up < 50_000);
            server.session.issue_token(token(1)).unwrap();
            server.receive(&[reset(given_up)]);
            if reads {
                server.transmit();
            }
        }
        assert_eq!(close_reason(&server), expected);
    }
}

/// Asking for another number of tokens again and again brings nothing.
#[test]
fn token_requests_are_limited() {
    let mut server = solo(Role::Server, SessionConfig::new());
    for round in 0..1_000_000 {
        let wanted = if round % 2 == 0 { 0 } else { 8 };
        server.receive(&[extended(ExtendedFrame::TokenRequest(wanted))]);
        if server.session.close_reason().is_some() {
            break;
        }
    }
    let idle = PeerMisbehaved::IdleFrames;
    assert_eq!(close_reason(&server), CloseReason::PeerMisbehaved(idle));
}
