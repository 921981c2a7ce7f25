//! From a finished handshake to a running session: keys in place, tasks started.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tcpls_core::crypto::{
    Established, KeyError, Negotiated, RecordOpener, RecordSealer, SessionKeys, TicketStore,
};
use tcpls_core::wire::{ConnectionId, Role, Token};
use tcpls_core::{ConnectionStart, Session as Core};

use crate::config::TransportConfig;
use crate::connection::{Reader, Writer};
use crate::connector::Connected;
use crate::error::ConnectError;
use crate::io::Transport;
use crate::plain::PlainStream;
use crate::registry::{Registration, Registry};
use crate::session::{Handle, Session};
use crate::shared::{Shared, Timer};

/// What the handshake left behind on its connection.
pub(crate) struct Handover {
    pub(crate) transport: Transport,
    pub(crate) established: Established,
    /// Bytes after the handshake that were already read.
    pub(crate) received: BytesMut,
    /// At the server, the token that it sent in its `EncryptedExtensions`.
    pub(crate) sent_token: Option<Token>,
}

/// Goes on with what the handshake agreed on.
pub(crate) fn start(
    role: Role,
    config: &TransportConfig,
    handover: Handover,
    registry: &Registry,
) -> Result<Connected, ConnectError> {
    Ok(match handover.established.negotiated {
        Negotiated::Plain(reason) => {
            Connected::Plain(Box::new(PlainStream::new(role, handover, reason)?))
        }
        Negotiated::Tcpls { .. } => {
            Connected::Session(start_session(role, config, handover, registry)?)
        }
    })
}

/// Starts a session on the connection that carried its handshake.
fn start_session(
    role: Role,
    config: &TransportConfig,
    handover: Handover,
    registry: &Registry,
) -> Result<Session, KeyError> {
    let Handover {
        transport,
        established,
        received,
        sent_token,
    } = handover;
    let token = match established.negotiated {
        Negotiated::Tcpls { token, .. } => token.or(sent_token),
        Negotiated::Plain(_) => None,
    };
    let mut core = Core::new(role, config.session.clone(), crate::clock::now());
    if let Some(token) = token {
        core.handle_early_token(token);
    }
    let shared = Arc::new(Shared::new(core));
    let registration = Arc::new(registry.register(&shared));
    let start = ConnectionStart {
        id: ConnectionId::FIRST,
        first_sent: established.first_sent,
        first_received: established.first_received,
        record_sizes: [0; 2],
    };
    let addresses = transport.addresses;
    let connection = NewConnection {
        keys: &established.keys,
        start,
        transport,
        received,
    };
    connection.attach(&shared, &registration)?;
    tokio::spawn(run_timer(
        Arc::clone(&shared),
        established.tickets,
        registration,
    ));
    Ok(Session::new(Handle {
        shared,
        info: established.info,
        exporter: established.exporter,
        addresses,
    }))
}

/// A connection whose records can flow.
struct NewConnection<'a> {
    keys: &'a SessionKeys,
    start: ConnectionStart,
    transport: Transport,
    received: BytesMut,
}

impl NewConnection<'_> {
    /// Hands the connection to the session and starts its reader and writer.
    fn attach(
        self,
        shared: &Arc<Shared>,
        registration: &Arc<Registration>,
    ) -> Result<(), KeyError> {
        let Self {
            keys,
            start,
            transport,
            received,
        } = self;
        let opener = RecordOpener::new(Arc::clone(&keys.receive), start.id, start.first_received)?;
        let sealer = RecordSealer::new(Arc::clone(&keys.send), start.id, start.first_sent)?;
        let over = Arc::new(AtomicBool::new(false));
        let Transport { read, write, .. } = transport;
        let (handle, writer) = shared.update(|state, now| {
            let writer = |handle| Arc::new(Writer::new(handle, write, sealer));
            state.add_connection(start, writer, Arc::clone(&over), now)
        });
        let reader = Reader::new(handle, read, opener, received, over);
        spawn_held(registration, reader.run(Arc::clone(shared)));
        spawn_held(registration, writer.run(Arc::clone(shared), handle));
        Ok(())
    }
}

/// Spawns a task of a session; the session counts as live while the task runs.
fn spawn_held(registration: &Arc<Registration>, task: impl Future<Output = ()> + Send + 'static) {
    let registration = Arc::clone(registration);
    tokio::spawn(async move {
        task.await;
        drop(registration);
    });
}

/// Runs the session's timers and stores its tickets, until the session is over.
async fn run_timer(shared: Arc<Shared>, tickets: TicketStore, registration: Arc<Registration>) {
    let mut sleep = pin!(tokio::time::sleep(Duration::MAX));
    poll_fn(|cx| {
        loop {
            let (timer, arrived) =
                shared.update(|state, now| (state.poll_timer(cx, now), state.take_tickets()));
            for ticket in arrived {
                if let Err(error) = tickets.store(&ticket) {
                    tracing::debug!(%error, "a session ticket was not stored");
                }
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
