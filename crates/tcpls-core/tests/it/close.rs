//! The end of a session, in order and otherwise.

use std::time::Duration;

use tcpls_core::{
    CloseReason, ConnectionFailure, ContentType, Event, FinishError, PeerMisbehaved, Profile,
    ReadError, SessionConfig, TimeoutReason, TransmitState, WriteError,
    testing::{LinkConfig, Pair, PairConfig, Solo},
    wire::{Alert, AlertDescription, Frame, Role, StreamId},
};

use crate::talk::{ack, all_frames, data, end, pattern, read_all, stream};

const CLOSE_NOTIFY: [u8; 2] = [1, 0];

fn notify(solo: &mut Solo) {
    solo.receive_record(solo.first, ContentType::Alert, CLOSE_NOTIFY.to_vec());
}

fn alert(solo: &mut Solo, description: AlertDescription) {
    let alert = Alert::fatal(description).encode();
    solo.receive_record(solo.first, ContentType::Alert, alert.to_vec());
}

fn closed(solo: &mut Solo) -> (Option<ConnectionFailure>, CloseReason) {
    let events = solo.events();
    match events.as_slice() {
        [
            ..,
            Event::ConnectionClosed { failure, .. },
            Event::Closed(reason),
        ] => (*failure, *reason),
        other => panic!("{other:?}"),
    }
}

/// R26, R29, A-17: what was finished arrives, then `close_notify` goes both ways, and both sides
/// know who closed.
#[test]
fn closing_waits_for_what_was_finished() {
    let mut pair = Pair::seeded(5);
    let id = pair.client.session.open_bi().unwrap();
    let bytes = pattern(id, Role::Client, 0, 100_000);
    assert_eq!(pair.client.session.send(id).write(&bytes), Ok(bytes.len()));
    pair.client.session.send(id).finish().unwrap();
    let now = pair.clock.now();
    pair.client.session.close(now);
    pair.drive();
    assert_eq!(
        pair.clock.since_start(),
        Duration::from_millis(40),
        "two round trips"
    );
    for (role, reason) in [
        (Role::Client, CloseReason::LocalClose),
        (Role::Server, CloseReason::PeerClose),
    ] {
        let host = pair.host(role);
        assert_eq!(host.session.close_reason(), Some(reason));
        assert!(reason.is_orderly());
        let connection = host.connection(0);
        let events = host.take_events();
        let end = [
            Event::ConnectionClosed {
                connection,
                failure: None,
            },
            Event::Closed(reason),
        ];
        assert_eq!(events[events.len() - 2..], end);
        assert_eq!(events.contains(&Event::SendAcked(id)), role == Role::Client);
        assert_eq!(host.session.connections().count(), 0);
    }
    assert!(
        read_all(&mut pair.server, id) == (bytes, Ok(())),
        "read after the end"
    );
}

/// R27, R28, A-17: `close_notify` goes out before the connection is closed: it is the last record,
/// after the acknowledgments, and this side of the connection closes with it.
#[test]
fn close_notify_comes_last() {
    let mut server = Solo::server();
    server.receive(&[data(stream(Role::Client, 0), 0, b"x")]);
    server
        .session
        .send(stream(Role::Client, 0))
        .write(b"never finished")
        .unwrap();
    server.session.close(server.clock.now());
    let (sent, state) = server.transmit_on(server.first);
    assert_eq!(state, TransmitState::ShutdownWrite);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].frames(), [ack(0, 0)]);
    assert_eq!(
        (sent[1].content_type, &*sent[1].plaintext),
        (ContentType::Alert, &CLOSE_NOTIFY[..])
    );
    assert_eq!(
        server.transmit_on(server.first),
        (vec![], TransmitState::ShutdownWrite)
    );
    assert_eq!(
        server.session.close_reason(),
        None,
        "the peer has not answered"
    );
    notify(&mut server);
    assert_eq!(closed(&mut server), (None, CloseReason::LocalClose));
    assert_eq!(
        server.transmit_on(server.first),
        (vec![], TransmitState::Close)
    );
}

