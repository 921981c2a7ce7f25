//! A peer that sends anything at all: nothing panics, and nothing grows beyond its cap.

use proptest::prelude::*;
use tcpls_core::{
    ConnectionFailure, ContentType, SessionConfig,
    crypto::{NotAuthentic, OpenError},
    testing::Solo,
    wire::{
        AckFrame, AddressId, ConnectionId, ConnectionResetFrame, Fin, Frame, NewAddressFrame,
        NewTokenFrame, PaddingRun, RecordSequence, RemoveAddressFrame, Role, StreamChangeFrame,
        StreamFrame, StreamId, Token, TokenSequence,
    },
};

const HARD_CAP: usize = 5000;
const AHEAD_CAP: usize = 3000;
const PEER_STREAMS: u32 = 20;

/// What a peer does, or the application, or the time.
#[derive(Debug, Clone)]
enum Op {
    Frames(Vec<Vec<u8>>),
    Record(u8, Vec<u8>),
    NotAuthentic,
    Eof,
    Failure,
    Open,
    Write(u32, usize),
    Finish(u32),
    Read(u32),
    Stop(u32),
    DropSend(u32),
    Ping,
    Close,
    Transmit,
    Sleep(u64),
    Join(u32),
}

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes).unwrap();
    bytes
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let offset = prop_oneof![8 => 0_u64..40, 1 => 0_u64..100_000, 1 => any::<u64>()];
    let small = prop_oneof![8 => 0_u32..10, 1 => any::<u32>()];
    let stream_frame = (small.clone(), offset.clone(), any::<bool>(), 0_usize..600);
    prop_oneof![
        6 => stream_frame.prop_map(|(id, offset, fin, len)| {
            let data = vec![7; len.min(usize::try_from(u64::MAX - offset).unwrap())];
            let fin = if fin && len % 3 == 0 { Fin::End } else { Fin::More };
            let stream = StreamId::from_wire(id);
            encoded(&Frame::Stream(StreamFrame { stream, offset, fin, data: &data }))
        }),
        3 => (small.clone(), offset.clone()).prop_map(|(id, highest)| {
            let connection = ConnectionId::from_wire(id % 4);
            encoded(&Frame::Ack(AckFrame { connection, highest: RecordSequence::from_wire(highest) }))
        }),
        1 => Just(encoded(&Frame::Ping)),
        1 => (1_usize..50).prop_map(|length| encoded(&Frame::Padding(PaddingRun { length }))),
        1 => (1_u8..5, 0_u8..2).prop_map(|(sequence, value)| {
            let token = Token::from_bytes([value; 32]);
            let sequence = TokenSequence::from_wire(sequence).unwrap();
            encoded(&Frame::NewToken(NewTokenFrame { sequence, token: token.as_token_ref() }))
        }),
        1 => small.clone().prop_map(|id| {
            let connection = ConnectionId::from_wire(id % 4);
            encoded(&Frame::ConnectionReset(ConnectionResetFrame { connection }))
        }),
        1 => (any::<u8>(), any::<[u8; 4]>()).prop_map(|(id, address)| {
            let id = AddressId::from_wire(id % 4);
            encoded(&Frame::NewAddress(NewAddressFrame { id, address: address.into(), port: 1 }))
        }),
        1 => any::<u8>().prop_map(|id| {
            encoded(&Frame::RemoveAddress(RemoveAddressFrame { id: AddressId::from_wire(id % 4) }))
        }),
        1 => (small, offset).prop_map(|(id, next_offset)| {
            let stream = StreamId::from_wire(id);
            encoded(&Frame::StreamChange(StreamChangeFrame { stream, next_offset }))
        }),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let stream = 0_u32..12;
    let op = prop_oneof![
        20 => proptest::collection::vec(frame(), 0..6).prop_map(Op::Frames),
        1 => (20_u8..24, proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(kind, bytes)| Op::Record(kind, bytes)),
        1 => Just(Op::Record(22, vec![24, 0, 0, 1, 1])),
        1 => Just(Op::Record(21, vec![1, 0])),
        1 => Just(Op::NotAuthentic),
        1 => Just(Op::Eof),
        1 => Just(Op::Failure),
        3 => Just(Op::Open),
        4 => (stream.clone(), 0_usize..3000).prop_map(|(id, len)| Op::Write(id, len)),
        2 => stream.clone().prop_map(Op::Finish),
        6 => stream.clone().prop_map(Op::Read),
        1 => stream.clone().prop_map(Op::Stop),
        1 => stream.prop_map(Op::DropSend),
        1 => Just(Op::Ping),
        1 => Just(Op::Close),
        8 => Just(Op::Transmit),
        3 => (0_u64..100).prop_map(Op::Sleep),
        2 => (1_u32..4).prop_map(Op::Join),
    ];
    proptest::collection::vec(op, 1..150)
}

