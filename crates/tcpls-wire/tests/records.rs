//! Whole records: what parsing accepts, and in which order the builder puts things.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed expectation ends the test"
)]

mod common;

use common::hex;
use tcpls_wire::{
    AckFrame, AlertDescription, ConnectionId, ConnectionResetFrame, DecodeError, EncodeError, Fin,
    Frame, FrameSet, PaddingRun, PushError, RecordBuilder, RecordFrames, RecordSequence,
    RemoveAddressFrame, StreamChangeFrame, StreamFrame, StreamId,
    frame::{MAX_PLAINTEXT, STREAM_OVERHEAD},
};

fn parse(plaintext: &[u8]) -> Vec<Frame<'_>> {
    RecordFrames::parse(plaintext, FrameSet::Draft)
        .unwrap()
        .iter()
        .collect()
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

fn reset(connection: u32) -> Frame<'static> {
    Frame::ConnectionReset(ConnectionResetFrame {
        connection: ConnectionId::from_wire(connection),
    })
}

fn padding(length: usize) -> Frame<'static> {
    Frame::Padding(PaddingRun { length })
}

/// A builder whose stream data are plain slices.
fn builder<'a>() -> RecordBuilder<&'a [u8]> {
    RecordBuilder::new(MAX_PLAINTEXT)
}

/// The plaintext that the builder holds, put together.
fn finish(builder: &mut RecordBuilder<&[u8]>) -> Vec<u8> {
    let mut tail = Vec::new();
    let lead = builder.finish(&mut tail).unwrap_or_default();
    [lead, &tail].concat()
}

/// a record without frames is legal, and asks for no acknowledgment.
#[test]
fn empty_record_has_no_frames() {
    let record = RecordFrames::parse(&[], FrameSet::Draft).unwrap();
    assert!(record.is_empty());
    assert!(!record.is_ack_eliciting());
    assert_eq!(record.iter().count(), 0);
}

/// a Stream frame may be without data, with FIN and without.
#[test]
fn stream_frame_may_be_empty() {
    let record = hex("0000 0000000000000005 00000002 02  0000 0000000000000005 00000004 03");
    assert_eq!(
        parse(&record),
        [stream(4, 5, Fin::End, &[]), stream(2, 5, Fin::More, &[])]
    );
}

/// Padding may stand anywhere between frames and comes as one run each time.
#[test]
fn padding_runs_are_taken_whole() {
    let record = hex("000000 01 00 0708 0000");
    let removed = Frame::RemoveAddress(RemoveAddressFrame {
        id: tcpls_wire::AddressId::from_wire(7),
    });
    assert_eq!(
        parse(&record),
        [padding(2), removed, padding(1), Frame::Ping, padding(3)]
    );
    let all_padding = vec![0; MAX_PLAINTEXT];
    assert_eq!(parse(&all_padding), [padding(MAX_PLAINTEXT)]);
}

/// zeros that belong to a frame are not padding.
#[test]
fn zeros_inside_a_frame_are_its_own() {
    let record = hex("00000000 0004 0000000000000000 00000000 02");
    assert_eq!(parse(&record), [stream(0, 0, Fin::More, &[0; 4])]);
}

/// a record may be full of one-byte frames.
#[test]
fn record_may_hold_one_frame_per_byte() {
    let record = vec![1; MAX_PLAINTEXT];
    let frames = RecordFrames::parse(&record, FrameSet::Draft).unwrap();
    assert_eq!(frames.iter().count(), MAX_PLAINTEXT);
    assert!(frames.iter().all(|frame| frame == Frame::Ping));
}

/// 16384 bytes are the most that a record holds.
#[test]
fn record_is_bounded_by_tls() {
    let error = RecordFrames::parse(&vec![0; MAX_PLAINTEXT + 1], FrameSet::Draft).unwrap_err();
    assert_eq!(error, DecodeError::RecordTooLong);
    assert_eq!(error.alert(), AlertDescription::RECORD_OVERFLOW);
    let data = vec![b'x'; MAX_PLAINTEXT - STREAM_OVERHEAD];
    let mut builder = RecordBuilder::new(usize::MAX);
    assert_eq!(builder.stream_room(), 16_369);
    builder
        .push_stream(StreamId::from_wire(0), 0, Fin::More, &data[..])
        .unwrap();
    assert_eq!(builder.remaining(), 0);
    let record = finish(&mut builder);
    assert_eq!(parse(&record), [stream(0, 0, Fin::More, &data)]);
}

/// the final size of a stream is offset plus length, and the space ends at 2^64-1.
#[test]
fn stream_data_ends_within_the_offset_space() {
    let most = hex("6162 0002 fffffffffffffffd 00000000 03");
    let [Frame::Stream(frame)] = parse(&most)[..] else {
        panic!("one Stream frame expected")
    };
    assert_eq!(frame.end(), u64::MAX);
    let beyond = hex("6162 0002 fffffffffffffffe 00000000 03");
    assert_eq!(
        RecordFrames::parse(&beyond, FrameSet::Draft).unwrap_err(),
        DecodeError::StreamOffsetOverflow
    );
}