/// the peer's `close_notify` is answered at once, with the acknowledgments before it; what was
/// not acknowledged is lost and says so.
#[test]
fn the_answer_to_close_notify_is_immediate() {
    let mut server = Solo::server();
    let [unsent, unread, whole] = [0, 1, 2].map(|index| stream(Role::Client, index));
    server.receive(&[
        data(unsent, 0, b""),
        data(unread, 0, b"part"),
        end(whole, 0, b"whole"),
    ]);
    server.session.send(unsent).write(b"too late").unwrap();
    server.session.send(unsent).finish().unwrap();
    notify(&mut server);
    let (sent, state) = server.transmit_on(server.first);
    assert_eq!(state, TransmitState::Close);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].frames(), [ack(0, 0)]);
    assert_eq!(sent[1].plaintext, CLOSE_NOTIFY);
    assert_eq!(closed(&mut server), (None, CloseReason::PeerClose));
    let lost = ReadError::Lost(CloseReason::PeerClose);
    let mut read = |id| {
        let mut recv = server.session.recv(id);
        (recv.read_chunk(100), recv.read_chunk(100))
    };
    assert_eq!(
        read(unread),
        (Ok(Some("part".into())), Err(lost)),
        "never a clean end"
    );
    assert_eq!(read(whole), (Ok(Some("whole".into())), Ok(None)));
    assert_eq!(read(unsent), (Err(lost), Err(lost)));
    let lost = WriteError::Lost(CloseReason::PeerClose);
    assert_eq!(server.session.send(unsent).poll_acked(), Err(lost));
    assert_eq!(server.session.send(unread).write(b"x"), Err(lost));
    let lost = FinishError::Lost(CloseReason::PeerClose);
    assert_eq!(server.session.send(unread).finish(), Err(lost));
}

/// records after `close_notify` on a connection are ignored.
#[test]
fn records_after_close_notify_are_ignored() {
    let mut server = Solo::server();
    notify(&mut server);
    server.receive(&[data(stream(Role::Client, 0), 0, b"x")]);
    server.receive(&[Frame::Ping, ack(99, 99)]);
    assert_eq!(server.session.close_reason(), None);
    assert_eq!(server.session.accept_bi(), None);
    assert!(!server.session.wants_read(server.first));
    let (sent, state) = server.transmit_on(server.first);
    assert_eq!((sent.len(), state), (1, TransmitState::Close));
}

/// `close_notify` on one connection does not end what is still on its way on another.
#[test]
fn close_notify_may_overtake_data_on_other_connections() {
    let mut server = Solo::server();
    let second = server.join(1);
    let id = stream(Role::Client, 0);
    server.receive(&[data(id, 0, b"on one ")]);
    notify(&mut server);
    assert!(server.session.wants_read(second));
    let (sent, state) = server.transmit_on(server.first);
    assert_eq!(
        (sent.len(), state),
        (2, TransmitState::Close),
        "answered at once"
    );
    server.receive_on(second, &[end(id, 7, b"and another")]);
    let (sent, state) = server.transmit_on(second);
    assert_eq!(state, TransmitState::ShutdownWrite);
    assert_eq!(sent[0].frames(), [ack(1, 0)]);
    assert_eq!(sent[1].plaintext, CLOSE_NOTIFY);
    assert_eq!(server.session.close_reason(), None);
    server.receive_record(second, ContentType::Alert, CLOSE_NOTIFY.to_vec());
    assert_eq!(server.session.close_reason(), Some(CloseReason::PeerClose));
    let mut buffer = [0; 100];
    assert_eq!(server.session.recv(id).read(&mut buffer), Ok(18));
    assert_eq!(&buffer[..18], b"on one and another");
    assert_eq!(server.session.recv(id).read(&mut buffer), Ok(0));
}

