//! When records are acknowledged, and what acknowledgments do.

use std::time::Duration;

use tcpls_core::{
    CloseReason, ContentType, Event, PeerMisbehaved, SessionConfig, TimeoutReason,
    testing::{Pair, PairConfig, Solo},
    wire::{AlertDescription, Frame, PaddingRun, Role},
};

use crate::talk::{ack, all_frames, data, end, pattern, reset, stream, transfer};

const DELAY: Duration = Duration::from_millis(25);

/// nothing is acknowledged before the first record, and record 0 with ACK 0.
#[test]
fn the_first_ack_is_of_record_zero() {
    let mut server = Solo::server();
    let id = server.session.open_bi().unwrap();
    server.session.send(id).write(b"hello").unwrap();
    assert_eq!(all_frames(&server.transmit()), [data(id, 0, b"hello")]);
    server.receive(&[Frame::Ping]);
    assert_eq!(all_frames(&server.transmit()), [ack(0, 0)]);
}

/// the sixteenth eliciting record is acknowledged at once, and the ACK covers all of them (R46).
#[test]
fn sixteen_records_are_acknowledged_at_once() {
    let mut server = Solo::server();
    let id = stream(Role::Client, 0);
    for record in 0..15 {
        server.receive(&[data(id, record, b"x")]);
        assert_eq!(server.transmit(), []);
    }
    server.receive(&[data(id, 15, b"x")]);
    assert_eq!(all_frames(&server.transmit()), [ack(0, 15)]);
}

/// so are 256 KiB.
#[test]
fn many_bytes_are_acknowledged_at_once() {
    let mut server = Solo::new(Role::Server, {
        let mut config = SessionConfig::new();
        config.ack_after_records(1000);
        config
    });
    let id = stream(Role::Client, 0);
    let block = vec![0; 16_369];
    for record in 0..15 {
        server.receive(&[data(id, record * 16_369, &block)]);
        assert_eq!(server.transmit(), []);
    }
    server.receive(&[data(id, 15 * 16_369, &block)]);
    assert_eq!(all_frames(&server.transmit()), [ack(0, 15)]);
}

/// everything else is acknowledged after 25 ms.
#[test]
fn a_single_record_is_acknowledged_after_the_delay() {
    let mut server = Solo::server();
    let before = server.clock.now();
    server.receive(&[data(stream(Role::Client, 0), 0, b"x")]);
    server.receive(&[data(stream(Role::Client, 0), 1, b"y")]);
    let deadline = Some((before + DELAY, TimeoutReason::AckDelay));
    assert_eq!(server.session.poll_timeout(), deadline);
    server.advance(Duration::from_micros(24_999));
    assert!(!server.session.wants_transmit(server.first));
    server.advance(Duration::from_micros(1));
    assert_eq!(server.session.poll_timeout(), None);
    assert!(server.session.wants_transmit(server.first));
    assert_eq!(all_frames(&server.transmit()), [ack(0, 1)]);
    assert_eq!(server.transmit(), []);
}

/// A-11, R45: Ping, FIN and Connection Reset are acknowledged at once.
#[test]
fn urgent_frames_are_acknowledged_at_once() {
    let id = stream(Role::Client, 0);
    for frames in [
        &[Frame::Ping][..],
        &[end(id, 0, b"")],
        &[data(id, 0, b"x"), Frame::Ping],
    ] {
        let mut server = Solo::server();
        server.receive(frames);
        assert_eq!(all_frames(&server.transmit()), [ack(0, 0)], "{frames:?}");
    }
    let mut server = Solo::server();
    server.join(7);
    server.receive(&[reset(7)]);
    assert_eq!(all_frames(&server.transmit()), [ack(0, 0), reset(7)]);
}

/// an acknowledgment that may wait goes with the data that goes anyway, at the end of the
/// record, and is not sent again.
#[test]
fn acknowledgments_ride_on_data() {
    let mut server = Solo::server();
    let id = stream(Role::Client, 0);
    server.receive(&[data(id, 0, b"question")]);
    server.session.send(id).write(b"answer").unwrap();
    assert_eq!(
        all_frames(&server.transmit()),
        [ack(0, 0), data(id, 0, b"answer")]
    );
    server.advance(2 * DELAY);
    assert_eq!(server.transmit(), []);
}

