//! Local caps and what waits for them (reading A-34).

use bytes::Bytes;
use tcpls_core::{
    CloseReason, ContentType, Event, Limit, OpenError, OpenedRecord, ReadError, ResetError,
    SessionConfig, WriteError,
    testing::Solo,
    wire::{Frame, RecordSequence, Role, StreamId},
};

use crate::talk::{ack, all_frames, data, end, stream};

fn server_with(change: impl FnOnce(&mut SessionConfig) -> &mut SessionConfig) -> Solo {
    let mut config = SessionConfig::new();
    change(&mut config);
    Solo::new(Role::Server, config)
}

/// A-34 a: at the soft cap of unread bytes sockets are no longer read, until some were.
#[test]
fn unread_bytes_stop_the_reading_of_sockets() {
    let mut server = server_with(|config| config.unread_soft_cap(1000));
    let id = stream(Role::Client, 0);
    server.receive(&[data(id, 0, &[0; 999])]);
    server.events();
    assert!(server.session.wants_read(server.first));
    server.receive(&[data(id, 999, &[0; 1])]);
    assert!(!server.session.wants_read(server.first));
    assert!(!server.events().contains(&Event::ReadResumed(server.first)));
    server.session.recv(id).read_chunk(1).unwrap();
    assert!(server.session.wants_read(server.first));
    assert!(server.events().contains(&Event::ReadResumed(server.first)));
    assert!(
        !server.events().contains(&Event::ReadResumed(server.first)),
        "once"
    );
}

/// A-34 a: the exception for a writer that waits for room, as long as it waits.
#[test]
fn a_waiting_writer_keeps_sockets_read() {
    let mut server = server_with(|config| config.unread_soft_cap(1000).stream_send_buffer(10));
    let id = stream(Role::Client, 0);
    server.receive(&[data(id, 0, &[0; 5000])]);
    assert!(!server.session.wants_read(server.first));
    assert_eq!(server.session.send(id).write(&[0; 20]), Ok(10));
    assert!(!server.session.wants_read(server.first), "nobody waits yet");
    assert_eq!(
        server.session.send(id).write(&[0; 10]),
        Err(WriteError::Blocked)
    );
    assert!(server.session.wants_read(server.first));
    server.transmit();
    server.receive(&[ack(0, 0)]);
    assert!(!server.session.wants_read(server.first));
    assert!(server.events().contains(&Event::Writable(id)));
    assert_eq!(server.session.send(id).write(&[0; 20]), Ok(10));
    assert_eq!(
        server.session.send(id).write(&[0; 1]),
        Err(WriteError::Blocked)
    );
    server.session.drop_send(id);
    assert!(
        !server.session.wants_read(server.first),
        "who left does not wait"
    );
}

/// A-34 a: so does one that waits until the peer has everything.
#[test]
fn waiting_for_the_last_ack_keeps_sockets_read() {
    let mut server = server_with(|config| config.unread_soft_cap(1000));
    let id = stream(Role::Client, 0);
    server.receive(&[data(id, 0, &[0; 5000])]);
    server.session.send(id).finish().unwrap();
    assert!(!server.session.wants_read(server.first));
    assert_eq!(server.session.send(id).poll_acked(), Ok(false));
    assert_eq!(server.session.send(id).poll_acked(), Ok(false));
    assert!(server.session.wants_read(server.first));
    server.transmit();
    server.receive(&[ack(0, 0)]);
    assert!(!server.session.wants_read(server.first));
    assert_eq!(server.session.send(id).poll_acked(), Ok(true));
}

