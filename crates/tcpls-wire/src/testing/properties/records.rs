//! Properties of frames and records.

use alloc::vec::Vec;
use core::net::IpAddr;

use proptest::{array::uniform32, collection::vec as vec_of, prelude::*};

use crate::{
    AckFrame, AddressId, ConnectionId, ConnectionResetFrame, Fin, Frame, FrameSet, NewAddressFrame,
    NewTokenFrame, PaddingRun, RecordBuilder, RecordFrames, RecordSequence, RemoveAddressFrame,
    StreamChangeFrame, StreamFrame, StreamId, TokenRef, TokenSequence, testing,
};

proptest! {
    /// R4, R41: any frames in a row come back, from the last to the first.
    #[test]
    fn frames_come_back_from_the_end(frames in frames()) {
        let record = encode(&frames);
        let mut expected: Vec<_> = frames.iter().map(OwnedFrame::borrow).collect();
        expected.reverse();
        let read: Vec<_> = RecordFrames::parse(&record, FrameSet::Draft).unwrap().iter().collect();
        prop_assert_eq!(read, merge_padding(&expected));
    }

    /// a record that lost bytes at either end is something else valid, or refused.
    #[test]
    fn cut_record_is_valid_or_refused(frames in frames()) {
        let record = encode(&frames);
        for cut in 0..record.len() {
            testing::record(&record[..cut]);
            testing::record(&record[cut..]);
        }
    }

    /// so is one in which a byte was changed.
    #[test]
    fn changed_record_is_valid_or_refused(frames in frames(), change in 1..=u8::MAX) {
        let mut record = encode(&frames);
        for position in 0..record.len() {
            record[position] ^= change;
            testing::record(&record);
            record[position] ^= change;
        }
    }

    /// and so are any bytes at all, whatever they are taken for.
    #[test]
    fn any_bytes_are_valid_or_refused(
        bytes in vec_of(prop_oneof![0..0x10u8, any::<u8>()], 0..200),
    ) {
        for (_, body) in testing::BODIES {
            body(&bytes);
        }
    }

    /// R31, R32, R33: what goes into a builder comes out, the largest data first.
    #[test]
    fn built_record_holds_what_was_pushed(frames in frames(), limit in 0..500usize) {
        let mut builder = RecordBuilder::new(limit);
        let mut pushed = Vec::new();
        for frame in frames.iter().map(OwnedFrame::borrow) {
            let room = builder.remaining();
            let result = match stream_of(&frame) {
                Some(StreamFrame { stream, offset, fin, data }) => {
                    builder.push_stream(stream, offset, fin, data)
                }
                None => builder.push_control(&frame),
            };
            if result.is_ok() {
                prop_assert_eq!(builder.remaining(), room - frame.encoded_len());
                pushed.push(frame);
            }
        }
        let mut tail = Vec::new();
        let lead = builder.finish(&mut tail).unwrap_or_default();
        let record = [lead, &tail].concat();
        let mut read: Vec<_> = RecordFrames::parse(&record, FrameSet::Draft).unwrap().iter().collect();
        read.reverse();
        let (mut streams, controls): (Vec<_>, Vec<_>) =
            pushed.into_iter().partition(|frame| data_of(frame).is_some());
        prop_assert_eq!(&read[streams.len()..], merge_padding(&controls));
        read.truncate(streams.len());
        prop_assert_eq!(read.first().and_then(data_of).unwrap_or_default(), lead);
        let largest = streams.iter().filter_map(data_of).map(<[u8]>::len).max();
        prop_assert_eq!(lead.len(), largest.unwrap_or(0));
        for list in [&mut read, &mut streams] {
            list.sort_by_key(|frame| stream_of(frame).map(|frame| frame.stream));
        }
        prop_assert_eq!(read, streams);
    }
}

