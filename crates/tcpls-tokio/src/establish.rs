//! From a finished handshake to a running session: keys in place, tasks started.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tcpls_core::crypto::{
    Established, KeyError, Negotiated, OpenedRecord, RecordOpener, SessionKeys, TicketStore,
};
use tcpls_core::wire::{ConnectionId, Role, Token};
use tcpls_core::{ConnectionHandle, ConnectionStart, Session as Core};

use crate::clients::Place;
use crate::config::{ClientConfig, ServerConfig, TransportConfig};
use crate::connection::{Answer, Fate, Reader, Receiver, Writer};
use crate::connector::Connected;
use crate::error::ConnectError;
use crate::follow::{FollowPaths, Follower, News};
use crate::io::Transport;
use crate::join::{Joiner, Member};
use crate::orphans::Orphan;
use crate::path_options::PathOptions;
use crate::pending::Pending;
use crate::plain::PlainStream;
use crate::registry::{Registration, Registry};
use crate::session::{Handle, Session};
use crate::shared::{Shared, Socket, Timer};
use crate::token_table::SessionTokens;

/// What the handshake left behind on its connection.
pub(crate) struct Handover {
    pub(crate) transport: Transport,
    pub(crate) established: Established,
    /// Bytes after the handshake that were already read.
    pub(crate) received: BytesMut,
    pub(crate) side: Side,
}

/// What each side knows beyond the handshake.
pub(crate) enum Side {
    Client(Arc<ClientConfig>),
    Server(ServerSide),
}

/// The server's configuration, and the token that it sent in its `EncryptedExtensions`.
pub(crate) struct ServerSide {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) token: Token,
    pub(crate) tokens: SessionTokens,
    /// Among the sessions of the client's address; `None` where that is unknown.
    pub(crate) place: Option<Place>,
}

impl Side {
    fn role(&self) -> Role {
        match self {
            Self::Client(_) => Role::Client,
            Self::Server(_) => Role::Server,
        }
    }

    fn transport(&self) -> &TransportConfig {
        match self {
            Self::Client(config) => &config.transport,
            Self::Server(server) => &server.config.transport,
        }
    }
}

/// Goes on with what the handshake agreed on.
pub(crate) fn start(handover: Handover, registry: &Registry) -> Result<Connected, ConnectError> {
    Ok(match handover.established.negotiated {
        Negotiated::Plain(reason) => {
            let role = handover.side.role();
            Connected::Plain(Box::new(PlainStream::new(role, handover, reason)?))
        }
        Negotiated::Tcpls { .. } => Connected::Session(start_session(handover, registry)?),
    })
}

/// Starts a session on the connection that carried its handshake.
fn start_session(handover: Handover, registry: &Registry) -> Result<Session, KeyError> {
    let Handover {
        mut transport,
        mut established,
        received,
        side,
    } = handover;
    if transport.options.is_none() {
        transport.options = transport.addresses.remote.map(PathOptions::to);
    }
    let shared = Arc::new(Shared::new(core(&mut established, &side)));
    shared.update(|state, _| state.keys = Some(established.keys.clone()));
    let registration = Arc::new(registry.register(&shared));
    let start = ConnectionStart::first(established.first_sent, established.first_received);
    let addresses = transport.addresses;
    let local = if addresses.local.is_some() {
        registry.watch_interfaces()
    } else {
        Arc::default()
    };
    let keys = &established.keys;
    let connection = NewConnection {
        keys,
        start,
        transport,
        received,
        opener: start.opener(Arc::clone(&keys.receive))?,
        first: None,
        answer: None,
        prefix: Vec::new(),
    };
    connection.attach(&shared, &registration)?;
    let (joiner, supply) = match side {
        Side::Client(config) => {
            let joiner = Joiner::new(&config, &mut established, &registration).map(Arc::new);
            if let Some(joiner) = &joiner
                && config.transport.follow_paths != FollowPaths::Off
            {
                Follower::start(&shared, joiner, addresses.remote);
                shared.update(|state, _| state.inbox.tell(News::Came(local)));
            }
            (joiner, None)
        }
        Side::Server(server) => {
            let member = Member {
                shared: Arc::clone(&shared),
                registration: Arc::clone(&registration),
                keys: established.keys.clone(),
                info: established.info.clone(),
                random: server.config.random().clone(),
                joins: Pending::new(server.config.pending_joins),
            };
            (None, Some(TokenSupply::new(server, Arc::new(member))))
        }
    };
    tokio::spawn(run_timer(
        Arc::clone(&shared),
        Tickets {
            store: established.tickets,
            joiner: joiner.clone(),
        },
        supply,
        registration,
    ));
    Ok(Session::new(Handle {
        shared,
        info: established.info,
        exporter: established.exporter,
        addresses,
        joiner,
    }))
}

