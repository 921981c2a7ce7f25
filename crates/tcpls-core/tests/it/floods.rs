//! What brings nothing and how much of it a peer may send (reading A-31); and that what honest peers send
//! is never too much.

use std::time::Duration;

use tcpls_core::{
    BudgetStats, Budgets, CloseReason, ContentType, Event, Failover, PeerMisbehaved, SessionConfig,
    scheduler::Redundant,
    testing::{LinkConfig, Pair, PairConfig, Solo},
    wire::{
        AddressId, ConnectionId, Fin, Frame, NewAddressFrame, PaddingRun, RemoveAddressFrame, Role,
        StreamFrame,
    },
};

use crate::talk::{ack, data, end, read_all, reset, stream};

const HANDSHAKE: ContentType = ContentType::Handshake;
const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];

/// A session with small budgets.
fn strict(role: Role) -> Solo {
    Solo::new(role, strict_config())
}

fn strict_config() -> SessionConfig {
    let mut budgets = Budgets::new();
    budgets
        .idle_frames(100)
        .idle_records(20)
        .pings(30)
        .key_updates(5)
        .tickets(6)
        .peer_addresses(3);
    let mut config = SessionConfig::new();
    config.budgets(budgets);
    config
}

fn padding(length: usize) -> Frame<'static> {
    Frame::Padding(PaddingRun { length })
}

fn new_address(id: u8) -> Frame<'static> {
    Frame::NewAddress(NewAddressFrame {
        id: AddressId::from_wire(id),
        address: [192, 0, 2, id].into(),
        port: 443,
    })
}

fn remove_address(id: u8) -> Frame<'static> {
    let id = AddressId::from_wire(id);
    Frame::RemoveAddress(RemoveAddressFrame { id })
}

/// Repeats a record until the session ends; returns how many were taken, and what the session counted.
fn taken(solo: &mut Solo, misbehaved: PeerMisbehaved, again: impl Fn(&mut Solo)) -> u32 {
    for count in 0..100_000 {
        again(solo);
        if let Some(reason) = solo.session.close_reason() {
            assert_eq!(reason, CloseReason::PeerMisbehaved(misbehaved));
            assert!(solo.events().contains(&Event::Closed(reason)));
            assert_eq!(solo.transmit().last().unwrap().plaintext, [2, 10]);
            return count;
        }
    }
    panic!("there is no limit");
}

fn budget_stats(solo: &Solo) -> BudgetStats {
    solo.session.stats().budgets
}

/// one record of 16384 frames is legal, with the defaults also a few of them; more are not, without
/// anything that changes something between them.
#[test]
fn frames_of_one_byte() {
    let record = vec![Frame::Ping; 16_384];
    let mut server = Solo::server();
    let records = taken(&mut server, PeerMisbehaved::IdleFrames, |server| {
        server.receive(&record);
    });
    assert_eq!(records, 8);
    assert_eq!(budget_stats(&server).idle_frames, 9 * 16_384);
    assert_eq!(budget_stats(&server).pings, 8);
}

/// frames that say again what was said before, whatever they are about.
#[test]
fn frames_that_change_nothing() {
    let id = stream(Role::Client, 0);
    let hint = Frame::StreamChange(tcpls_core::wire::StreamChangeFrame {
        stream: id,
        next_offset: 7,
    });
    for (first, again) in [
        (data(id, 0, b"once"), data(id, 0, b"once")),
        (data(id, 0, b""), data(id, 0, b"")),
        (end(id, 0, b""), end(id, 0, b"")),
        (data(id, 5, b"far"), data(id, 6, b"a")),
        (new_address(1), new_address(1)),
        (remove_address(1), remove_address(1)),
        (padding(1), hint),
    ] {
        let mut server = strict(Role::Server);
        server.receive(&[first]);
        let records = taken(&mut server, PeerMisbehaved::IdleFrames, |server| {
            server.receive(&[again]);
        });
        assert!((49..=100).contains(&records), "{records} of {again:?}");
    }
}

