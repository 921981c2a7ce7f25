//! Unidirectional streams (`spec/extensions.md` 6.12).

use std::time::Duration;

use tcpls_core::{
    ConnectionFailure, Event, FinishError, OpenError, PeerMisbehaved, ReadError, ResetError,
    SessionConfig, StreamAnnouncement, WriteError,
    testing::{LinkConfig, Pair, PairConfig, Solo},
    wire::{
        ConnectionId, ExtendedFrame, Features, Frame, Role, SessionParams, StreamDataLimitFrame,
        StreamId,
    },
};

use crate::talk::{
    ack, all_frames, data, end, misbehaved, pattern, read_all, reset_stream, stop_sending, stream,
    transfer,
};

fn solo_with(role: Role, config: SessionConfig, uni_streams: Option<u32>) -> Solo {
    let params = SessionParams {
        features: Features::STREAM_RESET.with(Features::UNIDIRECTIONAL),
        max_uni_streams: uni_streams,
        ..SessionParams::default()
    };
    Solo::with_params(role, config, Some(params))
}

fn server() -> Solo {
    solo_with(Role::Server, SessionConfig::new(), None)
}

fn with_limits() -> Solo {
    let params = SessionParams {
        features: Features::STREAM_RESET
            .with(Features::UNIDIRECTIONAL)
            .with(Features::FLOW_CONTROL),
        max_data: Some(1000),
        max_stream_data: Some(1000),
        max_streams: Some(10),
        ..SessionParams::default()
    };
    Solo::with_params(Role::Server, SessionConfig::new(), Some(params))
}

fn client() -> Solo {
    solo_with(Role::Client, SessionConfig::new(), None)
}

fn uni(stream: StreamId) -> Frame<'static> {
    Frame::Extended(ExtendedFrame::StreamUni(stream))
}

/// Events about streams.
fn arrivals(solo: &mut Solo) -> Vec<Event> {
    let mut events = solo.events();
    events.retain(|event| {
        matches!(
            event,
            Event::StreamIncoming | Event::UniStreamIncoming | Event::Readable(_)
        )
    });
    events
}

fn theirs(index: u32) -> StreamId {
    stream(Role::Client, index)
}

/// The kinds arrive apart, both ways, and are over once their directions are.
#[test]
fn both_kinds_work_side_by_side() {
    let mut pair = Pair::seeded(1);
    let uni = pair.client.session.open_uni().unwrap();
    let bi = pair.client.session.open_bi().unwrap();
    let back = pair.server.session.open_uni().unwrap();
    let sent = pattern(uni, Role::Client, 0, 300_000);
    assert_eq!(transfer(&mut pair, Role::Client, uni, &sent), sent);
    assert_eq!(pair.server.session.accept_uni(), Some(uni));
    assert_eq!(pair.server.session.accept_uni(), None);
    assert_eq!(pair.server.session.accept_bi(), Some(bi));
    assert_eq!(pair.server.session.accept_bi(), None);
    assert_eq!(pair.client.session.accept_uni(), Some(back));
    assert_eq!(pair.client.session.accept_bi(), None);
    let events = pair.server.take_events();
    let count = |wanted: &Event| events.iter().filter(|event| *event == wanted).count();
    assert_eq!(count(&Event::UniStreamIncoming), 1);
    assert_eq!(count(&Event::StreamIncoming), 1);

    pair.client.session.send(uni).finish().unwrap();
    pair.server.session.send(back).finish().unwrap();
    pair.drive();
    assert_eq!(read_all(&mut pair.server, uni), (vec![], Ok(())));
    assert_eq!(read_all(&mut pair.client, back), (vec![], Ok(())));
    for host in [&pair.client, &pair.server] {
        assert_eq!(
            host.session.stats().streams_live,
            1,
            "the other kind is open"
        );
    }
}