/// A frame that owns what it carries.
#[derive(Debug, Clone)]
enum OwnedFrame {
    Plain(Frame<'static>),
    Stream {
        stream: StreamId,
        offset: u64,
        fin: Fin,
        data: Vec<u8>,
    },
    NewToken {
        sequence: TokenSequence,
        token: [u8; 32],
    },
}

impl OwnedFrame {
    fn borrow(&self) -> Frame<'_> {
        match self {
            Self::Plain(frame) => *frame,
            Self::Stream {
                stream,
                offset,
                fin,
                data,
            } => Frame::Stream(StreamFrame {
                stream: *stream,
                offset: *offset,
                fin: *fin,
                data,
            }),
            Self::NewToken { sequence, token } => Frame::NewToken(NewTokenFrame {
                sequence: *sequence,
                token: TokenRef::from_bytes(token),
            }),
        }
    }
}

/// Up to eight frames of any kind.
fn frames() -> impl Strategy<Value = Vec<OwnedFrame>> {
    let stream = (0..6u32, number(), any::<bool>(), vec_of(0..=9u8, 0..40)).prop_map(
        |(stream, offset, end, data)| OwnedFrame::Stream {
            stream: StreamId::from_wire(stream),
            offset: offset.min(u64::MAX - 40),
            fin: if end { Fin::End } else { Fin::More },
            data,
        },
    );
    let token =
        (1..=u8::MAX, uniform32(any::<u8>())).prop_map(|(sequence, token)| OwnedFrame::NewToken {
            sequence: TokenSequence::from_wire(sequence).unwrap(),
            token,
        });
    vec_of(
        prop_oneof![3 => stream, 1 => token, 6 => plain().prop_map(OwnedFrame::Plain)],
        0..8,
    )
}

/// A frame without anything borrowed.
fn plain() -> impl Strategy<Value = Frame<'static>> {
    let connection = || any::<u32>().prop_map(ConnectionId::from_wire);
    let id = || any::<u8>().prop_map(AddressId::from_wire);
    prop_oneof![
        (1..50usize).prop_map(|length| Frame::Padding(PaddingRun { length })),
        Just(Frame::Ping),
        (connection(), number()).prop_map(|(connection, highest)| {
            Frame::Ack(AckFrame {
                connection,
                highest: RecordSequence::from_wire(highest),
            })
        }),
        connection()
            .prop_map(|connection| Frame::ConnectionReset(ConnectionResetFrame { connection })),
        (id(), any::<IpAddr>(), any::<u16>()).prop_map(|(id, address, port)| {
            Frame::NewAddress(NewAddressFrame { id, address, port })
        }),
        id().prop_map(|id| Frame::RemoveAddress(RemoveAddressFrame { id })),
        (any::<u32>(), number()).prop_map(|(stream, next_offset)| {
            let stream = StreamId::from_wire(stream);
            Frame::StreamChange(StreamChangeFrame {
                stream,
                next_offset,
            })
        }),
    ]
}

/// Small, large and any numbers.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..300u64, u64::MAX - 300..=u64::MAX, any::<u64>()]
}

fn encode(frames: &[OwnedFrame]) -> Vec<u8> {
    let mut record = Vec::new();
    for frame in frames {
        frame.borrow().encode(&mut record).unwrap();
    }
    record
}

/// The frames with neighbouring runs of Padding put together, as a parser sees them.
fn merge_padding<'a>(frames: &[Frame<'a>]) -> Vec<Frame<'a>> {
    let mut merged: Vec<Frame<'a>> = Vec::new();
    for frame in frames {
        match (merged.last_mut(), frame) {
            (Some(Frame::Padding(last)), Frame::Padding(run)) => last.length += run.length,
            _ => merged.push(*frame),
        }
    }
    merged
}

fn stream_of<'a>(frame: &Frame<'a>) -> Option<StreamFrame<'a>> {
    if let Frame::Stream(frame) = frame {
        Some(*frame)
    } else {
        None
    }
}

fn data_of<'a>(frame: &Frame<'a>) -> Option<&'a [u8]> {
    stream_of(frame).map(|frame| frame.data)
}