/// sequence 0 belongs to the first connection, so no token has it.
#[test]
fn token_of_sequence_zero_is_refused() {
    let record = [&[9; 32][..], &hex("00 05")].concat();
    let error = RecordFrames::parse(&record, FrameSet::Draft).unwrap_err();
    assert_eq!(error, DecodeError::ReservedTokenSequence);
    assert_eq!(error.alert(), AlertDescription::ILLEGAL_PARAMETER);
}

/// neither a record that is read nor one that is built shows data or tokens.
#[test]
fn records_do_not_show_what_they_carry() {
    let record = [
        &hex("abab 0002 0000000000000000 00000000 02")[..],
        &[0xAB; 32],
        &hex("02 05"),
    ];
    let record = record.concat();
    let frames = RecordFrames::parse(&record, FrameSet::Draft).unwrap();
    let mut builder = RecordBuilder::new(100);
    for frame in frames {
        if let Frame::Stream(frame) = frame {
            builder
                .push_stream(frame.stream, frame.offset, frame.fin, frame.data)
                .unwrap();
        } else {
            builder.push_control(&frame).unwrap();
        }
    }
    let shown = format!("{frames:?} {:?} {builder:?}", frames.iter());
    assert!(
        shown.contains("data: 2 bytes") && shown.contains("Token(..)"),
        "{shown}"
    );
    assert!(!shown.contains("171"), "{shown}");
}

/// R4, A-30: a frame that is not whole in its record is a decode error.
#[test]
fn frame_does_not_span_records() {
    for whole in [
        "616263 0003 0000000000000000 00000000 02",
        "0000000000000007 00000000 04",
        "0101010101010101010101010101010101010101010101010101010101010101 02 05",
        "00000001 06",
        "01bb c0000201 04 03 07",
        "01bb 20010db8000000000000000000000001 06 03 07",
        "03 08",
        "00000006 0000000000010000 09",
    ] {
        let whole = hex(whole);
        for missing in 1..whole.len() {
            let error = RecordFrames::parse(&whole[missing..], FrameSet::Draft).unwrap_err();
            assert_eq!(
                error,
                DecodeError::Truncated,
                "{missing} bytes of {whole:?}"
            );
            assert_eq!(error.alert(), AlertDescription::DECODE_ERROR);
        }
    }
}

/// every type above the draft's is unknown, and nothing of its record is given out.
#[test]
fn unknown_types_reject_the_record() {
    for kind in 0x0a..=0xff {
        let record = [&hex("0000000000000007 00000000 04")[..], &[kind], &[1]].concat();
        let error = RecordFrames::parse(&record, FrameSet::Draft).unwrap_err();
        assert_eq!(error, DecodeError::UnknownFrameType(kind));
        assert_eq!(error.alert(), AlertDescription::DECODE_ERROR);
    }
}

/// R42, A-12: every frame but Padding and ACK wants an acknowledgment.
#[test]
fn only_padding_and_ack_elicit_no_acknowledgment() {
    for (record, elicits) in [
        ("00", false),
        ("0000000000000007 00000000 04", false),
        ("00 0000000000000007 00000000 04 00", false),
        ("01", true),
        ("01 00", true),
        ("0000 0000000000000005 00000002 02", true),
        ("01bb c0000201 04 03 07", true),
        ("03 08", true),
        ("00000001 06", true),
        ("00000006 0000000000010000 09", true),
        (
            "0101010101010101010101010101010101010101010101010101010101010101 02 05",
            true,
        ),
    ] {
        let bytes = hex(record);
        let frames = RecordFrames::parse(&bytes, FrameSet::Draft).unwrap();
        assert_eq!(frames.is_ack_eliciting(), elicits, "{record}");
    }
}

/// R31: stream data starts the record, control frames follow in the order they were pushed.
#[test]
fn builder_puts_stream_data_first() {
    let mut builder = builder();
    assert!(builder.is_empty());
    builder.push_control(&reset(1)).unwrap();
    builder
        .push_stream(StreamId::from_wire(0), 9, Fin::End, b"data")
        .unwrap();
    builder.push_control(&ack(0, 7)).unwrap();
    let mut tail = Vec::new();
    assert_eq!(builder.finish(&mut tail), Some(&b"data"[..]));
    let record = [b"data", &tail[..]].concat();
    assert_eq!(record[..4], *b"data");
    assert_eq!(
        parse(&record),
        [ack(0, 7), reset(1), stream(0, 9, Fin::End, b"data")]
    );
}