/// A due acknowledgment does not wait behind full records, and does not make them smaller.
#[test]
fn a_due_acknowledgment_goes_before_full_records() {
    let mut server = Solo::server();
    let id = stream(Role::Client, 0);
    server.receive(&[data(id, 0, b"x")]);
    server.session.send(id).write(&vec![0; 5 * 16_369]).unwrap();
    server.receive(&[Frame::Ping]);
    let sent = server.transmit();
    assert_eq!(sent[0].frames(), [ack(0, 1)]);
    assert!(
        sent[1..]
            .iter()
            .all(|record| record.plaintext.len() == 16_384)
    );
    assert_eq!(sent.len(), 6);
}

/// records with nothing but ACK and Padding are not acknowledged for their own sake.
#[test]
fn acknowledgments_are_not_acknowledged() {
    let mut server = Solo::server();
    let id = server.session.open_bi().unwrap();
    assert_eq!(all_frames(&server.transmit()), [data(id, 0, b"")]);
    for _ in 0..100 {
        server.receive(&[ack(0, 0), Frame::Padding(PaddingRun { length: 100 })]);
    }
    server.advance(10 * DELAY);
    assert_eq!(server.transmit(), []);
    server.receive(&[Frame::Ping]);
    assert_eq!(
        all_frames(&server.transmit()),
        [ack(0, 100)],
        "but covered when one is sent"
    );
}

/// two idle sessions fall silent.
#[test]
fn two_sessions_do_not_acknowledge_for_ever() {
    let mut pair = Pair::seeded(2);
    let id = pair.client.session.open_bi().unwrap();
    pair.client.session.send(id).write(b"hello").unwrap();
    pair.drive();
    assert_eq!(pair.records_sealed(), 2, "the data and one ACK");
}

/// tickets and other records without frames count in the numbers that are acknowledged.
#[test]
fn every_protected_record_counts() {
    let mut client = Solo::client();
    let ticket = [&[4, 0, 0, 5][..], b"token"].concat();
    client.receive_record(client.first, ContentType::Handshake, ticket);
    assert_eq!(
        client.transmit(),
        [],
        "tickets are not acknowledged for their own sake"
    );
    client.receive(&[Frame::Ping]);
    assert_eq!(all_frames(&client.transmit()), [ack(0, 1)]);

    let mut pair = Pair::new(PairConfig {
        first_from_server: 2,
        ..PairConfig::default()
    });
    let id = pair.server.session.open_bi().unwrap();
    let bytes = pattern(id, Role::Server, 0, 100_000);
    assert_eq!(transfer(&mut pair, Role::Server, id, &bytes), bytes);
    pair.drive();
    assert_eq!(pair.server.session.stats().bytes_unacked, 0);
}

/// an ACK that covers more than was sent is a violation, at 0 as everywhere.
#[test]
fn acknowledging_the_unsent_is_a_violation() {
    let mut server = Solo::server();
    server.receive(&[ack(0, 0)]);
    let reason = CloseReason::PeerMisbehaved(PeerMisbehaved::AckOfUnsentRecord);
    assert_eq!(server.session.close_reason(), Some(reason));
    assert_eq!(reason.alert(), Some(AlertDescription::ILLEGAL_PARAMETER));

    let mut server = Solo::server();
    server.session.open_bi().unwrap();
    assert_eq!(server.transmit().len(), 1);
    server.receive(&[ack(0, 0)]);
    assert_eq!(server.session.close_reason(), None);
    server.receive(&[ack(0, 1)]);
    assert_eq!(server.session.close_reason(), Some(reason));
}

/// so is one for a connection that never was; one for a connection that could have joined but
/// did not covers records that were never sent.
#[test]
fn acknowledging_an_unknown_connection_is_a_violation() {
    for (connection, token, misbehaved) in [
        (1, None, PeerMisbehaved::AckOfUnknownConnection),
        (300, None, PeerMisbehaved::AckOfUnknownConnection),
        (1, Some([7; 32]), PeerMisbehaved::AckOfUnsentRecord),
    ] {
        let mut server = Solo::server();
        if let Some(token) = token {
            server
                .session
                .issue_token(tcpls_core::wire::Token::from_bytes(token))
                .unwrap();
        }
        server.receive(&[ack(connection, 0)]);
        let reason = CloseReason::PeerMisbehaved(misbehaved);
        assert_eq!(server.session.close_reason(), Some(reason));
    }
}

