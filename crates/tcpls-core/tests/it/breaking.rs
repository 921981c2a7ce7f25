//! Streams that are reset and stopped (`spec/extensions.md` 6.2), with a peer that knows of it.

use tcpls_core::{
    CloseReason, ConnectionFailure, Event, Limit, OpenError, PeerMisbehaved, ReadError, ResetError,
    SessionConfig, WriteError,
    testing::{Pair, Solo},
    wire::{Features, Frame, Role, SessionParams, StreamId},
};

use crate::talk::{
    ack, all_frames, data, end, misbehaved, read_all, reset_stream, stop_sending, stream,
};

const THEIRS: StreamId = StreamId::from_wire(0);

fn solo(role: Role, config: SessionConfig) -> Solo {
    let params = SessionParams {
        features: Features::STREAM_RESET,
        ..SessionParams::default()
    };
    Solo::with_params(role, config, Some(params))
}

fn server() -> Solo {
    solo(Role::Server, SessionConfig::new())
}

fn client() -> Solo {
    solo(Role::Client, SessionConfig::new())
}

/// What is left of the stream is dropped at once, sent or not; what was sent is its final size.
#[test]
fn a_reset_drops_what_the_peer_lacks() {
    let mut client = client();
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(&[1; 3000]).unwrap();
    client.transmit();
    client.session.send(id).write(&[2; 4000]).unwrap();
    assert_eq!(client.session.send(id).reset(77), Ok(()));
    assert_eq!(client.session.stats().bytes_unacked, 0);
    assert_eq!(all_frames(&client.transmit()), [reset_stream(id, 77, 3000)]);
    let mut half = client.session.send(id);
    assert_eq!(half.write(b"more"), Err(WriteError::Reset));
    assert_eq!(half.poll_acked(), Err(WriteError::Reset));
    assert_eq!(half.poll_sent(), Err(WriteError::Reset));
    assert_eq!(half.reset(78), Err(ResetError::Over), "the first holds");
    assert!(half.finish().is_err());

    client.receive(&[end(id, 0, b""), ack(0, 1)]);
    assert!(read_all_of(&mut client, id).is_empty());
    let live = client.session.stats().streams_live;
    assert_eq!(live, 1, "the application may still ask");
    assert_eq!(client.session.send(id).poll_acked(), Err(WriteError::Reset));
    client.session.drop_send(id);
    assert_eq!(client.session.stats().streams_live, 0);
    assert_eq!(client.session.send(id).reset(1), Err(ResetError::Over));
    let never = stream(Role::Client, 7);
    assert_eq!(
        client.session.send(never).reset(1),
        Err(ResetError::UnknownStream)
    );
}

