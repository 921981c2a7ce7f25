//! What goes into a record, and in which order streams get their turn.

use std::time::Duration;

use bytes::Bytes;
use tcpls_core::{
    Event, PathInfo, SessionConfig, Transmit, TransmitState,
    testing::Solo,
    wire::{Fin, Frame, Role, StreamId},
};

use crate::talk::{ack, all_frames, data, end};

const FULL: usize = 16_369;

/// Streams of a client, with their announcements out of the way.
fn client_with_streams(count: u32) -> (Solo, Vec<StreamId>) {
    let mut client = Solo::new(Role::Client, {
        let mut config = SessionConfig::new();
        config.own_streams(5000);
        config
    });
    let ids = (0..count)
        .map(|_| client.session.open_bi().unwrap())
        .collect();
    client.transmit();
    (client, ids)
}

fn lengths(frames: &[Frame<'_>]) -> Vec<(u32, usize)> {
    let length = |frame: &Frame<'_>| match frame {
        Frame::Stream(frame) => Some((frame.stream.as_u32() / 2, frame.data.len())),
        Frame::StreamChange(_) | Frame::Extended(_) => None,
        other => panic!("{other:?}"),
    };
    frames.iter().filter_map(length).collect()
}

/// bulk writes are cut into records of exactly the length that TLS allows, whatever the sizes of
/// the writes.
#[test]
fn bulk_data_fills_its_records() {
    for write in [1000, 8192, FULL, 65_536, 1 << 20] {
        let (mut client, ids) = client_with_streams(1);
        let bytes = vec![0; 64 * FULL];
        for part in bytes.chunks(write) {
            assert_eq!(client.session.send(ids[0]).write(part), Ok(part.len()));
        }
        let sent = client.transmit();
        assert_eq!(sent.len(), 64, "writes of {write}");
        assert!(
            sent.iter()
                .all(|record| record.plaintext.len() == FULL + 15)
        );
    }
}

/// Small writes are gathered, the end goes with the last of them.
#[test]
fn small_writes_are_gathered() {
    let (mut client, ids) = client_with_streams(1);
    for _ in 0..100 {
        client.session.send(ids[0]).write(b"0123456789").unwrap();
    }
    client.session.send(ids[0]).finish().unwrap();
    assert_eq!(
        all_frames(&client.transmit()),
        [end(ids[0], 0, &b"0123456789".repeat(100))]
    );
}

/// So are small chunks, whose frames would cost more than copying them.
#[test]
fn small_chunks_are_gathered() {
    let (mut client, ids) = client_with_streams(1);
    for _ in 0..100 {
        let mut chunk = Bytes::from_static(b"0123456789");
        assert_eq!(client.session.send(ids[0]).write_chunk(&mut chunk), Ok(10));
    }
    assert_eq!(
        all_frames(&client.transmit()),
        [data(ids[0], 0, &b"0123456789".repeat(100))]
    );
}

/// Data that the application hands over is sent from where it lies, by reference.
#[test]
fn chunks_are_sent_by_reference() {
    let (mut client, ids) = client_with_streams(1);
    let mut chunk = Bytes::from(vec![1; 3 * FULL]);
    let place = chunk.as_ptr_range();
    assert_eq!(
        client.session.send(ids[0]).write_chunk(&mut chunk),
        Ok(3 * FULL)
    );
    assert!(chunk.is_empty());
    let mut batch = Transmit::new();
    let state =
        client
            .session
            .poll_transmit(client.first, usize::MAX, client.clock.now(), &mut batch);
    assert_eq!(state, TransmitState::Idle);
    assert_eq!(batch.records.len(), 3);
    for record in &batch.records {
        assert_eq!(record.lead.len(), FULL);
        assert!(place.contains(&record.lead.as_ptr()));
        assert_eq!(
            record.tail(&batch.tails).len(),
            15,
            "only the frame's fields are copied"
        );
    }
}

/// R31, R32, R33: several small streams share a record, each once, the largest first, and control
/// frames after all of them.
#[test]
fn small_streams_share_a_record() {
    let (mut client, ids) = client_with_streams(4);
    for (id, len) in ids.iter().zip([10, 300, 20, 30]) {
        client.session.send(*id).write(&vec![0; len]).unwrap();
    }
    client.session.ping(client.first);
    client.receive(&[Frame::Ping]);
    let sent = client.transmit();
    assert_eq!(sent.len(), 1);
    let frames = sent[0].frames();
    assert_eq!(
        frames[..2],
        [ack(0, 0), Frame::Ping],
        "control frames are applied first"
    );
    // From the end to the start of the record.
    assert_eq!(lengths(&frames[2..]), [(3, 30), (2, 20), (0, 10), (1, 300)]);
}

