//! What is announced of the next record, and what is made of it.

use tcpls_core::{
    ContentType, SessionConfig, StreamPaths, Transmit, TransmitState,
    testing::{Pair, Random, Sent, Solo},
    wire::{ConnectionId, Frame, Role, StreamChangeFrame, StreamId, Token},
};

use crate::talk::{ack, all_frames, data, end, pattern, read_all, stream};

const FULL: usize = 16_369;

fn change(stream: StreamId, next_offset: u64) -> Frame<'static> {
    Frame::StreamChange(StreamChangeFrame {
        stream,
        next_offset,
    })
}

fn changes(sent: &[Sent]) -> Vec<Frame<'_>> {
    let mut frames = all_frames(sent);
    frames.retain(|frame| matches!(frame, Frame::StreamChange(_)));
    frames
}

/// The Stream frame at the front of a record.
fn lead(record: &Sent) -> Option<(StreamId, u64)> {
    if record.content_type != ContentType::ApplicationData {
        return None;
    }
    match record.frames().last() {
        Some(Frame::Stream(frame)) => Some((frame.stream, frame.offset)),
        _ => None,
    }
}

/// A client with streams that are announced.
fn client(streams: u32) -> (Solo, Vec<StreamId>) {
    client_with(streams, SessionConfig::new())
}

fn client_with(streams: u32, config: SessionConfig) -> (Solo, Vec<StreamId>) {
    let mut client = Solo::new(Role::Client, config);
    let ids = (0..streams)
        .map(|_| client.session.open_bi().unwrap())
        .collect();
    client.transmit();
    (client, ids)
}

/// R55, A-36: a record with room announces a full one of another stream that follows it, and nothing
/// else does: not one that goes on, not the last of a batch, not a full one.
#[test]
fn a_switch_to_bulk_data_is_announced() {
    let (mut client, ids) = client(2);
    let (small, bulk) = (ids[0], ids[1]);
    client.session.send(small).write(b"small").unwrap();
    client.session.send(bulk).write(&vec![7; 3 * FULL]).unwrap();
    let sent = client.transmit();
    assert_eq!(sent.len(), 4);
    assert_eq!(
        sent[0].frames(),
        [change(bulk, 0), data(small, 0, b"small")]
    );
    assert_eq!(changes(&sent).len(), 1, "bulk goes on by itself");
    assert_eq!(lead(&sent[1]), Some((bulk, 0)));
    client.session.send(small).write(b" and alone").unwrap();
    assert_eq!(changes(&client.transmit()), []);
    client.session.send(small).write(b" again").unwrap();
    client.session.send(bulk).write(&vec![7; FULL - 1]).unwrap();
    assert_eq!(changes(&client.transmit()), [], "not a full record");
    client.session.send(small).write(b" once more").unwrap();
    client.transmit();
    client.session.send(bulk).write(&vec![7; FULL]).unwrap();
    client.receive(&[Frame::Ping]);
    let sent = client.transmit();
    assert_eq!(sent[0].frames(), [ack(0, 0)], "it elicits nothing");
    assert_eq!(
        lead(&sent[1]),
        Some((bulk, 4 * u64::try_from(FULL).unwrap() - 1))
    );
}

/// nor is it announced where frames of the session come in between.
#[test]
fn frames_of_the_session_come_first() {
    let mut server = Solo::server();
    let ids = [(); 2].map(|()| server.session.open_bi().unwrap());
    server.transmit();
    for value in 0..20 {
        let token = Token::from_bytes([value; 32]);
        server.session.issue_token(token).unwrap();
    }
    server.session.send(ids[0]).write(b"small").unwrap();
    server.session.send(ids[1]).write(&vec![7; FULL]).unwrap();
    let sent = server.transmit();
    assert_eq!(sent.len(), 3);
    assert_eq!(changes(&sent[..1]), [], "more tokens follow");
    assert_eq!(changes(&sent[1..]), [change(ids[1], 0)]);
}

/// what another batch begins with is not known: applications may write in between.
#[test]
fn the_last_record_of_a_batch_announces_nothing() {
    let (mut client, ids) = client(2);
    client.session.send(ids[0]).write(b"small").unwrap();
    client.session.send(ids[1]).write(&vec![7; FULL]).unwrap();
    let mut batch = Transmit::new();
    let now = client.clock.now();
    let state = client
        .session
        .poll_transmit(client.first, 20, now, &mut batch);
    assert_eq!((state, batch.records.len()), (TransmitState::More, 1));
    assert_eq!(batch.records[0].tail.len(), 15, "a lone Stream frame");
}

