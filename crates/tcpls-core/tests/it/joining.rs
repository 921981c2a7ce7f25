//! Connections that join and leave a session.

use std::time::Duration;

use proptest::prelude::*;
use tcpls_core::{
    CloseReason, ConnectionFailure, ConnectionStart, Event, SessionConfig, TokenError,
    testing::{LinkConfig, Pair, PairConfig, Solo},
    wire::{ConnectionId, Frame, Role, Token},
};

use crate::talk::{ack, all_frames, data, pattern, read_all, reset, stream};

const RESET: ConnectionFailure = ConnectionFailure::Reset;

fn id(value: u32) -> ConnectionId {
    ConnectionId::from_wire(value)
}

fn wanted(events: &[Event]) -> u32 {
    let count = |event: &Event| match event {
        Event::TokensWanted(count) => u32::from(*count),
        _ => 0,
    };
    events.iter().map(count).sum()
}

fn issue(server: &mut Solo, count: u32) {
    for _ in 0..count {
        server
            .session
            .issue_token(Token::from_bytes([7; 32]))
            .unwrap();
    }
}

/// A server whose client has its eight tokens, the first out of the handshake.
fn server_with_tokens() -> Solo {
    let mut server = Solo::server();
    server
        .session
        .handle_early_token(Token::from_bytes([1; 32]));
    assert_eq!(wanted(&server.events()), 7);
    issue(&mut server, 7);
    assert_eq!(wanted(&server.events()), 0);
    server
}

/// R13, R47, A-44: the client is kept in eight unused tokens: one is wanted for each that was used by a
/// connection, burnt, or lost with a failed join.
#[test]
fn used_tokens_are_replaced() {
    let mut server = server_with_tokens();
    assert_eq!(
        server.session.redeem_token(id(1)),
        Ok(ConnectionStart::joined(id(1)))
    );
    assert_eq!(wanted(&server.events()), 0, "it may yet fail");
    let first = server.join(1);
    let events = server.events();
    assert_eq!(wanted(&events), 1);
    server.hear_on(first);
    assert!(
        server
            .events()
            .contains(&Event::ConnectionEstablished(first))
    );
    server.session.redeem_token(id(2)).unwrap();
    server.session.handle_join_failure(id(2));
    assert_eq!(wanted(&server.events()), 1);
    server.receive(&[reset(3)]);
    assert_eq!(wanted(&server.events()), 1);
    assert_eq!(server.session.stats().unused_tokens, 5);
    issue(&mut server, 3);
    assert_eq!(wanted(&server.events()), 0);
}

/// after 255 tokens none is wanted, whatever becomes of them.
#[test]
fn tokens_end_at_255() {
    let mut server = server_with_tokens();
    let mut joined = 0;
    for value in 1..=255 {
        server.session.redeem_token(id(value)).unwrap();
        server.session.handle_join_failure(id(value));
        let count = wanted(&server.events());
        issue(&mut server, count);
        joined += 1;
    }
    assert_eq!(joined, 255);
    assert_eq!(server.session.stats().tokens, 255);
    assert_eq!(
        server.session.issue_token(Token::from_bytes([0; 32])),
        Err(TokenError::UsedUp)
    );
}

/// R13, R47: tokens bound the connections of a session, and come again when connections leave.
#[test]
fn tokens_bound_the_connections() {
    let mut config = SessionConfig::new();
    config.connections(3);
    let mut server = Solo::new(Role::Server, config);
    assert_eq!(wanted(&server.events()), 2);
    issue(&mut server, 2);
    let mut joined = Vec::new();
    for value in 1..=2 {
        server.session.redeem_token(id(value)).unwrap();
        joined.push(server.join(value));
    }
    assert_eq!(wanted(&server.events()), 0, "three connections live");
    let now = server.clock.now();
    server.session.handle_failure(joined[0], RESET, now);
    assert_eq!(wanted(&server.events()), 1);
}

/// a token is accepted once.
#[test]
fn a_token_is_accepted_once() {
    let mut server = server_with_tokens();
    server.session.redeem_token(id(4)).unwrap();
    let again = server.session.redeem_token(id(4));
    assert_eq!(again, Err(TokenError::Spent));
    server.session.abort();
    let late = server.session.redeem_token(id(5));
    assert_eq!(late, Err(TokenError::Closing));
}

