//! The sessions of an endpoint that are not over.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tcpls_core::ConnectionFailure;
use tokio::sync::Notify;

use crate::clients::Clients;
use crate::follow::News;
use crate::interfaces::{Change, Interfaces, LocalAddress};
use crate::orphans::Orphans;
use crate::shared::Shared;

/// All sessions of an endpoint, to close them together and to wait until they are over.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    sessions: Mutex<Sessions>,
    emptied: Notify,
    orphans: Orphans,
    clients: Clients,
    /// Once a session began over TCP.
    interfaces: Mutex<Option<Interfaces>>,
}

#[derive(Default)]
struct Sessions {
    next: u64,
    live: BTreeMap<u64, Weak<Shared>>,
}

impl Registry {
    /// Enters a session; it is live until the registration and all its clones are dropped.
    pub(crate) fn register(&self, shared: &Arc<Shared>) -> Registration {
        let mut sessions = self.lock();
        let key = sessions.next;
        sessions.next += 1;
        sessions.live.insert(key, Arc::downgrade(shared));
        drop(sessions);
        Registration {
            registry: self.clone(),
            key,
        }
    }

    /// Sees to it that sessions hear of local addresses that come and go. Returns those that are known to
    /// be there. Within a runtime with I/O enabled.
    pub(crate) fn watch_interfaces(&self) -> Arc<[LocalAddress]> {
        let mut interfaces = self
            .inner
            .interfaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if interfaces.as_ref().is_none_or(Interfaces::is_over) {
            let registry = Arc::downgrade(&self.inner);
            *interfaces = Some(Interfaces::watch(move |change| {
                if let Some(inner) = registry.upgrade() {
                    Self { inner }.on_local_addresses(change);
                }
            }));
        }
        interfaces
            .as_ref()
            .map(Interfaces::usable)
            .unwrap_or_default()
    }

    /// Local addresses came or went: a connection does not outlive its own, and one that failed may be
    /// opened again.
    fn on_local_addresses(&self, change: &Change) {
        for shared in self.sessions() {
            shared.update(|state, now| {
                for connection in state.connections_from(&change.gone) {
                    let failure = ConnectionFailure::AddressGone;
                    state.core.handle_failure(connection, failure, now);
                }
                if !change.came.is_empty() {
                    state.inbox.tell(News::Came(Arc::clone(&change.usable)));
                }
            });
        }
    }

    /// Where the sessions come from that the endpoint accepts.
    pub(crate) fn clients(&self) -> &Clients {
        &self.inner.clients
    }

    /// How many sessions are live.
    pub(crate) fn live(&self) -> usize {
        self.lock().live.len()
    }

    /// Closes every session as its own `close` would.
    pub(crate) fn close_all(&self) {
        for shared in self.sessions() {
            shared.update(|state, now| state.core.close(now));
        }
    }

    /// Waits until no session is live.
    pub(crate) async fn wait_idle(&self) {
        loop {
            let emptied = self.inner.emptied.notified();
            if self.live() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn sessions(&self) -> Vec<Arc<Shared>> {
        let sessions = self.lock();
        sessions.live.values().filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.inner
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("live", &self.live())
            .finish()
    }
}

/// One live session's entry, held by its tasks.
pub(crate) struct Registration {
    registry: Registry,
    key: u64,
}

impl Registration {
    /// The endpoint's sessions without connections.
    pub(crate) fn orphans(&self) -> &Orphans {
        &self.registry.inner.orphans
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut sessions = self.registry.lock();
        sessions.live.remove(&self.key);
        if sessions.live.is_empty() {
            drop(sessions);
            self.registry.inner.emptied.notify_waiters();
        }
    }
}

#[cfg(all(test, feature = "aws-lc"))]
#[allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on shall say where"
)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use rustls::RootCertStore;
    use rustls_pki_types::PrivatePkcs8KeyDer;
    use tcpls_core::wire::ConnectionId;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::acceptor::Acceptor;
    use crate::connector::Connector;
    use crate::{ClientConfig, ConnectError, PathEvent, PathEvents, PathOptions, ServerConfig};

    const NAME: &str = "server.example";

    /// The next path that ends; others may be silent before.
    async fn next_closed(events: &mut PathEvents) -> (ConnectionId, Option<ConnectionFailure>) {
        loop {
            if let PathEvent::Closed { id, reason } = events.recv().await.unwrap() {
                return (id, reason);
            }
        }
    }

    /// connections go with their local address, at once; the peer hears of it on another, and the
    /// session goes on.
    #[tokio::test]
    async fn connections_go_with_their_local_address() {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
        let server = ServerConfig::with_single_cert(vec![certificate], key).unwrap();
        let client = ClientConfig::with_root_certificates(roots).unwrap();
        let registry = Registry::default();
        let connector = Connector::with_registry(Arc::new(client), registry.clone());
        let acceptor = Acceptor::new(server);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let tcp = TcpStream::connect(address).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let name = NAME.try_into().unwrap();
        let (near, far) = tokio::join!(connector.connect(name, tcp), acceptor.accept(accepted));
        let (near, far) = (near.unwrap(), far.unwrap());
        let joining = tokio::spawn(async move {
            let (accepted, _) = listener.accept().await.unwrap();
            let error = acceptor.accept(accepted).await.unwrap_err();
            assert!(matches!(error, ConnectError::Joined), "{error}");
        });
        let local = IpAddr::from(Ipv4Addr::new(127, 0, 0, 2));
        let path = near
            .open_path(PathOptions::new().local(local))
            .await
            .unwrap();
        joining.await.unwrap();
        let id = path.id();
        let (mut near_events, mut far_events) = (near.path_events(), far.path_events());
        registry.on_local_addresses(&Change {
            gone: vec![local],
            ..Change::default()
        });
        let end = (id, Some(ConnectionFailure::AddressGone));
        assert_eq!(next_closed(&mut near_events).await, end);
        let end = (id, Some(ConnectionFailure::ReportedByPeer));
        assert_eq!(next_closed(&mut far_events).await, end);
        assert_eq!((near.paths().len(), far.paths().len()), (1, 1));
        assert_eq!(near.close_reason(), None);
    }
}
