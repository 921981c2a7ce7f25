//! One connection ends in order while the session goes on.

use std::time::Duration;

use tcpls_core::{
    CloseReason, ConnectionFailure, ConnectionHandle, Event, Failover, PathInfo, RetireError,
    SessionConfig, TimeoutReason, TransmitState,
    testing::{Host, LinkConfig, Pair, Solo},
    wire::{ConnectionId, Frame, Role, StreamId, Token},
};

use crate::talk::{ack, all_frames, data, pattern, read_all, reset, stream, transfer};

const RESET: ConnectionFailure = ConnectionFailure::Reset;

fn retire(solo: &mut Solo, c: ConnectionHandle) {
    assert_eq!(solo.session.retire(c, solo.clock.now()), Ok(()));
}

fn eof(solo: &mut Solo, c: ConnectionHandle) {
    solo.session.handle_eof(c, solo.clock.now());
}

fn closed(connection: ConnectionHandle, failure: Option<ConnectionFailure>) -> Event {
    Event::ConnectionClosed {
        connection,
        failure,
    }
}

/// A client with two connections, of which the first carried `data` unacknowledged.
fn client_with_data(data: &[u8]) -> (Solo, ConnectionHandle, StreamId) {
    let mut client = Solo::client();
    let second = client.join(1);
    client.hear_on(second);
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(data).unwrap();
    assert_eq!(client.transmit().len(), 1);
    client.events();
    (client, second, id)
}

/// nothing new goes out on a connection that is to be retired, also no acknowledgments: those
/// for what still comes there go out on the other.
#[test]
fn nothing_new_goes_out_on_a_retired_connection() {
    let (mut client, second, id) = client_with_data(b"old");
    let first = client.first;
    retire(&mut client, first);
    client.session.send(id).write(b" and new").unwrap();
    client.session.ping(first);
    client.receive(&[Frame::Ping]);
    assert!(!client.session.wants_transmit(first));
    assert_eq!(client.transmit_on(first), (vec![], TransmitState::Idle));
    let (sent, _) = client.transmit_on(second);
    assert_eq!(all_frames(&sent), [ack(0, 0), data(id, 3, b" and new")]);
}

/// what waits in the socket of a connection that is being left is not sent again, as long as TCP
/// gets on with it: neither by the side that retires it, nor by the other.
#[test]
fn a_connection_that_is_left_may_deliver_what_it_has() {
    let ways: [fn(&mut Solo, ConnectionHandle); 2] = [retire, eof];
    for leave in ways {
        let (mut client, second, id) = client_with_data(b"old");
        let first = client.first;
        leave(&mut client, first);
        let step = Duration::from_millis(50);
        for unsent in (0..20).rev() {
            let info = PathInfo {
                round_trip: step,
                unsent,
                ..PathInfo::default()
            };
            client
                .session
                .handle_path_info(first, info, client.clock.now());
            client.advance(step);
            assert!(!client.session.wants_transmit(second), "{unsent} unsent");
        }
        client.advance(step * 2);
        let (sent, _) = client.transmit_on(second);
        assert!(all_frames(&sent).contains(&data(id, 0, b"old")));
    }
}

/// it is half-closed without `close_notify` once the peer has what it carried, and read until the
/// peer does the same; neither is a failure.
#[test]
fn a_connection_is_retired_once_all_is_acknowledged() {
    let (mut client, second, _) = client_with_data(b"old");
    let first = client.first;
    client.session.ping(first);
    let ready = Event::TransmitReady(first);
    assert!(client.events().contains(&ready), "and not asked");
    retire(&mut client, first);
    assert_eq!(client.transmit_on(first), (vec![], TransmitState::Idle));
    client.receive_on(second, &[ack(0, 0)]);
    assert!(client.events().contains(&ready));
    let end = (vec![], TransmitState::ShutdownWrite);
    assert_eq!(client.transmit_on(first), end);
    assert_eq!(client.transmit_on(first), end, "and again");
    let late = stream(Role::Server, 0);
    client.receive(&[data(late, 0, b"late")]);
    assert_eq!(
        client.session.recv(late).read_chunk(9),
        Ok(Some("late".into()))
    );
    eof(&mut client, first);
    assert!(client.events().contains(&closed(first, None)));
    assert_eq!(
        client.transmit_on(first),
        (vec![], TransmitState::Close),
        "over"
    );
    assert!(!all_frames(&client.transmit_on(second).0).contains(&reset(0)));
    assert_eq!(client.session.stats().frames_retransmitted, 0);
    assert_eq!(client.session.poll_timeout(), None);
}

