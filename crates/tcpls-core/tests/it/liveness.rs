//! Connections that fall silent (reading A-45).

use std::time::Duration;

use tcpls_core::{
    CloseReason, ConnectionFailure, Event, Failover, PathInfo, Profile, ReadError, SessionConfig,
    TimeoutReason,
    testing::{LinkConfig, Pair, PairConfig, Solo},
    wire::{ConnectionId, Role, StreamId},
};

use crate::talk::{data, pattern, stream};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A link of 20 ms round trip whose ends look at TCP.
fn observed() -> LinkConfig {
    LinkConfig {
        observed: true,
        ..LinkConfig::default()
    }
}

fn bytes(id: StreamId, len: usize) -> Vec<u8> {
    pattern(id, Role::Client, 0, len)
}

/// What the server's application has.
fn received(pair: &mut Pair, id: StreamId) -> Vec<u8> {
    let mut all = Vec::new();
    while let Ok(Some(chunk)) = pair.server.session.recv(id).read_chunk(usize::MAX) {
        all.extend_from_slice(&chunk);
    }
    all
}

/// Two connections over observed links.
fn pair() -> Pair {
    let mut pair = Pair::new(PairConfig {
        link: observed(),
        ..PairConfig::default()
    });
    pair.join(ConnectionId::from_wire(1), observed());
    pair.drive_for(100 * MS);
    pair.client.take_events();
    pair
}

/// A-45, R18, R21: what a connection carries that swallows everything is sent on another one long before
/// the connection is given up, and it is given up when TCP made no progress for the whole time.
#[test]
fn what_a_silent_connection_carries_is_sent_elsewhere() {
    let mut pair = pair();
    let id = pair.client.session.open_bi().unwrap();
    let bytes = bytes(id, 200_000);
    pair.client.session.send(id).write(&bytes).unwrap();
    pair.blackhole(0);
    pair.drive_for(150 * MS);
    let silent = pair.client.connection(0);
    let events = pair.client.take_events();
    assert!(events.contains(&Event::ConnectionSuspect(silent)));
    assert!(pair.client.session.is_suspect(silent));
    assert_eq!(pair.client.session.usable_connections(), 1);
    assert_eq!(received(&mut pair, id), bytes);
    let duplicates = |pair: &Pair, index| {
        let connection = pair.client.connection(index);
        let stats = pair.client.session.connection_stats(connection);
        stats.unwrap().duplicates_sent
    };
    assert!(duplicates(&pair, 1) > 0 && duplicates(&pair, 0) == 0);
    assert_eq!(pair.client.session.stats().live_connections, 2);
    pair.drive_for(5 * SECOND);
    let over = |event: &Event| match event {
        Event::ConnectionClosed {
            connection,
            failure,
        } => *connection == silent && *failure == Some(ConnectionFailure::TimedOut),
        _ => false,
    };
    assert!(pair.client.take_events().iter().any(over));
    assert_eq!(pair.client.session.stats().live_connections, 1);
}

/// resets that a silent connection carries do not wait until it is given up, either.
#[test]
fn a_reset_on_a_silent_connection_goes_out_on_another() {
    let mut pair = pair();
    let id = pair.client.session.open_bi().unwrap();
    pair.client.session.send(id).write(b"x").unwrap();
    pair.drive_for(100 * MS);
    pair.blackhole(0);
    pair.client.session.send(id).reset(7).unwrap();
    pair.drive_for(SECOND);
    let read = pair.server.session.recv(id).read_chunk(9);
    assert_eq!(read, Err(ReadError::Reset(7)));
}

/// limits that a silent connection carries do not wait, so that nobody is held up by it.
#[test]
fn a_limit_on_a_silent_connection_goes_out_on_another() {
    let mut config = SessionConfig::new();
    config.stream_window(100_000).max_stream_window(100_000);
    let mut pair = Pair::new(PairConfig {
        client: config.clone(),
        server: config,
        link: observed(),
        ..PairConfig::default()
    });
    pair.join(ConnectionId::from_wire(1), observed());
    pair.drive_for(100 * MS);
    let id = pair.client.session.open_bi().unwrap();
    let bytes = bytes(id, 200_000);
    pair.client.session.send(id).write(&bytes).unwrap();
    pair.drive_for(SECOND);
    pair.blackhole(0);
    let mut all = received(&mut pair, id);
    assert_eq!(all.len(), 100_000);
    pair.drive_for(2 * SECOND);
    all.extend(received(&mut pair, id));
    assert!(all == bytes, "{} arrived", all.len());
}