/// acknowledgments of what was acknowledged, and resets of what was reset.
#[test]
fn acknowledgments_and_resets_that_change_nothing() {
    let mut server = strict(Role::Server);
    server.join(1);
    server.receive(&[Frame::Ping]);
    server.transmit();
    server.receive(&[reset(1)]);
    let records = taken(&mut server, PeerMisbehaved::IdleFrames, |server| {
        server.receive(&[ack(0, 0), reset(1)]);
    });
    assert_eq!(records, 49);
}

/// A-34 b: a frame that lies over many received pieces costs as much as they are.
#[test]
fn frames_that_lie_over_many_pieces() {
    let id = stream(Role::Client, 0);
    let mut server = strict(Role::Server);
    for offset in 0..90 {
        server.receive(&[data(id, 1 + offset, b"x")]);
    }
    let records = taken(&mut server, PeerMisbehaved::IdleFrames, |server| {
        server.receive(&[data(id, 1, &[0; 90])]);
    });
    assert_eq!(records, 1);
}

/// records of padding alone, which hide when nothing is sent, up to a limit.
#[test]
fn padding_floods() {
    let mut server = strict(Role::Server);
    let records = taken(&mut server, PeerMisbehaved::IdleRecords, |server| {
        server.receive(&[padding(16_384)]);
    });
    assert_eq!(records, 20);
    assert_eq!(budget_stats(&server).idle_records, 21);
}

/// warnings that are ignored, and handshake messages that never end.
#[test]
fn warnings_and_unfinished_messages() {
    let mut server = strict(Role::Server);
    let records = taken(&mut server, PeerMisbehaved::IdleRecords, |server| {
        server.receive_record(server.first, ContentType::Alert, vec![1, 90]);
    });
    assert_eq!(records, 20);

    let mut client = strict(Role::Client);
    client.receive_record(client.first, HANDSHAKE, vec![4, 0, 255, 255]);
    let records = taken(&mut client, PeerMisbehaved::IdleRecords, |client| {
        client.receive_record(client.first, HANDSHAKE, vec![0]);
    });
    assert_eq!(records, 19, "the first did not end either");
}

/// each record with a Ping is answered at once; how many Pings it has does not matter.
#[test]
fn ping_floods() {
    let mut server = strict(Role::Server);
    let records = taken(&mut server, PeerMisbehaved::PingFlood, |server| {
        server.receive(&[Frame::Ping, Frame::Ping]);
    });
    assert_eq!(records, 30);
    assert_eq!(budget_stats(&server).pings, 31);
}

/// key updates without end, be there acknowledgments or padding between them.
#[test]
fn key_update_storms() {
    let mut server = strict(Role::Server);
    let updates = taken(&mut server, PeerMisbehaved::KeyUpdateFlood, |server| {
        server.receive_record(server.first, HANDSHAKE, KEY_UPDATE.to_vec());
        if server.session.close_reason().is_none() {
            server.receive(&[padding(1)]);
        }
    });
    assert_eq!(updates, 5);
    assert_eq!(budget_stats(&server).key_updates, 6);

    let mut server = strict(Role::Server);
    for offset in 0..1000 {
        server.receive_record(server.first, HANDSHAKE, KEY_UPDATE.to_vec());
        server.receive(&[data(stream(Role::Client, 0), offset, b"x")]);
    }
    for _ in 0..1000 {
        server.receive_record(server.first, HANDSHAKE, KEY_UPDATE.to_vec());
        server.advance(Duration::from_secs(2));
    }
    let second = server.join(1);
    for _ in 0..2000 {
        server.receive_record(second, HANDSHAKE, KEY_UPDATE.to_vec());
    }
    assert_eq!(server.session.close_reason(), None);
}

/// key updates that the peer was asked for are no flood, and do not make up for others.
#[test]
fn answers_are_no_key_update_storm() {
    let mut server = strict(Role::Server);
    let id = server.session.open_bi().unwrap();
    for _ in 0..1000 {
        server.session.send(id).write(b"x").unwrap();
        server.transmit();
        server.session.force_key_update();
        server.transmit();
        server.receive_record(server.first, HANDSHAKE, KEY_UPDATE.to_vec());
    }
    assert_eq!(server.session.close_reason(), None);
    let updates = taken(&mut server, PeerMisbehaved::KeyUpdateFlood, |server| {
        server.receive_record(server.first, HANDSHAKE, KEY_UPDATE.to_vec());
    });
    assert_eq!(updates, 5);
    assert_eq!(budget_stats(&server).key_updates, 1006);
}

