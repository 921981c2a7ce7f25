//! Limits on data and streams (`spec/extensions.md` 6.1), with a peer that knows of them.

use std::time::Duration;

use tcpls_core::{
    Event, OpenError, PathInfo, PeerMisbehaved, Profile, ReadError, SessionConfig, TimeoutReason,
    testing::{LinkConfig, Pair, PairConfig, Solo},
    wire::{
        ExtendedFrame, Features, Fin, Frame, ResetStreamFrame, Role, SessionParams,
        StreamDataLimitFrame, StreamFrame, StreamId,
    },
};

use crate::talk::{ack, all_frames, data, end, misbehaved, pattern, read_all, stream, transfer};

const THEIRS: StreamId = StreamId::from_wire(0);

fn params(session: u64, stream: u64, streams: u32) -> SessionParams {
    SessionParams {
        max_data: Some(session),
        max_stream_data: Some(stream),
        max_streams: Some(streams),
        features: Features::FLOW_CONTROL.with(Features::STREAM_RESET),
        ..SessionParams::default()
    }
}

/// A client whose peer allows this much.
fn client(session: u64, stream: u64, streams: u32) -> Solo {
    let params = params(session, stream, streams);
    Solo::with_params(Role::Client, SessionConfig::new(), Some(params))
}

/// A server that allows this much.
fn server(session: u64, stream: u64, streams: u32) -> Solo {
    let mut config = SessionConfig::new();
    config
        .session_window(session)
        .max_session_window(session)
        .stream_window(stream)
        .max_stream_window(stream)
        .peer_streams(streams);
    let params = params(1 << 20, 1 << 20, 100);
    Solo::with_params(Role::Server, config, Some(params))
}

fn max_data(limit: u64) -> Frame<'static> {
    Frame::Extended(ExtendedFrame::MaxData(limit))
}

fn max_stream_data(stream: StreamId, max: u64) -> Frame<'static> {
    Frame::Extended(ExtendedFrame::MaxStreamData(StreamDataLimitFrame {
        stream,
        max,
    }))
}

fn max_streams(count: u32) -> Frame<'static> {
    Frame::Extended(ExtendedFrame::MaxStreams(count))
}

fn reset(stream: StreamId, final_size: u64) -> Frame<'static> {
    Frame::Extended(ExtendedFrame::ResetStream(ResetStreamFrame {
        stream,
        code: 1,
        final_size,
    }))
}

/// What a session sends of its streams: stream, offset, length, end.
fn streams_sent(solo: &mut Solo) -> Vec<(StreamId, u64, usize, Fin)> {
    let sent = solo.transmit();
    let frames = all_frames(&sent);
    let stream = |frame: &Frame<'_>| match frame {
        Frame::Stream(StreamFrame {
            stream,
            offset,
            fin,
            data,
        }) => Some((*stream, *offset, data.len(), *fin)),
        _ => None,
    };
    frames.iter().filter_map(stream).collect()
}

/// The limits that a session announces, without what else it sends.
fn limits_sent(solo: &mut Solo) -> Vec<Frame<'static>> {
    let sent = solo.transmit();
    let frames = all_frames(&sent);
    let limit = |frame: &Frame<'_>| match frame {
        Frame::Extended(ExtendedFrame::MaxData(limit)) => Some(max_data(*limit)),
        Frame::Extended(ExtendedFrame::MaxStreams(count)) => Some(max_streams(*count)),
        Frame::Extended(ExtendedFrame::MaxStreamData(frame)) => {
            Some(max_stream_data(frame.stream, frame.max))
        }
        _ => None,
    };
    frames.iter().filter_map(limit).collect()
}

fn read(solo: &mut Solo, id: StreamId, most: usize) -> usize {
    let chunk = solo.session.recv(id).read_chunk(most);
    chunk.unwrap().unwrap().len()
}

