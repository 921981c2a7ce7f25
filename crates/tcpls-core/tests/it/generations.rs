//! Key generations of a session whose connections come and go (reading A-26).

use std::time::Duration;

use tcpls_core::{
    ConnectionHandle, ContentType, PathStatus, Profile, SessionConfig, StreamPaths, WriteError,
    crypto::{KeyError, KeyUpdateRequest, key_update_message},
    testing::{LinkConfig, Pair, PairConfig, Sent, Solo},
    wire::{Role, StreamId},
};

use crate::talk::{extended, pattern, read_all};

const SIDES: [Role; 2] = [Role::Client, Role::Server];

fn link(latency: u64) -> LinkConfig {
    LinkConfig {
        buffer: 12_000,
        latency: Duration::from_millis(latency),
        ..LinkConfig::default()
    }
}

fn pair(profile: Profile, key_update_after: u64) -> Pair {
    let mut config = SessionConfig::new();
    config.profile(profile).key_update_after(key_update_after);
    let mut pair = Pair::new(PairConfig {
        client: config.clone(),
        server: config,
        link: link(3),
        ..PairConfig::default()
    });
    pair.settle();
    pair.issue_tokens();
    pair.drive();
    pair
}

/// Both sides send so many bytes on a stream, while `disturb` is called once in a while.
fn exchange(pair: &mut Pair, length: usize, mut disturb: impl FnMut(&mut Pair, usize)) {
    let id: StreamId = pair.client.session.open_bi().unwrap();
    let bytes = SIDES.map(|role| pattern(id, role, 0, length));
    let (mut written, mut read) = ([0, 0], [0, 0]);
    let mut accepted = None;
    for round in 0.. {
        for (index, role) in SIDES.into_iter().enumerate() {
            let session = &mut pair.host(role).session;
            assert_eq!(session.close_reason(), None);
            if role == Role::Server {
                accepted = accepted.or_else(|| session.accept_bi());
            }
            if role == Role::Server && accepted.is_none() {
                continue;
            }
            match session.send(id).write(&bytes[index][written[index]..]) {
                Ok(len) => written[index] += len,
                Err(error) => assert_eq!(error, WriteError::Blocked),
            }
            let (more, _) = read_all(pair.host(role), id);
            let expected = &bytes[1 - index][read[index]..];
            assert!(more == expected[..more.len()], "at {}", read[index]);
            read[index] += more.len();
        }
        if read == [length, length] {
            return;
        }
        pair.issue_tokens();
        disturb(pair, round);
        assert!(pair.step(), "stuck at {read:?}");
    }
}

fn generation(pair: &mut Pair, role: Role, index: usize) -> u32 {
    let host = pair.host(role);
    let stats = host.session.connection_stats(host.connection(index));
    stats.unwrap().send_generation
}

/// a transfer crosses dozens of generations on several connections, while connections die and join:
/// every byte arrives once, and no nonce repeats, which the pair checks. With the profile, connections start
/// near where the others are, and the keys of old generations are erased; by the draft they start at the
/// first keys, which are kept.
#[test]
fn connections_come_and_go_across_generations() {
    for profile in [Profile::Extended, Profile::DraftOnly] {
        let mut pair = pair(profile, 12);
        let mut wires = vec![0];
        let mut started = Vec::new();
        exchange(&mut pair, 5_000_000, |pair, round| {
            let latency = 1 + u64::from(round % 3 == 0);
            if round % 4 == 0
                && wires.len() < 4
                && let Some(index) = pair.join_with_token(link(latency))
            {
                wires.push(index);
                started.push(generation(pair, Role::Client, index));
            }
            if round % 10 == 9 && wires.len() > 2 {
                pair.reset(wires.remove(round % 2));
            }
        });
        pair.drive();
        assert!(started.len() > 12, "{} connections", started.len());
        let last = *wires.last().unwrap();
        for role in SIDES {
            let reached = generation(&mut pair, role, last);
            assert!(reached > 36, "{reached} generations");
            let keys = pair.sealing_keys(role);
            match profile {
                Profile::Extended => {
                    assert_eq!(keys.key(0).unwrap_err(), KeyError::Forgotten(0));
                    let kept = (0..=reached).filter(|generation| keys.key(*generation).is_ok());
                    let kept = kept.count();
                    assert!(kept < 40, "{kept} of {reached}");
                }
                Profile::DraftOnly => assert!(keys.key(0).is_ok()),
            }
        }
        let behind = generation(&mut pair, Role::Client, last) - started.last().unwrap();
        match profile {
            Profile::Extended => assert!(started.last().unwrap() > &20 && behind < 40),
            Profile::DraftOnly => assert!(started.iter().all(|generation| *generation == 0)),
        }
    }
}

