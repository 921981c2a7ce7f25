//! Received bytes where the peer was told how far it may go (`spec/extensions.md` 6.1).

use allocation_counter::measure;
use tcpls_core::{
    CloseReason, Limit, PeerMisbehaved, SessionConfig,
    wire::{Frame, PaddingRun, Role},
};

use crate::victim::{SESSION, STREAM, Victim, data, stream};

const SOFT: usize = 1 << 20;
const AHEAD: usize = 1 << 20;
const WINDOW: u64 = 4 << 20;

/// What windows promise: the bytes in them, those behind gaps once more with what pieces cost, and the
/// receive buffers of the soft cap.
fn bound(streams: u64) -> u64 {
    let rest = u64::try_from(AHEAD + 2 * SOFT).unwrap();
    (2 * WINDOW + rest) * 5 / 4 + SESSION + streams * STREAM
}

/// Drives a server until it ends the session, and checks the most that it took.
fn expect(reasons: &[CloseReason], streams: u64, mut attack: impl FnMut(&mut Victim)) {
    let info = measure(|| {
        let mut config = SessionConfig::new();
        config
            .unread_soft_cap(SOFT)
            .out_of_order_cap(AHEAD)
            .session_window(WINDOW)
            .max_session_window(WINDOW)
            .stream_window(WINDOW)
            .max_stream_window(WINDOW);
        let mut victim = Victim::extended(Role::Server, config);
        while victim.is_alive() {
            attack(&mut victim);
        }
        let reason = victim.reason().unwrap();
        assert!(reasons.contains(&reason), "{reason}");
    });
    let bound = bound(streams);
    assert!(info.bytes_max <= bound, "{} of {bound}", info.bytes_max);
}

const BEYOND: [CloseReason; 2] = [
    CloseReason::PeerMisbehaved(PeerMisbehaved::SessionDataLimit),
    CloseReason::PeerMisbehaved(PeerMisbehaved::StreamDataLimit),
];

/// Full records that nobody reads, to the end of the window and beyond.
#[test]
fn unread_bytes_in_a_window() {
    let full = vec![7; 16_000];
    let mut offset = 0;
    expect(&BEYOND, 1, |victim| {
        victim.takes(&[data(stream(0), offset, &full)]);
        offset += 16_000;
    });
}

/// One piece in each receive buffer.
#[test]
fn pieces_in_a_window_that_each_keep_a_receive_buffer() {
    let piece = vec![7; 2048];
    let mut offset = 0;
    expect(&BEYOND, 1, |victim| {
        victim.takes(&[data(stream(0), offset, &piece)]);
        offset += 2048;
        for _ in 0..16 {
            victim.takes(&[Frame::Padding(PaddingRun { length: 16_384 })]);
        }
    });
}

/// Every second byte, on one stream and on many.
#[test]
fn gaps_of_one_byte_in_a_window() {
    let reasons = [
        BEYOND[0],
        BEYOND[1],
        CloseReason::LimitExceeded(Limit::OutOfOrderBytes),
    ];
    for streams in [1, 500] {
        let mut place = 0;
        expect(&reasons, streams.into(), |victim| {
            let frames: Vec<_> = (0..streams)
                .map(|index| data(stream(index), 1 + 2 * place, b"x"))
                .collect();
            victim.takes(&frames);
            place += 1;
        });
    }
}

/// Offsets far beyond what was allowed cost nothing.
#[test]
fn offsets_beyond_the_window() {
    expect(&BEYOND, 1, |victim| {
        victim.takes(&[data(stream(0), 1 << 60, b"x")]);
    });
}