/// A stream stops at its limit and goes on when it moves; one that is lower than before is old.
#[test]
fn a_stream_keeps_its_limit() {
    let mut client = client(1 << 20, 1000, 9);
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(&[1; 3000]).unwrap();
    client.session.send(id).finish().unwrap();
    assert_eq!(streams_sent(&mut client), [(id, 0, 1000, Fin::More)]);
    client.receive(&[max_stream_data(id, 400)]);
    client.receive(&[max_stream_data(id, 1000), max_data(5)]);
    assert_eq!(streams_sent(&mut client), []);
    assert_eq!(client.session.send(id).poll_sent(), Ok(false));
    client.receive(&[max_stream_data(id, 2500)]);
    assert_eq!(streams_sent(&mut client), [(id, 1000, 1500, Fin::More)]);
    client.receive(&[max_stream_data(id, 3000)]);
    assert_eq!(streams_sent(&mut client), [(id, 2500, 500, Fin::End)]);
    assert!(client.events().contains(&Event::Sent(id)));
}

/// Streams that the limit of the session holds back go on in turns, and the end of one costs nothing.
#[test]
fn streams_share_the_limit_of_the_session() {
    let mut client = client(1000, 1 << 20, 9);
    let ids = [(); 3].map(|()| client.session.open_bi().unwrap());
    for id in ids {
        client.session.send(id).write(&[1; 900]).unwrap();
    }
    let total =
        |sent: &[(StreamId, u64, usize, Fin)]| sent.iter().map(|sent| sent.2).sum::<usize>();
    assert_eq!(total(&streams_sent(&mut client)), 1000);
    let ended = client.session.open_bi().unwrap();
    client.session.send(ended).finish().unwrap();
    assert_eq!(streams_sent(&mut client), [(ended, 0, 0, Fin::End)]);
    client.receive(&[max_data(900)]);
    assert_eq!(total(&streams_sent(&mut client)), 0);
    client.receive(&[max_data(2000)]);
    assert_eq!(total(&streams_sent(&mut client)), 1000);
    client.receive(&[max_data(1 << 20)]);
    assert_eq!(total(&streams_sent(&mut client)), 700);
    for id in ids {
        assert_eq!(client.session.stream_stats(id).unwrap().bytes_sent, 900);
    }
}

/// What is sent again was counted before.
#[test]
fn what_is_sent_again_costs_nothing() {
    let mut client = client(1000, 1000, 9);
    let second = client.join(2);
    client.hear_on(second);
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(&[1; 1000]).unwrap();
    assert_eq!(streams_sent(&mut client).len(), 1);
    let now = client.clock.now();
    let failure = tcpls_core::ConnectionFailure::Reset;
    client.session.handle_failure(client.first, failure, now);
    let (sent, _) = client.transmit_on(second);
    assert!(all_frames(&sent).contains(&data(id, 0, &[1; 1000])));
}

/// A peer that goes beyond a limit ends the session, with data as with a final size.
#[test]
fn limits_are_enforced() {
    let (stream_limit, session_limit) = (
        PeerMisbehaved::StreamDataLimit,
        PeerMisbehaved::SessionDataLimit,
    );
    let second = stream(Role::Client, 1);
    for (frames, error) in [
        (vec![data(THEIRS, 0, &[0; 501])], Some(stream_limit)),
        (vec![data(THEIRS, 500, b"x")], Some(stream_limit)),
        (vec![end(THEIRS, 501, b"")], Some(stream_limit)),
        (vec![reset(THEIRS, 501)], Some(stream_limit)),
        (vec![end(THEIRS, 500, b"")], None),
        (
            vec![data(THEIRS, 0, &[0; 500]), data(second, 0, &[0; 301])],
            Some(session_limit),
        ),
        (
            vec![reset(THEIRS, 500), reset(second, 301)],
            Some(session_limit),
        ),
        (
            vec![
                data(THEIRS, 499, b"x"),
                data(second, 299, b"x"),
                data(THEIRS, 0, &[0; 500]),
            ],
            None,
        ),
        (
            vec![data(stream(Role::Client, 4), 0, b"")],
            Some(PeerMisbehaved::StreamsLimit),
        ),
        (
            vec![max_stream_data(stream(Role::Client, 4), 9)],
            Some(PeerMisbehaved::StreamsLimit),
        ),
        (
            vec![max_stream_data(stream(Role::Server, 0), 9)],
            Some(PeerMisbehaved::UnopenedStream),
        ),
        (vec![max_stream_data(stream(Role::Client, 3), 9)], None),
    ] {
        let mut server = server(800, 500, 4);
        for frame in &frames {
            server.receive(&[*frame]);
        }
        assert_eq!(misbehaved(&server), error, "{frames:?}");
    }
}