/// The opener has no receiving half, and the other side no sending half.
#[test]
fn the_other_direction_is_not_there() {
    let mut pair = Pair::seeded(2);
    let id = pair.client.session.open_uni().unwrap();
    pair.drive();
    assert_eq!(
        pair.client.session.recv(id).read_chunk(10),
        Err(ReadError::UnknownStream)
    );
    assert_eq!(pair.server.session.accept_uni(), Some(id));
    let mut half = pair.server.session.send(id);
    assert_eq!(half.write(b"no"), Err(WriteError::Finished));
    assert_eq!(half.finish(), Err(FinishError::Finished));
    assert_eq!(half.reset(1), Err(ResetError::UnknownStream));
    assert_eq!(half.capacity(), 0, "and no room");
}

/// `STREAM_UNI` goes with the announcement and with all data from the start on, in full records too, and
/// no other.
#[test]
fn each_frame_at_the_start_says_so() {
    for announcement in [StreamAnnouncement::AtOpen, StreamAnnouncement::WithData] {
        let mut config = SessionConfig::new();
        config.announcement(announcement);
        let mut client = solo_with(Role::Client, config, None);
        let id = client.session.open_uni().unwrap();
        let announced = client.transmit();
        if announcement == StreamAnnouncement::AtOpen {
            assert_eq!(all_frames(&announced), [uni(id), data(id, 0, b"")]);
        } else {
            assert_eq!(announced, []);
        }
        let bytes = vec![7; 100_000];
        client.session.send(id).write(&bytes).unwrap();
        let sent = client.transmit();
        assert!(sent[0].frames().contains(&uni(id)));
        assert_eq!(sent[0].plaintext.len(), 16_384, "the record is full");
        assert_eq!(sent[1].plaintext.len(), 16_384);
        let frames = all_frames(&sent);
        let marks = frames.iter().filter(|frame| **frame == uni(id)).count();
        assert_eq!(marks, 1);
    }
}

/// What a failed connection carried says it again, on whatever carries it.
#[test]
fn the_kind_survives_a_connection() {
    let mut client = client();
    let second = client.join(2);
    client.hear_on(second);
    let id = client.session.open_uni().unwrap();
    client.transmit();
    client.session.send(id).write(&vec![1; 40_000]).unwrap();
    client.transmit();
    let now = client.clock.now();
    client
        .session
        .handle_failure(client.first, ConnectionFailure::Reset, now);
    let (sent, _) = client.transmit_on(second);
    let first = sent.iter().find(|sent| {
        sent.frames()
            .iter()
            .any(|frame| matches!(frame, Frame::Stream(frame) if frame.offset == 0))
    });
    assert!(first.unwrap().frames().contains(&uni(id)));
}

/// until its start came, the kind of a stream is open, and nobody gets it; streams below it open
/// with it, and wait for theirs.
#[test]
fn a_stream_waits_for_its_start() {
    let mut server = server();
    server.receive(&[data(theirs(2), 5, b"later")]);
    assert_eq!(server.session.accept_bi(), None);
    assert_eq!(server.session.accept_uni(), None);
    assert_eq!(arrivals(&mut server), []);
    let early = server.session.send(theirs(2)).write(b"early");
    assert_eq!(early, Err(WriteError::UnknownStream));

    server.receive(&[data(theirs(2), 0, b"start"), uni(theirs(2))]);
    assert_eq!(
        arrivals(&mut server),
        [Event::UniStreamIncoming, Event::Readable(theirs(2))]
    );
    assert_eq!(server.session.accept_uni(), Some(theirs(2)));
    let bytes = server.session.recv(theirs(2)).read_chunk(100).unwrap();
    assert_eq!(bytes.unwrap(), "startlater");

    server.receive(&[data(theirs(0), 0, b"")]);
    assert_eq!(server.session.accept_bi(), Some(theirs(0)));
    server.receive(&[data(theirs(1), 0, b""), uni(theirs(1))]);
    assert_eq!(server.session.accept_uni(), Some(theirs(1)));
    assert_eq!(misbehaved(&server), None);
}

