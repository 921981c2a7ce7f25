//! Two sessions and the network between them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    clock::Clock,
    host::{Host, Surroundings},
    link::{LinkConfig, Pipe},
    nonces::Nonces,
    random::Random,
};
use crate::{
    ConnectionStart, Session, SessionConfig, TimeoutReason,
    crypto::{Backend, DirectionKeys, Suite},
    wire::{ConnectionId, RecordSequence, Role, Token},
};

/// What a [`Pair`] is made of.
#[derive(Debug, Clone, Default)]
pub struct PairConfig {
    /// Decides the secrets, and how bytes are cut up.
    pub seed: u64,
    /// The client's session.
    pub client: SessionConfig,
    /// The server's session.
    pub server: SessionConfig,
    /// The first connection, and every further one that is not given its own.
    pub link: LinkConfig,
    /// The number of the client's first record, as after a handshake that handed over late.
    pub first_from_client: u64,
    /// The same for the server, say after tickets.
    pub first_from_server: u64,
}

/// A client and a server whose handshake is done, on a virtual clock.
#[derive(Debug)]
pub struct Pair {
    /// The client.
    pub client: Host,
    /// The server.
    pub server: Host,
    /// The time for both.
    pub clock: Clock,
    wires: Vec<Wire>,
    /// The wires that somebody still reads or writes.
    in_use: Vec<usize>,
    keys: Keys,
    random: Random,
    nonces: Nonces,
}

/// The two directions of one connection.
#[derive(Debug)]
struct Wire {
    link: LinkConfig,
    to_server: Pipe,
    to_client: Pipe,
}

#[derive(Debug)]
struct Keys {
    client: Arc<DirectionKeys>,
    server: Arc<DirectionKeys>,
}

/// Bytes of plaintext that a host asks for at a time.
const BATCH: usize = 128 * 1024;

impl Pair {
    /// A pair with its first connection.
    pub fn new(config: PairConfig) -> Self {
        let clock = Clock::new();
        let mut random = Random::new(config.seed);
        let mut keys = || {
            let secret = random.bytes();
            DirectionKeys::from_traffic_secret(Suite::Aes128Gcm, Backend::default(), &secret)
                .map(Arc::new)
                .expect("32 bytes are a secret of this suite")
        };
        let keys = Keys {
            client: keys(),
            server: keys(),
        };
        let host = |role, config: SessionConfig, peer| {
            let mut session = Session::new(role, config, clock.now());
            session.handle_params(peer);
            Host::new(session, BATCH)
        };
        let (client, server) = (config.client.params(), config.server.params());
        let mut pair = Self {
            client: host(Role::Client, config.client, server),
            server: host(Role::Server, config.server, client),
            clock,
            wires: Vec::new(),
            in_use: Vec::new(),
            keys,
            random,
            nonces: Nonces::default(),
        };
        let client = RecordSequence::from_wire(config.first_from_client);
        let server = RecordSequence::from_wire(config.first_from_server);
        let starts = [
            ConnectionStart::first(client, server),
            ConnectionStart::first(server, client),
        ];
        pair.add(starts, config.link);
        pair
    }

    /// A pair with the defaults.
    pub fn seeded(seed: u64) -> Self {
        Self::new(PairConfig {
            seed,
            ..PairConfig::default()
        })
    }

    /// Adds a connection that joins, beginning with a Ping each way; returns its index.
    pub fn join(&mut self, id: ConnectionId, link: LinkConfig) -> usize {
        let start = ConnectionStart::joined(id);
        self.join_at([start, start], link)
    }

    /// The same with what client and server know about its start.
    fn join_at(&mut self, starts: [ConnectionStart; 2], link: LinkConfig) -> usize {
        let index = self.add(starts, link);
        for host in [&mut self.client, &mut self.server] {
            let handle = host.connection(index);
            host.session.ping(handle);
        }
        index
    }

    /// Issues as many tokens as the server wants.
    pub fn issue_tokens(&mut self) {
        for _ in 0..std::mem::take(&mut self.server.tokens_wanted) {
            let token = Token::from_bytes(self.random.bytes());
            // A session that closes needs none.
            let _closing = self.server.session.issue_token(token);
        }
    }

    /// Adds a connection that joins with a token of the client's, if it has one and the server takes
    /// it; returns its index.
    pub fn join_with_token(&mut self, link: LinkConfig) -> Option<usize> {
        let (start, _token) = self.client.session.take_token()?;
        let redeemed = self.server.session.redeem_token(start.id).ok();
        if redeemed.is_none() {
            self.client.session.handle_join_failure(start.id);
        }
        redeemed.map(|redeemed| self.join_at([start, redeemed], link))
    }

    /// Moves everything that can be moved now, then lets the time pass until something happens.
    /// Returns false, and lets no time pass, when nothing will: nothing is on its way and nobody
    /// waits, except for an idle session to time out or to be kept alive.
    pub fn step(&mut self) -> bool {
        self.settle();
        match self.next_event() {
            Some(at) => {
                self.pass(at);
                self.settle();
                true
            }
            None => false,
        }
    }

    /// Steps until nothing happens any more.
    pub fn drive(&mut self) {
        for _ in 0..1_000_000 {
            if !self.step() {
                return;
            }
        }
        panic!("the pair does not come to rest");
    }

    /// Steps for this long, idle time-outs included, and ends exactly then.
    pub fn drive_for(&mut self, time: Duration) {
        let end = self.clock.now() + time;
        loop {
            self.settle();
            let next = [self.client.deadline(), self.server.deadline()]
                .into_iter()
                .flatten()
                .map(|(at, _)| at)
                .chain(self.next_arrival())
                .min()
                .filter(|at| *at <= end);
            self.pass(next.unwrap_or(end));
            if next.is_none() {
                return self.settle();
            }
        }
    }

