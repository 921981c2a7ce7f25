//! The sessions of an endpoint that are not over.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

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

    /// How many sessions are live.
    pub(crate) fn live(&self) -> usize {
        self.lock().live.len()
    }

    /// Closes every session as its own `close` would.
    pub(crate) fn close_all(&self) {
        let sessions: Vec<_> = self
            .lock()
            .live
            .values()
            .filter_map(Weak::upgrade)
            .collect();
        for shared in sessions {
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