/// The state machine with what the handshake told it.
fn core(established: &mut Established, side: &Side) -> Core {
    let config = side.transport().session.clone();
    let mut core = Core::new(side.role(), config, crate::clock::now());
    if let Negotiated::Tcpls { params, .. } = &established.negotiated {
        core.handle_params(*params);
    }
    if let Some(token) = early_token(established, side) {
        core.handle_early_token(token);
    }
    core
}

/// The token of sequence 1, which both sides know from the handshake.
fn early_token(established: &mut Established, side: &Side) -> Option<Token> {
    match (side, &mut established.negotiated) {
        (Side::Client(_), Negotiated::Tcpls { token, .. }) => token.take(),
        (Side::Server(server), Negotiated::Tcpls { .. }) => Some(server.token.duplicate()),
        (_, Negotiated::Plain(_)) => None,
    }
}

/// A connection whose records can flow.
pub(crate) struct NewConnection<'a> {
    pub(crate) keys: &'a SessionKeys,
    pub(crate) start: ConnectionStart,
    pub(crate) transport: Transport,
    pub(crate) received: BytesMut,
    pub(crate) opener: RecordOpener,
    /// The first record, when it was opened already.
    pub(crate) first: Option<OpenedRecord>,
    /// At a client that joins, what is to come before the first record.
    pub(crate) answer: Option<Answer>,
    /// What is sent before the first record.
    pub(crate) prefix: Vec<u8>,
}

impl NewConnection<'_> {
    /// Hands the connection to the session and starts its reader and writer; `None` when the session
    /// is over. A connection that joins begins with a Ping each way.
    pub(crate) fn attach(
        self,
        shared: &Arc<Shared>,
        registration: &Arc<Registration>,
    ) -> Result<Option<ConnectionHandle>, KeyError> {
        let Self {
            keys,
            start,
            transport,
            received,
            opener,
            first,
            answer,
            prefix,
        } = self;
        let sealer = start.sealer(Arc::clone(&keys.send))?;
        let fate = Arc::new(Fate::default());
        let Transport {
            read,
            write,
            addresses,
            tcp,
            options,
        } = transport;
        let socket = Socket {
            addresses,
            tcp,
            options,
            fate: Arc::clone(&fate),
        };
        let receiver_fate = Arc::clone(&fate);
        let added = shared.update(|state, now| {
            if state.ended().is_some() {
                return None;
            }
            let halves = |handle| {
                let receiver = Receiver::new(handle, read, opener, &received, receiver_fate);
                let writer = Writer::new(handle, write, sealer, &prefix);
                (Arc::new(receiver), Arc::new(writer))
            };
            let (handle, receiver, writer) = state.add_connection(start, socket, halves, now);
            if let Some(first) = first {
                state.core.handle_record(handle, first, now);
            }
            if start.id != ConnectionId::FIRST {
                state.core.ping(handle);
            }
            Some((handle, receiver, writer))
        });
        let Some((handle, receiver, writer)) = added else {
            return Ok(None);
        };
        let reader = Reader::new(handle, receiver).expecting(answer);
        // The session counts as live while they run.
        let held = || Arc::clone(registration);
        tokio::spawn(Box::new(reader).run(Arc::clone(shared), held()));
        tokio::spawn(writer.run(Arc::clone(shared), handle, fate, held()));
        Ok(Some(handle))
    }
}