/// what is unacknowledged after the time for it goes out on the other connection, and the first
/// ends all the same; an acknowledgment that comes late still counts.
#[test]
fn what_stays_unacknowledged_goes_elsewhere() {
    let (mut client, second, id) = client_with_data(b"old");
    let first = client.first;
    retire(&mut client, first);
    let (at, reason) = client.session.poll_timeout().unwrap();
    assert_eq!(
        (at - client.clock.now(), reason),
        (Duration::from_millis(250), TimeoutReason::Leaving)
    );
    client.advance(Duration::from_millis(249));
    assert!(!client.session.wants_transmit(second));
    client.advance(Duration::from_millis(1));
    assert_eq!(
        client.transmit_on(first),
        (vec![], TransmitState::ShutdownWrite)
    );
    assert_eq!(
        all_frames(&client.transmit_on(second).0),
        [data(id, 0, b"old")]
    );
    client.receive_on(second, &[ack(0, 0)]);
    assert_eq!(client.session.stats().bytes_unacked, 0);
    eof(&mut client, first);
    assert!(client.events().contains(&closed(first, None)));
    assert_eq!(client.session.stats().frames_retransmitted, 1);
}

/// where TCP tells the round trip, the time is two of the longest, and the delay of an
/// acknowledgment.
#[test]
fn the_time_for_acknowledgments_follows_the_round_trip() {
    let (mut client, second, _) = client_with_data(b"old");
    let (first, now) = (client.first, client.clock.now());
    for (c, millis) in [(first, 40), (second, 100)] {
        let info = PathInfo {
            round_trip: Duration::from_millis(millis),
            ..PathInfo::default()
        };
        client.session.handle_path_info(c, info, now);
    }
    retire(&mut client, first);
    let (at, reason) = client.session.poll_timeout().unwrap();
    assert_eq!(
        (at - now, reason),
        (Duration::from_millis(225), TimeoutReason::Leaving)
    );
}

/// a retired connection that breaks before the peer ends it is reported, but what was sent again
/// is not sent a third time.
#[test]
fn a_retired_connection_may_still_break() {
    let (mut client, second, id) = client_with_data(b"old");
    let first = client.first;
    retire(&mut client, first);
    client.advance(Duration::from_millis(250));
    assert_eq!(
        all_frames(&client.transmit_on(second).0),
        [data(id, 0, b"old")]
    );
    let now = client.clock.now();
    client.session.handle_failure(first, RESET, now);
    assert_eq!(
        all_frames(&client.transmit_on(second).0),
        [ack(1, 0), reset(0)]
    );
    assert!(client.events().contains(&closed(first, Some(RESET))));
}

/// a peer that never ends its half is not waited for.
#[test]
fn the_end_of_the_peer_is_awaited_for_a_while() {
    let mut config = SessionConfig::new();
    config.drain_timeout(Duration::from_secs(2));
    let mut client = Solo::new(Role::Client, config);
    let (first, second) = (client.first, client.join(1));
    client.hear_on(second);
    retire(&mut client, first);
    assert_eq!(
        client.transmit_on(first),
        (vec![], TransmitState::ShutdownWrite)
    );
    client.advance(Duration::from_millis(1999));
    assert_eq!(client.session.connections().count(), 2);
    client.advance(Duration::from_millis(1));
    let given_up = Some(ConnectionFailure::Abandoned);
    assert!(client.events().contains(&closed(first, given_up)));
    assert_eq!(
        all_frames(&client.transmit_on(second).0),
        [ack(1, 0), reset(0)]
    );
}

/// without another connection that is known to lead to the peer, nothing is retired.
#[test]
fn the_last_connection_is_not_retired() {
    let mut client = Solo::client();
    let (first, now) = (client.first, client.clock.now());
    let last = Err(RetireError::LastConnection);
    assert_eq!(client.session.retire(first, now), last);
    let second = client.join(1);
    assert_eq!(client.session.retire(first, now), last, "not established");
    client.hear_on(second);
    assert_eq!(client.session.retire(first, now), Ok(()));
    assert_eq!(client.session.retire(first, now), Ok(()), "already");
    assert_eq!(client.session.retire(second, now), last);
    client.session.handle_failure(first, RESET, now);
    let over = Err(RetireError::Over);
    assert_eq!(client.session.retire(first, now), over);
    client.session.close(now);
    let closing = Err(RetireError::Closing);
    assert_eq!(client.session.retire(second, now), closing);
}

