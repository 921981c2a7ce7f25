//! Writers that wait for room, over any interleaving of what applications do: none waits for nothing.
//! `TCPLS_SEEDS` says how many games are played (default 60), `TCPLS_FIRST_SEED` with which seed they begin.

#![allow(
    clippy::print_stderr,
    reason = "a game that fails says which it was and how it went"
)]

use std::{collections::BTreeSet, env, time::Duration};

use bytes::Bytes;
use tcpls_core::{
    Event, SessionConfig, Sharing, StreamAnnouncement, StreamPaths, WriteError,
    testing::{LinkConfig, Pair, PairConfig, Random},
    wire::StreamId,
};

/// What the application of one stream is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    /// It writes when it likes.
    Free,
    /// It waits to be told of room.
    Waits,
    Over,
}

struct Line {
    seed: u64,
    pair: Pair,
    random: Random,
    limit: u64,
    streams: Vec<(StreamId, Writer)>,
    /// Streams that nobody reads.
    unread: BTreeSet<StreamId>,
    trace: Vec<String>,
    waited: u64,
}

/// Two sides with limits, and a network between them.
fn pair(seed: u64, limit: usize, random: &mut Random) -> Pair {
    let mut client = SessionConfig::new();
    client
        .announcement(StreamAnnouncement::WithData)
        .session_send_buffer(limit)
        .stream_send_buffer(1 << (12 + random.up_to(8)))
        .own_streams(1000);
    let window = 1 << (9 + random.up_to(8));
    let most = window * u64::try_from(random.up_to(4)).unwrap();
    let session = match random.up_to(3) {
        1 => window * 2,
        _ => window * 100,
    };
    let mut server = SessionConfig::new();
    server
        .peer_streams(1000)
        .stream_window(window)
        .max_stream_window(most)
        .session_window(session)
        .max_session_window(session);
    let link = LinkConfig {
        latency: Duration::from_millis(u64::try_from(random.up_to(30)).unwrap()),
        buffer: 100_000,
        observed: random.up_to(4) > 1,
        rate: Some(5_000_000),
        ..LinkConfig::default()
    };
    Pair::new(PairConfig {
        seed,
        client,
        server,
        link,
        ..PairConfig::default()
    })
}

