//! Opening, ending and forgetting streams.

use bytes::Bytes;
use tcpls_core::{
    CloseReason, Event, FinishError, OpenError, PeerMisbehaved, ReadError, SessionConfig,
    StreamAnnouncement, WriteError,
    testing::{Pair, Solo},
    wire::{Fin, Frame, Role, StreamFrame, StreamId},
};

use crate::talk::{ack, all_frames, data, end, pattern, read_all, stream};

/// R7: the client opens the even identifiers from 0, the server the odd ones from 1.
#[test]
fn identifiers_count_up_by_side() {
    let ids =
        |solo: &mut Solo| [(); 4].map(|()| solo.session.open_bi().map(StreamId::as_u32).unwrap());
    assert_eq!(ids(&mut Solo::client()), [0, 2, 4, 6]);
    assert_eq!(ids(&mut Solo::server()), [1, 3, 5, 7]);
}

/// a new stream is announced with an empty Stream frame, so that the peer can accept it.
#[test]
fn opening_is_announced() {
    let mut client = Solo::client();
    let id = client.session.open_bi().unwrap();
    assert_eq!(all_frames(&client.transmit()), [data(id, 0, b"")]);

    let mut server = Solo::server();
    server.receive(&[data(id, 0, b"")]);
    assert_eq!(server.session.accept_bi(), Some(id));
    assert_eq!(
        server.session.recv(id).read_chunk(10),
        Err(ReadError::Blocked)
    );
}

/// Where announcing is left to the data, an unused stream sends nothing.
#[test]
fn announcing_can_wait_for_data() {
    let mut client = Solo::new(Role::Client, {
        let mut config = SessionConfig::new();
        config.announcement(StreamAnnouncement::WithData);
        config
    });
    let id = client.session.open_bi().unwrap();
    assert_eq!(client.transmit(), []);
    client.session.send(id).write(b"x").unwrap();
    assert_eq!(all_frames(&client.transmit()), [data(id, 0, b"x")]);
}

/// a frame for a later stream opens all earlier ones of its initiator, which are accepted in
/// order.
#[test]
fn a_later_stream_opens_the_earlier_ones() {
    let mut server = Solo::server();
    server.receive(&[data(stream(Role::Client, 2), 0, b"x")]);
    let events = server.events();
    assert_eq!(
        events
            .iter()
            .filter(|event| **event == Event::StreamIncoming)
            .count(),
        1
    );
    for index in 0..3 {
        assert_eq!(
            server.session.accept_bi(),
            Some(stream(Role::Client, index))
        );
    }
    assert_eq!(server.session.accept_bi(), None);
    server.receive(&[data(stream(Role::Client, 3), 0, b"x")]);
    assert!(
        server.events().contains(&Event::StreamIncoming),
        "told again after it was empty"
    );
}

/// a frame for a stream of this side that was never opened is a violation.
#[test]
fn a_frame_for_an_unopened_own_stream_is_a_violation() {
    let mut client = Solo::client();
    client.session.open_bi().unwrap();
    client.receive(&[data(stream(Role::Client, 0), 0, b"x")]);
    assert_eq!(client.session.close_reason(), None);
    client.receive(&[data(stream(Role::Client, 1), 0, b"x")]);
    let reason = CloseReason::PeerMisbehaved(PeerMisbehaved::UnopenedStream);
    assert_eq!(client.session.close_reason(), Some(reason));
}

/// R8: each direction ends by itself, and the end travels with the last data.
#[test]
fn one_direction_can_end_while_the_other_goes_on() {
    let mut server = Solo::server();
    let id = stream(Role::Client, 0);
    server.receive(&[end(id, 0, b"question")]);
    assert_eq!(
        read_all_solo(&mut server, id),
        (b"question".to_vec(), Ok(()))
    );
    let mut send = server.session.send(id);
    send.write(b"answer").unwrap();
    send.finish().unwrap();
    assert_eq!(send.finish(), Err(FinishError::Finished));
    assert_eq!(send.write(b"more"), Err(WriteError::Finished));
    assert_eq!(
        all_frames(&server.transmit()),
        [ack(0, 0), end(id, 0, b"answer")]
    );
    assert!(server.session.stream_stats(id).is_some());
    server.receive(&[ack(0, 0)]);
    assert_eq!(server.session.stream_stats(id), None, "forgotten");
    assert_eq!(server.session.send(id).poll_acked(), Ok(true));
    assert_eq!(server.session.recv(id).read_chunk(1), Ok(None));
    assert_eq!(
        server.session.send(id).write(b"x"),
        Err(WriteError::Finished)
    );
}

/// an end without data, alone and after data that was sent without it.
#[test]
fn the_end_can_come_alone() {
    for before in [&b""[..], b"data"] {
        let mut client = Solo::client();
        let id = client.session.open_bi().unwrap();
        client.session.send(id).write(before).unwrap();
        client.transmit();
        client.session.send(id).finish().unwrap();
        let offset = u64::try_from(before.len()).unwrap();
        assert_eq!(all_frames(&client.transmit()), [end(id, offset, b"")]);

        let mut server = Solo::server();
        server.receive(&[data(id, 0, before)]);
        server.receive(&[end(id, offset, b"")]);
        assert_eq!(read_all_solo(&mut server, id), (before.to_vec(), Ok(())));
    }
}