/// session tickets without end; what nobody polls is dropped long before.
#[test]
fn ticket_floods() {
    let mut client = strict(Role::Client);
    let tickets = taken(&mut client, PeerMisbehaved::TicketFlood, |client| {
        client.receive_record(client.first, HANDSHAKE, vec![4, 0, 0, 1, 7]);
    });
    assert_eq!(tickets, 6);
    assert_eq!(budget_stats(&client).tickets, 7);
}

/// addresses at a time are limited, and all in the session's life by their identifiers.
#[test]
fn address_churn() {
    let mut client = strict(Role::Client);
    for id in 0..=255 {
        client.receive(&[new_address(id)]);
        if id > 1 {
            client.receive(&[remove_address(id - 2)]);
        }
    }
    assert_eq!(client.session.close_reason(), None);
    assert_eq!(budget_stats(&client).peer_addresses, 256);
    assert_eq!(client.session.peer_addresses().count(), 2);

    let mut client = strict(Role::Client);
    for id in 0..3 {
        client.receive(&[new_address(id)]);
    }
    assert_eq!(client.session.close_reason(), None);
    client.receive(&[new_address(3)]);
    let reason = CloseReason::PeerMisbehaved(PeerMisbehaved::AddressFlood);
    assert_eq!(client.session.close_reason(), Some(reason));
}

/// how many empty records in a row are too many can be set.
#[test]
fn empty_records_are_counted() {
    let mut budgets = Budgets::new();
    budgets.empty_records(3);
    let mut config = SessionConfig::new();
    config.budgets(budgets);
    let mut server = Solo::new(Role::Server, config);
    for _ in 0..2 {
        server.receive(&[]);
    }
    assert_eq!(server.session.close_reason(), None);
    server.receive(&[]);
    let reason = CloseReason::PeerMisbehaved(PeerMisbehaved::EmptyRecords);
    assert_eq!(server.session.close_reason(), Some(reason));
    assert_eq!(budget_stats(&server).empty_records, 3);
}

/// who sends too much ends its own session, on all of its connections.
#[test]
fn a_flood_over_several_connections() {
    let mut server = strict(Role::Server);
    let connections = [server.first, server.join(1), server.join(2)];
    let mut records = 0;
    while server.session.close_reason().is_none() {
        server.receive_on(connections[records % 3], &[Frame::Ping]);
        records += 1;
    }
    assert_eq!(records, 31);
    server.events();
    for c in connections {
        let (sent, _) = server.transmit_on(c);
        assert_eq!(sent.last().unwrap().plaintext, [2, 10]);
    }
}

/// Keep-alives on every one of 256 connections, one a second, for ten minutes.
#[test]
fn keep_alives_are_no_flood() {
    let mut server = Solo::server();
    let mut connections = vec![server.first];
    connections.extend((1..=255).map(|id| server.join(id)));
    for _ in 0..10 * 60 {
        for &c in &connections {
            server.receive_on(c, &[Frame::Ping]);
        }
        server.advance(Duration::from_secs(1));
    }
    assert_eq!(server.session.close_reason(), None);
    assert!(budget_stats(&server).pings > 1 << 17);
}

/// 10,000 small streams, each opened, ended and answered at once: nothing of it is a flood.
#[test]
fn many_small_streams_are_no_flood() {
    let mut server = Solo::server();
    let mut acked = None;
    for index in 0..10_000 {
        let id = stream(Role::Client, index);
        let mut frames = vec![data(id, 0, b"request"), end(id, 7, b"")];
        frames.extend(acked.map(|highest| ack(0, highest)));
        server.receive(&frames);
        assert_eq!(server.session.accept_bi(), Some(id));
        while let Ok(Some(_)) = server.session.recv(id).read_chunk(usize::MAX) {}
        server.session.send(id).write(b"response").unwrap();
        server.session.send(id).finish().unwrap();
        server.events();
        acked = server.transmit().last().map(|sent| sent.sequence.as_u64());
    }
    assert_eq!(server.session.close_reason(), None);
    assert!(server.session.stats().streams_live <= 1);
    assert_eq!(budget_stats(&server).idle_frames, 0);
}