/// A session whose server reads a window of 100,000 bytes, of twice as many, when all its `connections`
/// swallow everything and were found silent: the limit that moved goes out on one of them, in vain.
fn limit_in_a_hole(connections: u32) -> (Pair, StreamId, Vec<u8>) {
    let mut config = SessionConfig::new();
    config.stream_window(100_000).max_stream_window(100_000);
    let mut pair = Pair::new(PairConfig {
        client: config.clone(),
        server: config,
        link: observed(),
        ..PairConfig::default()
    });
    for id in 1..connections {
        pair.join(ConnectionId::from_wire(id), observed());
    }
    pair.drive_for(100 * MS);
    let id = pair.client.session.open_bi().unwrap();
    let bytes = bytes(id, 200_000);
    pair.client.session.send(id).write(&bytes).unwrap();
    pair.drive_for(SECOND);
    let indices = 0..usize::try_from(connections).unwrap();
    for index in indices.clone() {
        pair.blackhole(index);
        let silent = pair.server.connection(index);
        pair.server.session.ping(silent);
    }
    pair.drive_for(SECOND);
    for index in indices {
        let silent = pair.server.connection(index);
        assert!(pair.server.session.is_suspect(silent), "{index}");
    }
    let all = received(&mut pair, id);
    assert_eq!(all.len(), 100_000);
    pair.drive_for(100 * MS);
    (pair, id, all)
}

/// what goes out on a silent connection because there is no other waits no longer than until there is.
#[test]
fn a_limit_on_the_only_connection_goes_out_on_the_next() {
    let (mut pair, id, mut all) = limit_in_a_hole(1);
    pair.join(ConnectionId::from_wire(1), observed());
    pair.drive_for(500 * MS);
    assert_eq!(pair.server.session.stats().live_connections, 2);
    all.extend(received(&mut pair, id));
    assert!(all == bytes(id, 200_000), "{} arrived", all.len());
}

/// the same when one of several silent connections gets through again, whichever it is.
#[test]
fn a_limit_on_silent_connections_goes_out_on_the_one_that_recovers() {
    for index in 0..2 {
        let (mut pair, id, mut all) = limit_in_a_hole(2);
        pair.heal(index);
        pair.drive_for(1500 * MS);
        assert_eq!(pair.server.session.stats().live_connections, 2);
        all.extend(received(&mut pair, id));
        assert!(all == bytes(id, 200_000), "{} arrived", all.len());
    }
}

/// suspicion costs nothing but a copy. A connection that gets through again is used again.
#[test]
fn a_connection_that_gets_through_again_is_used_again() {
    let mut pair = pair();
    let id = pair.client.session.open_bi().unwrap();
    pair.client
        .session
        .send(id)
        .write(&bytes(id, 200_000))
        .unwrap();
    pair.blackhole(0);
    pair.drive_for(SECOND);
    pair.heal(0);
    pair.drive_for(SECOND);
    let silent = pair.client.connection(0);
    let events = pair.client.take_events();
    let at = |wanted: &Event| events.iter().position(|event| event == wanted).unwrap();
    assert!(at(&Event::ConnectionSuspect(silent)) < at(&Event::ConnectionRecovered(silent)));
    assert_eq!(pair.client.session.usable_connections(), 2);
    assert_eq!(received(&mut pair, id), bytes(id, 200_000));
    assert_eq!(pair.server.session.stats().live_connections, 2);
}

/// a peer that does not read is no failure of the path, however long it takes.
#[test]
fn a_slow_reader_is_not_a_failure_of_the_path() {
    let mut config = SessionConfig::new();
    config.unread_soft_cap(100_000).profile(Profile::DraftOnly);
    let mut pair = Pair::new(PairConfig {
        link: observed(),
        server: config,
        ..PairConfig::default()
    });
    let id = pair.client.session.open_bi().unwrap();
    pair.client
        .session
        .send(id)
        .write(&bytes(id, 1_000_000))
        .unwrap();
    pair.drive_for(60 * SECOND);
    assert!(!pair.server.session.wants_read(pair.server.connection(0)));
    let is_suspect = |event: &Event| matches!(event, Event::ConnectionSuspect(_));
    assert!(!pair.client.take_events().iter().any(is_suspect));
    assert_eq!(pair.client.session.stats().live_connections, 1);
}