/// A-34 a: and one that waits to open a stream, because that takes acknowledgments too.
#[test]
fn waiting_to_open_a_stream_keeps_sockets_read() {
    let mut server = server_with(|config| config.unread_soft_cap(1000).own_streams(1));
    server.receive(&[data(stream(Role::Client, 0), 0, &[0; 5000])]);
    let own = server.session.open_bi().unwrap();
    assert!(!server.session.wants_read(server.first));
    assert_eq!(server.session.open_bi(), Err(OpenError::Blocked));
    assert!(server.session.wants_read(server.first));
    server.session.send(own).finish().unwrap();
    server.transmit();
    server.receive(&[end(own, 0, b""), ack(0, 0)]);
    assert!(!server.session.wants_read(server.first));
    assert!(server.events().contains(&Event::StreamsAvailable));
}

/// A-34 a: the exception for a reader that waits on a stream which has nothing to deliver.
#[test]
fn a_waiting_reader_keeps_sockets_read() {
    let mut server = server_with(|config| config.unread_soft_cap(1000));
    let (full, empty) = (stream(Role::Client, 0), stream(Role::Client, 1));
    server.receive(&[data(empty, 0, b""), data(full, 0, &[0; 5000])]);
    assert!(!server.session.wants_read(server.first));
    for _ in 0..2 {
        assert_eq!(
            server.session.recv(empty).read_chunk(1),
            Err(ReadError::Blocked)
        );
        assert!(server.session.wants_read(server.first));
    }
    server.receive(&[data(empty, 0, b"x")]);
    assert!(!server.session.wants_read(server.first));
    server.session.recv(empty).read_chunk(1).unwrap();
    assert_eq!(
        server.session.recv(empty).read(&mut [0]),
        Err(ReadError::Blocked)
    );
    assert!(server.session.wants_read(server.first));
    server.session.drop_recv(empty);
    assert!(
        !server.session.wants_read(server.first),
        "who left does not wait"
    );
}

/// A-34 a: the hard cap ends the session with an error of its own, and nothing is acknowledged
/// . Only a peer whose own send buffer is larger gets there.
#[test]
fn too_many_unread_bytes_end_the_session() {
    let mut server = server_with(|config| config.unread_hard_cap(1000));
    let id = stream(Role::Client, 0);
    server.receive(&[data(id, 0, &[0; 1000])]);
    assert_eq!(server.session.close_reason(), None);
    server.receive(&[Frame::Ping, data(id, 1000, &[0; 1])]);
    let reason = CloseReason::LimitExceeded(Limit::UnreadBytes);
    assert_eq!(server.session.close_reason(), Some(reason));
    let sent = server.transmit();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].plaintext, [2, 80], "internal_error");
    assert_eq!(
        server
            .session
            .recv(id)
            .read_chunk(9999)
            .map(|chunk| chunk.unwrap().len()),
        Ok(1001)
    );
}

/// A-34 b: bytes behind a gap have their own cap, which counts what small pieces cost.
#[test]
fn too_many_bytes_behind_a_gap_end_the_session() {
    let reason = Some(CloseReason::LimitExceeded(Limit::OutOfOrderBytes));
    let id = stream(Role::Client, 0);
    let mut server = server_with(|config| config.out_of_order_cap(1000));
    server.receive(&[data(id, 1, &[0; 872])]);
    assert_eq!(server.session.close_reason(), None);
    assert_eq!(server.session.stats().bytes_out_of_order, 1000);
    server.receive(&[data(id, 0, &[0; 1])]);
    assert_eq!(server.session.stats().bytes_out_of_order, 0);
    server.receive(&[data(id, 1000, &[0; 873])]);
    assert_eq!(server.session.close_reason(), reason);

    let mut server = server_with(|config| config.out_of_order_cap(1000));
    for piece in 0..7 {
        assert_eq!(server.session.close_reason(), None);
        server.receive(&[data(id, 10 + 2 * piece, b"x")]);
    }
    server.receive(&[data(id, 100, b"x")]);
    assert_eq!(server.session.close_reason(), reason);
}

