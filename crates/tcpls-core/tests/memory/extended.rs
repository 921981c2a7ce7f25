//! Frames beyond the draft (`spec/extensions.md`).

use allocation_counter::measure;
use tcpls_core::{
    Budgets, CloseReason, PeerMisbehaved, SessionConfig,
    wire::{
        AckFrame, ConnectionId, ExtendedFrame, ExtendedTokenFrame, Frame, RecordSequence,
        ResetStreamFrame, Role, StopSendingFrame, StreamId, Token,
    },
};

use crate::victim::{SESSION, STREAM, Victim, data, stream};

/// As many resets as there may be streams, so that other limits show.
fn config() -> SessionConfig {
    let mut budgets = Budgets::new();
    budgets.resets(u32::MAX);
    let mut config = SessionConfig::new();
    config.budgets(budgets);
    config
}

fn peak(role: Role, attack: impl FnOnce(&mut Victim)) -> u64 {
    let info = measure(|| {
        let mut victim = Victim::extended(role, config());
        attack(&mut victim);
    });
    info.bytes_max
}

fn reset(stream: StreamId) -> Frame<'static> {
    Frame::Extended(ExtendedFrame::ResetStream(ResetStreamFrame {
        stream,
        code: 7,
        final_size: 1,
    }))
}

fn stop(stream: StreamId) -> Frame<'static> {
    let code = 7;
    Frame::Extended(ExtendedFrame::StopSending(StopSendingFrame {
        stream,
        code,
    }))
}

fn token(id: u32, token: &Token) -> Frame<'_> {
    Frame::Extended(ExtendedFrame::NewToken(ExtendedTokenFrame {
        token: token.as_token_ref(),
        receive_generation: 0,
        send_generation: 0,
        connection: ConnectionId::from_wire(id),
        lifetime: 0,
    }))
}

fn retire(id: u32) -> Frame<'static> {
    Frame::Extended(ExtendedFrame::RetireToken(ConnectionId::from_wire(id)))
}

fn ack(highest: u64) -> Frame<'static> {
    Frame::Ack(AckFrame {
        connection: ConnectionId::FIRST,
        highest: RecordSequence::from_wire(highest),
    })
}

/// Streams that are opened, reset and stopped in a loop, while the application gives up each at once and the
/// peer says that it has what it is told.
#[test]
fn streams_opened_and_reset_in_a_loop() {
    let peak = peak(Role::Server, |victim| {
        let first = victim.first();
        let mut sent = 0;
        for index in 0..10_000 {
            let id = stream(index);
            assert!(victim.takes(&[stop(id), reset(id), data(id, 0, b"x")]));
            assert_eq!(victim.session().accept_bi(), Some(id));
            victim.session().drop_recv(id);
            victim.session().drop_send(id);
            sent += victim.transmit_on(first);
            assert!(victim.takes(&[ack(u64::try_from(sent).unwrap() - 1)]));
        }
        assert_eq!(victim.session().stats().streams_live, 0);
    });
    assert!(peak <= SESSION, "{peak}");
}

/// The same where the application does not come to it, and where the peer does not say that it knows: both
/// count as open streams.
#[test]
fn streams_that_were_reset_and_are_remembered() {
    for gives_up in [false, true] {
        let peak = peak(Role::Server, |victim| {
            let first = victim.first();
            let mut index = 0;
            while victim.takes(&[reset(stream(index)), data(stream(index), 0, b"x")]) {
                if gives_up {
                    let id = victim.session().accept_bi().unwrap();
                    victim.session().drop_recv(id);
                    victim.session().drop_send(id);
                }
                victim.transmit_on(first);
                index += 1;
            }
            let reason = CloseReason::PeerMisbehaved(PeerMisbehaved::StreamsLimit);
            assert_eq!(victim.reason(), Some(reason));
        });
        assert!(peak <= SESSION + 4096 * (STREAM + 256), "{peak}");
    }
}

/// Tokens without end: more than a client can want.
#[test]
fn more_tokens_than_wanted() {
    let peak = peak(Role::Client, |victim| {
        let value = Token::from_bytes([7; 32]);
        let mut id = 1;
        while victim.takes(&[token(id, &value)]) {
            id += 7;
        }
        let reason = CloseReason::PeerMisbehaved(PeerMisbehaved::TooManyTokens);
        assert_eq!(victim.reason(), Some(reason));
    });
    assert!(peak <= SESSION, "{peak}");
}

/// Tokens that are given and taken back, and taken back without having been given, with identifiers that
/// are far apart.
#[test]
fn tokens_given_and_taken_back_in_a_loop() {
    for given in [true, false] {
        let peak = peak(Role::Client, |victim| {
            let value = Token::from_bytes([7; 32]);
            for turn in 1..50_000 {
                let mut frames = vec![retire(turn * 1000)];
                if given {
                    frames.push(token(turn * 1000, &value));
                }
                if !victim.takes(&frames) {
                    break;
                }
            }
        });
        assert!(peak <= SESSION, "{peak}");
    }
}

/// A client that wants now more, now fewer tokens.
#[test]
fn token_requests_that_change() {
    let peak = peak(Role::Server, |victim| {
        for turn in 0..20_000_u32 {
            let wanted = if turn % 2 == 0 { 255 } else { 0 };
            let request = ExtendedFrame::TokenRequest(wanted);
            if !victim.takes(&[Frame::Extended(request)]) {
                break;
            }
        }
    });
    assert!(peak <= SESSION, "{peak}");
}

/// connections that come and go for years, each with something unread and unacknowledged.
#[test]
fn connections_without_end() {
    let peak = peak(Role::Server, |victim| {
        let mut c = victim.first();
        victim.takes(&[data(stream(0), 0, b"x")]);
        for id in 1..=1000 {
            let other = victim.join(id);
            assert!(victim.takes_on(c, &[data(stream(0), u64::from(id), b"x"), Frame::Ping]));
            victim.session().send(stream(0)).write(b"x").unwrap();
            victim.transmit_on(c);
            victim.lose(c);
            c = other;
        }
        // The frames about connections that are long gone do not go along for ever.
        let stats = victim.session().connection_stats(c).unwrap();
        assert!(stats.frames_in_flight < 200, "{stats:?}");
    });
    assert!(peak <= SESSION + 64 * 4096 + 16_384 * 128, "{peak}");
}
