//! From the end of a rustls handshake to the keys of a session.

use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::ClientConnectionData;
use rustls::kernel::KernelConnection;
use rustls::server::ServerConnectionData;
use rustls::{ConnectionTrafficSecrets, Error, ExtractedSecrets};

use crate::secrets::{DirectionKeys, KeyError, NextSecret, RecordSecret, SessionKeys};
use crate::{Backend, Limits, Suite};

/// Stores the session tickets that a server sends after the handshake, where the user's
/// `rustls::ClientConfig` keeps them for resumption.
#[derive(Clone)]
pub struct TicketStore {
    kernel: Arc<Mutex<Kernel>>,
}

/// A session ticket that is not stored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TicketError {
    /// The ticket is malformed: the peer's fault, to be answered with `decode_error`.
    #[error("malformed session ticket: {0}")]
    Malformed(Error),
    /// Servers do not receive tickets.
    #[error("a server does not receive session tickets")]
    NotAClient,
}

impl TicketStore {
    /// Stores a `NewSessionTicket`, given without its 4-byte header.
    pub fn store(&self, ticket: &[u8]) -> Result<(), TicketError> {
        match &mut *lock(&self.kernel) {
            Kernel::Client(connection) => connection
                .handle_new_session_ticket(ticket)
                .map_err(TicketError::Malformed),
            Kernel::Server(_) => Err(TicketError::NotAClient),
        }
    }
}

impl fmt::Debug for TicketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketStore(..)")
    }
}

/// What rustls keeps of a connection for later: the traffic secrets and the resumption secret.
pub(super) enum Kernel {
    Client(KernelConnection<ClientConnectionData>),
    Server(KernelConnection<ServerConnectionData>),
}

/// How the keys that rustls hands over are to be used.
#[derive(Clone, Copy)]
pub(super) struct KeyOptions {
    pub(super) suite: Suite,
    pub(super) backend: Backend,
    pub(super) limits: Limits,
}

/// The keys of both directions, and where tickets go.
pub(super) fn session_keys(
    secrets: ExtractedSecrets,
    kernel: Kernel,
    options: KeyOptions,
) -> Result<(SessionKeys, TicketStore), KeyError> {
    let kernel = Arc::new(Mutex::new(kernel));
    let direction = |secrets, direction| {
        let source = KernelSource {
            kernel: Arc::clone(&kernel),
            direction,
        };
        let first = record_secret(secrets)?;
        let KeyOptions {
            suite,
            backend,
            limits,
        } = options;
        let keys = DirectionKeys::new(suite, backend, &first, Box::new(source))?;
        Ok::<_, KeyError>(Arc::new(keys.with_limits(limits)))
    };
    let ExtractedSecrets {
        tx: (_, send),
        rx: (_, receive),
    } = secrets;
    let keys = SessionKeys {
        suite: options.suite,
        send: direction(send, Direction::Send)?,
        receive: direction(receive, Direction::Receive)?,
    };
    Ok((keys, TicketStore { kernel }))
}

#[derive(Clone, Copy)]
enum Direction {
    Send,
    Receive,
}

/// Later generations of one direction.
struct KernelSource {
    kernel: Arc<Mutex<Kernel>>,
    direction: Direction,
}

impl NextSecret for KernelSource {
    fn next_secret(&mut self) -> Result<RecordSecret, KeyError> {
        let updated = match (&mut *lock(&self.kernel), self.direction) {
            (Kernel::Client(connection), Direction::Send) => connection.update_tx_secret(),
            (Kernel::Client(connection), Direction::Receive) => connection.update_rx_secret(),
            (Kernel::Server(connection), Direction::Send) => connection.update_tx_secret(),
            (Kernel::Server(connection), Direction::Receive) => connection.update_rx_secret(),
        };
        let (_, secrets) = updated.map_err(|_| KeyError::Source)?;
        record_secret(secrets)
    }
}

fn record_secret(secrets: ConnectionTrafficSecrets) -> Result<RecordSecret, KeyError> {
    let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
    | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
    | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
    else {
        return Err(KeyError::Source);
    };
    RecordSecret::new(key.as_ref(), iv.as_ref()).ok_or(KeyError::Length)
}

/// A panic inside rustls leaves nothing half done that would matter here.
fn lock(kernel: &Mutex<Kernel>) -> std::sync::MutexGuard<'_, Kernel> {
    kernel.lock().unwrap_or_else(PoisonError::into_inner)
}