/// A-34 b: the socket that holds the gap stays readable whatever waits behind it.
#[test]
fn a_gap_does_not_stop_the_reading_of_sockets() {
    let mut server = server_with(|config| config.unread_soft_cap(1000));
    server.receive(&[data(stream(Role::Client, 0), 1, &[0; 16_000])]);
    assert!(server.session.wants_read(server.first));
}

/// A-34 c: 256 own streams at a time; one that is finished both ways and acknowledged makes room.
#[test]
fn own_streams_are_limited() {
    let mut client = Solo::client();
    let ids: Vec<StreamId> = (0..256)
        .map(|_| client.session.open_bi().unwrap())
        .collect();
    assert_eq!(client.session.open_bi(), Err(OpenError::Blocked));
    client.transmit();
    client.session.send(ids[7]).finish().unwrap();
    let records = u64::try_from(client.transmit().len()).unwrap() + 15;
    client.receive(&[end(ids[7], 0, b"unread")]);
    client.events();
    assert_eq!(
        client.session.open_bi(),
        Err(OpenError::Blocked),
        "the end is not acknowledged"
    );
    client.receive(&[ack(0, records)]);
    assert!(client.events().contains(&Event::StreamsAvailable));
    assert!(client.session.open_bi().is_ok());
    assert_eq!(client.session.open_bi(), Err(OpenError::Blocked));
}

/// A-34 c: beyond 4096 unfinished streams of the peer the session ends, also when one frame opens
/// them all.
#[test]
fn peer_streams_are_limited() {
    let reason = Some(CloseReason::LimitExceeded(Limit::PeerStreams));
    let mut server = Solo::server();
    server.receive(&[data(stream(Role::Client, 4095), 0, b"")]);
    assert_eq!(server.session.close_reason(), None);
    assert_eq!(server.session.stats().streams_live, 4096);
    server.receive(&[data(stream(Role::Client, 4096), 0, b"")]);
    assert_eq!(server.session.close_reason(), reason);

    let mut server = Solo::server();
    server.receive(&[data(stream(Role::Client, (1 << 31) - 1), 0, b"")]);
    assert_eq!(server.session.close_reason(), reason);
    assert_eq!(
        server.session.stats().streams_live,
        0,
        "none of them was made"
    );
}

/// A-34 d: a stream cannot be reset with a peer that speaks the draft alone.
#[test]
fn reset_is_refused() {
    let mut client = Solo::client();
    let id = client.session.open_bi().unwrap();
    assert_eq!(
        client.session.send(id).reset(7),
        Err(ResetError::UnsupportedByPeer)
    );
}

/// A-34 d: a stream that was left unfinished is never ended: what was written goes out without FIN.
#[test]
fn an_abandoned_stream_never_ends() {
    let mut client = Solo::client();
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(b"half of it").unwrap();
    client.session.drop_send(id);
    assert_eq!(
        client.session.send(id).finish().unwrap_err().to_string(),
        "the stream is finished"
    );
    assert_eq!(all_frames(&client.transmit()), [data(id, 0, b"half of it")]);
    client.receive(&[end(id, 0, b""), ack(0, 0)]);
    client.session.drop_recv(id);
    assert_eq!(client.transmit().len(), 1, "one ACK");
    assert_eq!(client.session.stats().streams_live, 1);
}

/// A-34 d: abandoned streams keep counting; when they fill the limit alone, waiting is pointless.
#[test]
fn abandoned_streams_fill_the_limit() {
    let mut config = SessionConfig::new();
    config.own_streams(2);
    let mut client = Solo::new(Role::Client, config);
    let first = client.session.open_bi().unwrap();
    let second = client.session.open_bi().unwrap();
    client.session.drop_send(first);
    assert_eq!(client.session.open_bi(), Err(OpenError::Blocked));
    client.session.drop_send(second);
    client.session.drop_send(second);
    assert_eq!(client.session.open_bi(), Err(OpenError::StreamLimit));
}

