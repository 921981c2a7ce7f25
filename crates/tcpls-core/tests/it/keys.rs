//! Key updates and tickets.

use tcpls_core::{
    CloseReason, ContentType, Event, Limit, SessionConfig,
    crypto::{KeyUpdateRequest, SealError, key_update_message},
    testing::{LinkConfig, Pair, PairConfig, Sent, Solo},
    wire::{Frame, Role},
};

use crate::talk::{ack, data, pattern, stream, transfer};

fn client_with_updates_after(records: u64) -> Solo {
    let mut config = SessionConfig::new();
    config.key_update_after(records);
    Solo::new(Role::Client, config)
}

fn is_update(sent: &Sent) -> bool {
    let update = key_update_message(KeyUpdateRequest::NotRequested);
    sent.content_type == ContentType::Handshake && sent.plaintext == update
}

fn write_record(solo: &mut Solo) {
    let id = tcpls_core::wire::StreamId::nth(Role::Client, 0).unwrap();
    solo.session.send(id).write(b"x").unwrap();
}

/// a requested key update is answered on the same connection, before anything else, and only
/// once.
#[test]
fn a_requested_update_is_answered() {
    let mut client = Solo::client();
    let second = client.join(1);
    client.session.open_bi().unwrap();
    let request = key_update_message(KeyUpdateRequest::Requested);
    client.receive_record(second, ContentType::Handshake, request.to_vec());
    let (sent, _) = client.transmit_on(second);
    assert!(is_update(&sent[0]));
    assert_eq!(sent.iter().filter(|sent| is_update(sent)).count(), 1);
    assert_eq!(
        client
            .session
            .connection_stats(second)
            .unwrap()
            .send_generation,
        1
    );
    let unasked = key_update_message(KeyUpdateRequest::NotRequested);
    client.receive_record(second, ContentType::Handshake, unasked.to_vec());
    assert!(!client.transmit_on(second).0.iter().any(is_update));
}

/// the update comes right after as many records as the threshold says, and the count of records
/// goes on across it.
#[test]
fn keys_change_after_so_many_records() {
    let mut client = client_with_updates_after(5);
    client.session.open_bi().unwrap();
    let mut kinds = Vec::new();
    for record in 0..12 {
        write_record(&mut client);
        for sent in client.transmit() {
            assert_eq!(
                sent.sequence.as_u64(),
                u64::try_from(kinds.len()).unwrap(),
                "{record}"
            );
            kinds.push(is_update(&sent));
        }
    }
    let updates: Vec<usize> = (0..kinds.len()).filter(|&at| kinds[at]).collect();
    assert_eq!(updates, [5, 11]);
}

/// the count is summed over connections, and every connection follows before it sends anything
/// else.
#[test]
fn all_connections_change_their_keys() {
    let mut client = client_with_updates_after(4);
    let second = client.join(1);
    client.hear_on(second);
    client.session.open_bi().unwrap();
    let mut updates = Vec::new();
    for c in [
        client.first,
        second,
        client.first,
        second,
        client.first,
        second,
    ] {
        write_record(&mut client);
        let (sent, _) = client.transmit_on(c);
        updates.push(sent.iter().map(is_update).collect::<Vec<_>>());
    }
    let plain = vec![false];
    let [last, next] = [vec![false, true], vec![true, false]];
    assert_eq!(
        updates,
        [
            plain.clone(),
            plain.clone(),
            plain.clone(),
            last,
            next,
            plain
        ]
    );
}

/// a connection that joins climbs to the generation that the others are at.
#[test]
fn a_joined_connection_climbs() {
    let mut client = client_with_updates_after(3);
    client.session.open_bi().unwrap();
    for _ in 0..10 {
        write_record(&mut client);
        client.transmit();
    }
    let generation = client
        .session
        .connection_stats(client.first)
        .unwrap()
        .send_generation;
    assert_eq!(generation, 3);
    let second = client.join(1);
    write_record(&mut client);
    client.session.ping(second);
    let (sent, _) = client.transmit_on(second);
    assert_eq!(sent[0].frames(), [Frame::Ping], "it may lead nowhere yet");
    assert_eq!(sent.len(), 1);
    client.hear_on(second);
    let (sent, _) = client.transmit_on(second);
    let climbing = sent.iter().take_while(|sent| is_update(sent)).count();
    assert_eq!(climbing, 3);
    assert_eq!(sent[3].frames().len(), 1);
}