/// Keeps the client of one session in tokens, and the tokens in the server's table.
struct TokenSupply {
    config: Arc<ServerConfig>,
    tokens: SessionTokens,
    /// Tokens that the session wants and did not get.
    owed: u8,
    member: Arc<Member>,
    /// As long as the session is there.
    _place: Option<Place>,
}

impl TokenSupply {
    fn new(server: ServerSide, member: Arc<Member>) -> Self {
        server.tokens.open(&member);
        Self {
            config: server.config,
            tokens: server.tokens,
            owed: 0,
            member,
            _place: server.place,
        }
    }

    /// Issues this many more tokens, as far as they can be had, and the rest another time.
    fn issue(&mut self, count: u8) {
        self.owed = self.owed.saturating_add(count);
        if self.owed == 0 {
            return;
        }
        // What was used, expired or was taken back since then is of no use any more.
        let tokens = &mut self.tokens;
        self.member
            .shared
            .inspect(|state| tokens.retain(|connection| state.core.is_token_unused(connection)));
        while self.owed > 0 {
            if !self.tokens.has_room() {
                tracing::debug!("the table of tokens is full");
                return;
            }
            let Ok(token) = self.config.new_token() else {
                tracing::warn!("no random numbers for a token");
                return;
            };
            // In the table before it can be on its way.
            let issued = self.member.shared.update(|state, _| {
                let connection = state.core.issue_token(token.duplicate()).ok()?;
                self.tokens.insert(token, connection).then_some(connection)
            });
            if issued.is_none() {
                tracing::debug!("a token was not issued");
                self.owed = 0;
                return;
            }
            self.owed -= 1;
        }
    }
}

/// Where the session tickets go that a client gets.
struct Tickets {
    store: TicketStore,
    joiner: Option<Arc<Joiner>>,
}

impl Tickets {
    fn take(&self, ticket: &[u8]) {
        if let Some(joiner) = &self.joiner {
            joiner.on_ticket(ticket);
        }
        if let Err(error) = self.store.store(ticket) {
            tracing::debug!(%error, "a session ticket was not stored");
        }
    }
}

/// Runs the session's timers, stores its tickets and issues its tokens, until the session is over.
async fn run_timer(
    shared: Arc<Shared>,
    tickets: Tickets,
    mut supply: Option<TokenSupply>,
    registration: Arc<Registration>,
) {
    let mut sleep = pin!(tokio::time::sleep(Duration::MAX));
    let mut orphan = None;
    poll_fn(|cx| {
        loop {
            let (timer, arrived, wanted, alone) = shared.update(|state, now| {
                let timer = state.poll_timer(cx, now);
                let arrived = state.take_tickets();
                (
                    timer,
                    arrived,
                    state.take_tokens_wanted(),
                    state.is_orphan(),
                )
            });
            if let Some(supply) = &mut supply {
                supply.issue(wanted);
                if !alone {
                    orphan = None;
                } else if !orphan.as_ref().is_some_and(Orphan::is_entered) {
                    let limit = supply.config.orphaned_sessions;
                    orphan = Some(registration.orphans().enter(&shared, limit));
                }
            }
            for ticket in arrived {
                tickets.take(&ticket);
            }
            match timer {
                Timer::Done => return Poll::Ready(()),
                Timer::WakeAt(None) => return Poll::Pending,
                Timer::WakeAt(Some(at)) => {
                    sleep.as_mut().reset(at.into());
                    if sleep.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    })
    .await;
    drop(registration);
}
