//! What happens to a session when one of its connections fails.

use std::time::Duration;

use proptest::prelude::*;
use tcpls_core::{
    CloseReason, ConnectionFailure, Event, Failover, SessionConfig, TimeoutReason,
    testing::{LinkConfig, Pair, PairConfig, Solo},
    wire::{ConnectionId, Frame, Role, Token, TokenSequence},
};

use crate::talk::{ack, all_frames, data, end, pattern, read_all, reset, stream, transfer};

const RESET: ConnectionFailure = ConnectionFailure::Reset;

fn fail(solo: &mut Solo) {
    solo.session
        .handle_failure(solo.first, RESET, solo.clock.now());
}

/// R21: the frames of unacknowledged records go out on the other connection, after
/// Connection Reset and the last ACK, which comes after it in the record and is applied first.
#[test]
fn unacknowledged_frames_go_out_on_another_connection() {
    let mut client = Solo::client();
    let second = client.join(1);
    let [first, other] = [(); 2].map(|()| client.session.open_bi().unwrap());
    client.session.send(first).write(b"acknowledged").unwrap();
    client.transmit();
    client.receive(&[ack(0, 0), data(stream(Role::Server, 0), 0, b"x")]);
    client.session.send(first).write(b" and not").unwrap();
    client.transmit();
    client.session.send(other).write(b"other").unwrap();
    client.session.send(other).finish().unwrap();
    client.session.ping(client.first);
    client.transmit();
    fail(&mut client);
    assert_eq!(client.session.close_reason(), None);
    let closed = Event::ConnectionClosed {
        connection: client.first,
        failure: Some(RESET),
    };
    assert!(client.events().contains(&closed));
    let (sent, _) = client.transmit_on(second);
    let frames = all_frames(&sent);
    assert_eq!(
        frames[..2],
        [ack(0, 0), reset(0)],
        "in the order they are applied"
    );
    assert_eq!(
        frames[2..],
        [end(other, 0, b"other"), data(first, 12, b" and not")]
    );
    assert_eq!(sent.len(), 1);
    let stats = client.session.stats();
    assert_eq!(
        (stats.frames_retransmitted, stats.bytes_retransmitted),
        (2, 13)
    );
}

/// nothing applied, no ACK in the report.
#[test]
fn a_connection_without_records_is_reported_without_ack() {
    let mut client = Solo::client();
    let second = client.join(1);
    fail(&mut client);
    assert_eq!(all_frames(&client.transmit_on(second).0), [reset(0)]);
}

/// A-14, R48: the answer to Connection Reset is Connection Reset, with the ACK, and both sides
/// retransmit.
#[test]
fn a_report_is_answered() {
    let mut server = Solo::server();
    let second = server.join(1);
    let id = server.session.open_bi().unwrap();
    server.session.send(id).write(b"lost").unwrap();
    server.transmit();
    server.receive(&[data(stream(Role::Client, 0), 0, b"x")]);
    server.receive_on(second, &[reset(0)]);
    let failure = Some(ConnectionFailure::ReportedByPeer);
    let first = server.first;
    assert!(server.events().contains(&Event::ConnectionClosed {
        connection: first,
        failure
    }));
    let (sent, _) = server.transmit_on(second);
    assert_eq!(
        all_frames(&sent),
        [ack(1, 0), ack(0, 0), reset(0), data(id, 0, b"lost")],
        "the report at its place before the ACK of the connection"
    );
}

/// an ACK that comes with the report is applied before it, so what arrived is not sent again.
#[test]
fn what_the_report_acknowledges_is_not_sent_again() {
    let mut client = Solo::client();
    let second = client.join(1);
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(b"arrived").unwrap();
    client.transmit();
    client.session.send(id).write(b"lost").unwrap();
    client.transmit();
    client.receive_on(second, &[reset(0), ack(0, 0)]);
    let (sent, _) = client.transmit_on(second);
    assert_eq!(
        all_frames(&sent),
        [ack(1, 0), reset(0), data(id, 7, b"lost")]
    );
}

/// a late ACK for a failed connection prunes what is still to be sent again, until the peer has
/// answered the report.
#[test]
fn a_late_ack_prunes_the_retransmission() {
    let mut client = Solo::client();
    let second = client.join(1);
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(b"arrived").unwrap();
    client.transmit();
    fail(&mut client);
    client.receive_on(second, &[ack(0, 0)]);
    let (sent, _) = client.transmit_on(second);
    let frames = all_frames(&sent);
    assert!(
        !frames.iter().any(|frame| matches!(frame, Frame::Stream(_))),
        "{frames:?}"
    );
    assert_eq!(client.session.stats().bytes_unacked, 0);
    client.receive_on(second, &[reset(0), ack(0, 0)]);
    client.receive_on(second, &[ack(0, 0), ack(1, 0)]);
    assert_eq!(client.session.close_reason(), None);
    assert_eq!(
        client
            .session
            .connection_stats(client.first)
            .unwrap()
            .frames_in_flight,
        0
    );
}