/// What nobody reads any more is discarded and counted, and never holds the peer up.
#[test]
fn a_stopped_stream_is_discarded() {
    let mut server = server_with(|config| config.unread_soft_cap(1000));
    let id = stream(Role::Client, 0);
    server.receive(&[data(id, 0, &[0; 2000])]);
    server.receive(&[data(id, 3000, &[0; 500])]);
    assert!(!server.session.wants_read(server.first));
    server.session.recv(id).stop_sending(0);
    assert!(server.session.wants_read(server.first));
    assert_eq!(
        server.session.recv(id).read_chunk(1),
        Err(ReadError::Stopped)
    );
    server.receive(&[data(id, 2000, &[0; 1000])]);
    let stats = server.session.stats();
    assert_eq!((stats.bytes_unread, stats.bytes_out_of_order), (0, 0));
    assert_eq!(stats.bytes_discarded, 2000 + 1000);
    server.receive(&[end(id, 9000, b"")]);
    server.session.send(id).finish().unwrap();
    server.transmit();
    server.receive(&[ack(0, 0)]);
    assert_eq!(
        server.session.stats().streams_live,
        0,
        "its end is all that is waited for"
    );
}

/// Writes block at the stream's buffer and at the session's, counting what is not acknowledged.
#[test]
fn send_buffers_are_bounded() {
    let mut config = SessionConfig::new();
    config.stream_send_buffer(1000).session_send_buffer(2500);
    let mut client = Solo::new(Role::Client, config);
    let ids = [(); 3].map(|()| client.session.open_bi().unwrap());
    let written = ids.map(|id| client.session.send(id).write(&[0; 5000]));
    assert_eq!(written, [Ok(1000), Ok(1000), Ok(500)]);
    assert_eq!(
        client.session.send(ids[2]).write(b"x"),
        Err(WriteError::Blocked)
    );
    assert_eq!(
        client.session.send(ids[0]).write(b"x"),
        Err(WriteError::Blocked)
    );
    assert_eq!(client.session.send(ids[0]).write(b""), Ok(0));
    client.transmit();
    assert_eq!(
        client.session.send(ids[0]).capacity(),
        0,
        "sent is not acknowledged"
    );
    client.events();
    client.receive(&[ack(0, 0)]);
    let events = client.events();
    assert!(events.contains(&Event::Writable(ids[0])) && events.contains(&Event::Writable(ids[2])));
    assert!(!events.contains(&Event::Writable(ids[1])), "it did not ask");
    assert_eq!(client.session.send(ids[0]).capacity(), 1000);
    assert_eq!(client.session.stats().bytes_unacked, 0);
}

/// Every writer that waits for room of the session is woken in the end, one acknowledgment at a time.
#[test]
fn all_writers_get_their_turn() {
    let mut config = SessionConfig::new();
    config.session_send_buffer(50_000).own_streams(100);
    let mut client = Solo::new(Role::Client, config);
    let ids: Vec<StreamId> = (0..100)
        .map(|_| client.session.open_bi().unwrap())
        .collect();
    let mut written = vec![0; 100];
    let mut writable = ids;
    let mut acked = 0;
    for _ in 0..1000 {
        for id in writable.drain(..) {
            let index = usize::try_from(id.as_u32() / 2).unwrap();
            while written[index] < 20_000 {
                match client
                    .session
                    .send(id)
                    .write(&vec![0; 20_000 - written[index]])
                {
                    Ok(len) => written[index] += len,
                    Err(error) => {
                        assert_eq!(error, WriteError::Blocked);
                        break;
                    }
                }
            }
        }
        let sent = client.transmit();
        if let Some(last) = sent.last() {
            acked = last.sequence.as_u64();
        }
        client.receive(&[ack(0, acked)]);
        writable.extend(client.events().iter().filter_map(|event| match event {
            Event::Writable(id) => Some(*id),
            _ => None,
        }));
        if writable.is_empty() {
            break;
        }
    }
    assert_eq!(written, vec![20_000; 100]);
    assert_eq!(client.session.stats().bytes_unacked, 0);
}

