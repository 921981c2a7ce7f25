//! Whether this machine lets a thread run when it is time: where it does something else for a while, what is
//! measured meanwhile says nothing about who is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How often the thread wants to run.
const TICK: Duration = Duration::from_millis(1);

/// For how long the machine may pause: much less than what is measured.
const TOLERATED: Duration = Duration::from_millis(15);

/// Watches from a thread of its own, until it is dropped.
#[derive(Debug)]
pub(crate) struct Pauses {
    longest: Arc<AtomicU64>,
    /// Closed when this is dropped, which ends the thread.
    _end: mpsc::Sender<()>,
}

impl Pauses {
    /// Begins to watch.
    pub(crate) fn watch() -> Result<Self> {
        let longest = Arc::new(AtomicU64::new(0));
        let (end, ended) = mpsc::channel();
        let seen = Arc::clone(&longest);
        thread::Builder::new()
            .name("pauses".to_owned())
            .spawn(move || watch(&ended, &seen))
            .context("no thread")?;
        Ok(Self { longest, _end: end })
    }

    /// The longest pause so far, if it was long enough to change what is measured.
    pub(crate) fn too_long(&self) -> Option<Duration> {
        let longest = Duration::from_micros(self.longest.load(Ordering::Relaxed));
        Some(longest).filter(|longest| *longest > TOLERATED)
    }
}

fn watch(ended: &mpsc::Receiver<()>, longest: &AtomicU64) {
    loop {
        let begun = Instant::now();
        if ended.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        let late = begun.elapsed().saturating_sub(TICK);
        let late = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        longest.fetch_max(late, Ordering::Relaxed);
    }
}