/// Limits move when half of what the peer could have is used up, by what the application read.
#[test]
fn limits_follow_the_reader() {
    let mut server = server(1000, 1000, 4);
    server.receive(&[data(THEIRS, 0, &[0; 400])]);
    assert_eq!(read(&mut server, THEIRS, 400), 400);
    assert_eq!(limits_sent(&mut server), []);
    server.receive(&[data(THEIRS, 400, &[0; 600])]);
    assert_eq!(
        limits_sent(&mut server),
        [max_stream_data(THEIRS, 1400), max_data(1400)],
        "the last pushed comes first"
    );
    assert_eq!(read(&mut server, THEIRS, 100), 100);
    assert_eq!(limits_sent(&mut server), [], "crumbs wait");
    assert!(server.session.wants_read(server.first));
    server.receive(&[end(THEIRS, 1000, &[0; 400])]);
    assert_eq!(read(&mut server, THEIRS, 500), 500);
    assert_eq!(
        limits_sent(&mut server),
        [max_data(2000)],
        "a stream that ended needs no limit"
    );
}

/// What nobody wants does not keep the session's limit back.
#[test]
fn unwanted_data_gives_its_room_back() {
    let mut server = server(1000, 2000, 4);
    server.receive(&[data(THEIRS, 100, &[0; 700])]);
    assert_eq!(limits_sent(&mut server), []);
    server.session.recv(THEIRS).stop_sending(0);
    assert_eq!(
        limits_sent(&mut server),
        [max_data(1800)],
        "it is asked to stop"
    );
    server.receive(&[data(THEIRS, 800, &[0; 900])]);
    assert_eq!(limits_sent(&mut server), [max_data(2700)]);
    let second = stream(Role::Client, 1);
    server.receive(&[data(second, 0, &[0; 100])]);
    server.receive(&[reset(second, 900)]);
    assert_eq!(limits_sent(&mut server), [max_data(3600)]);
    assert_eq!(misbehaved(&server), None);
}

/// The limit on streams moves as streams are over, so that as many as allowed can be open.
#[test]
fn the_limit_on_streams_follows_their_ends() {
    let mut server = server(1000, 1000, 2);
    for index in 0..2 {
        server.receive(&[end(stream(Role::Client, index), 0, b"")]);
    }
    assert_eq!(limits_sent(&mut server), []);
    server.session.recv(THEIRS).read_chunk(1).unwrap();
    server.session.send(THEIRS).finish().unwrap();
    let sent = server.transmit();
    server.receive(&[ack(0, sent.last().unwrap().sequence.as_u64())]);
    assert_eq!(limits_sent(&mut server), [max_streams(3)]);
    server.receive(&[end(stream(Role::Client, 2), 0, b"")]);
    assert_eq!(misbehaved(&server), None);

    let mut client = client(1000, 1000, 1);
    client.session.open_bi().unwrap();
    assert_eq!(client.session.open_bi(), Err(OpenError::Blocked));
    client.receive(&[max_streams(0)]);
    client.receive(&[max_streams(1)]);
    assert!(!client.events().contains(&Event::StreamsAvailable));
    client.receive(&[max_streams(2)]);
    assert!(client.events().contains(&Event::StreamsAvailable));
    assert!(client.session.open_bi().is_ok());
    assert_eq!(client.session.open_bi(), Err(OpenError::Blocked));
}