/// a lower ACK than before changes nothing.
#[test]
fn acknowledgments_do_not_go_back() {
    let mut server = Solo::server();
    let id = server.session.open_bi().unwrap();
    for _ in 0..3 {
        server.session.send(id).write(b"x").unwrap();
        server.transmit();
    }
    server.receive(&[ack(0, 2)]);
    server.receive(&[ack(0, 0)]);
    assert_eq!(server.session.close_reason(), None);
    assert_eq!(server.session.stats().bytes_unacked, 0);
}

/// R20, A-10: an ACK for one connection may come on another, and frees what it covers.
#[test]
fn acknowledgments_come_on_any_connection() {
    let mut server = Solo::server();
    let second = server.join(1);
    let id = server.session.open_bi().unwrap();
    server.session.send(id).write(b"hello").unwrap();
    server.session.send(id).finish().unwrap();
    assert_eq!(server.transmit().len(), 1);
    server.receive_on(second, &[ack(0, 0)]);
    assert!(server.events().contains(&Event::SendAcked(id)));
    assert_eq!(server.session.stats().bytes_unacked, 0);
}

/// R20: this side too acknowledges one connection on another when that one has room.
#[test]
fn acknowledgments_go_on_any_connection() {
    let mut server = Solo::server();
    let second = server.join(1);
    server.hear_on(second);
    server.receive(&[Frame::Ping]);
    assert_eq!(all_frames(&server.transmit_on(second).0), [ack(0, 0)]);
    assert_eq!(server.transmit(), []);
}

/// an acknowledgment calls for the connection whose records it is of, and for another one when the
/// socket of that one takes nothing.
#[test]
fn an_acknowledgment_wakes_one_connection() {
    let mut server = Solo::server();
    let second = server.join(1);
    server.hear_on(second);
    let first = server.first;
    let wants = |server: &Solo| [first, second].map(|c| server.session.wants_transmit(c));
    let _ping = [first, second].map(|c| server.transmit_on(c));
    server.receive(&[Frame::Ping]);
    assert_eq!(wants(&server), [true, false]);
    assert_eq!(all_frames(&server.transmit()), [ack(0, 0)]);
    server.receive_on(second, &[Frame::Ping]);
    assert_eq!(wants(&server), [false, true]);
    server.session.handle_blocked(second);
    assert_eq!(wants(&server), [true, true]);
    assert_eq!(all_frames(&server.transmit()), [ack(1, 1)]);
    assert_eq!(wants(&server), [false, false]);
}

/// A-14, R19: an ACK covers a record only after its frames were applied: not one that is refused.
#[test]
fn a_refused_record_is_not_acknowledged() {
    let mut server = Solo::server();
    server.receive(&[Frame::Ping]);
    server.receive(&[Frame::Ping, ack(9, 9)]);
    let sent = server.transmit();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].content_type, ContentType::Alert);
    assert_eq!(
        sent[0].plaintext,
        [2, AlertDescription::ILLEGAL_PARAMETER.as_u8()]
    );
}

/// The answer to a Ping of this side, with the time that it took.
#[test]
fn a_ping_measures_the_round_trip() {
    let mut pair = Pair::seeded(3);
    let connection = pair.client.connection(0);
    pair.client.session.ping(connection);
    pair.client.session.ping(connection);
    pair.drive();
    let round_trip = Duration::from_millis(20);
    assert_eq!(
        pair.client.take_events(),
        [Event::PingAcked {
            connection,
            round_trip
        }]
    );
    let stats = pair.client.session.connection_stats(connection).unwrap();
    assert_eq!((stats.frames_sent.ping, stats.frames_received.ack), (1, 1));
}

/// an acknowledgment that is late costs nothing while there is one connection; with several, what
/// arrived unknown to the peer would be sent again when one of them fails.
#[test]
fn acknowledgments_wait_less_when_a_connection_could_be_replaced() {
    let mut client = Solo::client();
    let id = stream(Role::Server, 0);
    client.receive(&[data(id, 0, b"x")]);
    let now = client.clock.now();
    let delay = |millis| Some((now + Duration::from_millis(millis), TimeoutReason::AckDelay));
    assert_eq!(client.session.poll_timeout(), delay(25));
    client.transmit();
    client.advance(Duration::from_millis(25));
    client.transmit();
    client.join(1);
    client.receive(&[data(id, 1, b"y")]);
    let now = client.clock.now();
    assert_eq!(
        client.session.poll_timeout(),
        Some((now + Duration::from_millis(5), TimeoutReason::AckDelay))
    );
}
