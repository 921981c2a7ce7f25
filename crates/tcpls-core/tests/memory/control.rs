//! Streams that are opened and ended, and frames of the session itself.

use allocation_counter::measure;
use tcpls_core::{
    CloseReason, ContentType, Limit, PeerMisbehaved, SessionConfig,
    wire::{
        AckFrame, AddressId, ConnectionId, ConnectionResetFrame, Fin, Frame, NewAddressFrame,
        NewTokenFrame, PaddingRun, RecordSequence, RemoveAddressFrame, Role, StreamFrame, Token,
        TokenSequence,
    },
};

use crate::victim::{SESSION, STREAM, Victim, data, stream};

fn end(index: u32, offset: u64) -> Frame<'static> {
    Frame::Stream(StreamFrame {
        stream: stream(index),
        offset,
        fin: Fin::End,
        data: b"",
    })
}

fn ack(highest: u64) -> Frame<'static> {
    Frame::Ack(AckFrame {
        connection: ConnectionId::FIRST,
        highest: RecordSequence::from_wire(highest),
    })
}

/// The most that a session takes while `attack` drives it.
fn peak(role: Role, attack: impl FnOnce(&mut Victim)) -> u64 {
    let info = measure(|| {
        let mut victim = Victim::new(role, SessionConfig::new());
        attack(&mut victim);
    });
    info.bytes_max
}

/// A-34 c: as many streams as there may be, in frames of 15 bytes, in one frame, and with a byte that never
/// ends them.
#[test]
fn open_streams() {
    for step in [1, 1024, 4096] {
        let peak = peak(Role::Server, |victim| {
            let mut index = step - 1;
            while victim.takes(&[data(stream(index), 1, b"x"), data(stream(index), 0, b"")]) {
                index += step;
            }
            let reason = CloseReason::LimitExceeded(Limit::PeerStreams);
            assert_eq!(victim.reason(), Some(reason));
        });
        assert!(peak <= SESSION + 4096 * STREAM, "{peak}");
    }
}

/// A-34 c: streams that are opened and ended in a loop, as fast as the application answers.
#[test]
fn streams_opened_and_ended_in_a_loop() {
    let peak = peak(Role::Server, |victim| {
        let first = victim.first();
        for index in 0..20_000 {
            let id = stream(index);
            assert!(victim.takes(&[end(index, 7), data(id, 0, b"request")]));
            assert_eq!(victim.session().accept_bi(), Some(id));
            while let Ok(Some(_)) = victim.session().recv(id).read_chunk(usize::MAX) {}
            victim.session().send(id).finish().unwrap();
            let records = victim.transmit_on(first);
            assert_eq!(records, 1);
            assert!(victim.takes(&[ack(u64::from(index))]));
        }
        assert_eq!(victim.session().stats().streams_live, 0);
    });
    assert!(peak <= SESSION, "{peak}");
}

/// whatever brings nothing, for as long as it is taken.
#[test]
fn frames_and_records_that_bring_nothing() {
    let pings = vec![Frame::Ping; 16_384];
    let again = vec![data(stream(0), 0, b""); 1000];
    let padding = [Frame::Padding(PaddingRun { length: 16_384 })];
    for (frames, misbehaved) in [
        (&pings[..], PeerMisbehaved::IdleFrames),
        (&again, PeerMisbehaved::IdleFrames),
        (&[Frame::Ping], PeerMisbehaved::PingFlood),
        (&padding, PeerMisbehaved::IdleRecords),
        (&[], PeerMisbehaved::EmptyRecords),
    ] {
        let peak = peak(Role::Server, |victim| {
            while victim.takes(frames) {}
            let reason = CloseReason::PeerMisbehaved(misbehaved);
            assert_eq!(victim.reason(), Some(reason));
        });
        assert!(peak <= SESSION, "{peak}");
    }
}

