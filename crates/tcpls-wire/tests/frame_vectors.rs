//! Byte vectors: each frame as the draft lays it out, both ways.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed expectation ends the test"
)]

mod common;

use core::net::{Ipv4Addr, Ipv6Addr};

use common::hex;
use tcpls_wire::{
    AckFrame, AddressId, ConnectionId, ConnectionResetFrame, DecodeError, Fin, Frame, FrameSet,
    NewAddressFrame, NewTokenFrame, PaddingRun, RecordFrames, RecordSequence, RemoveAddressFrame,
    StreamChangeFrame, StreamFrame, StreamId, TokenRef, TokenSequence,
};

/// Checks that `frame` and `bytes` are each other's encoding, alone in a record.
#[track_caller]
fn both_ways(frame: Frame<'_>, bytes: &str) {
    let bytes = hex(bytes);
    let mut encoded = Vec::new();
    frame.encode(&mut encoded).unwrap();
    assert_eq!(encoded, bytes);
    assert_eq!(frame.encoded_len(), bytes.len());
    let decoded: Vec<_> = RecordFrames::parse(&bytes, FrameSet::Draft)
        .unwrap()
        .iter()
        .collect();
    assert_eq!(decoded, [frame]);
}

fn stream(id: u32, offset: u64, fin: Fin, data: &[u8]) -> Frame<'_> {
    Frame::Stream(StreamFrame {
        stream: StreamId::from_wire(id),
        offset,
        fin,
        data,
    })
}

fn ack(connection: u32, highest: u64) -> Frame<'static> {
    Frame::Ack(AckFrame {
        connection: ConnectionId::from_wire(connection),
        highest: RecordSequence::from_wire(highest),
    })
}

/// R1, R41, R58: big-endian fields, the type byte last.
#[test]
fn frames_have_the_layout_of_the_draft() {
    both_ways(Frame::Padding(PaddingRun { length: 1 }), "00");
    both_ways(Frame::Ping, "01");
    let id = AddressId::from_wire(7);
    both_ways(Frame::RemoveAddress(RemoveAddressFrame { id }), "07 08");
}

/// R46, A-10: an ACK names a connection and its highest record, which may be record 0.
#[test]
fn ack_names_a_connection_and_its_highest_record() {
    both_ways(ack(1, 0), "0000000000000000 00000001 04");
    both_ways(
        ack(0x0203_0405, 0x0607_0809_0a0b_0c0d),
        "060708090a0b0c0d 02030405 04",
    );
}

/// R14, A-5: a New Token frame has 32 bytes of value and 8 bits of sequence.
#[test]
fn new_token_has_a_value_and_a_sequence() {
    let token = core::array::from_fn(|i| u8::try_from(i).unwrap());
    for (sequence, tail) in [(1, "01 05"), (2, "02 05"), (255, "ff 05")] {
        let sequence = TokenSequence::from_wire(sequence).unwrap();
        both_ways(
            Frame::NewToken(NewTokenFrame {
                sequence,
                token: TokenRef::from_bytes(&token),
            }),
            &[
                "000102030405060708090a0b0c0d0e0f 101112131415161718191a1b1c1d1e1f ",
                tail,
            ]
            .concat(),
        );
    }
}

/// R48: a Connection Reset names the connection that failed.
#[test]
fn connection_reset_names_the_connection() {
    let connection = ConnectionId::from_wire(0x0102_0304);
    both_ways(
        Frame::ConnectionReset(ConnectionResetFrame { connection }),
        "01020304 06",
    );
}

/// R8, A-2: the type byte of a Stream frame is 0x02, or 0x03 with FIN.
#[test]
fn stream_frame_has_fin_in_its_last_bit() {
    both_ways(
        stream(4, 16, Fin::End, b"hi"),
        "6869 0002 0000000000000010 00000004 03",
    );
    both_ways(
        stream(4, 16, Fin::More, b"hi"),
        "6869 0002 0000000000000010 00000004 02",
    );
}

/// R51, A-32: version 4 has 4 address bytes, version 6 has 16; the port has 16
/// bits and may be 0.
#[test]
fn address_length_follows_from_its_version() {
    both_ways(
        Frame::NewAddress(NewAddressFrame {
            id: AddressId::from_wire(3),
            address: Ipv4Addr::new(192, 0, 2, 1).into(),
            port: 443,
        }),
        "01bb c0000201 04 03 07",
    );
    both_ways(
        Frame::NewAddress(NewAddressFrame {
            id: AddressId::from_wire(9),
            address: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
            port: 0,
        }),
        "0000 20010db8000000000000000000000001 06 09 07",
    );
}

/// Stream Change is Stream ID, offset, type.
#[test]
fn stream_change_has_the_order_of_version_04() {
    both_ways(
        Frame::StreamChange(StreamChangeFrame {
            stream: StreamId::from_wire(6),
            next_offset: 0x1_0000,
        }),
        "00000006 0000000000010000 09",
    );
}

/// R41: frames are processed from the end of the record to its start.
#[test]
fn record_is_read_from_its_end() {
    let record = hex("616263 0003 0000000000000000 00000000 02  0000000000000007 00000000 04");
    let frames: Vec<_> = RecordFrames::parse(&record, FrameSet::Draft)
        .unwrap()
        .iter()
        .collect();
    assert_eq!(frames, [ack(0, 7), stream(0, 0, Fin::More, b"abc")]);
}

/// what is unknown or cut short rejects the whole record, also behind valid frames.
#[test]
fn bad_frame_rejects_the_whole_record() {
    for (record, error) in [
        ("0a", DecodeError::UnknownFrameType(0x0a)),
        ("0a 01", DecodeError::UnknownFrameType(0x0a)),
        ("10 0000 01", DecodeError::UnknownFrameType(0x10)),
        ("ff", DecodeError::UnknownFrameType(0xff)),
        ("04", DecodeError::Truncated),
        ("00000004 02 01", DecodeError::Truncated),
        (
            "01bb c0000201 05 03 07",
            DecodeError::UnknownAddressVersion(5),
        ),
    ] {
        assert_eq!(
            RecordFrames::parse(&hex(record), FrameSet::Draft).unwrap_err(),
            error,
            "{record}"
        );
    }
}
