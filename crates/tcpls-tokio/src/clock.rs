//! The one place that reads a clock.

use std::time::Instant;

/// The current instant on tokio's clock, so that tests with paused time control it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