/// a FIN in the middle of the session is answered with one once what went there is acknowledged
/// and the peer has its acknowledgments; that is not a failure.
#[test]
fn a_fin_is_answered_with_one() {
    let (mut client, second, _) = client_with_data(b"old");
    let first = client.first;
    client.receive(&[data(stream(Role::Server, 0), 0, b"last")]);
    eof(&mut client, first);
    assert_eq!(client.transmit_on(first), (vec![], TransmitState::Idle));
    client.receive_on(second, &[ack(0, 0)]);
    assert_eq!(
        client.transmit_on(first),
        (vec![], TransmitState::Idle),
        "the peer waits for an acknowledgment"
    );
    client.advance(Duration::from_millis(25));
    assert!(all_frames(&client.transmit_on(second).0).contains(&ack(0, 0)));
    assert!(client.events().contains(&Event::TransmitReady(first)));
    assert_eq!(client.transmit_on(first), (vec![], TransmitState::Close));
    assert!(client.events().contains(&closed(first, None)));
    assert_eq!(client.session.stats().frames_retransmitted, 0);
}

/// where the acknowledgments do not get out in time, but those of the peer came, it is still
/// no failure; what else was acknowledged there is acknowledged again.
#[test]
fn a_fin_is_answered_in_time() {
    let (mut client, second, _) = client_with_data(b"old");
    let first = client.first;
    client.receive_on(second, &[Frame::Ping]);
    assert_eq!(all_frames(&client.transmit_on(first).0), [ack(1, 1)]);
    client.receive(&[data(stream(Role::Server, 0), 0, b"last")]);
    eof(&mut client, first);
    client.receive_on(second, &[ack(0, 0)]);
    client.advance(Duration::from_millis(250));
    assert!(client.events().contains(&closed(first, None)));
    assert_eq!(client.transmit_on(first), (vec![], TransmitState::Close));
    assert_eq!(all_frames(&client.transmit_on(second).0), [ack(1, 2)]);
}

/// the acknowledgments of other connections that a connection carried are repeated when it ends
/// in order, because its FIN may be forged, and when the peer says that it failed, which is answered once.
#[test]
fn acknowledgments_outlive_an_orderly_end() {
    let (mut client, second, _) = client_with_data(b"old");
    let (first, third) = (client.first, client.join(2));
    client.hear_on(third);
    client.receive_on(second, &[Frame::Ping]);
    assert_eq!(all_frames(&client.transmit_on(first).0), [ack(1, 1)]);
    eof(&mut client, first);
    client.receive_on(second, &[ack(0, 0)]);
    assert_eq!(client.transmit_on(first), (vec![], TransmitState::Close));
    assert!(client.events().contains(&closed(first, None)));
    assert!(all_frames(&client.transmit_on(third).0).contains(&ack(1, 2)));
    client.receive_on(third, &[reset(0)]);
    let (sent, _) = client.transmit_on(third);
    let frames = all_frames(&sent);
    assert!(frames.contains(&reset(0)), "the answer: {frames:?}");
    assert!(
        frames.contains(&ack(1, 1)) || frames.contains(&ack(1, 2)),
        "{frames:?}"
    );
    client.receive_on(third, &[reset(0)]);
    assert!(!all_frames(&client.transmit_on(third).0).contains(&reset(0)));
}

/// retiring never costs the session: when the other connections break first, the retired one goes
/// on, unless it was half-closed.
#[test]
fn a_retired_connection_goes_on_when_the_others_break() {
    for half_closed in [false, true] {
        let (mut client, second, id) = client_with_data(b"old");
        let (first, now) = (client.first, client.clock.now());
        retire(&mut client, first);
        if half_closed {
            client.receive_on(second, &[ack(0, 0)]);
            let end = (vec![], TransmitState::ShutdownWrite);
            assert_eq!(client.transmit_on(first), end);
        } else {
            assert_eq!(client.transmit_on(first), (vec![], TransmitState::Idle));
        }
        client.session.handle_failure(second, RESET, now);
        client.session.send(id).write(b" and new").unwrap();
        assert_eq!(client.session.wants_transmit(first), !half_closed);
        let events = client.events();
        for told in [Event::TransmitReady(first), Event::ConnectionKept(first)] {
            assert_eq!(events.contains(&told), !half_closed, "{told:?}");
        }
        let (sent, state) = client.transmit_on(first);
        if half_closed {
            assert_eq!((sent, state), (vec![], TransmitState::ShutdownWrite));
        } else {
            assert_eq!(state, TransmitState::Idle);
            assert!(all_frames(&sent).contains(&data(id, 3, b" and new")));
            client.advance(Duration::from_secs(60));
            assert_eq!(client.session.connections().collect::<Vec<_>>(), [first]);
        }
        assert_eq!(client.session.close_reason(), None);
    }
}

