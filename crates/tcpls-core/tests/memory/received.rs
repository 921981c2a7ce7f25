//! Bytes of streams that arrive and are not read.

use allocation_counter::measure;
use tcpls_core::{
    CloseReason, Limit, SessionConfig,
    wire::{Frame, PaddingRun, Role},
};

use crate::victim::{SESSION, STREAM, Victim, data, stream};

const SOFT: usize = 1 << 20;
const HARD: usize = 4 << 20;
const AHEAD: usize = 2 << 20;

const UNREAD: (Limit, usize) = (Limit::UnreadBytes, HARD);
const OUT_OF_ORDER: (Limit, usize) = (Limit::OutOfOrderBytes, AHEAD);

const FULL: usize = 16_384 - 15;

fn config() -> SessionConfig {
    let mut config = SessionConfig::new();
    config
        .unread_soft_cap(SOFT)
        .unread_hard_cap(HARD)
        .out_of_order_cap(AHEAD);
    config
}

/// What the documentation of `unread_hard_cap` promises where only this cap plays a part.
fn bound(cap: usize, streams: u32) -> u64 {
    let received = u64::try_from(cap + 2 * SOFT).unwrap();
    received * 5 / 4 + SESSION + u64::from(streams) * STREAM
}

/// Drives a server until it ends the session because of this limit, and checks the most that it took.
fn expect((limit, cap): (Limit, usize), streams: u32, mut attack: impl FnMut(&mut Victim)) {
    let info = measure(|| {
        let mut victim = Victim::new(Role::Server, config());
        while victim.is_alive() {
            attack(&mut victim);
        }
        let reason = CloseReason::LimitExceeded(limit);
        assert_eq!(victim.reason(), Some(reason));
    });
    let bound = bound(cap, streams);
    assert!(info.bytes_max <= bound, "{} of {bound}", info.bytes_max);
}

/// A-34 a: full records that nobody reads.
#[test]
fn unread_bytes() {
    let full = vec![7; FULL];
    let mut offset = 0;
    expect(UNREAD, 1, |victim| {
        victim.takes(&[data(stream(0), offset, &full)]);
        offset += u64::try_from(FULL).unwrap();
    });
}

/// A-34 a: in each receive buffer there is one piece that is large enough to be kept by reference, and
/// nothing else that anybody keeps.
#[test]
fn pieces_that_each_keep_a_receive_buffer() {
    let piece = vec![7; 2048];
    let mut offset = 0;
    expect(UNREAD, 1, |victim| {
        victim.takes(&[data(stream(0), offset, &piece)]);
        offset += 2048;
        for _ in 0..16 {
            victim.takes(&[Frame::Padding(PaddingRun { length: 16_384 })]);
        }
    });
}

/// A-34 b: the same behind a gap.
#[test]
fn pieces_behind_a_gap_that_each_keep_a_receive_buffer() {
    let piece = vec![7; 2048];
    let mut offset = 1;
    expect(OUT_OF_ORDER, 1, |victim| {
        victim.takes(&[data(stream(0), offset, &piece)]);
        offset += 5000;
        for _ in 0..16 {
            victim.takes(&[Frame::Padding(PaddingRun { length: 16_384 })]);
        }
    });
}

/// A-34 a: the application reads one stream; the peer puts one piece of another one into each buffer.
#[test]
fn pieces_that_stay_where_others_are_read() {
    let (full, piece) = (vec![7; FULL], vec![7; 8192]);
    let (mut read, mut unread) = (0, 0);
    expect(UNREAD, 1, |victim| {
        victim.takes(&[data(stream(1), unread, &piece)]);
        unread += 8192;
        for _ in 0..15 {
            victim.takes(&[data(stream(0), read, &full)]);
            read += u64::try_from(FULL).unwrap();
            while let Ok(Some(chunk)) = victim.session().recv(stream(0)).read_chunk(usize::MAX) {
                assert!(!chunk.is_empty());
            }
        }
    });
}

/// A-34 a: frames of one byte on as many streams as there may be.
#[test]
fn single_bytes_on_many_streams() {
    let streams = 4096;
    let mut round = 0;
    expect(UNREAD, streams, |victim| {
        for first in (0..streams).step_by(512) {
            let frames: Vec<_> = (first..first + 512)
                .map(|index| data(stream(index), round, b"x"))
                .collect();
            victim.takes(&frames);
        }
        round += 1;
    });
}

/// A-34 a: single bytes between pieces that are kept by themselves.
#[test]
fn single_bytes_between_large_pieces() {
    let piece = vec![7; 2048];
    let mut offset = 0;
    expect(UNREAD, 1, |victim| {
        victim.takes(&[
            data(stream(0), offset + 1, &piece),
            data(stream(0), offset, b"x"),
        ]);
        offset += 2049;
    });
}

/// A-34 b: every second byte, from the front and from the back, on one stream and on many.
#[test]
fn gaps_of_one_byte() {
    for backwards in [false, true] {
        for streams in [1, 500] {
            let mut count: u64 = 0;
            expect(OUT_OF_ORDER, streams, |victim| {
                let frames: Vec<_> = (0..streams)
                    .map(|index| {
                        let place = if backwards { 10_000_000 - count } else { count };
                        data(stream(index), 1 + 2 * place, b"x")
                    })
                    .collect();
                victim.takes(&frames);
                count += 1;
            });
        }
    }
}

/// A-34 b: one gap at the very end of what a stream may have.
#[test]
fn offsets_that_are_far_away() {
    let piece = vec![7; 1000];
    let mut offset = u64::MAX - 1000;
    expect(OUT_OF_ORDER, 1, |victim| {
        victim.takes(&[data(stream(0), offset, &piece)]);
        offset -= 1 << 40;
    });
}

/// A-34 a: on each stream a little more than its buffer had room for.
#[test]
fn buffers_that_have_just_grown() {
    let piece = vec![7; 321];
    let (mut index, mut offset) = (0, 0);
    expect(UNREAD, 3500, |victim| {
        victim.takes(&[data(stream(index), offset, &piece)]);
        offset += 321;
        if offset > 1200 {
            (index, offset) = (index + 1, 0);
        }
    });
}