impl Line {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let limit = 1 << (14 + random.up_to(7));
        let mut pair = pair(seed, limit, &mut random);
        pair.drive();
        let mut streams = Vec::new();
        let mut unread = BTreeSet::new();
        for _ in 0..random.up_to(60) {
            let id = pair.client.session.open_bi().unwrap();
            if random.up_to(2) == 1 {
                unread.insert(id);
            }
            if random.up_to(4) == 1 {
                let session = &mut pair.client.session;
                session.send(id).set_sharing(Sharing::OneByOne).unwrap();
            }
            streams.push((id, Writer::Free));
        }
        Self {
            seed,
            pair,
            random,
            limit: u64::try_from(limit).unwrap(),
            streams,
            unread,
            trace: Vec::new(),
            waited: 0,
        }
    }

    /// What the application of some stream does.
    fn act(&mut self) {
        let index = self.random.up_to(self.streams.len()) - 1;
        let (id, state) = self.streams[index];
        if state == Writer::Over {
            return;
        }
        let what = self.random.up_to(40);
        let len = match self.random.up_to(3) {
            1 => self.random.up_to(100),
            2 => self.random.up_to(5000),
            _ => self.random.up_to(200_000),
        };
        let session = &mut self.pair.client.session;
        let mut next = state;
        match what {
            1 => {
                session.send(id).finish().unwrap();
                next = Writer::Over;
            }
            2 => {
                session.send(id).reset(1).unwrap();
                next = Writer::Over;
            }
            3 => {
                session.drop_send(id);
                next = Writer::Over;
            }
            4 => {
                let priority = i32::try_from(self.random.up_to(3)).unwrap();
                session.send(id).set_priority(priority).unwrap();
            }
            5 => {
                let c = self.pair.client.connection(0);
                let paths = match self.random.up_to(2) {
                    1 => StreamPaths::All,
                    _ => StreamPaths::Only(vec![c]),
                };
                let session = &mut self.pair.client.session;
                session.send(id).set_paths(paths).unwrap();
            }
            // Who waits only asks again when told, or now and then.
            _ if state == Writer::Waits && what > 8 => {}
            _ => {
                let written = if self.random.up_to(2) == 1 {
                    session.send(id).write(&vec![1; len])
                } else {
                    session.send(id).write_chunk(&mut Bytes::from(vec![1; len]))
                };
                next = match written {
                    Ok(_) => Writer::Free,
                    Err(WriteError::Blocked) => Writer::Waits,
                    Err(error) => panic!("{error}"),
                };
            }
        }
        self.waited += u64::from(next == Writer::Waits);
        self.streams[index].1 = next;
        let of_session = self.pair.client.session.stats().bytes_unacked;
        self.trace.push(format!(
            "{id:?} {what} {len} {state:?} -> {next:?}, {of_session} held"
        ));
    }

    /// Takes note of who is told.
    fn hear(&mut self) {
        for event in self.pair.client.take_events() {
            if let Event::Writable(told) = event {
                let known = self.streams.iter_mut().find(|(id, _)| *id == told);
                let (_, writer) = known.unwrap();
                if *writer == Writer::Waits {
                    *writer = Writer::Free;
                }
                self.trace.push(format!("{told:?} is told"));
            }
        }
    }

    /// Reads what is there of streams that are read.
    fn read(&mut self) -> bool {
        let mut moved = false;
        while self.pair.server.session.accept_bi().is_some() {}
        for (id, _) in &self.streams {
            if !self.unread.contains(id) {
                let session = &mut self.pair.server.session;
                while let Ok(Some(_)) = session.recv(*id).read_chunk(usize::MAX) {
                    moved = true;
                }
            }
        }
        moved
    }

    /// Nothing is on its way and nothing can go: no writer waits whose stream has room, while the session has.
    fn check_rest(&mut self) {
        while self.pair.step() | self.read() {}
        self.hear();
        let held = self.pair.client.session.stats().bytes_unacked;
        for (id, writer) in &self.streams {
            if *writer != Writer::Waits || self.unread.contains(id) || held >= self.limit {
                continue;
            }
            let Some(stats) = self.pair.client.session.stream_stats(*id) else {
                continue;
            };
            let starved = stats.bytes_written > stats.bytes_acked;
            assert!(starved, "{id:?} waits, {held} of {} are held", self.limit);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the game of TCPLS_FIRST_SEED={} failed", self.seed);
            for line in self.trace.iter().rev().take(100).rev() {
                eprintln!("{line}");
            }
        }
    }
}

fn play(seed: u64) -> u64 {
    let mut line = Line::new(seed);
    for _ in 0..line.random.up_to(400) {
        match line.random.up_to(20) {
            1..=16 => line.act(),
            17 => drop(line.read()),
            18 => drop(line.pair.step()),
            19 => line.pair.settle(),
            _ if line.random.up_to(4) == 1 => line.check_rest(),
            _ => {
                let time = u64::try_from(line.random.up_to(30)).unwrap();
                line.pair.drive_for(Duration::from_millis(time));
            }
        }
        line.hear();
    }
    line.check_rest();
    line.waited
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// Whatever writers that were told of room do with it, and whatever becomes of streams that hold some: at
/// rest, nobody waits for room that is there.
#[test]
fn nobody_waits_for_room_that_is_there() {
    let first = number("TCPLS_FIRST_SEED", 1);
    let games = number("TCPLS_SEEDS", 60);
    let mut waited = 0;
    for seed in first..first + games {
        waited += play(seed);
    }
    assert!(waited > games, "{waited}");
}