/// Copies that come late, of streams that are there and that are over, change nothing.
#[test]
fn late_copies_do_no_harm() {
    let mut server = server();
    let first = [end(theirs(0), 0, b"all"), uni(theirs(0))];
    server.receive(&first);
    server.receive(&first);
    assert_eq!(server.session.accept_uni(), Some(theirs(0)));
    assert_eq!(server.session.accept_uni(), None);
    while let Ok(Some(_)) = server.session.recv(theirs(0)).read_chunk(100) {}
    assert_eq!(server.session.stats().streams_live, 0);
    server.receive(&first);
    server.receive(&[uni(theirs(0))]);
    assert_eq!(server.session.accept_uni(), None);
    assert_eq!(server.session.stats().streams_live, 0);
    assert_eq!(misbehaved(&server), None);
}

/// What contradicts the kind of a stream ends the session.
#[test]
fn a_kind_does_not_change() {
    let ours = stream(Role::Server, 0);
    let bi = [data(theirs(0), 0, b"")];
    let one = [data(theirs(0), 0, b""), uni(theirs(0))];
    let raised = Frame::Extended(ExtendedFrame::MaxStreamData(StreamDataLimitFrame {
        stream: theirs(0),
        max: 9,
    }));
    let blocked = Frame::Extended(ExtendedFrame::StreamDataBlocked(StreamDataLimitFrame {
        stream: ours,
        max: 9,
    }));
    let cases: [(&[Frame<'_>], Frame<'_>, PeerMisbehaved); 9] = [
        (&bi, uni(theirs(0)), PeerMisbehaved::NotUnidirectional),
        (&[], uni(ours), PeerMisbehaved::NotUnidirectional),
        (
            &one,
            stop_sending(theirs(0), 1),
            PeerMisbehaved::WrongDirection,
        ),
        (
            &[stop_sending(theirs(0), 1)],
            uni(theirs(0)),
            PeerMisbehaved::NotUnidirectional,
        ),
        (&[], data(ours, 0, b"no"), PeerMisbehaved::WrongDirection),
        (&[], end(ours, 0, b""), PeerMisbehaved::WrongDirection),
        (
            &[],
            reset_stream(ours, 1, 0),
            PeerMisbehaved::WrongDirection,
        ),
        (&one, raised, PeerMisbehaved::WrongDirection),
        (&[], blocked, PeerMisbehaved::WrongDirection),
    ];
    for (before, frame, error) in cases {
        let mut server = with_limits();
        assert_eq!(server.session.open_uni(), Ok(ours));
        server.receive(before);
        assert_eq!(misbehaved(&server), None);
        server.receive(&[frame]);
        assert_eq!(misbehaved(&server), Some(error), "{frame:?}");
    }
}

/// A stream of one direction that is reset before any of it came is over, and nobody is asked to read
/// it. One of two directions is handed out, because its opener may wait for the other.
#[test]
fn a_stream_reset_before_its_start_is_over() {
    let mut server = server();
    server.receive(&[data(theirs(0), 5, b"later")]);
    server.receive(&[reset_stream(theirs(0), 7, 10), uni(theirs(0))]);
    assert_eq!(arrivals(&mut server), []);
    assert_eq!(server.session.accept_uni(), None);
    assert_eq!(server.session.stats().streams_live, 0);
    assert_eq!(server.session.stats().bytes_out_of_order, 0);
    server.receive(&[data(theirs(0), 0, b"start"), uni(theirs(0))]);
    assert_eq!(server.session.accept_uni(), None);

    server.receive(&[reset_stream(theirs(1), 7, 0)]);
    assert_eq!(server.session.accept_bi(), Some(theirs(1)));
    let read = server.session.recv(theirs(1)).read_chunk(1);
    assert_eq!(read, Err(ReadError::Reset(7)));
    server.session.send(theirs(1)).write(b"answer").unwrap();
    assert_eq!(misbehaved(&server), None);
}

/// The peer learns of a reset before anything else, with the kind.
#[test]
fn a_reset_says_the_kind() {
    let mut client = client();
    let id = client.session.open_uni().unwrap();
    client.session.send(id).write(b"never sent").unwrap();
    client.session.send(id).reset(9).unwrap();
    assert_eq!(
        all_frames(&client.transmit()),
        [uni(id), reset_stream(id, 9, 0)]
    );
    client.receive(&[ack(0, 0)]);
    client.session.drop_send(id);
    assert_eq!(client.session.stats().streams_live, 0);
}

/// A reader that stops is obeyed, and both sides forget the stream.
#[test]
fn a_stopped_stream_ends_on_both_sides() {
    let mut pair = Pair::seeded(3);
    let id = pair.client.session.open_uni().unwrap();
    pair.client.session.send(id).write(&[1; 5000]).unwrap();
    pair.drive();
    assert_eq!(pair.server.session.accept_uni(), Some(id));
    pair.server.session.recv(id).stop_sending(4);
    pair.server.session.drop_recv(id);
    pair.drive();
    assert_eq!(pair.client.session.send(id).poll_stopped(), Some(4));
    pair.client.session.drop_send(id);
    pair.drive();
    for host in [&pair.client, &pair.server] {
        assert_eq!(host.session.stats().streams_live, 0);
    }
}

/// As many are open as the peer allows: a next one waits until the peer has all of one, read or not.
#[test]
fn the_peer_limits_those_that_are_open() {
    let mut config = SessionConfig::new();
    config.peer_uni_streams(2);
    let mut pair = Pair::new(PairConfig {
        server: config,
        ..PairConfig::default()
    });
    let first = pair.client.session.open_uni().unwrap();
    let second = pair.client.session.open_uni().unwrap();
    assert_eq!(pair.client.session.open_uni(), Err(OpenError::Blocked));
    assert!(pair.client.session.open_bi().is_ok(), "another kind");
    pair.client.session.send(first).finish().unwrap();
    pair.drive();
    assert!(pair.client.take_events().contains(&Event::StreamsAvailable));
    let third = pair.client.session.open_uni().unwrap();
    assert_eq!(pair.client.session.open_uni(), Err(OpenError::Blocked));
    pair.drive();
    pair.client.session.send(third).reset(1).unwrap();
    pair.client.session.send(second).finish().unwrap();
    pair.drive();
    for _ in 0..2 {
        pair.client.session.open_uni().unwrap();
    }
    pair.drive();
    assert_eq!(pair.server.session.close_reason(), None);
    let accepted = std::iter::from_fn(|| pair.server.session.accept_uni()).count();
    assert_eq!(accepted, 5);
}

/// One more than allowed ends the session; those that wait for their kind count once it is known.
#[test]
fn more_than_allowed_end_the_session() {
    let mut config = SessionConfig::new();
    config.peer_uni_streams(2);
    let mut server = solo_with(Role::Server, config, None);
    for index in [0, 2] {
        server.receive(&[data(theirs(index), 0, b"x"), uni(theirs(index))]);
    }
    assert_eq!(misbehaved(&server), None);
    server.receive(&[end(theirs(0), 1, b"")]);
    server.receive(&[data(theirs(3), 0, b"x"), uni(theirs(3))]);
    assert_eq!(misbehaved(&server), None, "one was finished");
    server.receive(&[uni(theirs(1))]);
    assert_eq!(misbehaved(&server), Some(PeerMisbehaved::StreamsLimit));
}

/// Streams that were finished and that nobody accepts still count against what the peer may open.
#[test]
fn finished_streams_that_nobody_takes_are_bounded() {
    let mut config = SessionConfig::new();
    config.peer_streams(50);
    let mut server = solo_with(Role::Server, config, None);
    for index in 0..51 {
        server.receive(&[end(theirs(index), 0, b""), uni(theirs(index))]);
    }
    assert!(server.session.close_reason().is_some());
}

/// A peer that cannot end streams early leaves those dropped unfinished open: when they fill the limit,
/// waiting is pointless.
#[test]
fn abandoned_streams_fill_the_limit() {
    let params = SessionParams {
        features: Features::UNIDIRECTIONAL,
        max_uni_streams: Some(1),
        ..SessionParams::default()
    };
    let mut client = Solo::with_params(Role::Client, SessionConfig::new(), Some(params));
    let id = client.session.open_uni().unwrap();
    assert_eq!(client.session.open_uni(), Err(OpenError::Blocked));
    client.session.drop_send(id);
    assert!(client.events().contains(&Event::StreamsAvailable));
    assert_eq!(client.session.open_uni(), Err(OpenError::StreamLimit));
    assert!(client.session.open_bi().is_ok());
}

/// A peer that does not know of them is never asked, and one that was not asked is passed over.
#[test]
fn without_the_feature_there_are_none() {
    let mut client = Solo::client();
    assert_eq!(client.session.open_uni(), Err(OpenError::UnsupportedByPeer));
    let mut server = Solo::with_params(
        Role::Server,
        SessionConfig::new(),
        Some(SessionParams::default()),
    );
    assert_eq!(server.session.open_uni(), Err(OpenError::UnsupportedByPeer));
    server.receive(&[data(theirs(0), 0, b"x"), uni(theirs(0))]);
    assert_eq!(server.session.accept_bi(), Some(theirs(0)));
    assert_eq!(misbehaved(&server), None);
}

/// Many streams over two connections that are of different speed, one of which breaks: each arrives once,
/// as what it is and whole.
#[test]
fn kinds_hold_over_connections_that_fail() {
    for seed in 0..8 {
        let mut pair = Pair::seeded(seed);
        let slow = LinkConfig {
            latency: Duration::from_millis(40),
            ..LinkConfig::default()
        };
        let second = pair.join(ConnectionId::from_wire(1), slow);
        pair.drive();
        let mut sent = Vec::new();
        for round in 0..12 {
            let session = &mut pair.client.session;
            let one_way = round % 3 != 0;
            let id = if one_way {
                session.open_uni().unwrap()
            } else {
                session.open_bi().unwrap()
            };
            let bytes = pattern(id, Role::Client, 0, 1 + round * 9_000);
            session.send(id).write(&bytes).unwrap();
            session.send(id).finish().unwrap();
            sent.push((id, one_way, bytes));
            if round == 7 {
                pair.reset(if seed % 2 == 0 { 0 } else { second });
            }
            pair.step();
        }
        pair.drive();
        let mut accepted = Vec::new();
        while let Some(id) = pair.server.session.accept_uni() {
            accepted.push((id, true));
        }
        while let Some(id) = pair.server.session.accept_bi() {
            accepted.push((id, false));
        }
        accepted.sort_unstable();
        let kinds: Vec<_> = sent
            .iter()
            .map(|(id, one_way, _)| (*id, *one_way))
            .collect();
        assert_eq!(accepted, kinds, "seed {seed}");
        for (id, one_way, bytes) in sent {
            assert_eq!(read_all(&mut pair.server, id), (bytes, Ok(())));
            if !one_way {
                pair.server.session.send(id).finish().unwrap();
            }
        }
        pair.drive();
        assert_eq!(pair.server.session.stats().streams_live, 0);
    }
}

/// Streams that begin in one record are accepted as they were opened, although it is read from its end.
#[test]
fn streams_of_one_record_are_accepted_as_they_were_opened() {
    let mut pair = Pair::seeded(1);
    let opened: Vec<_> = (0..5)
        .map(|_| pair.client.session.open_bi().unwrap())
        .collect();
    let uni: Vec<_> = (0..5)
        .map(|_| pair.client.session.open_uni().unwrap())
        .collect();
    while pair.step() {}
    let session = &mut pair.server.session;
    let accepted: Vec<_> = std::iter::from_fn(|| session.accept_bi()).collect();
    assert_eq!(accepted, opened);
    let accepted: Vec<_> = std::iter::from_fn(|| session.accept_uni()).collect();
    assert_eq!(accepted, uni);
}