fn play(solo: &mut Solo, connections: &mut Vec<tcpls_core::ConnectionHandle>, turn: usize, op: Op) {
    let now = solo.clock.now();
    let c = connections[turn % connections.len()];
    match op {
        Op::Frames(frames) => {
            solo.receive_record(c, ContentType::ApplicationData, frames.concat());
        }
        Op::Record(kind, bytes) => {
            solo.receive_record(c, ContentType::from_wire(kind.max(21)).unwrap(), bytes);
        }
        Op::NotAuthentic => {
            let error = OpenError::NotAuthentic(NotAuthentic::Tag);
            solo.session.handle_open_error(c, error, now);
        }
        Op::Eof => solo.session.handle_eof(c, now),
        Op::Failure => solo
            .session
            .handle_failure(c, ConnectionFailure::Reset, now),
        Op::Open => drop(solo.session.open_bi()),
        Op::Write(id, len) => {
            let _ = solo
                .session
                .send(StreamId::from_wire(id))
                .write(&vec![1; len]);
        }
        Op::Finish(id) => drop(solo.session.send(StreamId::from_wire(id)).finish()),
        Op::Read(id) => drop(solo.session.recv(StreamId::from_wire(id)).read_chunk(700)),
        Op::Stop(id) => solo.session.recv(StreamId::from_wire(id)).stop_sending(7),
        Op::DropSend(id) => solo.session.drop_send(StreamId::from_wire(id)),
        Op::Ping => solo.session.ping(c),
        Op::Close => solo.session.close(now),
        Op::Transmit => drop(solo.transmit_on(c)),
        Op::Sleep(time) => solo.advance(std::time::Duration::from_millis(time * time)),
        Op::Join(id) => {
            // The driver's duty: an identifier is used once.
            let known = |c: &tcpls_core::ConnectionHandle| solo.session.connection_id(*c);
            let id = ConnectionId::from_wire(id);
            if !connections
                .iter()
                .filter_map(known)
                .any(|known| known == id)
            {
                connections.push(solo.join(id.as_u32()));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// whatever comes, in whatever state, the session answers it or ends by itself, and
    /// what it holds stays within its caps.
    #[test]
    fn anything_may_come(client: bool, ops in ops()) {
        let mut config = SessionConfig::new();
        config
            .unread_soft_cap(2000)
            .unread_hard_cap(HARD_CAP)
            .out_of_order_cap(AHEAD_CAP)
            .peer_streams(PEER_STREAMS)
            .own_streams(5)
            .stream_send_buffer(2000)
            .session_send_buffer(6000);
        let role = if client { Role::Client } else { Role::Server };
        let mut solo = Solo::new(role, config);
        let mut connections = vec![solo.first];
        for (turn, op) in ops.into_iter().enumerate() {
            play(&mut solo, &mut connections, turn, op);
            let stats = solo.session.stats();
            if solo.session.close_reason().is_none() {
                prop_assert!(stats.bytes_unread <= u64::try_from(HARD_CAP).unwrap());
                prop_assert!(stats.bytes_out_of_order <= u64::try_from(AHEAD_CAP).unwrap());
                prop_assert!(stats.bytes_unacked <= 6000);
                prop_assert!(stats.streams_live <= u64::from(PEER_STREAMS) * 3 + 5);
            }
            prop_assert!(solo.events().len() < 200);
        }
        // Whatever happened, the session can be brought to its end.
        solo.session.close(solo.clock.now());
        for _ in 0..3 {
            for c in connections.clone() {
                drop(solo.transmit_on(c));
            }
            solo.advance(std::time::Duration::from_secs(6));
        }
        prop_assert!(solo.session.close_reason().is_some());
        prop_assert_eq!(solo.session.poll_timeout(), None);
        prop_assert_eq!(solo.session.connections().count(), 0);
    }
}
