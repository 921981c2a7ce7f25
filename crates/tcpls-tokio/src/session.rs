//! The handle of a session.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use tcpls_core::crypto::{Exporter, HandshakeInfo};
use tcpls_core::wire::AddressId;
use tcpls_core::{AddressError, AddressStanding, ConnectionFailure, ConnectionStats, SessionStats};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{ExportError, PathError, SessionError};
use crate::follow::News;
use crate::io::{Addresses, Transport};
use crate::join::Joiner;
use crate::migrate::Migration;
use crate::path::{Path, PathEvents};
use crate::path_options::PathOptions;
use crate::path_stats::{PathStats, path_stats};
use crate::race::Race;
use crate::shared::{Shared, State, Wait};

/// A TCPLS session: many independent streams over one or several TCP connections.
///
/// Cheap to clone; all clones are the same session. When the last clone and the last stream half
/// are dropped, the session closes as with [`close`](Self::close).
#[derive(Clone)]
pub struct Session {
    pub(crate) handle: Arc<Handle>,
}

impl Session {
    pub(crate) fn new(handle: Handle) -> Self {
        Self {
            handle: Arc::new(handle),
        }
    }

    /// Opens another TCP connection as `options` say, and joins it to the session. From then on the
    /// session uses it along with the others and outlives any of them (draft 4.2).
    ///
    /// A session without connections waits for one for its
    /// [`orphan_timeout`](crate::SessionConfig::orphan_timeout) and goes on where it stopped.
    ///
    /// # Errors
    /// [`PathError`]; the session goes on without this path.
    ///
    /// # Cancel safety
    /// Dropped before it completes, the attempt is given up.
    pub async fn open_path(&self, options: &PathOptions) -> Result<Path, PathError> {
        let config = &self.joiner()?.config.transport;
        let limit = config.handshake_timeout;
        let options = options.resolved(self.handle.addresses.remote, config)?;
        options.check(&self.handle.shared)?;
        let tcp = tokio::time::timeout(limit, options.dial())
            .await
            .map_err(|_| PathError::TimedOut(limit))??;
        self.join(Transport::new(tcp).opened_with(options)).await
    }

    /// From now on the session is to have such a path: it is opened as soon as that works, and again
    /// whenever it fails. Returns at once; [`path_events`](Self::path_events) tells when it is there. Does
    /// nothing with [`FollowPaths::Off`](crate::FollowPaths::Off).
    ///
    /// # Errors
    /// [`PathError::NotClient`] at a server, and [`PathError::NoAddress`] without an address to connect to.
    pub fn keep_path(&self, options: &PathOptions) -> Result<(), PathError> {
        let config = &self.joiner()?.config.transport;
        let options = options.resolved(self.handle.addresses.remote, config)?;
        let wanted = News::Wanted(options);
        self.handle
            .shared
            .update(|state, _| state.inbox.tell(wanted));
        Ok(())
    }

    /// Moves the session to another path: opens it as `options` say, lets it carry data beside the ones
    /// before until TCP has found out what it carries, at most 1.5 s, and then retires those (reading
    /// They are not opened again. Returns when they go; where the new path is silent just then, that
    /// is once it speaks again, and where it is given up, the session stays where it was.
    ///
    /// # Errors
    /// [`PathError`]; then nothing changed.
    ///
    /// # Cancel safety
    /// Dropped before the new path is established, nothing changed; after that, the session moves all the
    /// same.
    pub async fn migrate(&self, options: &PathOptions) -> Result<Path, PathError> {
        let shared = &self.handle.shared;
        let from = shared.inspect(|state| state.core.connections().collect());
        let path = self.open_path(options).await?;
        let migration = Migration::begin(shared, from, path.connection());
        // In a task of its own, so that it ends whatever becomes of the caller; it does not panic.
        let _completed = tokio::spawn(migration.complete()).await;
        Ok(path)
    }

