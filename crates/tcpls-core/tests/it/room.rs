//! Writers that wait for room in the send buffer of the session.

use std::time::Duration;

use bytes::Bytes;
use tcpls_core::{
    Event, SessionConfig, StreamAnnouncement, TimeoutReason, WriteError,
    testing::Solo,
    wire::{Features, Role, SessionParams, StreamId},
};

use crate::talk::ack;

/// What a writer is told of at a time, with the buffer of [`line`].
const SHARE: usize = 2000;

/// A session whose buffer one stream has filled with records of two shares, and a hundred more whose writers wait.
fn line() -> (Solo, Vec<StreamId>) {
    let mut config = SessionConfig::new();
    config
        .announcement(StreamAnnouncement::WithData)
        .session_send_buffer(32 * SHARE)
        .own_streams(101);
    let mut client = Solo::new(Role::Client, config);
    let full = client.session.open_bi().unwrap();
    for _ in 0..16 {
        let mut chunk = Bytes::from_static(&[0; 2 * SHARE]);
        let written = client.session.send(full).write_chunk(&mut chunk);
        assert_eq!(written, Ok(2 * SHARE));
        assert_eq!(client.transmit().len(), 1);
    }
    let line: Vec<_> = (0..100)
        .map(|_| client.session.open_bi().unwrap())
        .collect();
    for &id in &line {
        assert_eq!(write(&mut client, id), Err(WriteError::Blocked));
    }
    client.transmit();
    client.events();
    (client, line)
}

fn write(client: &mut Solo, id: StreamId) -> Result<usize, WriteError> {
    client.session.send(id).write(&vec![1; 10 * SHARE])
}

/// The streams whose writers are told.
fn told(client: &mut Solo) -> Vec<StreamId> {
    let events = client.events();
    let told = events.iter().filter_map(|event| match event {
        Event::Writable(id) => Some(*id),
        _ => None,
    });
    told.collect()
}

/// As many writers are told as find something, in the order in which they came, and each of them does: one
/// that writes a lot takes nothing from the others, nor does one that was not told.
#[test]
fn who_is_told_of_room_finds_it() {
    let (mut client, line) = line();
    client.receive(&[ack(0, 3)]);
    let told = told(&mut client);
    assert_eq!(told, line[..8]);
    assert_eq!(write(&mut client, line[50]), Err(WriteError::Blocked));
    let [greedy, others @ ..] = &told[..] else {
        panic!("nobody is told");
    };
    assert_eq!(write(&mut client, *greedy), Ok(SHARE));
    assert_eq!(write(&mut client, *greedy), Err(WriteError::Blocked));
    for &id in others {
        assert_eq!(client.session.send(id).capacity(), SHARE);
        assert_eq!(write(&mut client, id), Ok(SHARE));
    }
}

/// Writers that were told and want nothing any more keep the room from those behind them for a moment only.
#[test]
fn who_does_not_come_is_not_waited_for() {
    let (mut client, line) = line();
    let mut all = Vec::new();
    for record in 0..16 {
        client.receive(&[ack(0, record)]);
        all.extend(told(&mut client));
    }
    assert_eq!(all, line[..32]);
    let (deadline, reason) = client.session.poll_timeout().unwrap();
    assert_eq!(
        (deadline - client.clock.now(), reason),
        (Duration::from_millis(25), TimeoutReason::Writers)
    );
    client.session.handle_timeout(deadline);
    assert_eq!(told(&mut client), line[32..]);
    assert_eq!(write(&mut client, line[99]), Ok(10 * SHARE));
}

/// Who was told and does not come has no claim on the room when others have used as much as there is, once and
/// again; they go on meanwhile.
#[test]
fn who_does_not_come_for_long_is_forgotten() {
    let (mut client, line) = line();
    client.receive(&[ack(0, 15)]);
    let first = told(&mut client);
    assert_eq!(first, line[..32]);
    let (absent, mut present) = first.split_at(16);
    let mut turns = Vec::new();
    let mut record = 15;
    for _ in 0..10 {
        for &id in present {
            assert_eq!(write(&mut client, id), Ok(SHARE));
            assert_eq!(write(&mut client, id), Err(WriteError::Blocked));
        }
        record += u64::try_from(client.transmit().len()).unwrap();
        client.receive(&[ack(0, record)]);
        turns.push(told(&mut client));
        present = turns.last().unwrap();
    }
    assert!(turns[..3].iter().all(|told| told.len() == 16), "{turns:?}");
    assert!(turns[6..].iter().all(|told| told.len() == 32), "{turns:?}");
    for &id in absent {
        assert_eq!(client.session.send(id).capacity(), 0);
    }
}

/// What a writer was told of and left is given to others when it ends its stream, or is through with what
/// it wrote.
#[test]
fn what_is_left_of_a_share_is_for_others() {
    let (mut client, line) = line();
    client.receive(&[ack(0, 3)]);
    let first = told(&mut client);
    client.session.send(first[0]).finish().unwrap();
    assert_eq!(client.session.send(first[1]).write(b"little"), Ok(6));
    client.transmit();
    client.receive(&[ack(0, 4)]);
    assert_eq!(told(&mut client), line[8..11]);
}

/// Where the peer reads too little of what fills the buffer, no acknowledgment makes more of the little room
/// that a stream leaves which is broken off before any of it was sent: who waits is told of that.
#[test]
fn who_waits_is_told_of_what_a_broken_stream_leaves() {
    let mut config = SessionConfig::new();
    config
        .announcement(StreamAnnouncement::WithData)
        .session_send_buffer(32 * SHARE);
    let params = SessionParams {
        max_data: Some(1 << 20),
        max_stream_data: Some(100),
        max_streams: Some(3),
        features: Features::FLOW_CONTROL.with(Features::STREAM_RESET),
        ..SessionParams::default()
    };
    let mut client = Solo::with_params(Role::Client, config, Some(params));
    let [unread, broken, waiting] = [(); 3].map(|()| client.session.open_bi().unwrap());
    let most = vec![1; 31 * SHARE + 200];
    assert_eq!(client.session.send(unread).write(&most), Ok(most.len()));
    client.transmit();
    client.receive(&[ack(0, 0)]);
    assert_eq!(write(&mut client, broken), Ok(SHARE - 100));
    assert_eq!(write(&mut client, waiting), Err(WriteError::Blocked));
    client.session.send(broken).reset(0).unwrap();
    // Too little for a share, while something is to be sent.
    let written = client.session.send(unread).write(&[1; 10]);
    assert_eq!(written, Err(WriteError::Blocked));
    assert_eq!(told(&mut client), []);
    client.transmit();
    assert_eq!(told(&mut client), [waiting]);
    assert_eq!(write(&mut client, waiting), Ok(SHARE - 100));
}