fn read_all_of(solo: &mut Solo, id: StreamId) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = solo.session.recv(id).read_chunk(usize::MAX) {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

/// A finished stream can be broken off as long as the peer lacks some of it, with the end that it had.
#[test]
fn a_finished_stream_is_reset_at_its_end() {
    let mut client = client();
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(&[1; 100]).unwrap();
    client.session.send(id).finish().unwrap();
    client.transmit();
    assert_eq!(client.session.send(id).reset(5), Ok(()));
    assert_eq!(all_frames(&client.transmit()), [reset_stream(id, 5, 100)]);

    let id = client.session.open_bi().unwrap();
    client.session.send(id).finish().unwrap();
    client.transmit();
    client.receive(&[ack(0, 2)]);
    assert_eq!(client.session.send(id).reset(5), Err(ResetError::Over));
}

/// What a connection that failed carried of the stream goes out no more; the reset does, as it was.
#[test]
fn a_reset_survives_its_connection() {
    let mut client = client();
    let second = client.join(2);
    client.hear_on(second);
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(&[1; 3000]).unwrap();
    client.transmit();
    client.session.send(id).reset(9).unwrap();
    assert_eq!(all_frames(&client.transmit()), [reset_stream(id, 9, 3000)]);
    let now = client.clock.now();
    let failure = ConnectionFailure::Reset;
    client.session.handle_failure(client.first, failure, now);
    let (sent, _) = client.transmit_on(second);
    let frames = all_frames(&sent);
    assert!(frames.contains(&reset_stream(id, 9, 3000)), "{frames:?}");
    assert!(!frames.iter().any(|frame| matches!(frame, Frame::Stream(_))));
    assert_eq!(
        frames
            .iter()
            .filter(|frame| **frame == reset_stream(id, 9, 3000))
            .count(),
        1
    );
    client.receive_on(second, &[ack(2, 0)]);
    let now = client.clock.now();
    client.session.handle_failure(second, failure, now);
    let third = client.join(3);
    client.hear_on(third);
    let (sent, _) = client.transmit_on(third);
    assert!(
        !all_frames(&sent).contains(&reset_stream(id, 9, 3000)),
        "it is known"
    );
}

/// Who is asked to send no more stops at once, with the code that came.
#[test]
fn a_stopped_writer_resets() {
    let mut server = server();
    server.receive(&[data(THEIRS, 0, b"hello")]);
    server.session.send(THEIRS).write(&vec![1; 50_000]).unwrap();
    server.transmit();
    assert_eq!(server.session.send(THEIRS).poll_stopped(), None);
    server.events();
    server.receive(&[stop_sending(THEIRS, 42)]);
    server.receive(&[stop_sending(THEIRS, 43)]);
    let stopped = Event::Stopped {
        stream: THEIRS,
        code: 42,
    };
    let events = server.events();
    assert_eq!(
        events.iter().filter(|event| **event == stopped).count(),
        1,
        "{events:?}"
    );
    assert!(all_frames(&server.transmit()).contains(&reset_stream(THEIRS, 42, 50_000)));
    let mut half = server.session.send(THEIRS);
    assert_eq!(half.write(b"more"), Err(WriteError::Stopped(42)));
    assert_eq!(half.poll_acked(), Err(WriteError::Stopped(42)));
    assert_eq!(half.poll_stopped(), Some(42));
    assert_eq!(server.session.stats().bytes_unacked, 0);
}

/// What had its end acknowledged is not broken off any more.
#[test]
fn a_stop_that_comes_late_is_nothing() {
    let mut server = server();
    server.receive(&[data(THEIRS, 0, b"hello")]);
    server.session.send(THEIRS).finish().unwrap();
    server.transmit();
    server.receive(&[stop_sending(THEIRS, 42), ack(0, 0)]);
    server.receive(&[stop_sending(THEIRS, 42)]);
    assert_eq!(server.session.send(THEIRS).poll_acked(), Ok(true));
}

/// The reader learns the code, as often as it asks; what it had not read is gone.
#[test]
fn a_reset_reaches_the_reader() {
    let mut server = server();
    server.receive(&[data(THEIRS, 0, b"hello")]);
    server.receive(&[data(THEIRS, 100, b"ahead")]);
    server.events();
    assert_eq!(
        server.session.recv(THEIRS).read_chunk(2),
        Ok(Some("he".into()))
    );
    server.receive(&[reset_stream(THEIRS, 7, 500)]);
    assert!(server.events().contains(&Event::Readable(THEIRS)));
    let stats = server.session.stats();
    assert_eq!((stats.bytes_unread, stats.bytes_out_of_order), (0, 0));
    for _ in 0..2 {
        let error = Err(ReadError::Reset(7));
        assert_eq!(server.session.recv(THEIRS).read_chunk(9), error);
    }
    server.receive(&[data(THEIRS, 5, b"late")]);
    server.receive(&[reset_stream(THEIRS, 8, 500)]);
    let mut byte = [0];
    assert_eq!(
        server.session.recv(THEIRS).read(&mut byte),
        Err(ReadError::Reset(7)),
        "the first holds"
    );
    assert_eq!(server.session.stats().bytes_unread, 0);
    server.session.drop_recv(THEIRS);
    server.session.drop_send(THEIRS);
    assert!(all_frames(&server.transmit()).contains(&reset_stream(THEIRS, 0, 0)));
    server.receive(&[ack(0, 0)]);
    assert_eq!(server.session.stats().streams_live, 0);
    assert_eq!(misbehaved(&server), None);
}

/// A stream that arrived whole was not broken off, whatever its sender says afterwards.
#[test]
fn a_reset_after_everything_is_too_late() {
    let mut server = server();
    server.receive(&[end(THEIRS, 0, b"hello")]);
    server.receive(&[reset_stream(THEIRS, 7, 5)]);
    assert_eq!(read_all_of(&mut server, THEIRS), b"hello");
    assert_eq!(server.session.recv(THEIRS).read_chunk(1), Ok(None));
}

/// the final size is where the stream ends, once and for all.
#[test]
fn the_final_size_stands() {
    for (first, then, error) in [
        (
            end(THEIRS, 0, b"hello"),
            reset_stream(THEIRS, 7, 4),
            PeerMisbehaved::EndMoved,
        ),
        (
            end(THEIRS, 0, b"hello"),
            reset_stream(THEIRS, 7, 6),
            PeerMisbehaved::DataBeyondEnd,
        ),
        (
            end(THEIRS, 9, b""),
            reset_stream(THEIRS, 7, 8),
            PeerMisbehaved::EndMoved,
        ),
        (
            data(THEIRS, 0, b"hello"),
            reset_stream(THEIRS, 7, 4),
            PeerMisbehaved::EndMoved,
        ),
        (
            reset_stream(THEIRS, 7, 4),
            reset_stream(THEIRS, 7, 3),
            PeerMisbehaved::EndMoved,
        ),
        (
            reset_stream(THEIRS, 7, 4),
            data(THEIRS, 0, b"hello"),
            PeerMisbehaved::DataBeyondEnd,
        ),
        (
            reset_stream(THEIRS, 7, 4),
            end(THEIRS, 0, b"abc"),
            PeerMisbehaved::EndMoved,
        ),
    ] {
        let mut server = server();
        server.receive(&[first]);
        assert_eq!(misbehaved(&server), None);
        server.receive(&[then]);
        assert_eq!(misbehaved(&server), Some(error), "{first:?} {then:?}");
    }
}

/// such a frame opens a stream of the peer, and all before it; one of this side must be open.
#[test]
fn resets_and_stops_open_streams() {
    for frame in [
        reset_stream(stream(Role::Client, 3), 7, 0),
        stop_sending(stream(Role::Client, 3), 7),
    ] {
        let mut server = server();
        server.receive(&[frame]);
        assert_eq!(server.session.stats().streams_live, 4);
        assert_eq!(server.session.accept_bi(), Some(THEIRS));
    }
    for frame in [
        reset_stream(stream(Role::Server, 0), 7, 0),
        stop_sending(stream(Role::Server, 0), 7),
    ] {
        let mut server = server();
        server.receive(&[frame]);
        assert_eq!(misbehaved(&server), Some(PeerMisbehaved::UnopenedStream));
    }
}

/// A-34 d, where the peer can be told: what is left unfinished is reset, and no longer counts.
#[test]
fn a_dropped_half_is_reset() {
    let mut config = SessionConfig::new();
    config.own_streams(1);
    let mut client = solo(Role::Client, config);
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(b"half of it").unwrap();
    client.transmit();
    client.session.drop_send(id);
    client.session.drop_recv(id);
    assert_eq!(
        all_frames(&client.transmit()),
        [stop_sending(id, 0), reset_stream(id, 0, 10)],
        "the last pushed comes first"
    );
    assert_eq!(client.session.open_bi(), Err(OpenError::Blocked));
    client.events();
    client.receive(&[reset_stream(id, 0, 0)]);
    client.receive(&[ack(0, 1)]);
    assert!(client.events().contains(&Event::StreamsAvailable));
    assert_eq!(client.session.stats().streams_live, 0);
    assert!(client.session.open_bi().is_ok());
}

/// The peer is asked to stop once, and only while more may come.
#[test]
fn a_reader_stops_the_writer() {
    let mut server = server();
    server.receive(&[data(THEIRS, 0, b"hello")]);
    server.session.recv(THEIRS).stop_sending(7);
    server.session.recv(THEIRS).stop_sending(8);
    server.session.drop_recv(THEIRS);
    let frames = server.transmit();
    let stops = |frame: &&Frame<'_>| matches!(frame, Frame::Extended(_));
    let frames = all_frames(&frames);
    assert_eq!(
        frames.iter().filter(stops).collect::<Vec<_>>(),
        [&stop_sending(THEIRS, 7)]
    );

    let ended = stream(Role::Client, 1);
    server.receive(&[end(ended, 100, b"")]);
    server.session.recv(ended).stop_sending(7);
    let early = stream(Role::Client, 2);
    server.receive(&[data(early, 0, b"hello")]);
    server.session.recv(early).stop_sending(7);
    server.receive(&[reset_stream(early, 1, 5)]);
    let frames = server.transmit();
    let frames = all_frames(&frames);
    assert_eq!(frames.iter().filter(stops).count(), 0, "{frames:?}");
}

/// Room that a reset gives back is for the writers that wait for it.
#[test]
fn a_reset_makes_room() {
    let mut config = SessionConfig::new();
    config.session_send_buffer(1000);
    let mut client = solo(Role::Client, config);
    let (first, second) = (
        client.session.open_bi().unwrap(),
        client.session.open_bi().unwrap(),
    );
    client.session.send(first).write(&[0; 1000]).unwrap();
    assert_eq!(
        client.session.send(second).write(b"x"),
        Err(WriteError::Blocked)
    );
    client.events();
    client.session.send(first).reset(1).unwrap();
    assert!(client.events().contains(&Event::Writable(second)));
    assert_eq!(client.session.send(second).write(b"x"), Ok(1));
}

/// A peer whose streams end on both sides without the application does not open any number of them.
#[test]
fn streams_that_the_peer_broke_off_count_until_they_are_let_go() {
    let mut config = SessionConfig::new();
    config.peer_streams(3);
    let mut server = solo(Role::Server, config);
    for index in 0..3 {
        let id = stream(Role::Client, index);
        server.receive(&[reset_stream(id, 1, 0), stop_sending(id, 1)]);
        let sent = server.transmit();
        server.receive(&[ack(0, sent.last().unwrap().sequence.as_u64())]);
    }
    let first = server.session.accept_bi().unwrap();
    server.session.drop_send(first);
    server.session.drop_recv(first);
    server.receive(&[reset_stream(stream(Role::Client, 3), 1, 0)]);
    assert_eq!(server.session.close_reason(), None);
    server.receive(&[reset_stream(stream(Role::Client, 4), 1, 0)]);
    let reason = CloseReason::LimitExceeded(Limit::PeerStreams);
    assert_eq!(server.session.close_reason(), Some(reason));
}

/// Closing waits for resets as for the ends of streams.
#[test]
fn a_reset_arrives_before_the_end_of_the_session() {
    let mut pair = Pair::seeded(3);
    let id = pair.client.session.open_bi().unwrap();
    pair.client.session.send(id).write(&[5; 10_000]).unwrap();
    pair.drive();
    pair.client.session.send(id).reset(11).unwrap();
    let now = pair.clock.now();
    pair.client.session.close(now);
    pair.drive();
    assert_eq!(read_all(&mut pair.server, id).1, Err(ReadError::Reset(11)));
    let reason = Some(CloseReason::PeerClose);
    assert_eq!(pair.server.session.close_reason(), reason);
}

/// Frames that were not agreed on mean nothing.
#[test]
fn resets_that_were_not_agreed_on_are_passed_over() {
    let params = SessionParams::default();
    let mut server = Solo::with_params(Role::Server, SessionConfig::new(), Some(params));
    server.receive(&[data(THEIRS, 0, b"hello")]);
    server.receive(&[reset_stream(THEIRS, 7, 2), stop_sending(THEIRS, 7)]);
    assert_eq!(read_all_of(&mut server, THEIRS), b"hello");
    assert_eq!(server.session.send(THEIRS).write(b"x"), Ok(1));
    assert_eq!(
        server.session.send(THEIRS).reset(7),
        Err(ResetError::UnsupportedByPeer)
    );
}
