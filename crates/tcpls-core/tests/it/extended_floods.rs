//! Frames beyond the draft that bring nothing, or too much (reading A-31).

use tcpls_core::{
    Budgets, CloseReason, PeerMisbehaved, SessionConfig,
    testing::Solo,
    wire::{
        ExtendedFrame, Frame, ResetStreamFrame, Role, StopSendingFrame, StreamDataLimitFrame,
        StreamId, UnknownFrame,
    },
};

use crate::talk::{data, end, extended, stream};

fn strict(role: Role) -> Solo {
    let mut budgets = Budgets::new();
    budgets.idle_frames(100).pings(30).resets(5);
    let mut config = SessionConfig::new();
    config.budgets(budgets);
    extended(role, config)
}

/// Hands in record after record until the session ends so; returns how many it took.
fn taken(
    solo: &mut Solo,
    misbehaved: PeerMisbehaved,
    mut record: impl FnMut(&mut Solo, u32),
) -> u32 {
    for count in 0..10_000 {
        record(solo, count);
        if let Some(reason) = solo.session.close_reason() {
            assert_eq!(reason, CloseReason::PeerMisbehaved(misbehaved));
            return count;
        }
        solo.transmit();
    }
    panic!("there is no limit");
}

fn reset(stream: StreamId, final_size: u64) -> Frame<'static> {
    Frame::Extended(ExtendedFrame::ResetStream(ResetStreamFrame {
        stream,
        code: 7,
        final_size,
    }))
}

/// The application takes what was opened and gives it up.
fn give_up_all(server: &mut Solo) {
    while let Some(id) = server.session.accept_bi() {
        server.session.drop_recv(id);
        server.session.drop_send(id);
    }
}

/// Limits that do not rise or rise by one, reports of limits that are in the way, types that nobody knows.
#[test]
fn limits_and_reports_without_end() {
    let id = stream(Role::Client, 0);
    for frame in [
        ExtendedFrame::MaxData(0),
        ExtendedFrame::MaxStreams(0),
        ExtendedFrame::MaxStreamData(StreamDataLimitFrame { stream: id, max: 0 }),
        ExtendedFrame::DataBlocked(7),
        ExtendedFrame::StreamsBlocked(7),
        ExtendedFrame::StreamDataBlocked(StreamDataLimitFrame { stream: id, max: 7 }),
        ExtendedFrame::ProbeReply(7),
        ExtendedFrame::Unknown(UnknownFrame {
            frame_type: 0x3f,
            value: b"grease",
        }),
    ] {
        let mut server = strict(Role::Server);
        server.receive(&[data(id, 0, b"x")]);
        let records = taken(&mut server, PeerMisbehaved::IdleFrames, |server, _| {
            server.receive(&[Frame::Extended(frame); 10]);
        });
        assert_eq!(records, 10);
    }
}

/// Probes are answered as Pings are, and share their budget.
#[test]
fn probe_floods() {
    let mut server = strict(Role::Server);
    let records = taken(&mut server, PeerMisbehaved::PingFlood, |server, count| {
        let probe = Frame::Extended(ExtendedFrame::Probe(count.into()));
        server.receive(&[if count % 2 == 0 { probe } else { Frame::Ping }]);
    });
    assert_eq!(records, 30);
}

/// How many tokens a client wants changes again and again, or does not.
#[test]
fn token_requests_without_end() {
    let mut server = strict(Role::Server);
    let records = taken(&mut server, PeerMisbehaved::IdleFrames, |server, _| {
        let request = Frame::Extended(ExtendedFrame::TokenRequest(8));
        server.receive(&[request; 10]);
        assert!(server.events().len() < 10);
    });
    assert!(records <= 11, "{records}");
}

/// Streams that are opened and reset in a loop, while the application gives each up at once.
#[test]
fn streams_opened_and_reset_in_a_loop() {
    let mut server = strict(Role::Server);
    let streams = taken(&mut server, PeerMisbehaved::ResetFlood, |server, index| {
        let id = stream(Role::Client, index);
        server.receive(&[reset(id, 1), data(id, 0, b"x")]);
        give_up_all(server);
    });
    assert_eq!(streams, 5);
    assert_eq!(server.session.stats().budgets.resets, 6);

    let mut server = strict(Role::Server);
    let streams = taken(&mut server, PeerMisbehaved::ResetFlood, |server, index| {
        let id = stream(Role::Client, index);
        let stop = ExtendedFrame::StopSending(StopSendingFrame {
            stream: id,
            code: 7,
        });
        server.receive(&[Frame::Extended(stop), end(id, 0, b"")]);
        give_up_all(server);
    });
    assert_eq!(streams, 4, "that the other half ended makes up for one");
}

/// As many streams as are ended in order may be reset, as fast as they come.
#[test]
fn streams_that_are_given_up_now_and_then_are_no_flood() {
    let mut server = strict(Role::Server);
    for index in 0..1000 {
        let (whole, broken) = (
            stream(Role::Client, 2 * index),
            stream(Role::Client, 2 * index + 1),
        );
        server.receive(&[end(whole, 1, b""), data(whole, 0, b"x")]);
        server.receive(&[reset(broken, 1), data(broken, 0, b"x")]);
        give_up_all(&mut server);
        let sent = server.transmit();
        if let Some(last) = sent.last() {
            server.receive(&[crate::talk::ack(0, last.sequence.as_u64())]);
        }
        server.events();
    }
    assert_eq!(server.session.close_reason(), None);
}