/// a peer that acknowledges every record by itself, and once more for good measure, also where nothing
/// depends on it.
#[test]
fn busy_acknowledgments_are_no_flood() {
    for failover in [Failover::Resend, Failover::Off] {
        let mut config = strict_config();
        config.failover(failover);
        acknowledge_busily(Solo::new(Role::Client, config));
    }
}

fn acknowledge_busily(mut client: Solo) {
    let id = client.session.open_bi().unwrap();
    for record in 0..20_000 {
        client.session.send(id).write(b"x").unwrap();
        assert_eq!(client.transmit().len(), 1);
        for _ in 0..2 {
            client.receive(&[ack(0, record)]);
        }
    }
    assert_eq!(client.session.close_reason(), None);
    assert_eq!(budget_stats(&client).idle_frames, 20_000);
}

/// Requests and responses without a pause on six connections that all repeat everything, through
/// failures, for both sides.
#[test]
fn repetitions_of_a_redundant_scheduler_are_no_flood() {
    let mut config = PairConfig::default();
    for session in [&mut config.client, &mut config.server] {
        session.scheduler(std::sync::Arc::new(Redundant));
    }
    let mut pair = Pair::new(config);
    for id in 1..6 {
        let delay = Duration::from_millis(u64::from(id) * 7);
        let link = LinkConfig {
            latency: delay,
            ..LinkConfig::default()
        };
        pair.join(ConnectionId::from_wire(id), link);
    }
    pair.drive_for(Duration::from_secs(1));
    for round in 0..200 {
        let id = pair.client.session.open_bi().unwrap();
        pair.client.session.send(id).write(b"request").unwrap();
        pair.client.session.send(id).finish().unwrap();
        pair.drive_for(Duration::from_millis(2));
        while let Some(id) = pair.server.session.accept_bi() {
            pair.server.session.drop_recv(id);
            pair.server.session.send(id).write(&[7; 200]).unwrap();
            pair.server.session.send(id).finish().unwrap();
        }
        pair.drive_for(Duration::from_millis(2));
        let (_response, _end) = read_all(&mut pair.client, id);
        if round % 50 == 49 {
            pair.reset(round / 50);
        }
    }
    pair.drive_for(Duration::from_secs(2));
    for host in [&pair.client, &pair.server] {
        assert_eq!(host.session.close_reason(), None);
        let stats = host.session.stats();
        assert!(stats.budgets.idle_frames > 100, "{stats:?}");
    }
}

/// Data that 256 connections all repeat, as fast as it comes: the most that a session can have.
#[test]
fn data_on_all_connections_is_no_flood() {
    let mut server = Solo::server();
    let mut connections = vec![server.first];
    connections.extend((1..=255).map(|id| server.join(id)));
    for offset in 0..1000 {
        for &c in &connections {
            server.receive_on(c, &[data(stream(Role::Client, 0), offset, b"x")]);
        }
    }
    assert_eq!(server.session.close_reason(), None);
    assert_eq!(budget_stats(&server).idle_frames, 1000 * 255);
}

/// A stream that nobody reads takes what comes at full speed: the peer cannot know.
#[test]
fn data_for_a_stopped_stream_is_no_flood() {
    let mut server = strict(Role::Server);
    let id = stream(Role::Client, 0);
    server.receive(&[data(id, 0, b"x")]);
    server.session.drop_recv(id);
    for place in 0..5000_u64 {
        // Every second frame arrives late.
        let offset = (place ^ 1) * 16;
        server.receive(&[Frame::Stream(StreamFrame {
            stream: id,
            offset,
            fin: Fin::More,
            data: &[0; 16],
        })]);
    }
    assert_eq!(server.session.close_reason(), None);
}