/// A connection that joins a session on its way out goes the same way.
#[test]
fn a_late_connection_ends_with_the_session() {
    let mut client = Solo::client();
    client.session.close(client.clock.now());
    let late = client.join(1);
    let (sent, state) = client.transmit_on(late);
    assert_eq!(
        (&*sent[0].plaintext, state),
        (&CLOSE_NOTIFY[..], TransmitState::ShutdownWrite)
    );
    client.session.abort();
    let later = client.join(2);
    let (sent, state) = client.transmit_on(later);
    assert_eq!(
        (&*sent[0].plaintext, state),
        (&[2, 80][..], TransmitState::Close)
    );
    assert_eq!(client.session.connections().count(), 0);
}

/// a session that closes sends what was finished but takes nothing new.
#[test]
fn a_closing_session_takes_nothing_new() {
    let mut client = Solo::client();
    let [finished, open] = [(); 2].map(|()| client.session.open_bi().unwrap());
    client.session.send(finished).write(b"finished").unwrap();
    client.session.send(finished).finish().unwrap();
    client.session.close(client.clock.now());
    assert_eq!(
        client.session.send(open).write(b"x"),
        Err(WriteError::Closing)
    );
    assert_eq!(
        client.session.send(open).finish(),
        Err(FinishError::Closing)
    );
    let sent = client.transmit();
    assert!(all_frames(&sent).contains(&end(finished, 0, b"finished")));
    assert!(
        !client.session.wants_transmit(client.first),
        "waiting for the acknowledgment"
    );
    client.receive(&[ack(0, 0)]);
    assert_eq!(
        client.transmit().last().map(|last| &*last.plaintext),
        Some(&CLOSE_NOTIFY[..])
    );
}

/// closing waits 5 s for acknowledgments and 5 s for the peer, and then says what was missing.
#[test]
fn closing_does_not_wait_for_ever() {
    let mut client = Solo::client();
    let id = client.session.open_bi().unwrap();
    client.session.send(id).finish().unwrap();
    let start = client.clock.now();
    client.session.close(start);
    client.transmit();
    let drain = |seconds| Some((start + Duration::from_secs(seconds), TimeoutReason::Drain));
    assert_eq!(client.session.poll_timeout(), drain(5));
    client.advance(Duration::from_secs(5));
    assert_eq!(client.transmit()[0].plaintext, CLOSE_NOTIFY);
    assert_eq!(client.session.poll_timeout(), drain(10));
    client.events();
    client.advance(Duration::from_secs(5));
    let failure = ConnectionFailure::TimedOut;
    assert_eq!(
        closed(&mut client),
        (Some(failure), CloseReason::Lost(failure))
    );
    assert_eq!(client.session.poll_timeout(), None);
    assert_eq!(
        client.transmit_on(client.first),
        (vec![], TransmitState::Close)
    );
}

/// both sides close at the same time.
#[test]
fn both_sides_may_close_at_once() {
    let mut pair = Pair::seeded(6);
    let ids = [Role::Client, Role::Server].map(|role| {
        let now = pair.clock.now();
        let session = &mut pair.host(role).session;
        let id = session.open_bi().unwrap();
        session.send(id).write(b"last words").unwrap();
        session.send(id).finish().unwrap();
        session.close(now);
        id
    });
    pair.drive();
    for (role, id) in [Role::Server, Role::Client].into_iter().zip(ids) {
        let host = pair.host(role);
        assert_eq!(host.session.close_reason(), Some(CloseReason::LocalClose));
        assert_eq!(read_all(host, id), (b"last words".to_vec(), Ok(())));
    }
}

/// a FIN of TCP without `close_notify` is no clean end, wherever it comes.
#[test]
fn a_bare_fin_is_not_a_clean_end() {
    for sent_before in [0, 1, 50_000] {
        let mut pair = Pair::seeded(7);
        let id = pair.client.session.open_bi().unwrap();
        pair.client
            .session
            .send(id)
            .write(&vec![0; sent_before])
            .unwrap();
        pair.settle();
        pair.cut(0, Role::Client);
        pair.drive();
        let lost = CloseReason::Lost(ConnectionFailure::Eof);
        assert_eq!(pair.server.session.close_reason(), Some(lost));
        let (bytes, end) = read_all(&mut pair.server, id);
        assert_eq!(
            (bytes.len(), end),
            (sent_before, Err(ReadError::Lost(lost)))
        );
    }
}