/// between streams that fill their records nothing is announced, because that would take a record
/// of its own.
#[test]
fn full_records_announce_nothing() {
    let (mut client, ids) = client(3);
    for id in &ids {
        client.session.send(*id).write(&vec![7; 4 * FULL]).unwrap();
    }
    let sent = client.transmit();
    assert_eq!(sent.len(), 12);
    assert_eq!(changes(&sent), []);
}

/// announcements go with the record that they were in: they are not sent again.
#[test]
fn announcements_are_not_sent_again() {
    let (mut client, ids) = client(2);
    let second = client.join(1);
    client.hear_on(second);
    client.session.send(ids[0]).write(b"small").unwrap();
    client.session.send(ids[1]).write(&vec![7; FULL]).unwrap();
    assert_eq!(changes(&client.transmit()).len(), 1);
    let now = client.clock.now();
    let reset = tcpls_core::ConnectionFailure::Reset;
    client.session.handle_failure(client.first, reset, now);
    let (again, _) = client.transmit_on(second);
    let full = again.iter().find(|record| record.plaintext.len() > FULL);
    assert_eq!(full.and_then(lead), Some((ids[1], 0)));
    for frame in changes(&again) {
        assert_eq!(frame, change(ids[1], 0), "a new one for its new place");
    }
}

/// R55, A-36: whatever applications write, an announcement is true, of a full record, and of one that
/// does not simply go on.
#[test]
fn announcements_are_true() {
    let mut announced = 0;
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let mut config = SessionConfig::new();
        config.key_update_after(u64::try_from(random.up_to(20)).unwrap());
        let (mut client, ids) = client_with(4, config);
        let only = StreamPaths::Only(vec![client.first]);
        client.session.send(ids[3]).set_paths(only).unwrap();
        for _ in 0..8 {
            for _ in 0..random.up_to(4) {
                let id = ids[random.up_to(ids.len()) - 1];
                let len = match random.up_to(3) {
                    1 => random.up_to(200),
                    2 => random.up_to(5 * FULL),
                    _ => 4 * FULL,
                };
                let chunk = vec![1; len];
                let _full = client.session.send(id).write_chunk(&mut chunk.into());
            }
            if random.up_to(4) == 1 {
                client.session.ping(client.first);
            }
            if random.up_to(4) == 1 {
                client.receive(&[data(stream(Role::Server, 0), 0, b"")]);
            }
            let sent = client.transmit();
            let mut goes_on = None;
            for (index, record) in sent.iter().enumerate() {
                if record.content_type == ContentType::Handshake {
                    continue;
                }
                let frames = record.frames();
                for frame in &frames {
                    let Frame::StreamChange(frame) = frame else {
                        continue;
                    };
                    announced += 1;
                    let next = &sent[index + 1];
                    let place = Some((frame.stream, frame.next_offset));
                    assert_eq!(lead(next), place, "seed {seed}");
                    assert_eq!(next.plaintext.len(), FULL + 15);
                }
                if let Some(Frame::Stream(frame)) = frames.last() {
                    let len = u64::try_from(frame.data.len()).unwrap();
                    goes_on = Some((frame.stream, frame.offset + len));
                }
                let told = frames.iter().find_map(|frame| match frame {
                    Frame::StreamChange(frame) => Some((frame.stream, frame.next_offset)),
                    _ => None,
                });
                assert!(told.is_none() || told != goes_on, "seed {seed}");
            }
        }
    }
    assert!(announced > 100, "{announced}");
}

/// R44, R55: the receiver knows of the next record what was announced, for that one, and otherwise that
/// the stream of the last one goes on.
#[test]
fn the_receiver_is_told_what_to_expect() {
    let [first, other] = [0, 1].map(|index| stream(Role::Client, index));
    let mut server = Solo::server();
    let c = server.first;
    let expected = |server: &Solo| server.session.expected_stream(c);
    assert_eq!(expected(&server), None);
    server.receive(&[data(first, 0, b"abc"), data(other, 0, b"")]);
    assert_eq!(expected(&server), Some((first, 3)), "the first frame leads");
    server.receive(&[data(first, 3, b"de"), change(other, 0)]);
    assert_eq!(expected(&server), Some((other, 0)));
    server.receive(&[data(other, 0, b"x")]);
    assert_eq!(expected(&server), Some((other, 1)));
    server.receive(&[Frame::Ping, change(first, 5)]);
    assert_eq!(expected(&server), Some((first, 5)), "without data");
    server.receive(&[Frame::Ping]);
    assert_eq!(expected(&server), Some((other, 1)), "it was not so");
    let second = server.join(1);
    server.receive_on(second, &[change(first, 9)]);
    assert_eq!(expected(&server), Some((other, 1)), "each connection");
    assert_eq!(server.session.expected_stream(second), Some((first, 9)));
    server.receive(&[end(other, 1, b"")]);
    assert_eq!(expected(&server), None, "nothing after the end");
}