/// A window that is taken within two round trips doubles, up to its bound; a slow one stays.
#[test]
fn windows_grow_with_the_rate_of_the_reader() {
    for (pause, expected) in [(80, 800_000), (500, 400_000)] {
        let mut config = SessionConfig::new();
        config
            .stream_window(400_000)
            .max_stream_window(800_000)
            .session_window(10_000_000);
        let params = params(1 << 20, 1 << 20, 9);
        let mut server = Solo::with_params(Role::Server, config, Some(params));
        let info = PathInfo {
            round_trip: Duration::from_millis(100),
            ..PathInfo::default()
        };
        let now = server.clock.now();
        server.session.handle_path_info(server.first, info, now);
        let (mut at, mut granted) = (0, 400_000);
        for _ in 0..20 {
            let piece = vec![0; 10_000];
            for _ in 0..20 {
                server.receive(&[data(THEIRS, at, &piece)]);
                at += 10_000;
                assert_eq!(read(&mut server, THEIRS, 10_000), 10_000);
            }
            for frame in limits_sent(&mut server) {
                if let Frame::Extended(ExtendedFrame::MaxStreamData(frame)) = frame {
                    granted = frame.max;
                }
            }
            server.advance(Duration::from_millis(pause));
        }
        let window = granted - at;
        assert!(
            window <= expected && window > expected / 2,
            "{window} at {pause} ms"
        );
    }
}

/// A stream that nobody reads, and a session that is full of it, hold nobody else up, and sockets are
/// read all the time.
#[test]
fn a_slow_reader_holds_up_nobody_else() {
    let mut config = SessionConfig::new();
    config.stream_window(200_000).session_window(300_000);
    let mut pair = Pair::new(PairConfig {
        client: config.clone(),
        server: config,
        ..PairConfig::default()
    });
    let stalled = pair.client.session.open_bi().unwrap();
    let unread = pattern(stalled, Role::Client, 0, 1_000_000);
    pair.client.session.send(stalled).write(&unread).unwrap();
    let moving = pair.client.session.open_bi().unwrap();
    pair.drive();
    let stats = pair.server.session.stats();
    assert_eq!(stats.bytes_unread, 200_000);
    let bytes = pattern(moving, Role::Client, 0, 3_000_000);
    assert!(transfer(&mut pair, Role::Client, moving, &bytes) == bytes);
    let c = pair.server.connection(0);
    assert!(pair.server.session.wants_read(c));
    let mut got = Vec::new();
    while got.len() < unread.len() {
        got.extend(read_all(&mut pair.server, stalled).0);
        pair.step();
    }
    assert!(got == unread);
}

/// Streams that nobody reads do not fill the send buffer of the session: others are written, and their
/// own writers go on when somebody reads.
#[test]
fn writers_of_unread_streams_leave_room_for_others() {
    let mut config = SessionConfig::new();
    config.stream_window(100_000).session_window(1_000_000);
    config.session_send_buffer(1_000_000);
    let mut pair = Pair::new(PairConfig {
        client: config.clone(),
        server: config,
        ..PairConfig::default()
    });
    let stalled: Vec<_> = (0..5)
        .map(|_| pair.client.session.open_bi().unwrap())
        .collect();
    for &id in &stalled {
        let bytes = pattern(id, Role::Client, 0, 1_000_000);
        while pair.client.session.send(id).write(&bytes).is_ok() {
            pair.drive();
        }
    }
    let moving = pair.client.session.open_bi().unwrap();
    let bytes = pattern(moving, Role::Client, 0, 3_000_000);
    assert!(transfer(&mut pair, Role::Client, moving, &bytes) == bytes);
    for &id in &stalled {
        assert!(!read_all(&mut pair.server, id).0.is_empty());
    }
    pair.client.take_events();
    while pair.step() {}
    let events = pair.client.take_events();
    let writable: Vec<_> = events
        .iter()
        .filter(|event| matches!(event, Event::Writable(id) if stalled.contains(id)))
        .collect();
    assert_eq!(writable.len(), stalled.len());
}

