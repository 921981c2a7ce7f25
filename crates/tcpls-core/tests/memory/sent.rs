//! What this side sent and the peer does not acknowledge.

use std::time::Duration;

use allocation_counter::measure;
use tcpls_core::{PathInfo, SessionConfig, WriteError, wire::Role};

use crate::victim::{SESSION, Victim, data, stream};

const SEND_BUFFER: usize = 1 << 20;

/// What the documentation of `session_send_buffer` promises for so many connections.
fn bound(connections: u64) -> u64 {
    let bytes = u64::try_from(SEND_BUFFER).unwrap();
    bytes + connections * 16_384 * 256 + SESSION
}

/// Writes single bytes, each of which goes out in a frame of its own, as long as any goes.
fn write_single_bytes(victim: &mut Victim, c: tcpls_core::ConnectionHandle) {
    loop {
        match victim.session().send(stream(0)).write(b"x") {
            Ok(1) | Err(WriteError::Blocked) => {}
            other => panic!("{other:?}"),
        }
        if victim.transmit_on(c) == 0 {
            return;
        }
    }
}

fn echo() -> Victim {
    let mut config = SessionConfig::new();
    config
        .session_send_buffer(SEND_BUFFER)
        .stream_send_buffer(SEND_BUFFER);
    let mut victim = Victim::new(Role::Server, config);
    victim.takes(&[data(stream(0), 0, b"x")]);
    victim
}

/// the application answers in single bytes, and nothing is ever acknowledged.
#[test]
fn unacknowledged_frames_of_one_byte() {
    let info = measure(|| {
        let mut victim = echo();
        let first = victim.first();
        write_single_bytes(&mut victim, first);
        assert!(victim.session().stats().bytes_unacked >= 16_384);
    });
    assert!(info.bytes_max <= bound(1), "{} bytes", info.bytes_max);
}

/// the same, while one connection after the other fails and the peer never says what it got:
/// those that are gone remember no more than one that lives.
#[test]
fn unacknowledged_frames_of_connections_that_failed() {
    for observed in [false, true] {
        let info = measure(|| {
            let mut victim = echo();
            let mut c = victim.first();
            for next in 1..=20 {
                let now = victim.now();
                if observed {
                    let info = PathInfo {
                        round_trip: Duration::from_millis(1),
                        in_flight: 1,
                        ..PathInfo::default()
                    };
                    victim.session().handle_path_info(c, info, now);
                }
                write_single_bytes(&mut victim, c);
                let other = victim.join(next);
                victim.lose(c);
                c = other;
            }
            assert!(victim.is_alive());
            assert!(victim.session().stats().bytes_retransmitted > 19 * 16_000);
        });
        assert!(info.bytes_max <= bound(2), "{} bytes", info.bytes_max);
    }
}

/// bytes that are not acknowledged block the writer, however many streams there are.
#[test]
fn unacknowledged_bytes() {
    let info = measure(|| {
        let mut victim = echo();
        for index in 1..100 {
            victim.takes(&[data(stream(index), 0, b"x")]);
        }
        let mut written = 0;
        for round in 0..1000 {
            let id = stream(round % 100);
            written += victim.session().send(id).write(&[7; 16_000]).unwrap_or(0);
            let first = victim.first();
            victim.transmit_on(first);
        }
        assert_eq!(written, SEND_BUFFER);
    });
    assert!(info.bytes_max <= bound(1), "{} bytes", info.bytes_max);
}