/// acknowledgments of what was never sent, and ends that move, before anything is kept of them.
#[test]
fn frames_that_contradict() {
    for (frames, misbehaved) in [
        (&[ack(0)][..], PeerMisbehaved::AckOfUnsentRecord),
        (&[ack(u64::MAX)], PeerMisbehaved::AckOfUnsentRecord),
        (&[end(0, 7), end(0, 1 << 60)], PeerMisbehaved::EndMoved),
        (
            &[data(stream(0), 1 << 60, b"x"), end(0, 7)],
            PeerMisbehaved::DataBeyondEnd,
        ),
    ] {
        let peak = peak(Role::Server, |victim| {
            assert!(!victim.takes(frames));
            let reason = CloseReason::PeerMisbehaved(misbehaved);
            assert_eq!(victim.reason(), Some(reason));
        });
        assert!(peak <= SESSION, "{peak}");
    }
}

/// key updates and tickets without end; tickets of the greatest length, none of which
/// anybody takes.
#[test]
fn key_updates_and_tickets() {
    let key_update = vec![24, 0, 0, 1, 1];
    let mut ticket = vec![4, 0, 255, 255];
    ticket.resize(4 + 65_535, 7);
    for (message, misbehaved, kept) in [
        (key_update, PeerMisbehaved::KeyUpdateFlood, 0),
        (ticket, PeerMisbehaved::TicketFlood, 17 * 2 * 65_536),
    ] {
        let peak = peak(Role::Client, |victim| {
            let first = victim.first();
            while message
                .chunks(16_384)
                .all(|part| victim.takes_content_unpolled(first, ContentType::Handshake, part))
            {
            }
            let reason = CloseReason::PeerMisbehaved(misbehaved);
            assert_eq!(victim.reason(), Some(reason));
        });
        assert!(peak <= SESSION + kept, "{peak}");
    }
}

/// tokens, addresses and resets, all that there are, again and again.
#[test]
fn tokens_addresses_and_resets() {
    let peak = peak(Role::Client, |victim| {
        for round in 0..10 {
            for id in 0..=255 {
                let token = Token::from_bytes([id; 32]);
                let address = NewAddressFrame {
                    id: AddressId::from_wire(id),
                    address: [192, 0, 2, id].into(),
                    port: round,
                };
                let remove = RemoveAddressFrame {
                    id: AddressId::from_wire(id),
                };
                let mut frames = vec![Frame::RemoveAddress(remove), Frame::NewAddress(address)];
                if let Some(sequence) = TokenSequence::from_wire(id) {
                    frames.push(Frame::ConnectionReset(ConnectionResetFrame {
                        connection: sequence.connection_id(),
                    }));
                    frames.push(Frame::NewToken(NewTokenFrame {
                        sequence,
                        token: token.as_token_ref(),
                    }));
                }
                assert!(victim.takes(&frames));
            }
        }
        assert_eq!(victim.session().peer_addresses().count(), 0);
        assert_eq!(victim.session().stats().unused_tokens, 0);
    });
    assert!(peak <= SESSION, "{peak}");
}

/// all connections that a session may have in its life, each for a moment, with a little left unread
/// and unacknowledged on each.
#[test]
fn connections_that_come_and_go() {
    let peak = peak(Role::Server, |victim| {
        let mut c = victim.first();
        victim.takes(&[data(stream(0), 0, b"x")]);
        for id in 1..=255 {
            let other = victim.join(id);
            victim.takes_on(c, &[data(stream(0), u64::from(id), b"x"), Frame::Ping]);
            victim.session().send(stream(0)).write(b"x").unwrap();
            victim.transmit_on(c);
            victim.lose(c);
            c = other;
        }
        assert!(victim.is_alive());
        assert_eq!(victim.session().stats().connections, 256);
    });
    // What connections are known by, and the frames that those remember which failed.
    let bound = SESSION + 256 * 4096 + 16_384 * 64;
    assert!(peak <= bound, "{peak}");
}