/// only the client can open a connection for a download that fell silent, so it asks.
#[test]
fn a_receiver_notices_the_silence_of_a_sender() {
    let mut pair = pair();
    let id = pair.client.session.open_bi().unwrap();
    pair.client.session.send(id).write(b"go").unwrap();
    pair.drive_for(50 * MS);
    pair.server
        .session
        .send(id)
        .write(&bytes(id, 3_000_000))
        .unwrap();
    pair.drive_for(20 * MS);
    for connection in [0, 1] {
        pair.blackhole(connection);
    }
    pair.drive_for(300 * MS);
    for connection in [0, 1] {
        let connection = pair.client.connection(connection);
        assert!(pair.client.session.is_suspect(connection));
    }
    assert_eq!(pair.client.session.usable_connections(), 0);
}

/// a stream that pauses is asked for less and less, and then not any more.
#[test]
fn questions_about_a_pause_come_to_an_end() {
    let mut pair = pair();
    let id = pair.client.session.open_bi().unwrap();
    pair.client.session.send(id).write(b"go").unwrap();
    pair.drive_for(SECOND);
    let pings = |pair: &Pair| -> u64 {
        [0, 1]
            .map(|index| {
                let connection = pair.client.connection(index);
                let stats = pair.client.session.connection_stats(connection).unwrap();
                stats.frames_sent.ping
            })
            .iter()
            .sum()
    };
    let before = pings(&pair);
    pair.server
        .session
        .send(id)
        .write(b"some, and then a pause")
        .unwrap();
    pair.drive_for(60 * SECOND);
    let asked = pings(&pair) - before;
    assert!((1..=4).contains(&asked), "asked {asked} times");
    assert_eq!(pair.client.session.stats().live_connections, 2);
}

/// what TCP never acknowledges counts from when it was sent, not from the last acknowledgment
/// before a pause.
#[test]
fn a_pause_before_sending_is_not_silence() {
    let mut client = Solo::client();
    let info = |in_flight, since_ack| PathInfo {
        round_trip: 20 * MS,
        in_flight,
        since_ack,
        ..PathInfo::default()
    };
    let first = client.first;
    let now = client.clock.now();
    client
        .session
        .handle_path_info(first, info(0, Duration::ZERO), now);
    client.advance(10 * SECOND);
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(b"after a pause").unwrap();
    client.transmit();
    client.advance(40 * MS);
    let now = client.clock.now();
    client
        .session
        .handle_path_info(first, info(100, 10 * SECOND), now);
    assert!(!client.session.is_suspect(first));
    assert_eq!(
        client.session.poll_timeout(),
        Some((now + 10 * MS, TimeoutReason::PathCheck)),
        "a round trip and 30 ms after it was sent"
    );
    client.advance(10 * MS);
    assert!(client.events().contains(&Event::PathInfoWanted(first)));
    let now = client.clock.now();
    client
        .session
        .handle_path_info(first, info(100, 10 * SECOND), now);
    assert!(client.session.is_suspect(first));
    client.advance(5 * SECOND);
    let now = client.clock.now();
    client
        .session
        .handle_path_info(first, info(100, 15 * SECOND), now);
    assert!(!client.session.connections().any(|c| c == first));
}

/// without failover, too, data that gets nowhere makes a connection suspect.
#[test]
fn data_that_nobody_keeps_is_looked_after() {
    let mut config = SessionConfig::new();
    config.failover(Failover::Off);
    let mut pair = Pair::new(PairConfig {
        link: observed(),
        client: config.clone(),
        server: config,
        ..PairConfig::default()
    });
    let id = pair.client.session.open_bi().unwrap();
    pair.client.session.send(id).write(b"one").unwrap();
    pair.drive_for(3 * SECOND);
    pair.blackhole(0);
    pair.client.session.send(id).write(b"two").unwrap();
    pair.drive_for(300 * MS);
    let silent = pair.client.connection(0);
    assert!(pair.client.session.is_suspect(silent));
}