/// the last one that ends in order leaves a session that waits for another.
#[test]
fn a_session_survives_the_orderly_end_of_its_last_connection() {
    let mut client = Solo::client();
    client
        .session
        .handle_early_token(Token::from_bytes([1; 32]));
    let (first, second) = (client.first, client.join(9));
    client.hear_on(second);
    retire(&mut client, first);
    assert_eq!(client.transmit_on(first).1, TransmitState::ShutdownWrite);
    let now = client.clock.now();
    client.session.handle_failure(second, RESET, now);
    eof(&mut client, first);
    assert_eq!(client.session.connections().count(), 0);
    assert_eq!(client.session.close_reason(), None);
    assert_eq!(
        client.session.poll_timeout().unwrap().1,
        TimeoutReason::Orphan
    );
    assert!(client.session.take_token().is_some());
}

/// the peer, or who forges its FIN, ends all connections at once: that is no orderly end of the
/// last one.
#[test]
fn when_all_connections_are_half_closed_the_last_one_failed() {
    let mut client = Solo::client();
    client
        .session
        .handle_early_token(Token::from_bytes([1; 32]));
    let id = client.session.open_bi().unwrap();
    client.transmit();
    let (first, second) = (client.first, client.join(9));
    client.hear_on(second);
    client.transmit();
    client.receive_on(second, &[ack(0, 0), data(id, 0, b"download")]);
    client.events();
    eof(&mut client, second);
    eof(&mut client, first);
    let _first = client.transmit_on(first);
    let _second = client.transmit_on(second);
    client.advance(Duration::from_secs(1));
    assert_eq!(client.session.connections().count(), 0);
    assert_eq!(client.session.close_reason(), None);
    let events = client.events();
    let eof = Some(ConnectionFailure::Eof);
    assert!(events.contains(&closed(second, eof)), "{events:?}");
}

/// a session that closes says `close_notify` on a connection that is to be retired, as long as it
/// can; one that was half-closed does not hold it up.
#[test]
fn a_session_closes_over_a_retired_connection() {
    let (mut client, second, _) = client_with_data(b"old");
    let first = client.first;
    retire(&mut client, first);
    client.session.close(client.clock.now());
    let (sent, state) = client.transmit_on(first);
    assert_eq!(sent.last().unwrap().plaintext, [1, 0]);
    assert_eq!(state, TransmitState::ShutdownWrite);

    let (mut client, _, _) = client_with_data(b"old");
    let first = client.first;
    retire(&mut client, first);
    client.receive_on(second, &[ack(0, 0)]);
    assert_eq!(client.transmit_on(first).1, TransmitState::ShutdownWrite);
    client.session.close(client.clock.now());
    assert_eq!(
        client.transmit_on(first),
        (vec![], TransmitState::ShutdownWrite)
    );
    assert_eq!(
        client.transmit_on(second).0.last().unwrap().plaintext,
        [1, 0]
    );
    let notify = vec![1, 0];
    let alert = tcpls_core::ContentType::Alert;
    client.receive_record(first, alert, notify.clone());
    client.receive_record(second, alert, notify);
    assert_eq!(client.session.close_reason(), Some(CloseReason::LocalClose));
}

fn closed_in_order(host: &mut Host, index: usize) -> bool {
    let connection = host.connection(index);
    host.take_events().contains(&closed(connection, None))
}