/// A-36 (T29): announcements may lie in all ways: about the stream, the place, streams that are not,
/// that ended, that nobody reads, of the other side; repeated and contradicting. What arrives is the
/// same, and nothing is expected that cannot come.
#[test]
fn lies_change_nothing() {
    let id = stream(Role::Client, 0);
    let ended = stream(Role::Client, 1);
    let stopped = stream(Role::Client, 2);
    let bytes = pattern(id, Role::Client, 0, 4000);
    for seed in 0..100 {
        let mut random = Random::new(seed);
        let mut server = Solo::server();
        let c = server.first;
        server.receive(&[end(ended, 0, b""), data(stopped, 0, b"x")]);
        assert_eq!(server.session.recv(ended).read_chunk(1), Ok(None));
        server.session.send(ended).finish().unwrap();
        server.session.recv(stopped).stop_sending(0);
        let (mut at, mut received) = (0, Vec::new());
        while at < bytes.len() {
            let len = random.up_to(300).min(bytes.len() - at);
            let place = u64::try_from(at).unwrap();
            let frame = data(id, place, &bytes[at..at + len]);
            at += len;
            let mut frames = vec![frame];
            for _ in 0..random.up_to(3) {
                let about = [
                    id,
                    ended,
                    stopped,
                    stream(Role::Server, 0),
                    StreamId::from_wire(u32::MAX),
                    StreamId::from_wire(u32::MAX - 1),
                ];
                let about = about[random.up_to(about.len()) - 1];
                let offsets = [0, place, u64::MAX, random.next_u64()];
                frames.push(change(about, offsets[random.up_to(offsets.len()) - 1]));
            }
            server.receive(&frames);
            let expected = server.session.expected_stream(c);
            assert!(
                expected.is_none_or(|(expected, _)| expected == id),
                "{expected:?}"
            );
            while let Ok(Some(chunk)) = server.session.recv(id).read_chunk(1000) {
                received.extend_from_slice(&chunk);
            }
        }
        assert_eq!(received, bytes);
        assert_eq!(server.session.close_reason(), None);
        assert_eq!(server.session.stats().streams_accepted, 3, "none opened");
    }
}

/// two sides that announce to each other: every announcement that comes is counted as sent, and
/// the data is exact.
#[test]
fn announcements_reach_the_peer() {
    let mut pair = Pair::seeded(4);
    pair.join(
        ConnectionId::from_wire(1),
        tcpls_core::testing::LinkConfig::default(),
    );
    pair.drive();
    let ids = [(); 2].map(|()| pair.client.session.open_bi().unwrap());
    let lens = [100, FULL];
    for round in 0..20 {
        for (id, len) in ids.into_iter().zip(lens) {
            let bytes = pattern(id, Role::Client, round * len, len);
            assert_eq!(pair.client.session.send(id).write(&bytes), Ok(len));
        }
        pair.drive();
    }
    for (id, len) in ids.into_iter().zip(lens) {
        let (bytes, _) = read_all(&mut pair.server, id);
        assert!(bytes == pattern(id, Role::Client, 0, 20 * len));
    }
    let mut counts = [0, 0];
    for index in 0..2 {
        let (client, server) = (pair.client.connection(index), pair.server.connection(index));
        let stats = |session: &tcpls_core::Session, c| session.connection_stats(c).unwrap();
        counts[0] += stats(&pair.client.session, client)
            .frames_sent
            .stream_change;
        counts[1] += stats(&pair.server.session, server)
            .frames_received
            .stream_change;
    }
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0] > 10, "{counts:?}");
}

/// R42: a record with nothing but Stream Change is acknowledged like any that is not idle talk.
#[test]
fn stream_change_elicits_an_acknowledgment() {
    let mut server = Solo::new(Role::Server, {
        let mut config = SessionConfig::new();
        config.ack_after_records(1);
        config
    });
    server.receive(&[change(stream(Role::Client, 0), 0)]);
    assert_eq!(all_frames(&server.transmit()), [ack(0, 0)]);
}