/// Closing does not wait for ever for a stream that the peer lets nothing out of, whatever else it
/// acknowledges meanwhile.
#[test]
fn closing_does_not_wait_for_ever_for_a_stream_at_its_limit() {
    let mut client = client(1 << 20, 1000, 9);
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(&[1; 3000]).unwrap();
    client.session.send(id).finish().unwrap();
    client.transmit();
    client.receive(&[ack(0, 0)]);
    client.session.close(client.clock.now());
    for _ in 0..3 {
        client.advance(Duration::from_secs(2));
        client.session.ping(client.first);
        if let Some(sent) = client.transmit().last() {
            client.receive(&[ack(0, sent.sequence.as_u64())]);
        }
    }
    let (deadline, reason) = client.session.poll_timeout().unwrap();
    let closed = Duration::from_secs(5);
    assert_eq!(reason, TimeoutReason::Drain);
    assert_eq!(
        deadline - client.clock.now() + client.clock.since_start(),
        2 * closed
    );
}

/// What is left of the session's window beside what nobody reads moves in small steps rather than not at
/// all when somebody waits for what may come.
#[test]
fn a_window_that_is_nearly_full_of_unread_bytes_still_moves() {
    let mut server = server(100_000, 100_000, 9);
    let (unread, moving) = (THEIRS, stream(Role::Client, 1));
    for at in 0..9 {
        server.receive(&[data(unread, at * 10_000, &[1; 10_000])]);
    }
    for step in 0..5 {
        server.receive(&[data(moving, step * 10_000, &[2; 10_000])]);
        assert_eq!(read(&mut server, moving, 10_000), 10_000);
        let limits = limits_sent(&mut server);
        let moves = limits
            .iter()
            .any(|frame| matches!(frame, Frame::Extended(ExtendedFrame::MaxData(_))));
        assert!(!moves, "nobody waits");
        let found = server.session.recv(moving).read_chunk(1);
        assert_eq!(found, Err(ReadError::Blocked));
        let limits = limits_sent(&mut server);
        assert!(limits.contains(&max_data(110_000 + step * 10_000)));
    }
    assert_eq!(misbehaved(&server), None);
}

/// How long a transfer takes on a path of 25 Mbit/s and 100 ms, of virtual time, beside streams that
/// are idle and streams that nobody reads.
fn transfer_time(profile: Profile, idle: u32, stalled: u32) -> Duration {
    let mut config = SessionConfig::new();
    config.profile(profile).own_streams(2000);
    let mut pair = Pair::new(PairConfig {
        client: config.clone(),
        server: config,
        link: LinkConfig {
            latency: Duration::from_millis(50),
            buffer: 4 << 20,
            rate: Some(25_000_000 / 8),
            ..LinkConfig::default()
        },
        ..PairConfig::default()
    });
    for _ in 0..idle {
        pair.client.session.open_bi().unwrap();
    }
    for _ in 0..stalled {
        let id = pair.client.session.open_bi().unwrap();
        let unread = vec![1; 1 << 20];
        assert_eq!(pair.client.session.send(id).write(&unread), Ok(1 << 20));
    }
    let id = pair.client.session.open_bi().unwrap();
    pair.drive();
    let start = pair.clock.since_start();
    let bytes = pattern(id, Role::Client, 0, 12_000_000);
    assert!(transfer(&mut pair, Role::Client, id, &bytes) == bytes);
    pair.clock.since_start().saturating_sub(start)
}

/// Limits cost a transfer nothing, nor do idle streams, nor streams that nobody reads.
#[test]
fn limits_do_not_slow_a_transfer_down() {
    let without = transfer_time(Profile::DraftOnly, 0, 0);
    for (idle, stalled) in [(0, 0), (1000, 0), (0, 3)] {
        let with = transfer_time(Profile::Extended, idle, stalled);
        let within = with.as_millis() * 100 <= without.as_millis() * 103;
        assert!(
            within,
            "{with:?} after {without:?}, {idle} idle, {stalled} stalled"
        );
    }
}
