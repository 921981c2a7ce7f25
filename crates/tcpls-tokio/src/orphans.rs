//! Sessions of a server that have lost their last connection and wait for another (reading A-19).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::shared::Shared;

/// The sessions of a server that have no connection, in the order in which they lost it. Each keeps what
/// it could not deliver, so that their number is bounded: one more ends the oldest.
#[derive(Clone, Default)]
pub(crate) struct Orphans {
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    sessions: BTreeMap<u64, Weak<Shared>>,
}

/// The entry of a session without connections; dropped when it has one again, or is over.
pub(crate) struct Orphan {
    orphans: Orphans,
    key: u64,
}

impl Orphans {
    /// Enters a session that lost its last connection. If that makes more than `limit`, the oldest is
    /// aborted.
    pub(crate) fn enter(&self, shared: &Arc<Shared>, limit: usize) -> Orphan {
        let mut waiting = self.lock();
        let key = waiting.next;
        waiting.next += 1;
        waiting.sessions.insert(key, Arc::downgrade(shared));
        let oldest = if waiting.sessions.len() > limit {
            waiting.sessions.pop_first()
        } else {
            None
        };
        drop(waiting);
        if let Some(oldest) = oldest.and_then(|(_, oldest)| oldest.upgrade()) {
            oldest.update(|state, _| {
                // It may have got a connection just now.
                if state.is_orphan() {
                    tracing::warn!(
                        "too many sessions wait for a connection: the oldest is given up"
                    );
                    state.core.abort();
                }
            });
        }
        Orphan {
            orphans: self.clone(),
            key,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        self.orphans.lock().sessions.remove(&self.key);
    }
}