/// an answer without ACK means that no ACK will come: what was remembered for one is forgotten.
#[test]
fn an_answered_report_ends_the_waiting_for_acks() {
    let mut client = Solo::client();
    let second = client.join(1);
    client.session.open_bi().unwrap();
    client.transmit();
    fail(&mut client);
    assert_eq!(
        client
            .session
            .connection_stats(client.first)
            .unwrap()
            .frames_in_flight,
        1
    );
    client.receive_on(second, &[reset(0)]);
    assert_eq!(
        client
            .session
            .connection_stats(client.first)
            .unwrap()
            .frames_in_flight,
        0
    );
    assert_eq!(
        all_frames(&client.transmit_on(second).0).len(),
        3,
        "sent again all the same"
    );
}

/// the peer that reports a failure says with it what it has; nothing more will come, so nothing is
/// remembered for it.
#[test]
fn the_report_of_the_peer_ends_the_waiting_for_acks() {
    let mut client = Solo::client();
    let second = client.join(1);
    client.hear_on(second);
    client.session.open_bi().unwrap();
    client.transmit();
    client.receive_on(second, &[reset(0)]);
    let stats = client.session.connection_stats(client.first).unwrap();
    assert_eq!(stats.frames_in_flight, 0);
    let frames = all_frames(&client.transmit_on(second).0).len();
    assert_eq!(frames, 3, "sent again all the same, with the answer");
}

/// an ACK is not sent again but its current state is, because the one that was sent may be lost
/// with the connection that carried it.
#[test]
fn acknowledgments_are_repeated_elsewhere() {
    let mut client = Solo::client();
    let second = client.join(1);
    client.receive_on(second, &[Frame::Ping]);
    assert_eq!(all_frames(&client.transmit()), [ack(1, 0)]);
    fail(&mut client);
    assert_eq!(
        all_frames(&client.transmit_on(second).0),
        [ack(1, 0), reset(0)]
    );
}

/// reports are idempotent, and one for a closed connection is ignored.
#[test]
fn repeated_reports_change_nothing() {
    let mut client = Solo::client();
    let second = client.join(1);
    client.receive_on(second, &[reset(0)]);
    assert_eq!(client.transmit_on(second).0.len(), 1);
    client.events();
    for _ in 0..3 {
        client.receive_on(second, &[reset(0)]);
        let (sent, _) = client.transmit_on(second);
        assert!(
            all_frames(&sent)
                .iter()
                .all(|frame| matches!(frame, Frame::Ack(_)))
        );
    }
    assert_eq!(client.session.connections().collect::<Vec<_>>(), [second]);
}

/// a report for a connection that was issued but has not joined burns its token, and is answered
/// once.
#[test]
fn a_report_for_a_connection_that_has_not_joined_burns_its_token() {
    let mut client = Solo::client();
    let token = Token::from_bytes([9; 32]);
    let sequence = TokenSequence::from_wire(5).unwrap();
    let frame = tcpls_core::wire::NewTokenFrame {
        sequence,
        token: token.as_token_ref(),
    };
    client.receive(&[Frame::NewToken(frame)]);
    client.receive(&[reset(5)]);
    assert_eq!(client.session.take_token(), None);
    assert_eq!(all_frames(&client.transmit()), [ack(0, 1), reset(5)]);
    client.receive(&[reset(5)]);
    assert_eq!(all_frames(&client.transmit()), [ack(0, 2)]);

    let mut server = Solo::server();
    assert_eq!(
        server.session.issue_token(token),
        Ok(ConnectionId::from_wire(1))
    );
    server.transmit();
    server.receive(&[reset(1)]);
    assert_eq!(all_frames(&server.transmit()), [ack(0, 0), reset(1)]);
}