    /// As [`open_path`](Self::open_path) over a byte stream to the server that the caller brings.
    ///
    /// # Errors
    /// [`PathError`]; the session goes on without this path.
    ///
    /// # Cancel safety
    /// Dropped before it completes, the attempt is given up and `io` is closed.
    pub async fn join_over<IO>(&self, io: IO) -> Result<Path, PathError>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.join(Transport::new(io)).await
    }

    /// The connections of the session on which the peer was heard and that are not over, in the order
    /// in which they came.
    pub fn paths(&self) -> Vec<Path> {
        let shared = &self.handle.shared;
        let connections = shared.inspect(|state| {
            let core = &state.core;
            let established = |connection: &_| core.is_established(*connection);
            core.connections().filter(established).collect::<Vec<_>>()
        });
        connections
            .into_iter()
            .filter_map(|connection| Path::new(shared, connection))
            .collect()
    }

    /// Watches connections come and go from now on.
    pub fn path_events(&self) -> PathEvents {
        PathEvents::new(self.handle.shared.update(|state, _| state.path_events()))
    }

    /// Waits until the session is over and says why.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn closed(&self) -> SessionError {
        let shared = &self.handle.shared;
        shared
            .wait_for(Wait::Closed, |state| state.ended().copied())
            .await
    }

    /// Why the session is over, if it is.
    pub fn close_reason(&self) -> Option<SessionError> {
        self.handle.shared.inspect(|state| state.ended().copied())
    }

    /// Asks the peer for an acknowledgement on each connection, which shows that it is there
    /// (draft 5.2.2).
    pub fn ping(&self) {
        self.handle.shared.update(|state, _| {
            let connections: Vec<_> = state.core.connections().collect();
            for connection in connections {
                state.core.ping(connection);
            }
        });
    }

    /// Counters of the session so far.
    pub fn stats(&self) -> SessionStats {
        self.handle.shared.inspect(|state| state.core.stats())
    }

    /// Counters of each connection that is not over.
    pub fn connection_stats(&self) -> Vec<ConnectionStats> {
        self.handle.shared.inspect(|state| {
            let core = &state.core;
            core.connections()
                .filter_map(|handle| core.connection_stats(handle))
                .collect()
        })
    }

    /// Every connection that the session has or had, in the order in which they came; those that ended
    /// long ago, more than 64 others before, are not among them.
    pub fn path_stats(&self) -> Vec<PathStats> {
        self.handle.shared.inspect(path_stats)
    }

    /// Advertises an address of this side to the peer (draft 5.2.7): a server's as one that clients may
    /// connect to, a client's as one that it may connect from. At most 256 in a session.
    ///
    /// # Errors
    /// [`AddressError`] when the identifiers of addresses are used up, or the session is over or closing.
    pub fn advertise(&self, address: SocketAddr) -> Result<AddressId, AddressError> {
        let advertise = |state: &mut State| state.core.advertise_address(address);
        self.handle.shared.update(|state, _| advertise(state))
    }

    /// Withdraws an address that was advertised (draft 5.2.8). Both sides end the connections that use
    /// it, in order once another connection can take over, and open none any more: a server drains an
    /// address so. A server's address is one with its port; a client's is all of its ports.
    ///
    /// With no other connection after two seconds they end all the same, and the session waits for one
    /// for its [`orphan_timeout`](crate::SessionConfig::orphan_timeout) (readings ).
    ///
    /// # Errors
    /// [`AddressError`] when it is not advertised, or the session is over or closing.
    pub fn withdraw(&self, address: SocketAddr) -> Result<(), AddressError> {
        self.handle.shared.update(|state, now| {
            let mut result = Err(AddressError::Unknown);
            // It may be advertised under several identifiers.
            while let AddressStanding::Advertised(id) = state.core.own_address(address) {
                state.core.withdraw_address(id)?;
                result = Ok(());
            }
            state.leave_withdrawn(now);
            result
        })
    }

    /// The addresses for further connections that the peer advertised and did not withdraw (draft
    /// 5.2.7).
    pub fn peer_addresses(&self) -> Vec<SocketAddr> {
        self.handle.shared.inspect(|state| {
            state
                .core
                .peer_addresses()
                .map(|(_, address)| address)
                .collect()
        })
    }

    /// What the TLS handshake agreed on.
    pub fn handshake(&self) -> &HandshakeInfo {
        &self.handle.info
    }

    /// The application protocol that ALPN chose.
    pub fn alpn_protocol(&self) -> Option<&[u8]> {
        self.handle.info.alpn.as_deref()
    }

    /// The peer's certificate chain, end entity first, where the handshake had one.
    pub fn peer_identity(&self) -> Option<&[CertificateDer<'static>]> {
        let chain = self.handle.info.peer_certificates.as_slice();
        (!chain.is_empty()).then_some(chain)
    }

    /// Fills `output` with keying material that only the two ends of this session can derive
    /// (RFC 8446 section 7.5).
    ///
    /// # Errors
    /// [`ExportError`] for an empty or too long output.
    pub fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportError> {
        self.handle
            .exporter
            .export_keying_material(label, context, output)
            .map_err(|_| ExportError)
    }

    /// The local address of the connection that carried the handshake, over TCP.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.handle.addresses.local
    }

    /// The peer's address on the connection that carried the handshake, over TCP.
    pub fn remote_address(&self) -> Option<SocketAddr> {
        self.handle.addresses.remote
    }

    /// A number that no other live session of this process has.
    pub fn stable_id(&self) -> usize {
        Arc::as_ptr(&self.handle).addr()
    }

    /// Joins connections that come out of `race`, as many as `wanted`, in a task of its own until `end`.
    pub(crate) fn join_others(&self, mut race: Race, wanted: usize, end: tokio::time::Instant) {
        let Some(joiner) = self.handle.joiner.clone() else {
            return;
        };
        let shared = Arc::clone(&self.handle.shared);
        tokio::spawn(tokio::time::timeout_at(end, async move {
            let mut got = 0;
            while got < wanted
                && let Ok((tcp, options)) = race.next().await
            {
                let transport = Transport::new(tcp).opened_with(options);
                match joiner.join(&shared, transport).await {
                    Ok(_) => got += 1,
                    Err(error) => tracing::debug!(%error, "a spare connection did not join"),
                }
            }
        }));
    }

    async fn join(&self, transport: Transport) -> Result<Path, PathError> {
        let shared = &self.handle.shared;
        let connection = self.joiner()?.join(shared, transport).await?;
        Path::new(shared, connection).ok_or(PathError::Lost(ConnectionFailure::Eof))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    fn joiner(&self) -> Result<&Joiner, PathError> {
        self.handle.joiner.as_deref().ok_or(PathError::NotClient)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("handshake", &self.handle.info)
            .field("addresses", &self.handle.addresses)
            .finish_non_exhaustive()
    }
}

/// What all handles of a session keep alive; the session closes when it is dropped.
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) info: HandshakeInfo,
    pub(crate) exporter: Exporter,
    pub(crate) addresses: Addresses,
    /// At a client.
    pub(crate) joiner: Option<Arc<Joiner>>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.update(|state, now| state.core.close(now));
    }
}