    /// Moves everything that can be moved without time passing.
    pub fn settle(&mut self) {
        let now = self.clock.now();
        let mut moved = true;
        while moved {
            moved = false;
            for &index in &self.in_use {
                let wire = self.wires.get_mut(index).expect("no such connection");
                let (random, nonces) = (&mut self.random, &mut self.nonces);
                let Wire {
                    link,
                    to_server,
                    to_client,
                } = wire;
                to_server.arrive(now);
                to_client.arrive(now);
                moved |= self.client.pump(
                    index,
                    Surroundings {
                        outgoing: &mut *to_server,
                        incoming: &mut *to_client,
                        link,
                        random: &mut *random,
                        nonces: &mut *nonces,
                        now,
                    },
                );
                moved |= self.server.pump(
                    index,
                    Surroundings {
                        outgoing: to_client,
                        incoming: to_server,
                        link,
                        random,
                        nonces,
                        now,
                    },
                );
            }
        }
        let (client, server) = (&self.client, &self.server);
        self.in_use
            .retain(|index| !client.is_done_with(*index) || !server.is_done_with(*index));
    }

    /// Breaks a connection: both ends see a reset, and what was not read is gone.
    pub fn reset(&mut self, index: usize) {
        let wire = self.wire(index);
        wire.to_server.reset();
        wire.to_client.reset();
    }

    /// Swallows what both ends send on a connection, without a word, until [`heal`](Self::heal).
    pub fn blackhole(&mut self, index: usize) {
        let wire = self.wire(index);
        wire.to_server.blackhole();
        wire.to_client.blackhole();
    }

    /// Swallows what `role` sends on a connection, until [`heal`](Self::heal).
    pub fn swallow(&mut self, index: usize, role: Role) {
        self.pipe(index, role).blackhole();
    }

    /// Ends a [`blackhole`](Self::blackhole): what was swallowed is sent again.
    pub fn heal(&mut self, index: usize) {
        let now = self.clock.now();
        let wire = self.wire(index);
        wire.to_server.heal(now);
        wire.to_client.heal(now);
    }

    /// Ends what `role` sends on a connection, below the protection: a FIN that nobody vouches for.
    pub fn cut(&mut self, index: usize, role: Role) {
        let now = self.clock.now();
        self.pipe(index, role).shutdown(now);
    }

    /// As [`cut`](Self::cut), and of the bytes on their way only the first `bytes` arrive.
    pub fn cut_after(&mut self, index: usize, role: Role, bytes: usize) {
        let now = self.clock.now();
        let pipe = self.pipe(index, role);
        pipe.shutdown(now);
        pipe.truncate(bytes);
    }

    /// Flips a bit of what `role` sent last; returns whether anything of it was on its way.
    pub fn corrupt(&mut self, index: usize, role: Role) -> bool {
        self.pipe(index, role).corrupt()
    }

    /// The keys that this side seals with, all generations.
    pub fn sealing_keys(&self, role: Role) -> &DirectionKeys {
        match role {
            Role::Client => &self.keys.client,
            Role::Server => &self.keys.server,
        }
    }

    /// The host of this side.
    pub fn host(&mut self, role: Role) -> &mut Host {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// How many records were sealed, by both; that no nonce repeated is checked at each.
    pub fn records_sealed(&self) -> usize {
        self.nonces.count()
    }

    fn add(&mut self, starts: [ConnectionStart; 2], link: LinkConfig) -> usize {
        let now = self.clock.now();
        let (client, server) = (&self.keys.client, &self.keys.server);
        let hosts = [
            (&mut self.client, (client, server)),
            (&mut self.server, (server, client)),
        ];
        for ((host, keys), start) in hosts.into_iter().zip(starts) {
            let sealer = start.sealer(Arc::clone(keys.0));
            let opener = start.opener(Arc::clone(keys.1));
            let (sealer, opener) = sealer
                .and_then(|sealer| Ok((sealer, opener?)))
                .expect("keys");
            let handle = host.session.add_connection(start, now);
            host.add_socket(handle, sealer, opener);
        }
        let (to_server, to_client) = (Pipe::new(&link, now), Pipe::new(&link, now));
        self.wires.push(Wire {
            link,
            to_server,
            to_client,
        });
        self.in_use.push(self.wires.len() - 1);
        self.wires.len() - 1
    }

    /// When something happens next, apart from what only silence brings about.
    fn next_event(&mut self) -> Option<Instant> {
        let matters = |(_, reason): &(Instant, TimeoutReason)| {
            !matches!(reason, TimeoutReason::Idle | TimeoutReason::KeepAlive)
        };
        let deadlines = [self.client.deadline(), self.server.deadline()];
        let deadlines = deadlines
            .into_iter()
            .flatten()
            .filter(matters)
            .map(|(at, _)| at);
        deadlines.chain(self.next_arrival()).min()
    }

    fn next_arrival(&self) -> Option<Instant> {
        let now = self.clock.now();
        let pipes = self
            .in_use
            .iter()
            .filter_map(|index| self.wires.get(*index))
            .flat_map(|wire| [&wire.to_server, &wire.to_client]);
        pipes.filter_map(|pipe| pipe.next_arrival(now)).min()
    }

    fn pass(&mut self, at: Instant) {
        self.clock.advance_to(at);
        self.client.handle_timeout(self.clock.now());
        self.server.handle_timeout(self.clock.now());
    }

    fn wire(&mut self, index: usize) -> &mut Wire {
        self.wires.get_mut(index).expect("no such connection")
    }

    fn pipe(&mut self, index: usize, from: Role) -> &mut Pipe {
        let wire = self.wire(index);
        match from {
            Role::Client => &mut wire.to_server,
            Role::Server => &mut wire.to_client,
        }
    }
}