/// a connection that was reported as failed while it joined does not get in.
#[test]
fn a_connection_reset_overtakes_its_join() {
    let mut server = server_with_tokens();
    server.session.redeem_token(id(4)).unwrap();
    server.receive(&[reset(4)]);
    let late = server.join(4);
    let failure = Some(ConnectionFailure::ReportedByPeer);
    assert!(server.events().contains(&Event::ConnectionClosed {
        connection: late,
        failure
    }));
    assert_eq!(
        server.session.connections().collect::<Vec<_>>(),
        [server.first]
    );
}

/// the peer is told when a join came to nothing, so that nobody counts on the token.
#[test]
fn a_failed_join_is_reported() {
    let mut client = Solo::client();
    client
        .session
        .handle_early_token(Token::from_bytes([1; 32]));
    let (early, token) = client.session.take_token().unwrap();
    client.session.return_token(early.id, token);
    assert_eq!(client.transmit(), []);
    let (early, _) = client.session.take_token().unwrap();
    client.session.handle_join_failure(early.id);
    assert_eq!(all_frames(&client.transmit()), [reset(1)]);
    assert_eq!(client.session.take_token(), None);
}

/// a session without connections is lost as soon as its last join failed and no token is left.
#[test]
fn without_token_and_connection_the_session_is_lost() {
    let mut client = Solo::client();
    client
        .session
        .handle_early_token(Token::from_bytes([1; 32]));
    let (early, _) = client.session.take_token().unwrap();
    let now = client.clock.now();
    client.session.handle_failure(client.first, RESET, now);
    assert_eq!(client.session.close_reason(), None, "a join is in progress");
    client.session.handle_join_failure(early.id);
    let lost = Some(CloseReason::Lost(RESET));
    assert_eq!(client.session.close_reason(), lost);
}

/// nobody knows where a new connection leads: it carries a padded Ping, and the rest once the
/// peer was heard, or when there is no other way.
#[test]
fn a_new_connection_carries_a_ping_until_the_peer_is_heard() {
    let mut client = Solo::client();
    let start = ConnectionStart {
        record_sizes: [300, 40],
        ..ConnectionStart::joined(ConnectionId::from_wire(1))
    };
    let second = client.session.add_connection(start, client.clock.now());
    client.session.ping(second);
    let id = client.session.open_bi().unwrap();
    let mut batch = tcpls_core::Transmit::new();
    let now = client.clock.now();
    let _ = client.session.poll_transmit(second, 1000, now, &mut batch);
    assert_eq!((batch.records.len(), batch.records[0].padding), (1, 299));
    assert!(!client.session.wants_transmit(second));
    client.session.handle_failure(client.first, RESET, now);
    let _ = client.session.poll_transmit(second, 1000, now, &mut batch);
    assert_eq!(batch.records.len(), 2);
    let second_record = &batch.records[1];
    assert_eq!(
        second_record.lead.len() + second_record.tail.len() + second_record.padding,
        40
    );
    assert_eq!(id, stream(Role::Client, 0));
}

/// R20, A-9, A-10: both directions of a joined connection count from 0, also in ACK frames that come
/// on another connection.
#[test]
fn a_joined_connection_counts_from_zero() {
    let mut client = Solo::client();
    let second = client.join(7);
    client.session.ping(second);
    let (sent, _) = client.transmit_on(second);
    assert_eq!(sent[0].sequence.as_u64(), 0);
    client.receive(&[ack(7, 0), data(stream(Role::Server, 0), 0, b"x")]);
    assert_eq!(client.session.close_reason(), None);
    let acked = |event: &Event| matches!(event, Event::PingAcked { connection, .. } if *connection == second);
    assert!(client.events().iter().any(acked));
    client.receive_on(second, &[Frame::Ping]);
    assert!(all_frames(&client.transmit_on(second).0).contains(&ack(7, 0)));
}

/// What a network does to a connection, or an application with it.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Join(u64),
    Reset(usize),
    Cut(usize, bool, usize),
    Corrupt(usize, bool),
    Retire(usize, bool),
}