/// nor is one in answer to `close_notify`.
#[test]
fn a_bare_fin_does_not_answer_close_notify() {
    let mut client = Solo::client();
    client.session.close(client.clock.now());
    client.transmit();
    client.session.handle_eof(client.first, client.clock.now());
    let failure = ConnectionFailure::Eof;
    assert_eq!(
        closed(&mut client),
        (Some(failure), CloseReason::Lost(failure))
    );
}

/// A FIN after `close_notify` says nothing new.
#[test]
fn a_fin_after_close_notify_is_expected() {
    let mut client = Solo::client();
    client.session.close(client.clock.now());
    client.transmit();
    notify(&mut client);
    client.session.handle_eof(client.first, client.clock.now());
    assert_eq!(closed(&mut client), (None, CloseReason::LocalClose));
}

/// an authentic fatal alert ends the session, and is not answered.
#[test]
fn a_fatal_alert_ends_the_session() {
    for description in [
        AlertDescription::INTERNAL_ERROR,
        AlertDescription::DECODE_ERROR,
        AlertDescription::from_wire(200),
    ] {
        let mut client = Solo::client();
        client.session.open_bi().unwrap();
        alert(&mut client, description);
        let reason = CloseReason::PeerAlert(description);
        assert_eq!(
            closed(&mut client),
            (Some(ConnectionFailure::SessionEnded), reason)
        );
        assert_eq!(
            client.transmit_on(client.first),
            (vec![], TransmitState::Close)
        );
    }
}

/// `bad_record_mac` and `record_overflow` speak of the connection only.
#[test]
fn two_alerts_end_their_connection_only() {
    for description in [
        AlertDescription::BAD_RECORD_MAC,
        AlertDescription::RECORD_OVERFLOW,
    ] {
        let mut client = Solo::client();
        let second = client.join(1);
        alert(&mut client, description);
        assert_eq!(client.session.close_reason(), None);
        let failure = Some(ConnectionFailure::ReportedByPeer);
        let first = client.first;
        assert!(client.events().contains(&Event::ConnectionClosed {
            connection: first,
            failure
        }));
        assert_eq!(client.session.connections().collect::<Vec<_>>(), [second]);
    }
}

/// `user_canceled` announces a `close_notify` and means nothing by itself (RFC 8446 section 6.1).
#[test]
fn user_canceled_is_ignored() {
    let mut client = Solo::client();
    client.receive_record(client.first, ContentType::Alert, vec![1, 90]);
    assert_eq!(client.session.close_reason(), None);
    notify(&mut client);
    assert_eq!(client.transmit()[0].plaintext, CLOSE_NOTIFY);
}

/// an error of the peer is told on all connections, each of which is closed.
#[test]
fn a_violation_is_told_on_all_connections() {
    let mut server = Solo::server();
    let second = server.join(1);
    server.receive(&[ack(0, 5)]);
    let reason = CloseReason::PeerMisbehaved(PeerMisbehaved::AckOfUnsentRecord);
    for c in [server.first, second] {
        let (sent, state) = server.transmit_on(c);
        assert_eq!(state, TransmitState::Close);
        assert_eq!(sent.len(), 1);
        assert_eq!(
            sent[0].plaintext,
            [2, AlertDescription::ILLEGAL_PARAMETER.as_u8()]
        );
        assert_eq!(server.transmit_on(c), (vec![], TransmitState::Close));
    }
    let events = server.events();
    assert_eq!(events.last(), Some(&Event::Closed(reason)));
    assert_eq!(
        events
            .iter()
            .filter(|event| matches!(event, Event::ConnectionClosed { .. }))
            .count(),
        2
    );
}