/// data and end come in any order, and the stream has the length that its end says.
#[test]
fn the_end_may_come_before_the_data() {
    let id = stream(Role::Client, 0);
    let mut server = Solo::server();
    server.receive(&[end(id, 8, b"end")]);
    assert_eq!(
        server.session.recv(id).read_chunk(10),
        Err(ReadError::Blocked)
    );
    server.receive(&[data(id, 4, b"more")]);
    assert_eq!(
        server.session.recv(id).read_chunk(10),
        Err(ReadError::Blocked)
    );
    server.receive(&[data(id, 0, b"some")]);
    assert_eq!(
        read_all_solo(&mut server, id),
        (b"somemoreend".to_vec(), Ok(()))
    );
}

/// an end that moves, lies before data that came, or that data goes beyond, is a violation.
#[test]
fn the_end_of_a_stream_is_final() {
    let id = stream(Role::Client, 0);
    for (first, second, misbehaved) in [
        (
            end(id, 0, b"12345"),
            end(id, 0, b"1234"),
            PeerMisbehaved::EndMoved,
        ),
        (
            end(id, 0, b"12345"),
            end(id, 0, b"123456"),
            PeerMisbehaved::DataBeyondEnd,
        ),
        (
            end(id, 0, b"12345"),
            data(id, 5, b"6"),
            PeerMisbehaved::DataBeyondEnd,
        ),
        (
            data(id, 9, b"x"),
            end(id, 0, b"12345"),
            PeerMisbehaved::EndMoved,
        ),
    ] {
        let mut server = Solo::server();
        server.receive(&[first]);
        assert_eq!(server.session.close_reason(), None);
        server.receive(&[second]);
        let reason = CloseReason::PeerMisbehaved(misbehaved);
        assert_eq!(
            server.session.close_reason(),
            Some(reason),
            "{first:?} then {second:?}"
        );
    }
    let mut server = Solo::server();
    for frame in [
        end(id, 0, b"12345"),
        end(id, 0, b"12345"),
        data(id, 1, b"23"),
        end(id, 5, b""),
    ] {
        server.receive(&[frame]);
        assert_eq!(
            server.session.close_reason(),
            None,
            "the same again is fine: {frame:?}"
        );
    }
}

/// of bytes that come twice, the first copy counts.
#[test]
fn the_first_copy_of_a_byte_stays() {
    let id = stream(Role::Client, 0);
    let mut server = Solo::server();
    server.receive(&[data(id, 2, b"22")]);
    server.receive(&[data(id, 0, b"3333333")]);
    server.receive(&[data(id, 0, b"444444444")]);
    assert_eq!(read_all_solo(&mut server, id).0, b"332233344");
    assert_eq!(server.session.stats().bytes_discarded, 2 + 7);
}

/// Pieces of a stream in any order, also overlapping, come out as the stream.
#[test]
fn any_order_of_pieces_is_put_right() {
    let id = stream(Role::Client, 0);
    let bytes = pattern(id, Role::Client, 0, 30_000);
    let mut cuts: Vec<(usize, usize)> = (0..30).map(|at| (at * 1000, at * 1000 + 1500)).collect();
    for seed in 0..200 {
        let mut random = tcpls_core::testing::Random::new(seed);
        for last in (1..cuts.len()).rev() {
            cuts.swap(last, random.up_to(last + 1) - 1);
        }
        let mut server = Solo::server();
        for &(from, to) in &cuts {
            let to = to.min(bytes.len());
            server.receive(&[data(id, u64::try_from(from).unwrap(), &bytes[from..to])]);
        }
        server.receive(&[end(id, 30_000, b"")]);
        assert_eq!(
            read_all_solo(&mut server, id),
            (bytes.clone(), Ok(())),
            "seed {seed}"
        );
        assert_eq!(server.session.stats().bytes_out_of_order, 0);
    }
}

/// A stream that is over leaves nothing behind: a late copy is acknowledged and dropped.
#[test]
fn late_frames_for_a_finished_stream_are_dropped() {
    let mut server = Solo::server();
    let id = stream(Role::Client, 0);
    server.receive(&[end(id, 0, b"x")]);
    assert_eq!(read_all_solo(&mut server, id).0, b"x");
    server.session.send(id).finish().unwrap();
    server.transmit();
    server.receive(&[ack(0, 0)]);
    assert_eq!(server.session.stats().streams_live, 0);
    server.receive(&[end(id, 0, b"x"), data(id, 77, b"nonsense"), Frame::Ping]);
    assert_eq!(all_frames(&server.transmit()), [ack(0, 2)]);
    assert_eq!(server.session.stats().streams_live, 0);
    assert_eq!(server.session.stats().bytes_discarded, 9);
}

