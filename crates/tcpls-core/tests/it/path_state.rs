//! What both sides tell each other about single connections.

use std::time::Duration;

use tcpls_core::{
    ConnectionFailure, ConnectionHandle, Event, PathStatus, Profile, SessionConfig, TransmitState,
    testing::{LinkConfig, Pair, PairConfig, Solo},
    wire::{
        ConnectionCloseFrame, ConnectionId, ConnectionPriorityFrame, ExtendedFrame, Frame,
        ObservedAddressFrame, PriorityFlags, Role,
    },
};

use crate::talk::{ack, all_frames, data, extended, pattern, stream, transfer};

fn client() -> (Solo, ConnectionHandle) {
    let mut client = extended(Role::Client, SessionConfig::new());
    let second = client.join(1);
    client.hear_on(second);
    client.events();
    (client, second)
}

fn leaves(connection: u32) -> Frame<'static> {
    Frame::Extended(ExtendedFrame::ConnectionClose(ConnectionCloseFrame {
        connection: ConnectionId::from_wire(connection),
        code: 0,
    }))
}

fn priority(connection: u32, epoch: u32, flags: PriorityFlags) -> Frame<'static> {
    let connection = ConnectionId::from_wire(connection);
    let frame = ConnectionPriorityFrame {
        connection,
        epoch,
        flags,
    };
    Frame::Extended(ExtendedFrame::ConnectionPriority(frame))
}

fn observed(connection: u32, epoch: u32, port: u16) -> Frame<'static> {
    Frame::Extended(ExtendedFrame::ObservedAddress(ObservedAddressFrame {
        connection: ConnectionId::from_wire(connection),
        epoch,
        address: [192, 0, 2, 1].into(),
        port,
    }))
}

/// the peer of a connection that is retired learns it on another one, before the end of the
/// connection reaches it, and retires it too; what was on its way is read.
#[test]
fn the_peer_learns_that_a_connection_is_left() {
    let (mut client, second) = client();
    let first = client.first;
    client.session.retire(first, client.clock.now()).unwrap();
    let (sent, _) = client.transmit_on(second);
    assert_eq!(all_frames(&sent), [leaves(0)]);
    assert_eq!(client.session.retire(first, client.clock.now()), Ok(()));
    assert_eq!(client.transmit_on(second).0, [], "it is said once");

    let mut server = extended(Role::Server, SessionConfig::new());
    let second = server.join(1);
    server.hear_on(second);
    server.receive_on(second, &[leaves(0)]);
    let end = server.transmit_on(server.first);
    assert_eq!(end, (vec![], TransmitState::ShutdownWrite));
    let late = stream(Role::Client, 0);
    server.receive(&[data(late, 0, b"late")]);
    let read = server.session.recv(late).read_chunk(9);
    assert_eq!(read, Ok(Some("late".into())));
    server.session.handle_eof(server.first, server.clock.now());
    assert!(server.events().contains(&Event::ConnectionClosed {
        connection: server.first,
        failure: None,
    }));
}

/// a connection that the peer left in so many words did not fail, however late the acknowledgments
/// of what it carried are.
#[test]
fn late_acknowledgments_on_a_connection_that_was_left_are_no_failure() {
    let (mut client, second) = client();
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(b"old").unwrap();
    client.transmit();
    client.receive_on(second, &[leaves(0)]);
    client.session.handle_eof(client.first, client.clock.now());
    client.advance(Duration::from_secs(1));
    let end = client.transmit_on(client.first);
    assert_eq!(end, (vec![], TransmitState::Close));
    assert!(client.events().contains(&Event::ConnectionClosed {
        connection: client.first,
        failure: None,
    }));
    let again = all_frames(&client.transmit_on(second).0).contains(&data(id, 0, b"old"));
    assert!(again, "it goes elsewhere all the same");
}

/// neither did one that this side left and whose peer, which knows it, ended its direction first and
/// is slow to read.
#[test]
fn late_acknowledgments_on_a_connection_that_is_known_to_be_left_are_no_failure() {
    for (knows, failure) in [(true, None), (false, Some(ConnectionFailure::Eof))] {
        let (mut client, second) = client();
        let id = client.session.open_bi().unwrap();
        client.session.send(id).write(b"old").unwrap();
        client.transmit();
        let now = client.clock.now();
        client.session.retire(client.first, now).unwrap();
        assert_eq!(all_frames(&client.transmit_on(second).0), [leaves(0)]);
        if knows {
            let sent = client
                .session
                .connection_stats(second)
                .unwrap()
                .records_sent;
            client.receive_on(second, &[ack(1, sent - 1)]);
        }
        client.session.handle_eof(client.first, now);
        client.advance(Duration::from_secs(1));
        assert_eq!(client.transmit_on(client.first).1, TransmitState::Close);
        assert!(client.events().contains(&Event::ConnectionClosed {
            connection: client.first,
            failure,
        }));
        let again = all_frames(&client.transmit_on(second).0).contains(&data(id, 0, b"old"));
        assert!(again, "it goes elsewhere all the same");
    }
}

