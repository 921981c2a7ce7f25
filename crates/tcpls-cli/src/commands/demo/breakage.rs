//! A connection that is aborted in the middle of the demonstration, and what the applications notice.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tcpls_tokio::{PathEvent, PathEvents, PathOptions, Session};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::transfer::End;
use crate::exit::Failure;

/// Watches what arrives at the applications of both ends. Clones watch together.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrivals(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Seen>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Seen {
    bytes: u64,
    longest_gap: Duration,
    last_at_client: Option<Instant>,
    last_at_server: Option<Instant>,
}

impl Arrivals {
    /// So many bytes have arrived at this end.
    pub(super) fn add(&self, end: End, bytes: u64, now: Instant) {
        let mut guard = self.seen();
        let seen = &mut *guard;
        let last = match end {
            End::Client => &mut seen.last_at_client,
            End::Server => &mut seen.last_at_server,
        };
        if let Some(last) = last.replace(now) {
            seen.longest_gap = seen.longest_gap.max(now.duration_since(last));
        }
        seen.bytes += bytes;
        drop(guard);
        self.0.arrived.notify_one();
    }

    /// The longest time between two arrivals at the same end, whatever their streams.
    pub(super) fn longest_gap(&self) -> Duration {
        self.seen().longest_gap
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until so many bytes have arrived, at both ends together.
    async fn reached(&self, bytes: u64) {
        loop {
            let arrived = self.0.arrived.notified();
            if self.seen().bytes >= bytes {
                return;
            }
            arrived.await;
        }
    }
}

/// What became of the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// The Connection ID of the connection that was aborted.
    pub(super) aborted: u32,
    pub(super) aborted_at: Instant,
    /// The Connection ID of the one that came in its place.
    pub(super) healed: u32,
    /// How long after the abort the peer was heard on it.
    pub(super) healed_after: Duration,
}

/// Opens the second connection of the session.
pub(super) async fn second_path(client: &Session) -> Result<(), Failure> {
    let opened = client.open_path(&PathOptions::new()).await;
    opened
        .map(drop)
        .map_err(|error| Failure::lost(format!("no second connection: {error}")))
}

/// Aborts the first connection once so many bytes have arrived, and waits until the session has
/// another one by itself.
pub(super) async fn break_and_heal(
    client: Session,
    arrivals: Arrivals,
    after: u64,
) -> Result<Broken, Failure> {
    arrivals.reached(after).await;
    let mut events = client.path_events();
    let first = client.paths().into_iter().next();
    let first = first.ok_or_else(|| Failure::lost("the session has no connection"))?;
    let aborted_at = Instant::now();
    first.abort();
    let healed = timeout(PATIENCE, next_established(&mut events)).await;
    let healed = healed.ok().flatten();
    let healed = healed.ok_or_else(|| Failure::lost("the aborted connection was not replaced"))?;
    Ok(Broken {
        aborted: first.id().as_u32(),
        aborted_at,
        healed,
        healed_after: aborted_at.elapsed(),
    })
}

/// How long the session may take to get another connection, also on a machine that has much else to do; it
/// tries after a quarter of a second.
const PATIENCE: Duration = Duration::from_secs(60);

async fn next_established(events: &mut PathEvents) -> Option<u32> {
    loop {
        if let PathEvent::Established { id } = events.recv().await? {
            return Some(id.as_u32());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn gaps_are_between_arrivals_at_the_same_end() {
        let arrivals = Arrivals::default();
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        arrivals.add(End::Client, 1, at(50));
        arrivals.add(End::Server, 1, at(60));
        assert_eq!(arrivals.longest_gap(), Duration::ZERO);
        arrivals.add(End::Client, 1, at(70));
        arrivals.add(End::Server, 1, at(100));
        arrivals.add(End::Client, 1, at(75));
        assert_eq!(arrivals.longest_gap(), Duration::from_millis(40));
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_of_both_ends_count() {
        let arrivals = Arrivals::default();
        let waiting = tokio::spawn({
            let arrivals = arrivals.clone();
            async move { arrivals.reached(10).await }
        });
        arrivals.add(End::Client, 5, Instant::now());
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waiting.is_finished());
        arrivals.add(End::Server, 5, Instant::now());
        waiting.await.unwrap();
        arrivals.reached(0).await;
    }
}