/// Memory does not grow with streams that are over.
#[test]
fn a_hundred_thousand_streams_leave_nothing() {
    let mut server = Solo::server();
    for index in 0..100_000 {
        let id = stream(Role::Client, index);
        server.receive(&[end(id, 0, b"question")]);
        assert_eq!(server.session.accept_bi(), Some(id));
        assert_eq!(server.session.recv(id).read(&mut [0; 100]), Ok(8));
        server.session.send(id).write(b"answer").unwrap();
        server.session.send(id).finish().unwrap();
        assert_eq!(server.transmit().len(), 1);
        server.receive(&[ack(0, u64::from(index))]);
        assert!(server.events().contains(&Event::SendAcked(id)));
        let stats = server.session.stats();
        assert_eq!(
            (stats.streams_live, stats.bytes_unacked, stats.bytes_unread),
            (0, 0, 0)
        );
    }
}

/// One `Readable` for a stream until it is read, however much comes.
#[test]
fn readable_is_told_once_until_read() {
    let mut server = Solo::server();
    let id = stream(Role::Client, 0);
    for round in 0..3 {
        for part in 0..5 {
            server.receive(&[data(id, round * 5 + part, b"x")]);
        }
        let told = server.events();
        assert_eq!(
            told.iter()
                .filter(|event| **event == Event::Readable(id))
                .count(),
            1
        );
        server.session.recv(id).read_chunk(1).unwrap();
    }
}

/// Received data is handed out as a part of the record it came in, unless it is small.
#[test]
fn received_data_is_not_copied() {
    let mut client = Solo::client();
    let id = stream(Role::Server, 0);
    let block = vec![7; 10_000];
    let mut payload = Vec::new();
    for (offset, len) in [(0, 10_000), (10_000, 100)] {
        let frame = StreamFrame {
            stream: id,
            offset,
            fin: Fin::More,
            data: &block[..len],
        };
        Frame::Stream(frame).encode(&mut payload).unwrap();
    }
    let payload = Bytes::from(payload);
    let record = tcpls_core::OpenedRecord {
        sequence: tcpls_core::wire::RecordSequence::ZERO,
        content_type: tcpls_core::ContentType::ApplicationData,
        payload: payload.clone(),
    };
    client
        .session
        .handle_record(client.first, record, client.clock.now());
    let large = client
        .session
        .recv(id)
        .read_chunk(usize::MAX)
        .unwrap()
        .unwrap();
    let small = client
        .session
        .recv(id)
        .read_chunk(usize::MAX)
        .unwrap()
        .unwrap();
    assert!(payload.as_ptr_range().contains(&large.as_ptr()));
    assert!(
        !payload.as_ptr_range().contains(&small.as_ptr()),
        "a small piece pins no record"
    );
}

/// Streams that nobody opened, in every call.
#[test]
fn unknown_streams_are_refused() {
    let mut client = Solo::client();
    for id in [stream(Role::Client, 0), stream(Role::Server, 9)] {
        assert_eq!(
            client.session.send(id).write(b"x"),
            Err(WriteError::UnknownStream)
        );
        assert_eq!(
            client.session.send(id).finish(),
            Err(FinishError::UnknownStream)
        );
        assert_eq!(
            client.session.send(id).poll_acked(),
            Err(WriteError::UnknownStream)
        );
        assert_eq!(client.session.send(id).capacity(), 0);
        assert_eq!(
            client.session.recv(id).read_chunk(1),
            Err(ReadError::UnknownStream)
        );
        assert_eq!(
            client.session.recv(id).read(&mut [0]),
            Err(ReadError::UnknownStream)
        );
        client.session.recv(id).stop_sending(0);
        client.session.drop_send(id);
    }
    assert_eq!(client.session.accept_bi(), None);
}

/// Two sides open streams at the same time and use each other's.
#[test]
fn both_sides_open_streams() {
    let mut pair = Pair::seeded(4);
    let own = [Role::Client, Role::Server].map(|role| {
        let id = pair.host(role).session.open_bi().unwrap();
        pair.host(role).session.send(id).write(b"hello").unwrap();
        id
    });
    pair.drive();
    for (id, role) in own.into_iter().zip([Role::Server, Role::Client]) {
        assert_eq!(pair.host(role).session.accept_bi(), Some(id));
        assert_eq!(read_all(pair.host(role), id).0, b"hello");
    }
}

/// A session that closes opens nothing new (reading A-17).
#[test]
fn a_closing_session_opens_nothing() {
    let mut client = Solo::client();
    client.session.close(client.clock.now());
    assert_eq!(client.session.open_bi(), Err(OpenError::Closing));
}

fn read_all_solo(solo: &mut Solo, id: StreamId) -> (Vec<u8>, Result<(), ReadError>) {
    let mut bytes = Vec::new();
    loop {
        match solo.session.recv(id).read_chunk(usize::MAX) {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return (bytes, Ok(())),
            Err(error) => return (bytes, Err(error)),
        }
    }
}