/// the last connection is not left because the peer says so; neither are two that each side leaves
/// one of at the same time.
#[test]
fn the_last_connection_goes_on() {
    let mut server = extended(Role::Server, SessionConfig::new());
    server.receive(&[leaves(0), leaves(7)]);
    let id = server.session.open_bi().unwrap();
    server.session.send(id).write(b"still here").unwrap();
    assert!(all_frames(&server.transmit()).contains(&data(id, 0, b"still here")));

    for (client, server) in [(0, 1), (1, 0), (0, 0), (1, 1)] {
        let mut pair = Pair::seeded(71);
        let late = pair.join(ConnectionId::from_wire(1), LinkConfig::default());
        assert_eq!(late, 1);
        pair.drive();
        let now = pair.clock.now();
        for (role, index) in [(Role::Client, client), (Role::Server, server)] {
            let host = pair.host(role);
            let handle = host.connection(index);
            host.session.retire(handle, now).unwrap();
        }
        let id = pair.client.session.open_bi().unwrap();
        for role in [Role::Client, Role::Server] {
            let bytes = pattern(id, role, 0, 300_000);
            assert!(transfer(&mut pair, role, id, &bytes) == bytes);
        }
        pair.drive();
        for role in [Role::Client, Role::Server] {
            let host = pair.host(role);
            assert_eq!(host.session.close_reason(), None);
            assert!(host.session.connections().count() >= 1);
            let failed = |event: &Event| {
                matches!(
                    event,
                    Event::ConnectionClosed {
                        failure: Some(_),
                        ..
                    }
                )
            };
            assert!(!host.take_events().iter().any(failed), "{role:?}");
        }
    }
}

/// The peer follows what this side says a connection is for, unless its application said something
/// itself; of several words the newest holds, in whatever order they come.
#[test]
fn the_peer_follows_the_status_of_a_connection() {
    let (mut client, second) = client();
    client
        .session
        .set_path_status(client.first, PathStatus::Backup);
    client
        .session
        .set_path_status(client.first, PathStatus::Available);
    client.session.set_path_status(second, PathStatus::Draining);
    let sent = [client.transmit(), client.transmit_on(second).0].concat();
    let words = [
        priority(1, 3, PriorityFlags::DRAIN),
        priority(0, 2, PriorityFlags::AVAILABLE),
    ];
    assert_eq!(all_frames(&sent), words, "the older word was not sent");

    let mut server = extended(Role::Server, SessionConfig::new());
    let second = server.join(1);
    server.hear_on(second);
    server.events();
    let first = server.first;
    server.receive(&[priority(0, 5, PriorityFlags::BACKUP)]);
    server.receive(&[priority(0, 4, PriorityFlags::AVAILABLE)]);
    server.receive(&[priority(0, 5, PriorityFlags::AVAILABLE)]);
    server.receive(&[priority(9, 5, PriorityFlags::AVAILABLE)]);
    let told = Event::PeerPathStatus {
        connection: first,
        status: PathStatus::Backup,
    };
    let news: Vec<_> = server.events();
    let statuses = news
        .iter()
        .filter(|event| matches!(event, Event::PeerPathStatus { .. }));
    assert_eq!(statuses.collect::<Vec<_>>(), [&told]);
    assert_eq!(server.session.path_status(first), Some(PathStatus::Backup));
    let id = server.session.open_bi().unwrap();
    server.session.send(id).write(b"x").unwrap();
    assert!(!server.session.wants_transmit(first));
    assert!(server.session.wants_transmit(second));
    server.session.set_path_status(first, PathStatus::Available);
    server.receive(&[priority(0, 6, PriorityFlags::DRAIN)]);
    let status = server.session.path_status(first);
    assert_eq!(status, Some(PathStatus::Available), "the own word wins");
    let wish = server.session.peer_path_status(first);
    assert_eq!(wish, Some(PathStatus::Draining));
}

/// What a connection is for is said when the peer has it, and again when it was lost on the way.
#[test]
fn the_status_of_a_new_connection_waits_for_it() {
    let mut client = extended(Role::Client, SessionConfig::new());
    let second = client.join(1);
    client.session.set_path_status(second, PathStatus::Backup);
    assert_eq!(all_frames(&client.transmit()), []);
    client.hear_on(second);
    let word = priority(1, 1, PriorityFlags::BACKUP);
    assert_eq!(all_frames(&client.transmit()), [word]);
    let third = client.join(2);
    client.hear_on(third);
    client.receive_on(third, &[ack(0, 0)]);
    let now = client.clock.now();
    let failure = ConnectionFailure::Reset;
    client.session.handle_failure(client.first, failure, now);
    let again = all_frames(&client.transmit_on(third).0).contains(&word);
    assert!(!again, "it was acknowledged");
}