/// the frame that opened a stream is sent again too, and so are tokens and addresses; Ping is not.
#[test]
fn control_frames_are_sent_again() {
    let mut server = Solo::server();
    let second = server.join(9);
    let id = server.session.open_bi().unwrap();
    let token = Token::from_bytes([3; 32]);
    server.session.issue_token(token.duplicate()).unwrap();
    let address = server
        .session
        .advertise_address("192.0.2.1:443".parse().unwrap())
        .unwrap();
    server.session.ping(server.first);
    let first = server.transmit();
    fail(&mut server);
    let (again, _) = server.transmit_on(second);
    let mut expected = all_frames(&first);
    expected.retain(|frame| *frame != Frame::Ping);
    expected.insert(0, reset(0));
    let mut frames = all_frames(&again);
    frames.sort_by_key(|frame| expected.iter().position(|other| other == frame));
    assert_eq!(frames, expected, "{id:?} {address:?}");
}

/// Without another connection and without a way to join, the session is lost at once.
#[test]
fn the_last_connection_takes_the_session_along() {
    let mut client = Solo::client();
    let id = client.session.open_bi().unwrap();
    fail(&mut client);
    assert_eq!(
        client.session.close_reason(),
        Some(CloseReason::Lost(RESET))
    );
    assert_eq!(
        client.events().last(),
        Some(&Event::Closed(CloseReason::Lost(RESET)))
    );
    let lost = tcpls_core::WriteError::Lost(CloseReason::Lost(RESET));
    assert_eq!(client.session.send(id).write(b"x"), Err(lost));
}

/// with a token out, a session without connections waits for one to join, and goes on where it
/// stopped.
#[test]
fn a_session_without_connections_waits_for_one() {
    let mut config = SessionConfig::new();
    config.orphan_timeout(Some(Duration::from_secs(30)));
    let mut client = Solo::new(Role::Client, config.clone());
    client
        .session
        .handle_early_token(Token::from_bytes([1; 32]));
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(b"lost").unwrap();
    client.transmit();
    let start = client.clock.now();
    fail(&mut client);
    assert_eq!(client.session.close_reason(), None);
    let deadline = (start + Duration::from_secs(30), TimeoutReason::Orphan);
    assert_eq!(client.session.poll_timeout(), Some(deadline));
    client.session.send(id).write(b" and more").unwrap();
    let (start, _) = client.session.take_token().unwrap();
    let second = client.join(start.id.as_u32());
    assert_eq!(client.session.poll_timeout(), None);
    let (sent, _) = client.transmit_on(second);
    assert_eq!(all_frames(&sent)[..2], [reset(0), data(id, 0, b"lost")]);

    let mut server = Solo::new(Role::Server, config);
    server
        .session
        .handle_early_token(Token::from_bytes([1; 32]));
    fail(&mut server);
    server.advance(Duration::from_secs(30));
    assert_eq!(
        server.session.close_reason(),
        Some(CloseReason::Lost(RESET))
    );
}

/// while others live, a half-closed connection gets nothing new and is given up a little later;
/// acknowledgments for it may come meanwhile.
#[test]
fn a_half_closed_connection_is_given_up() {
    let mut client = Solo::client();
    let second = client.join(1);
    let id = client.session.open_bi().unwrap();
    client.transmit();
    client.session.handle_eof(client.first, client.clock.now());
    assert_eq!(client.session.close_reason(), None);
    client.session.send(id).write(b"x").unwrap();
    assert!(!client.session.wants_transmit(client.first));
    assert_eq!(client.transmit(), []);
    assert_eq!(
        all_frames(&client.transmit_on(second).0),
        [data(id, 0, b"x")]
    );
    assert_eq!(
        client.session.poll_timeout().unwrap().1,
        TimeoutReason::Leaving
    );
    client.advance(Duration::from_secs(1));
    let failure = Some(ConnectionFailure::Eof);
    let first = client.first;
    assert!(client.events().contains(&Event::ConnectionClosed {
        connection: first,
        failure
    }));
    assert_eq!(all_frames(&client.transmit_on(second).0), [reset(0)]);
}

/// An identifier is used once: the second time would repeat nonces.
#[test]
fn a_connection_identifier_is_used_once() {
    let mut client = Solo::client();
    client.join(0);
    let reason = CloseReason::Internal("a connection identifier was used twice");
    assert_eq!(client.session.close_reason(), Some(reason));
}

/// The driver hands in records in order, or not at all.
#[test]
fn records_are_handed_in_in_order() {
    let mut client = Solo::client();
    let record = tcpls_core::OpenedRecord {
        sequence: tcpls_core::wire::RecordSequence::from_wire(1),
        content_type: tcpls_core::ContentType::ApplicationData,
        payload: bytes::Bytes::new(),
    };
    client
        .session
        .handle_record(client.first, record, client.clock.now());
    assert!(matches!(
        client.session.close_reason(),
        Some(CloseReason::Internal(_))
    ));
}