/// A peer that never acknowledges does not make this side remember more than so many small records.
#[test]
fn unacknowledged_frames_are_bounded() {
    let mut client = Solo::client();
    let id = client.session.open_bi().unwrap();
    let mut sent = 0;
    for _ in 0..20_000 {
        client.session.send(id).write(b"x").unwrap();
        sent += client.transmit().len();
    }
    assert_eq!(sent, 16_384);
    assert!(!client.session.wants_transmit(client.first));
    client.receive(&[Frame::Ping, ack(0, 16_383)]);
    assert_eq!(client.transmit().len(), 1, "what waited, in one record");
    assert_eq!(client.session.stream_stats(id).unwrap().bytes_sent, 20_000);
}

/// Times as long as they come make no deadline overflow.
#[test]
fn endless_times_are_a_year() {
    let forever = std::time::Duration::MAX;
    let mut server = server_with(|config| {
        config
            .ack_delay(forever)
            .drain_timeout(forever)
            .orphan_timeout(Some(forever))
            .idle_timeout(Some(forever))
            .keep_alive(Some(forever))
    });
    server.receive(&[data(stream(Role::Client, 0), 0, b"x")]);
    server.session.close(server.clock.now());
    assert!(server.session.poll_timeout().is_some());
}

/// A-34 d: who already waits to open a stream learns it too when waiting becomes pointless.
#[test]
fn an_opener_that_waits_learns_that_no_stream_can_end() {
    let mut config = SessionConfig::new();
    config.own_streams(2);
    let mut client = Solo::new(Role::Client, config);
    let first = client.session.open_bi().unwrap();
    let second = client.session.open_bi().unwrap();
    assert_eq!(client.session.open_bi(), Err(OpenError::Blocked));
    client.session.drop_send(first);
    assert!(!client.events().contains(&Event::StreamsAvailable));
    client.session.drop_send(second);
    assert!(client.events().contains(&Event::StreamsAvailable));
    assert_eq!(client.session.open_bi(), Err(OpenError::StreamLimit));
}

/// A-34 b: behind a gap, too, tiny pieces are put together once their turn comes: each by itself would
/// cost much more memory than its bytes, which is all that counts against the cap.
#[test]
fn tiny_pieces_do_not_stay_alone() {
    let mut client = Solo::client();
    let id = client.session.open_bi().unwrap();
    client.receive(&[data(id, 1_000_000, b"beyond a gap")]);
    for offset in 0..1000 {
        client.receive(&[data(id, offset, b"x")]);
    }
    let chunk = client.session.recv(id).read_chunk(usize::MAX);
    assert_eq!(chunk.unwrap().unwrap().len(), 1000);
}

/// A-34 a: a piece keeps its receive buffer alive, which is fine for as many buffers as the soft cap
/// allows: four here, of 64 such records each. What comes then is copied, until some was read.
#[test]
fn unread_pieces_keep_few_receive_buffers() {
    let mut config = SessionConfig::new();
    config.unread_soft_cap(1 << 20);
    let mut client = Solo::new(Role::Client, config);
    let id = client.session.open_bi().unwrap();
    let mut kept = Vec::new();
    for number in 0..1000 {
        let piece = vec![1; 4000];
        let mut record = Vec::new();
        let frame = data(id, number * 4000, &piece);
        frame.encode(&mut record).unwrap();
        let payload = Bytes::from(record);
        kept.push(payload.clone());
        let record = OpenedRecord {
            sequence: RecordSequence::from_wire(number),
            content_type: ContentType::ApplicationData,
            payload,
        };
        let now = client.clock.now();
        client.session.handle_record(client.first, record, now);
    }
    let referred = kept.iter().filter(|payload| !payload.is_unique()).count();
    assert_eq!(referred, 4 * 64);
}
