//! Any interleaving of what applications do with whatever a network does, on up to four connections at a
//! time. `TCPLS_SEEDS` says how many games are played (default 60), `TCPLS_FIRST_SEED` with which seed
//! they begin.

#![allow(
    clippy::print_stderr,
    reason = "a game that fails says which it was and how it went"
)]

use std::{collections::BTreeSet, env, net::SocketAddr, sync::Arc, time::Duration};

use tcpls_core::{
    ConnectionFailure, Event, Failover, PathStatus, Profile, SessionConfig, StreamPaths,
    scheduler::{EarliestCompletion, LowestRtt, Redundant, RoundRobin, Scheduler},
    testing::{LinkConfig, Pair, PairConfig, Random},
    wire::{AddressId, Features, Role, StreamId},
};

use crate::interaction::{Game, Op};

/// Bytes that one side keeps for its peer at most.
const SEND_BUFFER: usize = 400_000;

/// What a session with limits holds of unread data at most.
const MOST_UNREAD: u64 = 200_000;

/// In how many steps everything has arrived.
const PATIENCE: usize = 200_000;

/// What happened in games, to see that they are about something.
#[derive(Debug, Default)]
struct Tally {
    failed: u64,
    retired: u64,
    suspect: u64,
    sent_again: u64,
    duplicates: u64,
    records: u64,
}

/// A game and the network under it.
struct Network {
    game: Game,
    random: Random,
    wires: usize,
    holes: BTreeSet<usize>,
    /// Addresses of each side: those that it advertised and did not withdraw.
    addresses: [Vec<(AddressId, SocketAddr)>; 2],
    closed: [BTreeSet<tcpls_core::ConnectionHandle>; 2],
    failover: Failover,
    tally: Tally,
    trace: Vec<String>,
}

/// Says which game failed.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the game of TCPLS_FIRST_SEED={} failed", self.0);
        }
    }
}

fn index(role: Role) -> usize {
    usize::from(role == Role::Server)
}

fn config(random: &mut Random, failover: Failover, profile: Profile) -> SessionConfig {
    let scheduler: Arc<dyn Scheduler> = match random.up_to(6) {
        1 => Arc::new(LowestRtt),
        2 => Arc::new(RoundRobin),
        3 => Arc::new(Redundant),
        _ => Arc::new(EarliestCompletion),
    };
    let mut config = SessionConfig::new();
    config
        .stream_send_buffer(random.up_to(200_000))
        .session_send_buffer(random.up_to(SEND_BUFFER))
        .unread_soft_cap(random.up_to(60_000))
        .unread_hard_cap(8 * SEND_BUFFER)
        .own_streams(u32::try_from(random.up_to(6)).unwrap())
        .copy_below(random.up_to(5000))
        .ack_after_records(u32::try_from(random.up_to(20)).unwrap())
        .key_update_after(u64::try_from(random.up_to(300)).unwrap())
        .failover(failover)
        .scheduler(scheduler);
    let window = match random.up_to(4) {
        1 => 100 + random.up_to(2000),
        _ => 500 + random.up_to(60_000),
    };
    let beside = random.up_to(window.min(40_000)) - 1;
    let (window, beside) = [window, beside]
        .map(|bytes| u64::try_from(bytes).unwrap())
        .into();
    config
        .profile(profile)
        .stream_window(window)
        .max_stream_window(2 * window)
        .session_window(window + beside)
        .max_session_window(MOST_UNREAD);
    config
}

fn link(random: &mut Random) -> LinkConfig {
    LinkConfig {
        latency: Duration::from_millis(u64::try_from(random.up_to(60)).unwrap() - 1),
        buffer: random.up_to(100_000).max(50),
        largest_read: 200 + random.up_to(40_000),
        largest_write: 200 + random.up_to(40_000),
        observed: random.up_to(4) > 1,
        rate: match random.up_to(3) {
            1 => None,
            _ => Some(u32::try_from(100_000 + random.up_to(3_000_000)).unwrap()),
        },
    }
}