/// R18, R21: a transfer over two connections of which one breaks in the middle.
#[test]
fn a_transfer_survives_the_loss_of_a_connection() {
    for seed in 0..20 {
        let mut pair = Pair::seeded(seed);
        pair.join(ConnectionId::from_wire(1), LinkConfig::default());
        let id = pair.client.session.open_bi().unwrap();
        let bytes = pattern(id, Role::Client, 0, 2_000_000);
        let half = transfer(&mut pair, Role::Client, id, &bytes[..500_000]);
        assert!(half == bytes[..500_000]);
        let session = &mut pair.client.session;
        let mut written = 500_000;
        written += session.send(id).write(&bytes[written..]).unwrap();
        pair.settle();
        pair.reset(usize::from(seed % 2 == 0));
        let mut received = transfer_rest(&mut pair, id, &bytes[written..]);
        received.splice(0..0, bytes[..500_000].iter().copied());
        assert!(received == bytes, "seed {seed}");
        assert!(pair.client.session.stats().bytes_retransmitted > 0);
    }
}

fn transfer_rest(pair: &mut Pair, id: tcpls_core::wire::StreamId, rest: &[u8]) -> Vec<u8> {
    let (mut sent, mut received) = (0, Vec::new());
    loop {
        if let Ok(len) = pair.client.session.send(id).write(&rest[sent..]) {
            sent += len;
        }
        if sent == rest.len() {
            let _ = pair.client.session.send(id).finish();
        }
        let (bytes, end) = read_all(&mut pair.server, id);
        received.extend(bytes);
        if end == Ok(()) {
            return received;
        }
        assert!(pair.step(), "stuck");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// whichever connections break, are cut or are corrupted at whatever moment, as
    /// long as one is left, every byte arrives once and in order in both directions.
    #[test]
    fn every_byte_survives_the_loss_of_connections(
        seed: u64,
        lens in (1_usize..400_000, 1_usize..400_000),
        breaks in proptest::collection::vec((0_usize..3, 0_u8..3, 0_usize..40), 0..6),
        buffer in 2_000_usize..200_000,
        latencies in (0_u64..30, 0_u64..30, 0_u64..30, 0_u64..30),
    ) {
        let link = |latency| LinkConfig {
            buffer,
            latency: Duration::from_millis(latency),
            largest_read: 9000,
            ..LinkConfig::default()
        };
        let mut pair = Pair::new(PairConfig { seed, link: link(latencies.0), ..PairConfig::default() });
        for (id, latency) in [(1, latencies.1), (2, latencies.2), (3, latencies.3)] {
            pair.join(ConnectionId::from_wire(id), link(latency));
        }
        let id = pair.client.session.open_bi().unwrap();
        let bytes = [
            pattern(id, Role::Client, 0, lens.0),
            pattern(id, Role::Server, 0, lens.1),
        ];
        let mut written = [0, 0];
        let mut read = [0, 0];
        let mut done = [false, false];
        let mut breaks = breaks.into_iter();
        let mut pause = 0;
        let mut resting = 0;
        while done != [true, true] {
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
            if pause == 0 {
                if let Some((connection, how, next)) = breaks.next() {
                    match how {
                        0 => pair.reset(connection),
                        1 => pair.cut(connection, Role::Server),
                        _ => drop(pair.corrupt(connection, Role::Client)),
                    }
                    pause = next;
                }
            } else {
                pause -= 1;
            }
            resting = if pair.step() { 0 } else { resting + 1 };
            prop_assert!(resting < 100, "stuck at {read:?} of {lens:?}");
        }
        prop_assert_eq!(read, [lens.1, lens.0]);
    }
}

/// Without failover nothing is kept of what was sent, and the loss of any connection ends the session.
#[test]
fn without_failover_nothing_is_kept() {
    let mut config = SessionConfig::new();
    config.failover(Failover::Off);
    let mut client = Solo::new(Role::Client, config);
    let second = client.join(1);
    client.hear_on(second);
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(b"gone").unwrap();
    client.session.send(id).finish().unwrap();
    assert_eq!(client.session.stats().bytes_unacked, 4);
    assert_eq!(all_frames(&client.transmit()), [end(id, 0, b"gone")]);
    assert_eq!(client.session.stats().bytes_unacked, 0);
    assert_eq!(client.session.send(id).poll_acked(), Ok(true));
    client.receive(&[ack(0, 0)]);
    let now = client.clock.now();
    client.session.handle_failure(second, RESET, now);
    assert_eq!(
        client.session.close_reason(),
        Some(CloseReason::Lost(RESET))
    );
}
