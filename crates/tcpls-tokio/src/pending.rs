//! Tasks for peers that have not shown who they are.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

/// At most so many tasks at a time: one more ends the oldest, so that peers who say nothing keep nobody
/// out for long, and those who say at once what they want are served whatever others do.
#[derive(Clone)]
pub(crate) struct Pending {
    limit: usize,
    tasks: Arc<Mutex<Tasks>>,
}

#[derive(Default)]
struct Tasks {
    next: u64,
    /// In the order in which they began; one that is only about to begin has no handle.
    running: BTreeMap<u64, Option<AbortHandle>>,
}

/// The entry of a running task.
struct Entry {
    tasks: Arc<Mutex<Tasks>>,
    key: u64,
}

impl Pending {
    /// `limit` is at least 1.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            tasks: Arc::default(),
        }
    }

    /// Starts a task, and ends the oldest one if they are too many.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let (key, oldest) = self.enter();
        let entry = Entry {
            tasks: Arc::clone(&self.tasks),
            key,
        };
        if let Some(oldest) = oldest {
            tracing::debug!("the oldest of too many unfinished peers is given up");
            oldest.abort();
        }
        // Without the lock: the task may end, and so leave, before this returns.
        let running = tokio::spawn(async move {
            task.await;
            drop(entry);
        });
        match lock(&self.tasks).running.get_mut(&key) {
            Some(handle) => *handle = Some(running.abort_handle()),
            None => running.abort(),
        }
    }

    /// Enters a task that is about to begin, and takes out the oldest if they are too many.
    fn enter(&self) -> (u64, Option<AbortHandle>) {
        let mut tasks = lock(&self.tasks);
        let oldest = if tasks.running.len() >= self.limit {
            tasks.running.pop_first().and_then(|(_, handle)| handle)
        } else {
            None
        };
        let key = tasks.next;
        tasks.next += 1;
        tasks.running.insert(key, None);
        (key, oldest)
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.tasks).running.remove(&self.key);
    }
}

fn lock(tasks: &Mutex<Tasks>) -> MutexGuard<'_, Tasks> {
    tasks.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    /// One task more than allowed ends the oldest, and tasks that end make room.
    #[tokio::test]
    async fn the_oldest_goes_first() {
        let pending = Pending::new(2);
        let mut ends = Vec::new();
        let mut begin = || {
            let (stop, stopped) = oneshot::channel::<()>();
            let (ended, end) = oneshot::channel::<()>();
            ends.push(end);
            pending.spawn(async move {
                let _held = ended;
                let _stopped = stopped.await;
            });
            stop
        };
        let _first = begin();
        let second = begin();
        let _third = begin();
        assert!((&mut ends[0]).await.is_err(), "the first was ended");
        second.send(()).unwrap();
        assert!((&mut ends[1]).await.is_err());
        while lock(&pending.tasks).running.len() > 1 {
            tokio::task::yield_now().await;
        }
        let (stop, stopped) = oneshot::channel::<()>();
        pending.spawn(async move { stopped.await.unwrap() });
        tokio::task::yield_now().await;
        assert_eq!(lock(&pending.tasks).running.len(), 2, "the third goes on");
        stop.send(()).unwrap();
    }
}