impl Network {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let failover = if random.up_to(8) == 1 {
            Failover::Off
        } else {
            Failover::Resend
        };
        let profiles = [(); 2].map(|()| match random.up_to(6) {
            1 => Profile::DraftOnly,
            _ => Profile::Extended,
        });
        let pair = Pair::new(PairConfig {
            seed: random.next_u64(),
            client: config(&mut random, failover, profiles[0]),
            server: config(&mut random, failover, profiles[1]),
            link: link(&mut random),
            ..PairConfig::default()
        });
        Self {
            game: Game::new(pair),
            random,
            wires: 1,
            holes: BTreeSet::new(),
            addresses: [Vec::new(), Vec::new()],
            closed: [BTreeSet::new(), BTreeSet::new()],
            failover,
            tally: Tally::default(),
            trace: Vec::new(),
        }
    }

    fn role(&mut self) -> Role {
        if self.random.up_to(2) == 1 {
            Role::Client
        } else {
            Role::Server
        }
    }

    fn wire(&mut self) -> usize {
        // Mostly one of the latest: the others are over.
        let back = self.random.up_to(5).min(self.wires);
        self.wires - back
    }

    /// What an application does.
    fn application(&mut self) {
        let role = self.role();
        let stream = self.random.up_to(6) - 1;
        let code = u32::try_from(self.random.up_to(9)).unwrap();
        let op = match self.random.up_to(29) {
            1..=3 => Op::Open,
            4..=6 => Op::Accept,
            7..=12 => Op::Write {
                stream,
                len: self.random.up_to(40_000) - 1,
            },
            13..=14 => Op::Write {
                stream,
                len: self.random.up_to(40),
            },
            15..=17 => Op::WriteChunk {
                stream,
                len: self.random.up_to(40_000),
            },
            18 => Op::Finish { stream },
            19..=24 => Op::Read {
                stream,
                most: self.random.up_to(30_000),
            },
            25 => Op::DropSend { stream },
            26 => Op::DropRecv { stream },
            27 => Op::Reset { stream, code },
            28 => Op::Stop { stream, code },
            _ => Op::Ping,
        };
        self.note(&format!("{role:?} {op:?}"));
        self.game.play(role, op);
    }

    /// What the network does, or who manages connections.
    fn happening(&mut self) {
        let (role, wire) = (self.role(), self.wire());
        let what = self.random.up_to(27);
        self.note(&format!("{what} {role:?} {wire}"));
        let spare = self.game.pair.client.session.stats().unused_tokens;
        let now = self.game.pair.clock.now();
        match what {
            1..=6 => self.join(),
            // A session whose tokens were all lost is lost: the network leaves it some. One without
            // failover does not survive any of this.
            7..=12 if spare < 3 => {}
            7..=14 if self.failover == Failover::Off => {}
            // Nor when each side retires the last one that the other keeps.
            17..=19 if self.failover == Failover::Off && role == Role::Server => {}
            7 => self.game.pair.reset(wire),
            8 => self.game.pair.cut(wire, role),
            9..=10 => {
                let bytes = self.random.up_to(60_000) - 1;
                self.game.pair.cut_after(wire, role, bytes);
            }
            11 => drop(self.game.pair.corrupt(wire, role)),
            12 => {
                let c = self.game.pair.host(role).connection(wire);
                let session = &mut self.game.pair.host(role).session;
                session.handle_failure(c, ConnectionFailure::Abandoned, now);
            }
            13..=14 => {
                if self.random.up_to(3) == 1 {
                    self.game.pair.swallow(wire, role);
                } else {
                    self.game.pair.blackhole(wire);
                }
                self.holes.insert(wire);
            }
            15..=16 => self.heal(),
            17..=19 => {
                let c = self.game.pair.host(role).connection(wire);
                let retired = self.game.pair.host(role).session.retire(c, now);
                self.note(&format!("retire {retired:?}"));
            }
            20 => {
                let c = self.game.pair.host(role).connection(wire);
                let status = if self.random.up_to(2) == 1 {
                    PathStatus::Available
                } else {
                    PathStatus::Backup
                };
                let session = &mut self.game.pair.host(role).session;
                session.set_path_status(c, status);
            }
            21 => {
                let paths = if self.random.up_to(3) == 1 {
                    StreamPaths::All
                } else {
                    let wires = [(); 2].map(|()| self.wire());
                    let host = self.game.pair.host(role);
                    StreamPaths::Only(wires.map(|wire| host.connection(wire)).to_vec())
                };
                let id = u32::try_from(self.random.up_to(8)).unwrap() - 1;
                let session = &mut self.game.pair.host(role).session;
                let _unknown = session.send(StreamId::from_wire(id)).set_paths(paths);
                let priority = i32::try_from(self.random.up_to(3)).unwrap();
                let id = u32::try_from(self.random.up_to(8)).unwrap() - 1;
                let session = &mut self.game.pair.host(role).session;
                let _unknown = session.send(StreamId::from_wire(id)).set_priority(priority);
            }
            22..=23 => self.advertise(role),
            24 => self.withdraw(role),
            25 => self.game.pair.host(role).session.force_key_update(),
            26 => {
                let c = self.game.pair.host(role).connection(wire);
                self.game.pair.host(role).session.probe(c);
            }
            _ => {
                let wanted = u8::try_from(self.random.up_to(9)).unwrap();
                let asked = self.game.pair.host(role).session.request_tokens(wanted);
                self.note(&format!("{asked:?}"));
            }
        }
    }

    fn join(&mut self) {
        let pair = &mut self.game.pair;
        pair.issue_tokens();
        if pair.client.session.connections().count() < 4 {
            let link = link(&mut self.random);
            self.wires += usize::from(pair.join_with_token(link).is_some());
        }
    }

    fn heal(&mut self) {
        for wire in std::mem::take(&mut self.holes) {
            self.game.pair.heal(wire);
        }
    }

    fn advertise(&mut self, role: Role) {
        let port = u16::try_from(self.random.up_to(4)).unwrap();
        let address = SocketAddr::from(([192, 0, 2, 1], port));
        let session = &mut self.game.pair.host(role).session;
        if let Ok(id) = session.advertise_address(address) {
            self.addresses[index(role)].push((id, address));
        }
    }

    fn withdraw(&mut self, role: Role) {
        let known = &mut self.addresses[index(role)];
        if !known.is_empty() {
            let (id, _) = known.swap_remove(self.random.up_to(known.len()) - 1);
            let session = &mut self.game.pair.host(role).session;
            session.withdraw_address(id).unwrap();
        }
    }

    /// Whoever lost all connections gets another one.
    fn keep_connected(&mut self) {
        let lost = [Role::Client, Role::Server].map(|role| {
            let session = &self.game.pair.host(role).session;
            session.connections().next().is_none()
        });
        if lost != [false, false] {
            self.note(&format!("join, {lost:?} are without"));
            self.game.pair.issue_tokens();
            let link = link(&mut self.random);
            let joined = self.game.pair.join_with_token(link);
            self.wires += usize::from(joined.is_some());
        }
    }

    /// No deadline moves unnoticed, whatever was done last.
    fn check_deadlines(&mut self) {
        for role in [Role::Client, Role::Server] {
            let session = &mut self.game.pair.host(role).session;
            let earliest = session.earliest_deadline();
            assert_eq!(session.poll_timeout(), earliest, "{role:?}");
        }
    }

    /// What holds at any time.
    fn check(&mut self) {
        self.check_deadlines();
        for role in [Role::Client, Role::Server] {
            let host = self.game.pair.host(role);
            assert_eq!(host.session.close_reason(), None, "{role:?}");
            let stats = host.session.stats();
            let held = stats.bytes_unread + stats.bytes_out_of_order;
            assert!(stats.bytes_unacked <= SEND_BUFFER.try_into().unwrap());
            assert!(stats.bytes_unread <= (8 * SEND_BUFFER).try_into().unwrap());
            let features = host.session.features();
            if features.contains(Features::FLOW_CONTROL) {
                assert!(stats.bytes_unread <= MOST_UNREAD, "{stats:?}");
            }
            // What is kept for a reader is what the peer keeps too, and overhead.
            assert!(
                held <= 3 * 8 * u64::try_from(SEND_BUFFER).unwrap(),
                "{held}"
            );
            for event in host.take_events() {
                if let Event::ConnectionClosed {
                    connection,
                    failure,
                } = event
                {
                    let first = self.closed[index(role)].insert(connection);
                    assert!(first, "{role:?} {connection} closed twice");
                    match failure {
                        Some(_) => self.tally.failed += 1,
                        None => self.tally.retired += 1,
                    }
                } else if matches!(event, Event::ConnectionSuspect(_)) {
                    self.tally.suspect += 1;
                }
            }
            for c in host.session.connections() {
                assert!(!self.closed[index(role)].contains(&c), "{role:?} {c}");
            }
        }
    }

    /// Lets everything arrive.
    fn come_to_rest(&mut self) {
        self.heal();
        let mut resting = 0;
        for _ in 0..PATIENCE {
            self.game.pair.settle();
            self.keep_connected();
            let moved = self.game.pair.step() | self.game.read_everything();
            self.check();
            resting = if moved { 0 } else { resting + 1 };
            if resting > 2 {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    /// What both sides know of each other at the end.
    fn check_rest(&mut self) {
        for role in [Role::Client, Role::Server] {
            let mut known: Vec<_> = self
                .game
                .pair
                .host(role.peer())
                .session
                .peer_addresses()
                .collect();
            known.sort();
            self.addresses[index(role)].sort();
            assert_eq!(known, self.addresses[index(role)], "addresses of {role:?}");
            let session = &self.game.pair.host(role).session;
            assert_eq!(session.stats().bytes_unacked, 0, "{role:?}");
            // What went out on connections that failed is forgotten once the peer knows that they did.
            for wire in 0..self.wires {
                let c = self.game.pair.host(role).connection(wire);
                let session = &self.game.pair.host(role).session;
                let stats = session.connection_stats(c).unwrap();
                assert_eq!(stats.frames_in_flight, 0, "{role:?} {c}");
            }
        }
    }

    /// What the sessions counted.
    fn count(&mut self) {
        for role in [Role::Client, Role::Server] {
            let session = &self.game.pair.host(role).session;
            self.tally.sent_again += session.stats().bytes_retransmitted;
            for c in session.connections() {
                let stats = session.connection_stats(c).unwrap();
                self.tally.duplicates += stats.duplicates_sent;
            }
        }
        self.tally.records += u64::try_from(self.game.pair.records_sealed()).unwrap();
    }

    /// One side closes or gives up, whatever is going on, and both come to their end in a bounded time.
    fn close_in_the_middle(&mut self) {
        let role = self.role();
        let now = self.game.pair.clock.now();
        let what = self.random.up_to(4);
        self.note(&format!("{role:?} closes, {what}"));
        let session = &mut self.game.pair.host(role).session;
        match what {
            1 => session.abort(),
            _ => session.close(now),
        }
        if what == 2 {
            self.game.pair.host(role.peer()).session.close(now);
        }
        let time = Duration::from_millis(u64::try_from(self.random.up_to(2000)).unwrap());
        self.game.pair.drive_for(time);
        self.heal();
        // Small windows and a reader that comes by every two seconds take their time.
        for _ in 0..3000 {
            self.game.pair.drive_for(Duration::from_secs(2));
            self.game.discard_everything();
            let over = [Role::Client, Role::Server].map(|role| {
                let session = &mut self.game.pair.host(role).session;
                session.close_reason().is_some() && session.poll_timeout().is_none()
            });
            if over == [true; 2] {
                break;
            }
        }
        for role in [Role::Client, Role::Server] {
            let session = &mut self.game.pair.host(role).session;
            assert!(session.close_reason().is_some(), "{role:?} goes on");
            assert_eq!(session.poll_timeout(), None);
        }
    }

    fn note(&mut self, what: &str) {
        let at = self.game.pair.clock.since_start();
        self.trace.push(format!("{at:?} {what}"));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for line in self.trace.iter().rev().take(100).rev() {
                eprintln!("{line}");
            }
        }
    }
}

fn play(seed: u64) -> Tally {
    let _seed = Seed(seed);
    let mut network = Network::new(seed);
    network.game.pair.settle();
    network.game.pair.issue_tokens();
    network.game.pair.drive();
    for _ in 0..network.random.up_to(4) - 1 {
        network.join();
    }
    let long = if network.random.up_to(10) == 1 {
        1000
    } else {
        150
    };
    for _ in 0..network.random.up_to(long) {
        match network.random.up_to(10) {
            1..=4 => network.application(),
            5 => network.happening(),
            6 => {
                let time = network.random.up_to(300);
                let time = Duration::from_millis(u64::try_from(time).unwrap());
                network.game.pair.drive_for(time);
            }
            _ => drop(network.game.pair.step()),
        }
        network.check_deadlines();
        network.game.pair.settle();
        network.keep_connected();
        network.check();
    }
    if network.random.up_to(4) == 1 {
        network.count();
        network.close_in_the_middle();
        return std::mem::take(&mut network.tally);
    }
    network.game.accept_all();
    network.come_to_rest();
    network.check_rest();
    network.game.finish_all();
    network.come_to_rest();
    network.game.check_streams();
    network.game.let_go();
    network.come_to_rest();
    network.game.check_nothing_left();
    network.check_rest();
    network.count();
    network.game.close_and_check();
    std::mem::take(&mut network.tally)
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// R6, R10, R18, R20, R21, R49, R50, R54, A-13 to: connections join, are
/// retired, break, are cut after any byte, are corrupted, and fall silent and come back, while applications
/// talk and addresses come and go: every byte arrives once and in order, what is kept stays within its
/// bounds, no connection ends twice, and no nonce repeats, which the pair checks.
#[test]
fn a_session_survives_any_network() {
    let first = number("TCPLS_FIRST_SEED", 1);
    let games = number("TCPLS_SEEDS", 60);
    let mut all = Tally::default();
    for seed in first..first + games {
        let game = play(seed);
        all.failed += game.failed;
        all.retired += game.retired;
        all.suspect += game.suspect;
        all.sent_again += game.sent_again;
        all.duplicates += game.duplicates;
        all.records += game.records;
    }
    println!("{games} games: {all:?}");
    let least = all.failed.min(all.retired).min(all.suspect);
    assert!(games < 60 || least > games / 10, "{all:?}");
    let least = all.sent_again.min(all.duplicates);
    assert!(games < 60 || least > games * 100, "{all:?}");
    assert!(all.records > games * 20, "{all:?}");
}
