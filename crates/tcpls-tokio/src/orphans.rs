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

impl Orphan {
    /// Whether it still counts. One that made room for another and got a connection just then does not,
    /// should it lose that one, too.
    pub(crate) fn is_entered(&self) -> bool {
        self.orphans.lock().sessions.contains_key(&self.key)
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        self.orphans.lock().sessions.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use tcpls_core::wire::Role;
    use tcpls_core::{Session, SessionConfig};

    use super::*;
    use crate::shared::State;

    fn session() -> Arc<Shared> {
        let now = crate::clock::now();
        let core = Session::new(Role::Server, SessionConfig::new(), now);
        Arc::new(Shared::new(core))
    }

    /// the one that waited longest makes room and knows that it does not count any more.
    #[test]
    fn there_are_never_more_than_allowed() {
        let orphans = Orphans::default();
        let sessions = [(); 5].map(|()| session());
        let entries: Vec<_> = sessions
            .iter()
            .map(|shared| orphans.enter(shared, 2))
            .collect();
        assert_eq!(orphans.lock().sessions.len(), 2);
        let counted: Vec<_> = entries.iter().map(Orphan::is_entered).collect();
        assert_eq!(counted, [false, false, false, true, true]);
        let aborted = sessions
            .each_ref()
            .map(|shared| !shared.inspect(State::is_orphan));
        assert_eq!(aborted, [true, true, true, false, false]);
        drop(entries);
        assert!(orphans.lock().sessions.is_empty());
    }
}