/// but only a few of them.
#[test]
fn a_record_has_a_few_frames_only() {
    let (mut client, ids) = client_with_streams(40);
    for id in &ids {
        client.session.send(*id).write(b"x").unwrap();
    }
    let counts: Vec<usize> = client
        .transmit()
        .iter()
        .map(|record| record.frames().len())
        .collect();
    assert_eq!(counts, [16, 16, 8]);
}

/// A full frame is not cut to fill up the record of a small one.
#[test]
fn bulk_data_is_not_cut_by_small_data() {
    let (mut client, ids) = client_with_streams(2);
    client.session.send(ids[0]).write(b"small").unwrap();
    client
        .session
        .send(ids[1])
        .write(&vec![0; 2 * FULL])
        .unwrap();
    let sent = client.transmit();
    assert_eq!(lengths(&all_frames(&sent)), [(0, 5), (1, FULL), (1, FULL)]);
    assert_eq!(sent.len(), 3);
}

/// Streams with a lot to send take turns, record by record.
#[test]
fn bulk_streams_take_turns() {
    let (mut client, ids) = client_with_streams(3);
    for id in &ids {
        client.session.send(*id).write(&vec![0; 10 * FULL]).unwrap();
    }
    let order: Vec<u32> = lengths(&all_frames(&client.transmit()))
        .iter()
        .map(|(stream, _)| *stream)
        .collect();
    assert_eq!(order, [0, 1, 2].repeat(10));
}

/// TCP tells that it sends a MiB in each round trip, of so many milliseconds.
fn on_path(client: &mut Solo, round_trip: u64) {
    let info = PathInfo {
        congestion_window: 1 << 20,
        round_trip: Duration::from_millis(round_trip),
        ..PathInfo::default()
    };
    let now = client.clock.now();
    client.session.handle_path_info(client.first, info, now);
}

/// What is more than a little, on a stream that was idle, waits for the turn of one other stream at most, and
/// not for one of each.
#[test]
fn a_message_on_an_idle_stream_waits_for_one_turn() {
    for (round_trip, turn) in [(1, 16), (100, 1)] {
        let (mut client, ids) = client_with_streams(11);
        on_path(&mut client, round_trip);
        for id in &ids[..10] {
            client.session.send(*id).write(&vec![0; 48 * FULL]).unwrap();
        }
        let mut batch = Transmit::new();
        let now = client.clock.now();
        let _ = client
            .session
            .poll_transmit(client.first, 200 * FULL, now, &mut batch);
        client.session.send(ids[10]).write(&[0; 8192]).unwrap();
        let order = lengths(&all_frames(&client.transmit()));
        let place = order.iter().position(|(stream, _)| *stream == 10);
        assert!(place.unwrap() < turn, "{place:?}");
    }
}

/// Where the connection is fast, a turn is of several records, so that who reads a stream is not woken for
/// each; where it is slow, of one.
#[test]
fn turns_are_longer_on_a_fast_connection() {
    for (round_trip, records) in [(1, 16), (8, 4), (100, 1)] {
        let (mut client, ids) = client_with_streams(3);
        on_path(&mut client, round_trip);
        for id in &ids {
            client.session.send(*id).write(&vec![0; 32 * FULL]).unwrap();
        }
        let frames = lengths(&all_frames(&client.transmit()));
        let turns: Vec<_> = frames
            .chunk_by(|(before, _), (after, _)| before == after)
            .map(|turn| (turn[0].0, turn.len()))
            .collect();
        let expected = [(0, records), (1, records), (2, records)];
        assert_eq!(turns, expected.repeat(32 / records));
    }
}

/// A small write does not wait for what others still have to send, only for what was given out.
#[test]
fn a_small_write_goes_ahead_of_bulk_data() {
    let (mut client, ids) = client_with_streams(9);
    for id in &ids[..8] {
        client.session.send(*id).write(&vec![0; 20 * FULL]).unwrap();
    }
    let mut batch = Transmit::new();
    let now = client.clock.now();
    let state = client
        .session
        .poll_transmit(client.first, 3 * FULL, now, &mut batch);
    assert_eq!(state, TransmitState::More);
    client.session.send(ids[8]).write(b"urgent").unwrap();
    let sent = client.transmit();
    assert_eq!(sent[0].frames().last(), Some(&data(ids[8], 0, b"urgent")));
}

