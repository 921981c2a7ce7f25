//! Frames and records between values and bytes, without cryptography.
#![allow(
    missing_docs,
    reason = "criterion's macro makes an undocumented function"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a bench that cannot start shall say where"
)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv6Addr};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tcpls_wire::record::{RecordBuilder, RecordFrames};
use tcpls_wire::token::TOKEN_LENGTH;
use tcpls_wire::{
    AckFrame, AddressId, ConnectionId, ConnectionResetFrame, Fin, Frame, FrameSet, NewAddressFrame,
    NewTokenFrame, PaddingRun, RecordSequence, RemoveAddressFrame, Role, StreamChangeFrame,
    StreamFrame, StreamId, Token, TokenSequence,
};

/// Bytes of plaintext: a TCP segment, a page, and the most that a record takes.
const SIZES: [usize; 3] = [1400, 4096, 16_384];
/// What a Stream frame has beside its data.
const STREAM_FIELDS: usize = 15;

fn stream() -> StreamId {
    StreamId::nth(Role::Client, 0).unwrap()
}

fn each_frame(criterion: &mut Criterion) {
    let token = Token::from_bytes([7; TOKEN_LENGTH]);
    let data = [7; 1024];
    let connection = ConnectionId::FIRST;
    let id = AddressId::from_wire(1);
    let frames = [
        ("Padding", Frame::Padding(PaddingRun { length: 16 })),
        ("Ping", Frame::Ping),
        (
            "Stream",
            Frame::Stream(StreamFrame {
                stream: stream(),
                offset: 1 << 20,
                fin: Fin::More,
                data: &data,
            }),
        ),
        (
            "ACK",
            Frame::Ack(AckFrame {
                connection,
                highest: RecordSequence::from_wire(1000),
            }),
        ),
        (
            "New Token",
            Frame::NewToken(NewTokenFrame {
                sequence: TokenSequence::EARLY,
                token: token.as_token_ref(),
            }),
        ),
        (
            "Connection Reset",
            Frame::ConnectionReset(ConnectionResetFrame { connection }),
        ),
        (
            "New Address",
            Frame::NewAddress(NewAddressFrame {
                id,
                address: IpAddr::V6(Ipv6Addr::LOCALHOST),
                port: 443,
            }),
        ),
        (
            "Remove Address",
            Frame::RemoveAddress(RemoveAddressFrame { id }),
        ),
        (
            "Stream Change",
            Frame::StreamChange(StreamChangeFrame {
                stream: stream(),
                next_offset: 1 << 20,
            }),
        ),
    ];
    let mut group = criterion.benchmark_group("frame");
    for (name, frame) in frames {
        let mut encoded = Vec::new();
        frame.encode(&mut encoded).unwrap();
        group.bench_function(BenchmarkId::new("encode", name), |bencher| {
            let mut out = Vec::with_capacity(2048);
            bencher.iter(|| {
                out.clear();
                black_box(&frame).encode(&mut out).unwrap();
                black_box(out.len())
            });
        });
        group.bench_function(BenchmarkId::new("parse", name), |bencher| {
            bencher.iter(|| {
                let record = RecordFrames::parse(black_box(&encoded), FrameSet::Draft).unwrap();
                record.iter().map(black_box).count()
            });
        });
    }
    group.finish();
}

fn whole_records(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    for size in SIZES {
        let data = vec![7; size - STREAM_FIELDS];
        let mut builder = RecordBuilder::new(size);
        let mut build = |tail: &mut Vec<u8>| {
            tail.clear();
            let offset = black_box(1 << 20);
            builder
                .push_stream(stream(), offset, Fin::More, &*data)
                .unwrap();
            builder.finish(tail).unwrap().len() + tail.len()
        };
        let mut plaintext = data.clone();
        let mut tail = Vec::new();
        assert_eq!(build(&mut tail), size);
        plaintext.extend_from_slice(&tail);

        group.throughput(Throughput::Bytes(size.try_into().unwrap()));
        // Data is sealed from where it lies: what is built is the tail, whatever the size.
        group.bench_function(BenchmarkId::new("build", size), |bencher| {
            bencher.iter(|| build(&mut tail));
        });
        group.bench_function(BenchmarkId::new("parse", size), |bencher| {
            bencher.iter(|| {
                let record = RecordFrames::parse(black_box(&plaintext), FrameSet::Draft).unwrap();
                record.iter().map(black_box).count()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, each_frame, whole_records);
criterion_main!(benches);
