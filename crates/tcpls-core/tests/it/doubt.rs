//! What a failed connection carried: lost for certain, in doubt, or arrived (reading A-14).

use std::time::Duration;

use tcpls_core::{
    ConnectionFailure, ConnectionHandle, PathInfo, Transmit,
    testing::Solo,
    wire::{Fin, Frame, Role, StreamId},
};

use crate::talk::{ack, all_frames, data, pattern, reset};

/// The most data of one Stream frame.
const FULL: usize = 16_369;

/// A client that sent `records` full records, from number 2 on, of one stream on its first connection, of which TCP did not
/// send the last `unsent` bytes, and that has a second connection.
fn client(records: usize, unsent: u64) -> (Solo, ConnectionHandle, StreamId) {
    let mut client = Solo::client();
    let first = client.first;
    let second = client.join(1);
    client.receive_on(second, &[Frame::Ping]);
    client.transmit();
    let now = client.clock.now();
    client
        .session
        .set_path_status(second, tcpls_core::PathStatus::Backup);
    client
        .session
        .handle_path_info(first, PathInfo::default(), now);
    let id = client.session.open_bi().unwrap();
    client.transmit();
    client.receive_on(second, &[ack(0, 1)]);
    let bytes = pattern(id, Role::Client, 0, records * FULL);
    client.session.send(id).write(&bytes).unwrap();
    client.transmit();
    let info = PathInfo {
        round_trip: Duration::from_millis(20),
        in_flight: 100,
        unsent,
        ..PathInfo::default()
    };
    client.session.handle_path_info(first, info, now);
    (client, second, id)
}

fn fail(client: &mut Solo) {
    let now = client.clock.now();
    let failure = ConnectionFailure::Reset;
    client.session.handle_failure(client.first, failure, now);
}

/// The offsets of the Stream frames in the next record on `connection`, if there is one.
fn next_offsets(client: &mut Solo, connection: ConnectionHandle) -> Option<Vec<u64>> {
    let mut out = Transmit::new();
    let now = client.clock.now();
    let _more = client.session.poll_transmit(connection, 1, now, &mut out);
    let record = out.records.first()?;
    let plaintext = [&record.lead, record.tail(&out.tails)].concat();
    let frames =
        tcpls_core::wire::RecordFrames::parse(&plaintext, tcpls_core::wire::FrameSet::Draft)
            .unwrap();
    let offsets = frames.iter().filter_map(|frame| match frame {
        Frame::Stream(frame) => Some(frame.offset),
        _ => None,
    });
    Some(offsets.collect())
}

fn all_offsets(client: &mut Solo, connection: ConnectionHandle) -> Vec<u64> {
    std::iter::from_fn(|| next_offsets(client, connection))
        .flatten()
        .collect()
}

fn place(index: usize) -> u64 {
    u64::try_from(index * FULL).unwrap()
}

/// what the socket had not sent goes out first; what was on its way goes out in turn with new data.
#[test]
fn what_was_never_sent_goes_out_first() {
    let (mut client, second, id) = client(5, 20_000);
    let more = pattern(id, Role::Client, 5 * FULL, 4 * FULL);
    client.session.send(id).write(&more).unwrap();
    fail(&mut client);
    let order = all_offsets(&mut client, second);
    let at = |index| {
        order
            .iter()
            .position(|offset| *offset == place(index))
            .unwrap()
    };
    assert_eq!(order.len(), 9, "each once: {order:?}");
    assert!(
        at(3) < at(1) && at(4) < at(1),
        "lost for certain: {order:?}"
    );
    assert!(at(0) < at(1) && at(1) < at(2), "in their order: {order:?}");
    assert!(
        at(0) < at(6) && at(5) < at(2),
        "new data in turn: {order:?}"
    );
    assert_eq!(client.session.stats().frames_retransmitted, 5);
}

/// After a loss little is given out at a time, although one connection is all there is: what the other
/// carried is asked for soon, and a new connection may take a part.
#[test]
fn little_goes_ahead_of_what_was_lost() {
    let (mut client, second, _) = client(4, 0);
    let now = client.clock.now();
    let info = PathInfo {
        round_trip: Duration::from_millis(100),
        congestion_window: 1 << 20,
        ..PathInfo::default()
    };
    client.session.handle_path_info(second, info, now);
    let before = client.session.transmit_batch(second);
    assert!(before < 100_000, "a share of the window: {before}");
    fail(&mut client);
    assert_eq!(client.session.usable_connections(), 1);
    assert!(client.session.has_choice(second));
    assert_eq!(client.session.transmit_batch(second), before);
    client.clock.advance(Duration::from_millis(500));
    client.session.handle_timeout(client.clock.now());
    let (_sent, _) = client.transmit_on(second);
    assert!(!client.session.has_choice(second));
    assert!(client.session.transmit_batch(second) > 4 * before);
}