/// But streams with little and often do not starve one with a lot.
#[test]
fn small_writes_do_not_starve_bulk_data() {
    let (mut client, ids) = client_with_streams(41);
    client
        .session
        .send(ids[40])
        .write(&vec![0; 30 * FULL])
        .unwrap();
    let (mut small, mut bulk) = (0, 0);
    let mut batch = Transmit::new();
    while bulk < 30 {
        for id in &ids[..40] {
            client.session.send(*id).write(&[0; 2000]).unwrap();
        }
        batch.clear();
        let now = client.clock.now();
        let _ = client
            .session
            .poll_transmit(client.first, 4 * FULL, now, &mut batch);
        for record in &batch.records {
            if record.lead.len() == FULL {
                bulk += 1;
            } else {
                small += 1;
            }
        }
        assert!(
            small < 10 * (bulk + 2),
            "{small} small records, {bulk} full ones"
        );
    }
}

/// Idle streams cost nothing and change nothing.
#[test]
fn idle_streams_are_not_looked_at() {
    let (mut client, ids) = client_with_streams(4000);
    client.session.send(ids[2000]).write(b"x").unwrap();
    assert_eq!(all_frames(&client.transmit()), [data(ids[2000], 0, b"x")]);
    assert_eq!(client.transmit(), []);
}

/// A batch ends at the limit, with less than one record beyond it, and says that there is more.
#[test]
fn a_batch_ends_at_its_limit() {
    let (mut client, ids) = client_with_streams(1);
    client
        .session
        .send(ids[0])
        .write(&vec![0; 40 * FULL])
        .unwrap();
    let mut batch = Transmit::new();
    let now = client.clock.now();
    let mut given = 0;
    loop {
        batch.clear();
        let state = client
            .session
            .poll_transmit(client.first, 100_000, now, &mut batch);
        given += batch.records.len();
        if state == TransmitState::Idle {
            break;
        }
        assert_eq!(state, TransmitState::More);
        assert_eq!(batch.records.len(), 7);
    }
    assert_eq!(given, 40);
}

/// The frames of one record name each stream once, also when a stream has several pieces to send.
#[test]
fn a_record_names_each_stream_once() {
    let (mut client, ids) = client_with_streams(2);
    for round in 0..20 {
        client
            .session
            .send(ids[0])
            .write_chunk(&mut vec![round; 1200].into())
            .unwrap();
        client
            .session
            .send(ids[1])
            .write_chunk(&mut vec![round; 1100].into())
            .unwrap();
    }
    for record in client.transmit() {
        let mut streams = lengths(&record.frames());
        streams.sort_unstable();
        streams.dedup_by_key(|(stream, _)| *stream);
        assert_eq!(streams.len(), record.frames().len());
    }
}

/// The end of a stream is in its last frame and in no other.
#[test]
fn the_end_is_in_the_last_frame() {
    let (mut client, ids) = client_with_streams(1);
    client
        .session
        .send(ids[0])
        .write(&vec![0; 5 * FULL + 7])
        .unwrap();
    client.session.send(ids[0]).finish().unwrap();
    let sent = client.transmit();
    let ends: Vec<Fin> = all_frames(&sent)
        .iter()
        .map(|frame| match frame {
            Frame::Stream(frame) => frame.fin,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ends, [[Fin::More; 5].as_slice(), &[Fin::End]].concat());
}

/// Who waits until everything is given out is told when it is, once.
#[test]
fn giving_out_the_last_byte_is_told() {
    let (mut client, ids) = client_with_streams(1);
    assert_eq!(client.session.send(ids[0]).poll_sent(), Ok(true));
    client
        .session
        .send(ids[0])
        .write(&vec![0; 3 * FULL])
        .unwrap();
    assert_eq!(client.session.send(ids[0]).poll_sent(), Ok(false));
    let mut batch = Transmit::new();
    let _ = client
        .session
        .poll_transmit(client.first, FULL, client.clock.now(), &mut batch);
    assert!(!client.events().contains(&Event::Sent(ids[0])));
    client.transmit();
    assert_eq!(client.events(), [Event::Sent(ids[0])]);
    assert_eq!(client.session.send(ids[0]).poll_sent(), Ok(true));
    client.session.send(ids[0]).write(b"x").unwrap();
    client.transmit();
    assert_eq!(
        client
            .events()
            .iter()
            .filter(|event| **event == Event::Sent(ids[0]))
            .count(),
        0
    );
}

/// Also when the last byte need not be given out again, because it arrived after all.
#[test]
fn a_late_ack_ends_the_waiting_to_send() {
    let (mut client, ids) = client_with_streams(1);
    let second = client.join(1);
    client.session.send(ids[0]).write(b"arrived").unwrap();
    let sent = client.transmit();
    let reset = tcpls_core::ConnectionFailure::Reset;
    client
        .session
        .handle_failure(client.first, reset, client.clock.now());
    assert_eq!(client.session.send(ids[0]).poll_sent(), Ok(false));
    client.receive_on(second, &[ack(0, sent[0].sequence.as_u64())]);
    assert!(!client.transmit_on(second).0.is_empty());
    assert!(client.events().contains(&Event::Sent(ids[0])));
}
