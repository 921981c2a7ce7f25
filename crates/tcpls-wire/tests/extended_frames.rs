//! Frames beyond the draft, byte for byte.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed expectation ends the test"
)]

mod common;

use common::hex;
use tcpls_wire::{
    CloseSpace, ConnectionCloseFrame, ConnectionId, ConnectionPriorityFrame, DecodeError,
    ExtendedFrame, ExtendedTokenFrame, Frame, FrameSet, ObservedAddressFrame, PriorityFlags,
    RecordFrames, ResetStreamFrame, SessionCloseFrame, StopSendingFrame, StreamDataLimitFrame,
    StreamId, TokenRef, UnknownFrame,
};

fn stream() -> StreamId {
    StreamId::from_wire(4)
}

fn connection() -> ConnectionId {
    ConnectionId::from_wire(0x1_0000)
}

/// A frame has these bytes, is read back from them, and its length is told beforehand.
fn check(frame: ExtendedFrame<'_>, bytes: &str) {
    let bytes = hex(bytes);
    let frame = Frame::Extended(frame);
    let mut encoded = Vec::new();
    frame.encode(&mut encoded).unwrap();
    assert_eq!(encoded, bytes, "{frame:?}");
    assert_eq!(frame.encoded_len(), bytes.len());
    assert!(frame.is_ack_eliciting());
    let read = RecordFrames::parse(&bytes, FrameSet::Extended).unwrap();
    assert_eq!(read.iter().collect::<Vec<_>>(), [frame]);
    let error = RecordFrames::parse(&bytes, FrameSet::Draft).unwrap_err();
    let frame_type = bytes.last().copied().unwrap();
    assert_eq!(error, DecodeError::UnknownFrameType(frame_type));
}

#[test]
fn limits_have_their_bytes() {
    check(ExtendedFrame::MaxData(5), "0000000000000005 0008 10");
    check(
        ExtendedFrame::MaxStreamData(StreamDataLimitFrame {
            stream: stream(),
            max: 6,
        }),
        "0000000000000006 00000004 000c 11",
    );
    check(ExtendedFrame::MaxStreams(7), "00000007 0004 12");
    check(ExtendedFrame::DataBlocked(5), "0000000000000005 0008 13");
    check(
        ExtendedFrame::StreamDataBlocked(StreamDataLimitFrame {
            stream: stream(),
            max: 6,
        }),
        "0000000000000006 00000004 000c 14",
    );
    check(ExtendedFrame::StreamsBlocked(7), "00000007 0004 15");
}

#[test]
fn stream_frames_have_their_bytes() {
    check(
        ExtendedFrame::ResetStream(ResetStreamFrame {
            stream: stream(),
            code: 9,
            final_size: 0x1000,
        }),
        "0000000000001000 00000009 00000004 0010 16",
    );
    check(
        ExtendedFrame::StopSending(StopSendingFrame {
            stream: stream(),
            code: 9,
        }),
        "00000009 00000004 0008 17",
    );
    check(ExtendedFrame::StreamUni(stream()), "00000004 0004 24");
}

#[test]
fn ends_have_their_bytes() {
    check(
        ExtendedFrame::SessionClose(SessionCloseFrame {
            space: CloseSpace::Application,
            code: 7,
            reason: b"bye",
        }),
        "627965 00000007 01 0008 18",
    );
    check(
        ExtendedFrame::ConnectionClose(ConnectionCloseFrame {
            connection: connection(),
            code: 1,
        }),
        "00000001 00010000 0008 19",
    );
    let bad = hex("00000007 02 0005 18");
    let error = RecordFrames::parse(&bad, FrameSet::Extended).unwrap_err();
    assert_eq!(error, DecodeError::UnknownCloseSpace(2));
}

