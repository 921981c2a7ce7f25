//! Any interleaving of what applications do, over any cutting of the bytes: every byte of every
//! stream once and in order, on both sides.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use tcpls_core::{
    CloseReason, Event, FinishError, OpenError, Profile, ReadError, ResetError, SessionConfig,
    StreamAnnouncement, WriteError,
    testing::{LinkConfig, Pair, PairConfig},
    wire::{Features, Role, StreamId},
};

use crate::talk::pattern;

/// One call of an application; streams are chosen among those that it knows.
#[derive(Debug, Clone, Copy)]
pub enum Op {
    Open,
    Accept,
    Write { stream: usize, len: usize },
    WriteChunk { stream: usize, len: usize },
    Finish { stream: usize },
    Read { stream: usize, most: usize },
    DropSend { stream: usize },
    DropRecv { stream: usize },
    Reset { stream: usize, code: u32 },
    Stop { stream: usize, code: u32 },
    Ping,
    Step,
}

/// What one side knows of one stream.
#[derive(Debug, Default, Clone)]
pub struct Half {
    written: usize,
    sending: Sending,
    read: usize,
    receiving: Receiving,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Sending {
    #[default]
    Open,
    Finished,
    /// Left unfinished, with a peer that cannot be told.
    Dropped,
    /// Broken off, with this code.
    Reset(u32),
    /// Finished, and broken off before the peer said that it has everything.
    FinishedAndReset(u32),
    /// The peer wants no more of it.
    Stopped,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Receiving {
    #[default]
    Open,
    Ended,
    /// Given up, and the peer is told this code if it can be.
    Dropped(u32),
    Reset,
}

/// Two applications and what they know.
pub struct Game {
    pub pair: Pair,
    pub known: [BTreeMap<StreamId, Half>; 2],
}

fn side(role: Role) -> usize {
    usize::from(role == Role::Server)
}

impl Game {
    pub fn new(pair: Pair) -> Self {
        Self {
            pair,
            known: [BTreeMap::new(), BTreeMap::new()],
        }
    }

    pub fn play(&mut self, role: Role, op: Op) {
        match op {
            Op::Open => match self.pair.host(role).session.open_bi() {
                Ok(id) => drop(self.known[side(role)].insert(id, Half::default())),
                Err(OpenError::Blocked | OpenError::StreamLimit) => {}
                Err(error) => panic!("{error}"),
            },
            Op::Accept => {
                if let Some(id) = self.pair.host(role).session.accept_bi() {
                    let earlier = self.known[side(role)].insert(id, Half::default());
                    assert!(earlier.is_none(), "accepted twice");
                }
            }
            Op::Write { stream, len } => self.write(role, stream, len, |session, id, data| {
                session.send(id).write(data)
            }),
            Op::WriteChunk { stream, len } => self.write(role, stream, len, |session, id, data| {
                session.send(id).write_chunk(&mut data.to_vec().into())
            }),
            Op::Finish { stream } => {
                if let Some(id) = self.choose(role, stream) {
                    let half = self.known[side(role)].get_mut(&id).unwrap();
                    let finished = self.pair.host(role).session.send(id).finish();
                    match finished {
                        Ok(()) => {
                            assert_eq!(half.sending, Sending::Open);
                            half.sending = Sending::Finished;
                        }
                        Err(FinishError::Stopped(code)) => self.on_stopped(role, id, code),
                        Err(_) => assert_ne!(half.sending, Sending::Open),
                    }
                }
            }
            Op::Reset { stream, code } => {
                if let Some(id) = self.choose(role, stream) {
                    self.reset(role, id, code);
                }
            }
            Op::Stop { stream, code } => {
                if let Some(id) = self.choose(role, stream) {
                    self.pair.host(role).session.recv(id).stop_sending(code);
                    self.on_stop(role, id, code);
                }
            }
            Op::Read { stream, most } => {
                if let Some(id) = self.choose(role, stream) {
                    self.read(role, id, most);
                }
            }
            Op::DropSend { stream } => {
                if let Some(id) = self.choose(role, stream) {
                    let stopped = self.pair.host(role).session.send(id).poll_stopped();
                    self.pair.host(role).session.drop_send(id);
                    let breaks_off = self.breaks_off();
                    let half = self.known[side(role)].get_mut(&id).unwrap();
                    if half.sending == Sending::Open {
                        half.sending = match stopped {
                            Some(_) => Sending::Stopped,
                            None if breaks_off => Sending::Reset(0),
                            None => Sending::Dropped,
                        };
                    }
                }
            }
            Op::DropRecv { stream } => {
                if let Some(id) = self.choose(role, stream) {
                    self.pair.host(role).session.drop_recv(id);
                    self.on_stop(role, id, 0);
                }
            }
            Op::Ping => {
                let host = self.pair.host(role);
                let connection = host.connection(0);
                host.session.ping(connection);
            }
            Op::Step => drop(self.pair.step()),
        }
    }

    fn write(
        &mut self,
        role: Role,
        stream: usize,
        len: usize,
        call: impl Fn(&mut tcpls_core::Session, StreamId, &[u8]) -> Result<usize, WriteError>,
    ) {
        let Some(id) = self.choose(role, stream) else {
            return;
        };
        let half = self.known[side(role)].get_mut(&id).unwrap();
        let data = pattern(id, role, half.written, len);
        match call(&mut self.pair.host(role).session, id, &data) {
            Ok(written) => {
                assert_eq!(half.sending, Sending::Open);
                half.written += written;
            }
            Err(WriteError::Blocked) => assert_eq!(half.sending, Sending::Open),
            Err(WriteError::Finished | WriteError::Reset) => {
                assert_ne!(half.sending, Sending::Open);
            }
            Err(WriteError::Stopped(code)) => self.on_stopped(role, id, code),
            Err(error) => panic!("{error}"),
        }
    }

    /// Whether streams can be broken off.
    fn breaks_off(&self) -> bool {
        let features = self.pair.client.session.features();
        features.contains(Features::STREAM_RESET)
    }

    fn reset(&mut self, role: Role, id: StreamId, code: u32) {
        let result = self.pair.host(role).session.send(id).reset(code);
        if !self.breaks_off() {
            assert_eq!(result, Err(ResetError::UnsupportedByPeer));
            return;
        }
        let stopped = self.pair.host(role).session.send(id).poll_stopped();
        let half = self.known[side(role)].get_mut(&id).unwrap();
        match (result, half.sending) {
            (Ok(()), Sending::Open) => half.sending = Sending::Reset(code),
            (Ok(()), Sending::Finished) => half.sending = Sending::FinishedAndReset(code),
            (Err(ResetError::Over), Sending::Open) => assert!(stopped.is_some()),
            (Err(ResetError::Over), _) => {}
            (result, sending) => panic!("{result:?} when {sending:?}"),
        }
    }

    /// An application learns that the peer's wants no more.
    fn on_stopped(&mut self, role: Role, id: StreamId, code: u32) {
        let reader = self.known[side(role.peer())][&id].receiving;
        assert_eq!(reader, Receiving::Dropped(code), "{id:?} was never stopped");
        let half = self.known[side(role)].get_mut(&id).unwrap();
        half.sending = Sending::Stopped;
    }

    /// An application wants no more: the first time counts.
    fn on_stop(&mut self, role: Role, id: StreamId, code: u32) {
        let half = self.known[side(role)].get_mut(&id).unwrap();
        if !matches!(half.receiving, Receiving::Dropped(_)) {
            half.receiving = Receiving::Dropped(code);
        }
    }

    /// Reads once; returns whether that brought anything.
    fn read(&mut self, role: Role, id: StreamId, most: usize) -> bool {
        let half = self.known[side(role)].get_mut(&id).unwrap();
        match self.pair.host(role).session.recv(id).read_chunk(most) {
            Ok(Some(bytes)) => {
                assert!(bytes.len() <= most.max(1) && !bytes.is_empty());
                let expected = pattern(id, role.peer(), half.read, bytes.len());
                assert!(bytes == expected, "wrong bytes at {} of {id:?}", half.read);
                half.read += bytes.len();
                true
            }
            // A stream that is over reads as ended, also when it was dropped.
            Ok(None) if matches!(half.receiving, Receiving::Dropped(_)) => false,
            Ok(None) => {
                half.receiving = Receiving::Ended;
                let writer = &self.known[side(role.peer())][&id];
                let finished = matches!(
                    writer.sending,
                    Sending::Finished | Sending::FinishedAndReset(_)
                );
                assert!(finished, "an end that nobody set");
                assert_eq!(self.known[side(role)][&id].read, writer.written);
                false
            }
            Err(ReadError::Blocked) => false,
            Err(ReadError::Stopped) => {
                assert!(matches!(half.receiving, Receiving::Dropped(_)));
                false
            }
            Err(ReadError::Reset(code)) => {
                half.receiving = Receiving::Reset;
                let writer = self.known[side(role.peer())][&id].sending;
                let reset = [Sending::Reset(code), Sending::FinishedAndReset(code)];
                assert!(reset.contains(&writer), "{id:?} was never reset so");
                false
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Both accept and read all they can; returns whether that brought anything.
    pub fn read_everything(&mut self) -> bool {
        let mut moved = false;
        for role in [Role::Client, Role::Server] {
            self.play(role, Op::Accept);
            let ids: Vec<_> = self.known[side(role)].keys().copied().collect();
            for id in ids {
                while self.read(role, id, usize::MAX) {
                    moved = true;
                }
            }
        }
        moved
    }

    /// Both read all they can, whatever it is.
    pub fn discard_everything(&mut self) {
        self.accept_all();
        for role in [Role::Client, Role::Server] {
            for id in self.known[side(role)].keys() {
                let session = &mut self.pair.host(role).session;
                while let Ok(Some(_)) = session.recv(*id).read_chunk(usize::MAX) {}
            }
        }
    }

    /// Lets everything arrive: both read all they can until nothing moves.
    fn come_to_rest(&mut self) {
        while self.pair.step() | self.read_everything() {}
    }

    fn finish_and_check(mut self) {
        self.accept_all();
        self.come_to_rest();
        self.finish_all();
        self.come_to_rest();
        self.check_streams();
        self.let_go();
        self.pair.drive();
        self.check_nothing_left();
        self.close_and_check();
    }

    /// Accepts what came.
    pub fn accept_all(&mut self) {
        for role in [Role::Client, Role::Server] {
            while self.pair.host(role).session.accept_bi().is_some_and(|id| {
                self.known[side(role)].insert(id, Half::default());
                true
            }) {}
        }
    }

    /// Finishes all streams that are open.
    pub fn finish_all(&mut self) {
        for role in [Role::Client, Role::Server] {
            for index in 0..self.known[side(role)].len() {
                let id = *self.known[side(role)].keys().nth(index).unwrap();
                if self.known[side(role)][&id].sending == Sending::Open {
                    self.play(role, Op::Finish { stream: index });
                }
            }
        }
    }

    /// Compares what was written and read, once everything has arrived.
    pub fn check_streams(&mut self) {
        for role in [Role::Client, Role::Server] {
            let stats = self.pair.host(role).session.stats();
            assert_eq!(
                (stats.bytes_unread, stats.bytes_unacked),
                (0, 0),
                "{role:?}"
            );
            for (id, half) in &self.known[side(role)] {
                let Some(writer) = self.known[side(role.peer())].get(id) else {
                    panic!("{id:?} was opened and never accepted");
                };
                let expected = match (half.receiving, writer.sending) {
                    (Receiving::Dropped(_), _)
                    | (Receiving::Reset, Sending::Reset(_) | Sending::FinishedAndReset(_)) => {
                        continue;
                    }
                    (receiving, Sending::Finished | Sending::FinishedAndReset(_)) => {
                        assert_eq!(receiving, Receiving::Ended, "{id:?} at {role:?}");
                        writer.written
                    }
                    (receiving, Sending::Reset(_) | Sending::Stopped) => {
                        panic!("{id:?} at {role:?} is {receiving:?}")
                    }
                    (receiving, Sending::Open | Sending::Dropped) => {
                        assert_eq!(receiving, Receiving::Open, "an end that nobody set");
                        writer.written
                    }
                };
                assert_eq!(half.read, expected, "{id:?} at {role:?}");
            }
        }
    }

    /// Gives up all streams. Where each end can be told, nothing is left of them.
    pub fn let_go(&mut self) {
        for role in [Role::Client, Role::Server] {
            let ids: Vec<_> = self.known[side(role)].keys().copied().collect();
            for id in ids {
                let session = &mut self.pair.host(role).session;
                session.drop_send(id);
                session.drop_recv(id);
                self.on_stop(role, id, 0);
            }
        }
    }

    /// What is left of streams that were given up long ago.
    pub fn check_nothing_left(&mut self) {
        for role in [Role::Client, Role::Server] {
            let breaks_off = self.breaks_off();
            let stats = self.pair.host(role).session.stats();
            assert_eq!(stats.bytes_unacked, 0, "{role:?}");
            assert!(!breaks_off || stats.streams_live == 0, "{role:?} {stats:?}");
        }
    }

    /// Closes the session; both sides know who did.
    pub fn close_and_check(&mut self) {
        let now = self.pair.clock.now();
        self.pair.client.session.close(now);
        self.pair.drive();
        let last = |role, pair: &mut Pair| pair.host(role).take_events().pop();
        assert_eq!(
            last(Role::Client, &mut self.pair),
            Some(Event::Closed(CloseReason::LocalClose)),
        );
        assert_eq!(
            last(Role::Server, &mut self.pair),
            Some(Event::Closed(CloseReason::PeerClose)),
        );
    }

    fn choose(&self, role: Role, stream: usize) -> Option<StreamId> {
        let known = &self.known[side(role)];
        known.keys().nth(stream % known.len().max(1)).copied()
    }
}

fn ops() -> impl Strategy<Value = Vec<(Role, Op)>> {
    let stream = 0_usize..6;
    let op = prop_oneof![
        2 => Just(Op::Open),
        2 => Just(Op::Accept),
        5 => (stream.clone(), 0_usize..40_000).prop_map(|(stream, len)| Op::Write { stream, len }),
        2 => (stream.clone(), 0_usize..40).prop_map(|(stream, len)| Op::Write { stream, len }),
        2 => (stream.clone(), 0_usize..40_000)
            .prop_map(|(stream, len)| Op::WriteChunk { stream, len }),
        1 => stream.clone().prop_map(|stream| Op::Finish { stream }),
        4 => (stream.clone(), 1_usize..30_000).prop_map(|(stream, most)| Op::Read { stream, most }),
        1 => stream.clone().prop_map(|stream| Op::DropSend { stream }),
        1 => stream.clone().prop_map(|stream| Op::DropRecv { stream }),
        1 => (stream.clone(), 1_u32..9).prop_map(|(stream, code)| Op::Reset { stream, code }),
        1 => (stream, 1_u32..9).prop_map(|(stream, code)| Op::Stop { stream, code }),
        1 => Just(Op::Ping),
        8 => Just(Op::Step),
    ];
    let role = prop_oneof![Just(Role::Client), Just(Role::Server)];
    proptest::collection::vec((role, op), 1..80)
}

fn config() -> impl Strategy<Value = SessionConfig> {
    let limits = (
        1_usize..100_000,
        1_usize..300_000,
        0_usize..60_000,
        1_u32..6,
    );
    let windows = (300_u64..60_000, 300_u64..60_000);
    let rest = (0_u8..4, 0_usize..5000, 1_u32..20, 1_u64..200, windows);
    (limits, rest).prop_map(|((stream, session, unread, streams), rest)| {
        let (profile, copy_below, ack_after, key_update, windows) = rest;
        let mut config = SessionConfig::new();
        config
            .stream_send_buffer(stream)
            .session_send_buffer(session)
            .unread_soft_cap(unread)
            .own_streams(streams)
            .copy_below(copy_below)
            .ack_after_records(ack_after)
            .key_update_after(key_update)
            .profile(match profile {
                0 => Profile::DraftOnly,
                _ => Profile::Extended,
            })
            .stream_window(windows.0)
            .max_stream_window(windows.0 + 10_000)
            .session_window(windows.1)
            .max_session_window(windows.1 + 10_000)
            // With the data alone, a stream without data would not be accepted.
            .announcement(StreamAnnouncement::AtOpen);
        config
    })
}

fn link() -> impl Strategy<Value = LinkConfig> {
    (
        0_u64..50,
        1_usize..100_000,
        200_usize..40_000,
        200_usize..40_000,
    )
        .prop_map(
            |(latency, buffer, largest_read, largest_write)| LinkConfig {
                latency: Duration::from_millis(latency),
                buffer: buffer.max(50),
                largest_read,
                largest_write,
                observed: true,
                rate: None,
            },
        )
}

fn pairs() -> impl Strategy<Value = PairConfig> {
    let firsts = (0_u64..3, 0_u64..5);
    (any::<u64>(), config(), config(), link(), firsts).prop_map(
        |(seed, client, server, link, (first_from_client, first_from_server))| PairConfig {
            seed,
            client,
            server,
            link,
            first_from_client,
            first_from_server,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// R6: streams are independent byte streams, whatever happens around them. A-26: keys change at
    /// any moment.
    #[test]
    fn every_byte_arrives_once_and_in_order(config in pairs(), ops in ops()) {
        let mut game = Game::new(Pair::new(config));
        for (role, op) in ops {
            game.play(role, op);
        }
        game.finish_and_check();
    }
}