/// R18, R21, A-16: a session moves from one connection to another in the middle of a transfer. Nothing
/// is sent twice, nothing is reported as failed, and both sides see the first one end in order.
#[test]
fn a_migration_costs_nothing() {
    for seed in 0..20 {
        for by in [Role::Client, Role::Server] {
            let mut pair = Pair::seeded(seed);
            let id = pair.client.session.open_bi().unwrap();
            let bytes = pattern(id, Role::Client, 0, 1_500_000);
            let mut received = transfer(&mut pair, Role::Client, id, &bytes[..500_000]);
            pair.join(ConnectionId::from_wire(1), LinkConfig::default());
            pair.drive();
            let written = pair.client.session.send(id).write(&bytes[500_000..]);
            assert_eq!(written, Ok(1_000_000));
            pair.settle();
            let now = pair.clock.now();
            let first = pair.host(by).connection(0);
            assert_eq!(pair.host(by).session.retire(first, now), Ok(()));
            while received.len() < bytes.len() {
                assert!(pair.step(), "stuck");
                received.extend(read_all(&mut pair.server, id).0);
            }
            assert!(received == bytes);
            pair.drive();
            for role in [Role::Client, Role::Server] {
                let host = pair.host(role);
                assert!(closed_in_order(host, 0), "{role:?}");
                assert_eq!(host.session.stats().bytes_retransmitted, 0);
                let second = host.connection(1);
                let counts = host.session.connection_stats(second).unwrap().frames_sent;
                assert_eq!(counts.connection_reset, 0);
            }
        }
    }
}

/// without failover, where the loss of a connection is that of the session, the orderly end of one is
/// not: the peer may read it as late as it likes, and what it acknowledges late is sent again.
#[test]
fn without_failover_connections_still_end_in_order() {
    let mut config = SessionConfig::new();
    config.failover(Failover::Off);
    let mut client = Solo::new(Role::Client, config.clone());
    let (first, second) = (client.first, client.join(1));
    client.hear_on(second);
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(b"on its way").unwrap();
    client.transmit();
    retire(&mut client, first);
    assert_eq!(client.transmit_on(first).1, TransmitState::ShutdownWrite);
    client.advance(Duration::from_secs(3600));
    assert_eq!(client.session.connections().count(), 2, "it waits");
    eof(&mut client, first);
    assert!(client.events().contains(&closed(first, None)));

    let mut server = Solo::new(Role::Server, config);
    let (first, second) = (server.first, server.join(1));
    server.hear_on(second);
    let token = Token::from_bytes([1; 32]);
    server.session.issue_token(token).unwrap();
    let sent = server.transmit();
    eof(&mut server, first);
    server.advance(Duration::from_millis(250));
    assert!(server.events().contains(&closed(first, None)));
    assert_eq!(server.session.close_reason(), None);
    let (again, _) = server.transmit_on(second);
    let frames = all_frames(&again);
    assert!(frames.contains(&all_frames(&sent)[0]), "{frames:?}");
}

/// both sides retire the same connection at the same moment.
#[test]
fn both_sides_may_retire_at_once() {
    let mut pair = Pair::seeded(1);
    pair.join(ConnectionId::from_wire(1), LinkConfig::default());
    pair.drive();
    for role in [Role::Client, Role::Server] {
        let now = pair.clock.now();
        let first = pair.host(role).connection(0);
        assert_eq!(pair.host(role).session.retire(first, now), Ok(()));
    }
    pair.drive();
    for role in [Role::Client, Role::Server] {
        assert!(closed_in_order(pair.host(role), 0), "{role:?}");
    }
}

/// the two sides retire the two connections that there are: the session has none for a
/// moment and goes on with the next.
#[test]
fn a_session_survives_when_each_side_retires_what_the_other_keeps() {
    let mut pair = Pair::seeded(1);
    pair.settle();
    pair.issue_tokens();
    pair.drive();
    assert_eq!(pair.join_with_token(LinkConfig::default()), Some(1));
    pair.drive();
    let id = pair.client.session.open_bi().unwrap();
    pair.drive();
    for (role, index) in [(Role::Client, 0), (Role::Server, 1)] {
        let now = pair.clock.now();
        let c = pair.host(role).connection(index);
        assert_eq!(pair.host(role).session.retire(c, now), Ok(()));
    }
    pair.client.session.send(id).write(b"where to?").unwrap();
    pair.drive_for(Duration::from_secs(10));
    pair.join_with_token(LinkConfig::default());
    pair.drive();
    assert_eq!(
        read_all(&mut pair.server, id).0,
        b"where to?",
        "{:?}",
        pair.client.session.close_reason()
    );
}