/// A server tells its client where it sees it, for each connection; nobody tells a server.
#[test]
fn a_client_learns_where_it_is_seen() {
    let mut pair = Pair::seeded(72);
    let handle = pair.server.connection(0);
    let seen = "203.0.113.9:4000".parse().unwrap();
    pair.server.session.handle_remote_address(handle, seen);
    let far = pair.client.connection(0);
    let other = "198.51.100.1:443".parse().unwrap();
    pair.client.session.handle_remote_address(far, other);
    pair.drive();
    assert_eq!(pair.client.session.observed_address(far), Some(seen));
    assert_eq!(pair.server.session.observed_address(handle), None);
    assert!(pair.client.take_events().contains(&Event::ObservedAddress {
        connection: far,
        address: seen,
    }));

    let (mut client, _) = client();
    client.receive(&[observed(0, 2, 2)]);
    client.receive(&[observed(0, 1, 1)]);
    client.receive(&[observed(5, 9, 9)]);
    let newest = client.session.observed_address(client.first).unwrap();
    assert_eq!(newest.port(), 2);
    let mut server = extended(Role::Server, SessionConfig::new());
    server.receive(&[observed(0, 1, 1)]);
    assert_eq!(server.session.observed_address(server.first), None);
}

/// The round trip on one connection is asked of the peer's session there, and answered there.
#[test]
fn a_probe_is_answered_on_its_connection() {
    let mut pair = Pair::seeded(73);
    let slow = LinkConfig {
        latency: Duration::from_millis(150),
        ..LinkConfig::default()
    };
    let second = pair.join(ConnectionId::from_wire(1), slow);
    pair.drive();
    pair.client.take_events();
    for (index, round_trip) in [(0, 20), (second, 300)] {
        let connection = pair.client.connection(index);
        pair.client.session.probe(connection);
        pair.drive();
        let probed = Event::Probed {
            connection,
            round_trip: Duration::from_millis(round_trip),
        };
        assert!(pair.client.take_events().contains(&probed));
    }
}

/// Probes are neither sent again nor collected: of many questions a few are answered, and an answer that
/// was not asked for says nothing.
#[test]
fn probes_are_bounded() {
    let probe = |opaque| Frame::Extended(ExtendedFrame::Probe(opaque));
    let reply = |opaque| Frame::Extended(ExtendedFrame::ProbeReply(opaque));
    let mut server = extended(Role::Server, SessionConfig::new());
    for opaque in 0..50 {
        server.receive(&[probe(opaque)]);
    }
    let sent = server.transmit();
    let replies: Vec<_> = all_frames(&sent)
        .into_iter()
        .filter(|frame| matches!(frame, Frame::Extended(_)))
        .map(|frame| frame.encoded_len())
        .collect();
    assert_eq!(replies, [11; 8]);

    let (mut client, second) = client();
    client.session.probe(client.first);
    client.session.probe(client.first);
    assert_eq!(all_frames(&client.transmit()), [probe(1)]);
    client.session.probe(client.first);
    assert_eq!(all_frames(&client.transmit()), [probe(2)]);
    client.receive(&[reply(1), reply(3)]);
    client.receive_on(second, &[reply(2)]);
    let is_probed = |event: &Event| matches!(event, Event::Probed { .. });
    assert!(!client.events().iter().any(is_probed));
    let now = client.clock.now();
    let failure = ConnectionFailure::Reset;
    client.session.handle_failure(client.first, failure, now);
    client.advance(Duration::from_secs(1));
    let sent = client.transmit_on(second).0;
    assert!(!all_frames(&sent).contains(&probe(2)));
}

/// With a peer that speaks the draft alone a Ping does for a probe, and nothing is said of connections.
#[test]
fn a_draft_only_peer_is_pinged() {
    let mut server = SessionConfig::new();
    server.profile(Profile::DraftOnly);
    let mut pair = Pair::new(PairConfig {
        seed: 74,
        server,
        ..PairConfig::default()
    });
    let connection = pair.client.connection(0);
    pair.client.session.probe(connection);
    pair.client
        .session
        .set_path_status(connection, PathStatus::Backup);
    pair.drive();
    let probed = Event::Probed {
        connection,
        round_trip: Duration::from_millis(20),
    };
    assert!(pair.client.take_events().contains(&probed));
    let stats = pair.client.session.connection_stats(connection).unwrap();
    assert_eq!((stats.frames_sent.ping, stats.frames_sent.extended), (1, 0));
}
