//! What streams cost that are open and rest: nothing, whatever goes on beside them.

use std::time::Duration;

use tcpls_core::{
    Event, SessionConfig, TimeoutReason,
    testing::{LinkConfig, Pair, PairConfig},
    wire::{Role, StreamId},
};

use crate::talk::{pattern, read_all};

const MS: Duration = Duration::from_millis(1);

/// What a session had to do, and what its driver had to do for it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Work {
    /// Of each side, in their order.
    events: [Vec<Event>; 2],
    deadlines: [Vec<TimeoutReason>; 2],
    records: usize,
}

/// A pair over observed links with one stream, and so many others that both sides used once.
fn pair_with(idle: u32) -> (Pair, StreamId) {
    let mut config = SessionConfig::new();
    config.own_streams(10_000).peer_streams(10_000);
    let mut pair = Pair::new(PairConfig {
        client: config.clone(),
        server: config,
        link: LinkConfig {
            observed: true,
            ..LinkConfig::default()
        },
        ..PairConfig::default()
    });
    let first = pair.client.session.open_bi().unwrap();
    exchange(&mut pair, first, 1);
    for _ in 0..idle {
        let id = pair.client.session.open_bi().unwrap();
        exchange(&mut pair, id, 1);
    }
    (pair, first)
}

/// A request and an answer of so many bytes.
fn exchange(pair: &mut Pair, id: StreamId, len: usize) {
    for role in [Role::Client, Role::Server] {
        let bytes = pattern(id, role, 0, len);
        assert_eq!(pair.host(role).session.send(id).write(&bytes), Ok(len));
        pair.drive_for(20 * MS);
        let (read, _) = read_all(pair.host(role.peer()), id);
        assert_eq!(read.len(), len);
    }
}

/// Lets the time pass, and notes at which deadlines the drivers woke up.
fn pass(pair: &mut Pair, time: Duration, work: &mut Work) {
    let mut left = time;
    while !left.is_zero() {
        let end = pair.clock.now() + MS;
        for (side, role) in [Role::Client, Role::Server].into_iter().enumerate() {
            if let Some((at, reason)) = pair.host(role).session.poll_timeout()
                && at <= end
            {
                work.deadlines[side].push(reason);
            }
        }
        pair.drive_for(MS);
        left -= MS;
    }
}

/// What some requests on one stream take, and the minute after them, and how many allocations.
fn work_beside(idle: u32) -> (Work, u64) {
    let (mut pair, id) = pair_with(idle);
    exchange(&mut pair, id, 1000);
    pass(&mut pair, Duration::from_secs(10), &mut Work::default());
    for host in [&mut pair.client, &mut pair.server] {
        host.take_events();
    }
    let mut work = Work::default();
    let before = pair.records_sealed();
    let counted = allocation_counter::measure(|| {
        for _ in 0..20 {
            exchange(&mut pair, id, 1000);
        }
        pass(&mut pair, Duration::from_secs(60), &mut work);
    });
    work.records = pair.records_sealed() - before;
    work.events = [pair.client.take_events(), pair.server.take_events()];
    (work, counted.count_total)
}

/// A session does the same with thousands of idle streams as with none: what happens, what is sent, when its
/// driver wakes up and what it allocates.
#[test]
fn idle_streams_make_no_work() {
    let (alone, allocations) = work_beside(0);
    assert!(alone.records >= 40 && alone.events[0].len() >= 20);
    for idle in [1, 4000] {
        let (beside, more) = work_beside(idle);
        assert_eq!(beside, alone);
        // What is read in pieces of random length takes one more or less.
        let most = allocations + allocations / 10;
        assert!(more <= most, "{more} after {allocations}");
    }
}

/// a session at rest is asked for nothing but a few Pings, which end within a second of the last data.
#[test]
fn a_session_at_rest_wakes_nobody() {
    let (mut pair, id) = pair_with(1000);
    exchange(&mut pair, id, 1000);
    let mut first = Work::default();
    pass(&mut pair, Duration::from_secs(2), &mut first);
    let [client, server] = &first.deadlines;
    let asked = |reasons: &[TimeoutReason]| {
        let asked = reasons
            .iter()
            .filter(|&&reason| reason == TimeoutReason::Silence);
        asked.count()
    };
    assert!((1..=3).contains(&asked(client)), "{client:?}");
    assert_eq!(asked(server), 0, "the client asks already: {server:?}");
    assert!(client.len() + server.len() <= 6, "{first:?}");
    let mut rest = Work::default();
    let before = pair.records_sealed();
    pass(&mut pair, Duration::from_secs(60), &mut rest);
    assert_eq!((rest, pair.records_sealed()), (Work::default(), before));
}