/// R32: of several Stream frames the largest comes first.
#[test]
fn builder_puts_the_largest_data_first() {
    let pieces: [&[u8]; 4] = [b"aa", b"bbbb", b"", b"cccc"];
    for rotation in 0..pieces.len() {
        let mut order = pieces;
        order.rotate_left(rotation);
        let mut builder = builder();
        for (id, data) in (0..).zip(order) {
            builder
                .push_stream(StreamId::from_wire(id), 0, Fin::More, data)
                .unwrap();
        }
        builder.push_control(&Frame::Ping).unwrap();
        let record = finish(&mut builder);
        let frames = parse(&record);
        assert_eq!(frames[0], Frame::Ping);
        let Some(Frame::Stream(first)) = frames.last() else {
            panic!("a Stream frame expected")
        };
        assert_eq!(first.data.len(), 4);
        let mut data: Vec<_> = frames[1..]
            .iter()
            .map(|frame| {
                let Frame::Stream(frame) = frame else {
                    panic!("a Stream frame expected")
                };
                frame.data
            })
            .collect();
        data.sort_unstable();
        assert_eq!(data, [&b""[..], b"aa", b"bbbb", b"cccc"]);
    }
}

/// R33: a record has one Stream frame of each stream at most.
#[test]
fn builder_refuses_a_stream_twice() {
    let mut builder = builder();
    for id in [4, 8] {
        let id = StreamId::from_wire(id);
        builder.push_stream(id, 0, Fin::More, b"once").unwrap();
        let again = builder.push_stream(id, 4, Fin::More, b"more");
        assert_eq!(again, Err(PushError::StreamRepeated));
    }
    let record = finish(&mut builder);
    let expected = [
        stream(8, 0, Fin::More, b"once"),
        stream(4, 0, Fin::More, b"once"),
    ];
    assert_eq!(parse(&record), expected);
    builder
        .push_stream(StreamId::from_wire(4), 4, Fin::More, b"next record")
        .unwrap();
}

#[test]
fn builder_without_stream_data_has_only_a_tail() {
    let mut builder = builder();
    builder.push_control(&Frame::Ping).unwrap();
    let mut tail = vec![0xEE];
    assert_eq!(builder.finish(&mut tail), None);
    assert_eq!(tail, [0xEE, 1]);
    assert_eq!(builder.finish(&mut tail), None);
    assert_eq!(tail, [0xEE, 1]);
}

#[test]
fn builder_stays_within_its_limit() {
    let mut builder = RecordBuilder::new(40);
    builder.push_control(&ack(0, 7)).unwrap();
    assert_eq!((builder.remaining(), builder.stream_room()), (27, 12));
    let id = StreamId::from_wire(0);
    let too_much = builder.push_stream(id, 0, Fin::More, &b"thirteen byte"[..]);
    assert_eq!(too_much, Err(PushError::RecordFull));
    builder
        .push_stream(id, 0, Fin::More, b"twelve bytes")
        .unwrap();
    assert_eq!((builder.remaining(), builder.stream_room()), (0, 0));
    assert_eq!(
        builder.push_control(&Frame::Ping),
        Err(PushError::RecordFull)
    );
    let record = finish(&mut builder);
    assert_eq!(record.len(), 40);
    assert_eq!(
        parse(&record),
        [ack(0, 7), stream(0, 0, Fin::More, b"twelve bytes")]
    );
    assert_eq!(builder.remaining(), 40);
}

/// R42: the builder knows whether the record will be acknowledged.
#[test]
fn builder_knows_what_elicits_an_acknowledgment() {
    let mut builder = builder();
    builder.push_control(&ack(0, 7)).unwrap();
    builder.push_control(&padding(3)).unwrap();
    assert!(!builder.is_ack_eliciting());
    builder.push_control(&Frame::Ping).unwrap();
    assert!(builder.is_ack_eliciting());
    finish(&mut builder);
    assert!(!builder.is_ack_eliciting());
    builder
        .push_stream(StreamId::from_wire(0), 0, Fin::More, b"")
        .unwrap();
    assert!(builder.is_ack_eliciting());
}

#[test]
fn builder_refuses_what_has_no_encoding() {
    let mut builder = builder();
    let id = StreamId::from_wire(0);
    let beyond = builder.push_stream(id, u64::MAX, Fin::More, b"x");
    assert_eq!(
        beyond,
        Err(PushError::Encode(EncodeError::StreamOffsetOverflow))
    );
    let as_control = builder.push_control(&stream(0, 0, Fin::More, b"x"));
    assert_eq!(as_control, Err(PushError::StreamAsControl));
    assert!(builder.is_empty());
    let long = vec![0; 65_536];
    let mut out = vec![7];
    let too_long = stream(0, 0, Fin::More, &long).encode(&mut out);
    assert_eq!(too_long, Err(EncodeError::StreamDataTooLong));
    assert_eq!(out, [7]);
}

/// R55: a Stream Change at the end of a record is what the peer sees first.
#[test]
fn last_control_frame_is_processed_first() {
    let change = Frame::StreamChange(StreamChangeFrame {
        stream: StreamId::from_wire(2),
        next_offset: 100,
    });
    let mut builder = builder();
    builder
        .push_stream(StreamId::from_wire(0), 0, Fin::More, b"data")
        .unwrap();
    builder.push_control(&ack(0, 1)).unwrap();
    builder.push_control(&change).unwrap();
    assert_eq!(parse(&finish(&mut builder))[0], change);
}