/// Aborting ends both sides at once.
#[test]
fn aborting_tells_the_peer() {
    let mut server = SessionConfig::new();
    server.profile(Profile::DraftOnly);
    let mut pair = Pair::new(PairConfig {
        server,
        ..PairConfig::default()
    });
    pair.client.session.open_bi().unwrap();
    pair.drive();
    pair.client.session.abort();
    pair.drive();
    assert_eq!(
        pair.client.session.close_reason(),
        Some(CloseReason::Aborted)
    );
    let told = CloseReason::PeerAlert(AlertDescription::INTERNAL_ERROR);
    assert_eq!(pair.server.session.close_reason(), Some(told));
    assert_eq!(
        pair.client.session.open_bi().unwrap_err().to_string(),
        "the session is over: the session was aborted here"
    );
}

/// Nothing that is done to a session that is over changes it.
#[test]
fn a_session_that_is_over_stays_so() {
    let mut client = Solo::client();
    let now = client.clock.now();
    client.session.abort();
    client.transmit();
    client.events();
    client.session.close(now);
    client.session.handle_eof(client.first, now);
    client
        .session
        .handle_failure(client.first, ConnectionFailure::Reset, now);
    client.receive(&[Frame::Ping, ack(7, 7)]);
    notify(&mut client);
    client.session.ping(client.first);
    client.advance(Duration::from_secs(100));
    assert_eq!(client.events(), []);
    assert_eq!(client.session.close_reason(), Some(CloseReason::Aborted));
    assert_eq!(
        client.transmit_on(client.first),
        (vec![], TransmitState::Close)
    );
    assert_eq!(client.session.poll_timeout(), None);
}

/// a side that does not read its socket holds a close up to the time limit, and no longer.
#[test]
fn closing_against_a_deaf_peer_ends() {
    let mut server = SessionConfig::new();
    server.unread_soft_cap(1000);
    let mut pair = Pair::new(PairConfig {
        server,
        link: LinkConfig {
            buffer: 1000,
            ..LinkConfig::default()
        },
        ..PairConfig::default()
    });
    let id: StreamId = pair.client.session.open_bi().unwrap();
    pair.client
        .session
        .send(id)
        .write(&vec![0; 500_000])
        .unwrap();
    pair.client.session.send(id).finish().unwrap();
    let now = pair.clock.now();
    pair.client.session.close(now);
    pair.drive();
    assert!(pair.client.session.close_reason().is_some());
    assert!(pair.clock.since_start() <= Duration::from_secs(11));
}

/// as long as acknowledgments come, closing waits for what was finished, however slow the path.
#[test]
fn closing_has_patience_with_a_slow_path() {
    let mut client = Solo::client();
    let id = client.session.open_bi().unwrap();
    client.transmit();
    client.session.send(id).write(&vec![1; 100_000]).unwrap();
    client.session.send(id).finish().unwrap();
    client.session.close(client.clock.now());
    let records = client.transmit().len();
    for record in 1..=records {
        client.advance(Duration::from_secs(4));
        assert_eq!(client.transmit(), [], "before {record} is acknowledged");
        client.receive(&[ack(0, u64::try_from(record).unwrap())]);
    }
    assert!(records > 5);
    let sent = client.transmit();
    assert_eq!(&*sent.last().unwrap().plaintext, &CLOSE_NOTIFY);
    assert!(client.events().contains(&Event::SendAcked(id)));
}

/// acknowledgments that say nothing new do not hold up the end.
#[test]
fn closing_has_no_patience_with_repeated_acknowledgments() {
    let mut client = Solo::client();
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(&vec![1; 100_000]).unwrap();
    client.session.send(id).finish().unwrap();
    client.session.close(client.clock.now());
    client.transmit();
    for _ in 0..5 {
        client.receive(&[ack(0, 0)]);
        client.advance(Duration::from_secs(1));
    }
    let sent = client.transmit();
    assert_eq!(&*sent.last().unwrap().plaintext, &CLOSE_NOTIFY);
}
