//! From a finished handshake to a running session: keys in place, tasks started.

use std::sync::Arc;

use bytes::BytesMut;
use tcpls_core::crypto::{
    Established, KeyError, Negotiated, OpenedRecord, RecordOpener, SessionKeys,
};
use tcpls_core::wire::{ConnectionId, Role, Token};
use tcpls_core::{ConnectionHandle, ConnectionStart, Session as Core};

use crate::clients::Place;
use crate::config::{ClientConfig, ServerConfig, TransportConfig};
use crate::connection::{Answer, Fate, Reader, Receiver, Writer};
use crate::connector::Connected;
use crate::error::ConnectError;
use crate::follow::{FollowPaths, Follower};
use crate::io::Transport;
use crate::join::{Joiner, Member};
use crate::path_options::PathOptions;
use crate::pending::Pending;
use crate::plain::PlainStream;
use crate::registry::{Registration, Registry};
use crate::session::{Handle, Session};
use crate::shared::{Shared, Socket};
use crate::token_table::SessionTokens;
use crate::upkeep::{Tickets, TokenSupply, Upkeep};

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
            let joiner = Joiner::new(&config, &mut established, &registration);
            (joiner.map(Arc::new), None)
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
    let follower = joiner
        .as_ref()
        .filter(|joiner| joiner.config.transport.follow_paths != FollowPaths::Off)
        .map(|joiner| Follower::new(&shared, joiner, addresses.remote, local));
    let upkeep = Upkeep {
        shared: Arc::clone(&shared),
        tickets: Tickets {
            store: established.tickets,
            joiner: joiner.clone(),
        },
        supply,
        follower,
        registration,
    };
    tokio::spawn(upkeep.run());
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