/// a peer that climbs is not taken for a flood.
#[test]
fn climbing_is_not_a_flood() {
    let update = key_update_message(KeyUpdateRequest::NotRequested);
    let mut server = Solo::server();
    for offset in 0..100 {
        server.receive_record(server.first, ContentType::Handshake, update.to_vec());
        server.receive(&[data(stream(Role::Client, 0), offset, b"x")]);
    }
    let second = server.join(1);
    for _ in 0..100 {
        server.receive_record(second, ContentType::Handshake, update.to_vec());
    }
    assert_eq!(server.session.close_reason(), None);
}

/// a transfer over many key generations, over two connections and in both directions; no nonce
/// repeats, which the pair checks, and records count on.
#[test]
fn transfers_cross_key_generations() {
    let mut config = SessionConfig::new();
    config.key_update_after(7);
    let mut pair = Pair::new(PairConfig {
        client: config.clone(),
        server: config,
        first_from_client: 3,
        ..PairConfig::default()
    });
    pair.settle();
    pair.issue_tokens();
    pair.drive();
    let id = pair.client.session.open_bi().unwrap();
    for (round, role) in [Role::Client, Role::Server].into_iter().enumerate() {
        if round == 1 {
            assert!(pair.join_with_token(LinkConfig::default()).is_some());
        }
        let bytes = pattern(id, role, 0, 1_500_000);
        assert!(transfer(&mut pair, role, id, &bytes) == bytes);
    }
    pair.drive();
    for role in [Role::Client, Role::Server] {
        let host = pair.host(role);
        let stats = host.session.connection_stats(host.connection(0)).unwrap();
        assert!(stats.send_generation > 10, "{stats:?}");
        assert_eq!(host.session.close_reason(), None);
    }
}

/// A ticket from the server is handed to the application, but not an endless queue of them.
#[test]
fn tickets_are_handed_out() {
    let mut client = Solo::client();
    for number in 0..100 {
        let message = vec![4, 0, 0, 1, number];
        client.receive_record(client.first, ContentType::Handshake, message);
    }
    let tickets: Vec<Event> = (0..16)
        .map(|number| Event::Ticket(vec![number].into()))
        .collect();
    assert_eq!(client.events(), tickets);
    client.receive_record(client.first, ContentType::Handshake, vec![4, 0, 0, 1, 7]);
    assert_eq!(client.events(), [Event::Ticket(vec![7].into())]);
    client.receive(&[Frame::Ping]);
    assert_eq!(client.transmit()[0].frames(), [ack(0, 101)]);
}

/// A sealer that cannot go on ends the session with a name for it.
#[test]
fn failing_to_seal_ends_the_session() {
    for (error, reason) in [
        (
            SealError::KeyExhausted,
            "a local limit was reached: a key has protected as many records as it may",
        ),
        (
            SealError::SequenceExhausted,
            "a local limit was reached: the record sequence of a connection is used up",
        ),
        (
            SealError::Backend,
            "internal error: a record could not be sealed",
        ),
        (
            SealError::TooLong,
            "internal error: a record could not be sealed",
        ),
    ] {
        let mut client = Solo::client();
        client.session.handle_seal_error(error);
        assert_eq!(client.session.close_reason().unwrap().to_string(), reason);
    }
}

/// The record numbers of a connection end; nothing is sent under the first one again.
#[test]
fn record_numbers_end() {
    let now = tcpls_core::testing::Clock::new().now();
    let mut session = tcpls_core::Session::new(Role::Client, SessionConfig::new(), now);
    let [last, zero] = [u64::MAX, 0].map(tcpls_core::wire::RecordSequence::from_wire);
    let start = tcpls_core::ConnectionStart::first(last, zero);
    let c = session.add_connection(start, now);
    let mut batch = tcpls_core::Transmit::new();
    for _ in 0..2 {
        session.open_bi().ok();
        let _ = session.poll_transmit(c, 1000, now, &mut batch);
    }
    assert_eq!(batch.records.len(), 1);
    let reason = CloseReason::LimitExceeded(Limit::RecordSequence);
    assert_eq!(session.close_reason(), Some(reason));
}