fn turns() -> impl Strategy<Value = Vec<(Turn, usize)>> {
    let turn = prop_oneof![
        (0_u64..40).prop_map(Turn::Join),
        (0_usize..8).prop_map(Turn::Reset),
        (0_usize..8, any::<bool>(), 0_usize..100_000)
            .prop_map(|(c, role, at)| Turn::Cut(c, role, at)),
        (0_usize..8, any::<bool>()).prop_map(|(c, role)| Turn::Corrupt(c, role)),
        (0_usize..8, any::<bool>()).prop_map(|(c, role)| Turn::Retire(c, role)),
    ];
    proptest::collection::vec((turn, 0_usize..30), 0..8)
}

fn role(client: bool) -> Role {
    if client { Role::Client } else { Role::Server }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// R10, R18, A-13, A-14, A-16, A-19: connections join, retire, break and are cut after any byte, down to none at all,
    /// while both sides send: every byte arrives once and in order, and no nonce repeats, which the
    /// pair checks.
    #[test]
    fn every_byte_survives_joins_and_cuts(
        seed: u64,
        lens in (1_usize..400_000, 1_usize..400_000),
        turns in turns(),
        buffer in 2_000_usize..200_000,
        key_update_after in 20_u64..200,
    ) {
        let link = |latency| LinkConfig {
            buffer,
            latency: Duration::from_millis(latency),
            largest_read: 9000,
            ..LinkConfig::default()
        };
        let mut config = SessionConfig::new();
        config.key_update_after(key_update_after);
        let mut pair = Pair::new(PairConfig {
            seed,
            link: link(5),
            client: config.clone(),
            server: config,
            ..PairConfig::default()
        });
        pair.settle();
        pair.issue_tokens();
        pair.drive();
        let id = pair.client.session.open_bi().unwrap();
        let bytes = [
            pattern(id, Role::Client, 0, lens.0),
            pattern(id, Role::Server, 0, lens.1),
        ];
        let (mut written, mut read, mut done) = ([0, 0], [0, 0], [false, false]);
        let mut turns = turns.into_iter();
        let (mut pause, mut resting, mut wires) = (0, 0, 1);
        while done != [true, true] {
            pair.issue_tokens();
            for (index, role) in [Role::Client, Role::Server].into_iter().enumerate() {
                let session = &mut pair.host(role).session;
                prop_assert_eq!(session.close_reason(), None);
                if role == Role::Server && session.stats().streams_accepted == 0 {
                    continue;
                }
                if written[index] < bytes[index].len() {
                    if let Ok(len) = session.send(id).write(&bytes[index][written[index]..]) {
                        written[index] += len;
                    }
                    if written[index] == bytes[index].len() {
                        session.send(id).finish().unwrap();
                    }
                }
                let peer = &bytes[1 - index];
                let (more, end) = read_all(pair.host(role), id);
                prop_assert!(more == peer[read[index]..read[index] + more.len()]);
                read[index] += more.len();
                done[index] = end == Ok(());
            }
            if pause > 0 {
                pause -= 1;
            } else if let Some((turn, next)) = turns.next() {
                pause = next;
                match turn {
                    Turn::Join(latency) => {
                        wires += usize::from(pair.join_with_token(link(latency)).is_some());
                    }
                    Turn::Reset(c) => pair.reset(c % wires),
                    Turn::Cut(c, client, at) => pair.cut_after(c % wires, role(client), at),
                    Turn::Corrupt(c, client) => drop(pair.corrupt(c % wires, role(client))),
                    Turn::Retire(c, client) => {
                        let now = pair.clock.now();
                        let host = pair.host(role(client));
                        let c = host.connection(c % wires);
                        // The last one stays, and so does one that is over.
                        let _refused = host.session.retire(c, now);
                    }
                }
            }
            pair.settle();
            if pair.client.session.connections().next().is_none() {
                prop_assert!(pair.join_with_token(link(3)).is_some(), "no token");
                wires += 1;
            }
            resting = if pair.step() { 0 } else { resting + 1 };
            prop_assert!(resting < 100, "stuck at {read:?} of {lens:?}");
        }
        prop_assert_eq!(read, [lens.1, lens.0]);
    }
}