/// keys are replaced at will, in both directions and on every connection, also between a failure and
/// the join that makes up for it.
#[test]
fn keys_are_replaced_at_will() {
    for profile in [Profile::Extended, Profile::DraftOnly] {
        let mut pair = pair(profile, u64::MAX);
        pair.join_with_token(link(1)).unwrap();
        pair.drive();
        for (expected, role) in (1..).zip([Role::Client, Role::Server, Role::Client]) {
            let session = &mut pair.host(role).session;
            session.force_key_update();
            session.force_key_update();
            pair.drive();
            for (role, index) in SIDES.into_iter().flat_map(|role| [(role, 0), (role, 1)]) {
                assert_eq!(generation(&mut pair, role, index), expected);
            }
        }
        exchange(&mut pair, 300_000, |pair, round| match round {
            5 => pair.reset(0),
            6 => pair.client.session.force_key_update(),
            7 => assert!(pair.join_with_token(link(2)).is_some()),
            _ => {}
        });
        pair.drive();
        for (role, index) in SIDES.into_iter().flat_map(|role| [(role, 1), (role, 2)]) {
            assert_eq!(generation(&mut pair, role, index), 4);
        }
    }
}

/// an application may replace keys as often as it likes, and neither side is blamed for that: with data on
/// its way, and without.
#[test]
fn keys_are_replaced_at_any_speed() {
    for profile in [Profile::Extended, Profile::DraftOnly] {
        let mut pair = pair(profile, u64::MAX);
        let force = |pair: &mut Pair| {
            for role in SIDES {
                pair.host(role).session.force_key_update();
            }
        };
        for _ in 0..300 {
            force(&mut pair);
            pair.drive();
        }
        assert!(generation(&mut pair, Role::Client, 0) >= 20);
        exchange(&mut pair, 300_000, |pair, _| force(pair));
        for role in SIDES {
            assert_eq!(pair.host(role).session.close_reason(), None);
        }
        assert!(generation(&mut pair, Role::Client, 0) >= 40);
    }
}

fn updates(sent: &[Sent]) -> Vec<KeyUpdateRequest> {
    let is = |sent: &Sent, request| sent.plaintext == key_update_message(request);
    let handshake = sent
        .iter()
        .filter(|sent| sent.content_type == ContentType::Handshake);
    let requests = [KeyUpdateRequest::Requested, KeyUpdateRequest::NotRequested];
    handshake
        .map(|sent| *requests.iter().find(|request| is(sent, **request)).unwrap())
        .collect()
}

/// the peer is asked once, and updates that nobody has seen yet are one.
#[test]
fn one_update_asks_the_peer() {
    let mut client = Solo::client();
    let second = client.join(1);
    client.hear_on(second);
    for _ in 0..3 {
        client.session.force_key_update();
    }
    assert_eq!(updates(&client.transmit()), [KeyUpdateRequest::Requested]);
    let (sent, _) = client.transmit_on(second);
    assert_eq!(updates(&sent), [KeyUpdateRequest::NotRequested]);
    client.session.abort();
    client.session.force_key_update();
    assert_eq!(updates(&client.transmit()), []);
}

fn backup(client: &mut Solo) -> ConnectionHandle {
    let backup = client.join(1);
    client.hear_on(backup);
    client.session.set_path_status(backup, PathStatus::Backup);
    client.transmit();
    backup
}

/// a connection that is spare answers a request for new keys, and has them before it carries a stream
/// of its own.
#[test]
fn spare_connections_follow() {
    let mut client = Solo::client();
    let spare = backup(&mut client);
    let request = key_update_message(KeyUpdateRequest::Requested);
    client.receive_record(spare, ContentType::Handshake, request.to_vec());
    assert!(client.session.wants_transmit(spare));
    let (sent, _) = client.transmit_on(spare);
    assert_eq!(updates(&sent), [KeyUpdateRequest::NotRequested]);

    let mut client = Solo::client();
    let spare = backup(&mut client);
    client.session.force_key_update();
    client.transmit();
    assert!(!client.session.wants_transmit(spare), "there is time");
    let id = client.session.open_bi().unwrap();
    let only = StreamPaths::Only(vec![spare]);
    client.session.send(id).set_paths(only).unwrap();
    client.session.send(id).write(b"apart").unwrap();
    let (sent, _) = client.transmit_on(spare);
    assert_eq!(updates(&sent), [KeyUpdateRequest::NotRequested]);
    assert_eq!(sent.len(), 2);
}

/// a token names the keys at which its connection starts, and no others are needed for it.
#[test]
fn a_connection_starts_where_its_token_says() {
    let mut config = SessionConfig::new();
    config.key_update_after(3);
    let mut server = extended(Role::Server, config);
    let id = server.session.open_bi().unwrap();
    for _ in 0..10 {
        server.session.send(id).write(b"x").unwrap();
        server.transmit();
    }
    let update = key_update_message(KeyUpdateRequest::NotRequested);
    server.receive_record(server.first, ContentType::Handshake, update.to_vec());
    let token = tcpls_core::wire::Token::from_bytes([1; 32]);
    let connection = server.session.issue_token(token).unwrap();
    let start = server.session.redeem_token(connection).unwrap();
    assert_eq!((start.generations.sent, start.generations.received), (3, 1));
    let now = server.clock.now();
    let c = server.session.add_connection(start, now);
    let generation = |c| server.session.connection_stats(c).unwrap().send_generation;
    assert_eq!((generation(c), generation(server.first)), (3, 3));
}