#[test]
fn tokens_have_their_bytes() {
    let value = [0xaa; 32];
    let token = |connection| {
        ExtendedFrame::NewToken(ExtendedTokenFrame {
            connection,
            token: TokenRef::from_bytes(&value),
            receive_generation: 1,
            send_generation: 2,
            lifetime: 60,
        })
    };
    let text = "aa".repeat(32);
    check(
        token(connection()),
        &format!("{text} 00000001 00000002 00010000 0000003c 0030 1a"),
    );
    check(ExtendedFrame::RetireToken(connection()), "00010000 0004 1b");
    check(ExtendedFrame::TokenRequest(8), "08 0001 1c");
    let mut first = Vec::new();
    Frame::Extended(token(ConnectionId::FIRST))
        .encode(&mut first)
        .unwrap();
    let error = RecordFrames::parse(&first, FrameSet::Extended).unwrap_err();
    assert_eq!(error, DecodeError::ReservedTokenSequence);
}

#[test]
fn path_frames_have_their_bytes() {
    check(
        ExtendedFrame::ConnectionPriority(ConnectionPriorityFrame {
            connection: connection(),
            epoch: 3,
            flags: PriorityFlags::BACKUP,
        }),
        "00000003 01 00010000 0009 1d",
    );
    check(ExtendedFrame::Probe(1), "0000000000000001 0008 1e");
    check(ExtendedFrame::ProbeReply(1), "0000000000000001 0008 1f");
    check(
        ExtendedFrame::ObservedAddress(ObservedAddressFrame {
            connection: connection(),
            epoch: 3,
            address: [192, 0, 2, 1].into(),
            port: 443,
        }),
        "01bb c0000201 04 00000003 00010000 000f 20",
    );
    let address: std::net::Ipv6Addr = "2001:db8::1".parse().unwrap();
    check(
        ExtendedFrame::ObservedAddress(ObservedAddressFrame {
            connection: connection(),
            epoch: 3,
            address: address.into(),
            port: 443,
        }),
        "01bb 20010db8000000000000000000000001 06 00000003 00010000 001b 20",
    );
}

/// A frame that is not known and may be ignored is passed over by its length, also between others.
#[test]
fn unknown_ignorable_frames_are_skipped_from_the_end() {
    for frame_type in [0x21, 0x3f, 0x80, 0xff] {
        let value = [1, 2, 3];
        let unknown = ExtendedFrame::Unknown(UnknownFrame {
            frame_type,
            value: &value,
        });
        check(unknown, &format!("010203 0003 {frame_type:02x}"));
        let record = hex(&format!("01 010203 0003 {frame_type:02x} 01"));
        let frames = RecordFrames::parse(&record, FrameSet::Extended).unwrap();
        let frames: Vec<_> = frames.iter().collect();
        assert_eq!(frames, [Frame::Ping, Frame::Extended(unknown), Frame::Ping]);
    }
}

#[test]
fn unknown_critical_and_unused_types_are_refused() {
    for frame_type in [0x0a, 0x0f, 0x40, 0x7f] {
        let record = hex(&format!("01 0000 {frame_type:02x}"));
        let error = RecordFrames::parse(&record, FrameSet::Extended).unwrap_err();
        assert_eq!(error, DecodeError::UnknownFrameType(frame_type));
        assert_eq!(error.alert().as_u8(), 50);
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let cases = [
        ("0004 20", DecodeError::Truncated),
        ("10", DecodeError::Truncated),
        ("00 0001 3f 000a 3f", DecodeError::Truncated),
        ("00000007 0003 12", DecodeError::Truncated),
        ("0000000007 0005 12", DecodeError::ExtendedFrameLength(0x12)),
        ("0000 1c", DecodeError::Truncated),
        ("0808 0002 1c", DecodeError::ExtendedFrameLength(0x1c)),
    ];
    for (record, expected) in cases {
        let error = RecordFrames::parse(&hex(record), FrameSet::Extended).unwrap_err();
        assert_eq!(error, expected, "{record}");
        assert_eq!(error.alert().as_u8(), 50);
    }
}