/// what the peer acknowledges while it is in doubt is not sent again.
#[test]
fn what_arrived_after_all_is_not_sent_again() {
    let (mut client, second, _) = client(4, 0);
    fail(&mut client);
    client.receive_on(second, &[ack(0, 5)]);
    let (sent, _) = client.transmit_on(second);
    let streams = all_frames(&sent)
        .into_iter()
        .filter(|frame| matches!(frame, Frame::Stream(_)))
        .count();
    assert_eq!(streams, 0);
    assert_eq!(client.session.stats().bytes_unacked, 0);
}

/// once the peer has said what arrived, the rest is lost and waits for nobody.
#[test]
fn the_last_word_of_the_peer_ends_all_doubt() {
    let (mut client, second, id) = client(4, 0);
    let new = pattern(id, Role::Client, 4 * FULL, 4 * FULL);
    client.session.send(id).write(&new).unwrap();
    fail(&mut client);
    client.receive_on(second, &[reset(0), ack(0, 3)]);
    let order = all_offsets(&mut client, second);
    let expected: Vec<_> = [2, 3, 4, 5, 6, 7].map(place).to_vec();
    assert_eq!(order, expected);
}

/// what is in doubt does not wait for a stream that is kept to another connection.
#[test]
fn doubt_does_not_wait_for_streams_of_other_connections() {
    let (mut client, second, _) = client(5, 0);
    let third = client.join(2);
    client.receive_on(third, &[Frame::Ping]);
    let _sent = client.transmit_on(third);
    let now = client.clock.now();
    for connection in [second, third] {
        let backup = tcpls_core::PathStatus::Backup;
        client.session.set_path_status(connection, backup);
    }
    let apart = client.session.open_bi().unwrap();
    client.session.send(apart).write(b"apart").unwrap();
    let only = tcpls_core::StreamPaths::Only(vec![third]);
    client.session.send(apart).set_paths(only).unwrap();
    let failure = ConnectionFailure::Reset;
    client.session.handle_failure(client.first, failure, now);
    let expected: Vec<_> = [0, 1, 2, 3, 4].map(place).to_vec();
    assert_eq!(all_offsets(&mut client, second), expected);
}

/// R9, A-14: what a stream had on its way goes out again on its own connections.
#[test]
fn doubt_keeps_to_the_connections_of_its_stream() {
    let (mut client, second, id) = client(2, 0);
    let third = client.join(2);
    client.receive_on(third, &[Frame::Ping]);
    let _sent = client.transmit_on(third);
    let only = tcpls_core::StreamPaths::Only(vec![client.first, third]);
    client.session.send(id).set_paths(only).unwrap();
    fail(&mut client);
    let none: &[u64] = &[];
    assert_eq!(all_offsets(&mut client, second), none);
    let expected: Vec<_> = [0, 1].map(place).to_vec();
    assert_eq!(all_offsets(&mut client, third), expected);
}

/// what is in doubt waits for a connection, however long that takes.
#[test]
fn doubt_outlasts_a_time_without_connections() {
    let mut client = Solo::client();
    let token = tcpls_core::wire::Token::from_bytes([1; 32]);
    client.session.handle_early_token(token);
    let id = client.session.open_bi().unwrap();
    client.transmit();
    let now = client.clock.now();
    let first = client.first;
    client
        .session
        .handle_path_info(first, PathInfo::default(), now);
    client.session.send(id).write(b"hello").unwrap();
    client.session.send(id).finish().unwrap();
    client.transmit();
    client
        .session
        .handle_path_info(first, PathInfo::default(), now);
    fail(&mut client);
    assert_eq!(client.session.close_reason(), None);
    client.advance(Duration::from_secs(20));
    let second = client.join(1);
    let (sent, _) = client.transmit_on(second);
    let frame = all_frames(&sent).pop();
    let Some(Frame::Stream(frame)) = frame else {
        panic!("{frame:?}");
    };
    assert_eq!((frame.data, frame.fin), (&b"hello"[..], Fin::End));
    let again = data(id, 0, b"");
    assert!(!all_frames(&client.transmit_on(second).0).contains(&again));
}