/// acknowledgments and tokens that a silent connection took along are sent again on another one.
#[test]
fn control_frames_of_a_silent_connection_are_sent_elsewhere() {
    let mut server = Solo::server();
    let second = server.join(1);
    server.receive_on(second, &[tcpls_core::wire::Frame::Ping]);
    let token = tcpls_core::wire::Token::from_bytes([7; 32]);
    server.session.issue_token(token).unwrap();
    server.receive(&[data(stream(Role::Client, 0), 0, b"x")]);
    server.advance(30 * MS);
    let now = server.clock.now();
    let first = server.first;
    let info = PathInfo {
        round_trip: 20 * MS,
        ..PathInfo::default()
    };
    server.session.handle_path_info(first, info, now);
    server.transmit();
    let _sent = server.transmit_on(second);
    server.advance(60 * MS);
    let now = server.clock.now();
    let silent = PathInfo {
        in_flight: 100,
        since_ack: 60 * MS,
        ..info
    };
    server.session.handle_path_info(first, silent, now);
    let (sent, _) = server.transmit_on(second);
    let frames = crate::talk::all_frames(&sent);
    let is_token =
        |frame: &tcpls_core::wire::Frame<'_>| matches!(frame, tcpls_core::wire::Frame::NewToken(_));
    assert!(frames.iter().any(is_token), "{frames:?}");
    assert!(frames.contains(&crate::talk::ack(0, 0)));
}

/// Draft 4.5, A-45: several frames of one stream that a silent connection carries go out in as many
/// records, and what is new of that stream in another.
#[test]
fn frames_of_one_stream_are_repeated_in_records_of_their_own() {
    let mut client = Solo::client();
    let second = client.join(1);
    client.hear_on(second);
    let id = client.session.open_bi().unwrap();
    for part in [b"one ", b"two "] {
        client.session.send(id).write(part).unwrap();
        assert_eq!(client.transmit().len(), 1);
    }
    let silent = PathInfo {
        round_trip: 10 * MS,
        in_flight: 100,
        since_ack: SECOND,
        ..PathInfo::default()
    };
    client.advance(SECOND);
    let (first, now) = (client.first, client.clock.now());
    client.session.handle_path_info(first, silent, now);
    assert!(client.session.is_suspect(first));
    client.session.send(id).write(b"three").unwrap();
    let (sent, _) = client.transmit_on(second);
    assert_eq!(client.session.close_reason(), None);
    let frames: Vec<_> = sent.iter().map(|record| record.frames().pop()).collect();
    assert_eq!(
        frames,
        [
            Some(data(id, 0, b"one ")),
            Some(data(id, 4, b"two ")),
            Some(data(id, 8, b"three")),
        ]
    );
}

/// a session that closes does not wait for a connection that is silent while another one says
/// goodbye.
#[test]
fn closing_does_not_wait_for_a_silent_connection() {
    let mut pair = pair();
    let id = pair.client.session.open_bi().unwrap();
    let bytes = bytes(id, 200_000);
    pair.client.session.send(id).write(&bytes).unwrap();
    pair.client.session.send(id).finish().unwrap();
    pair.blackhole(0);
    pair.drive_for(200 * MS);
    let now = pair.clock.now();
    pair.client.session.close(now);
    pair.drive_for(SECOND);
    assert_eq!(
        pair.client.session.close_reason(),
        Some(CloseReason::LocalClose)
    );
    assert_eq!(
        pair.server.session.close_reason(),
        Some(CloseReason::PeerClose)
    );
}

/// nor for one that fell silent while nothing was on its way on it, so that the goodbye is the
/// first that it loses.
#[test]
fn closing_does_not_wait_for_a_connection_that_only_lost_the_goodbye() {
    let mut pair = pair();
    pair.drive_for(2 * SECOND);
    pair.blackhole(0);
    let now = pair.clock.now();
    pair.client.session.close(now);
    pair.drive_for(SECOND);
    let reasons = [&pair.client, &pair.server].map(|host| host.session.close_reason());
    assert_eq!(
        reasons,
        [Some(CloseReason::LocalClose), Some(CloseReason::PeerClose)]
    );
}
