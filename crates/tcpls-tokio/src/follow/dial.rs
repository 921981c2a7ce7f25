//! TCP connections to where nobody may be listening yet.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::plan::SPACING;
use crate::error::PathError;
use crate::path_options::PathOptions;

/// Connections that are tried after each other, while the ones before go on.
const DIALS: u32 = 4;

/// Opens a TCP connection, whenever in the next seconds the path begins to work.
///
/// A SYN that was lost is repeated by the system only after 1, 3, 7.. seconds; other connections fill
/// the time between. The first one that comes about is taken and the others are closed. Returns how
/// long that one took, too.
pub(super) async fn dial(options: &PathOptions) -> Result<(TcpStream, Duration), PathError> {
    let mut dials = JoinSet::new();
    for _ in 0..DIALS {
        let options = options.clone();
        let began = Instant::now();
        dials.spawn(async move { Ok((options.dial().await?, began.elapsed())) });
        if let Ok(Some(Ok(end))) = tokio::time::timeout(SPACING, dials.join_next()).await {
            return end;
        }
    }
    Err(PathError::TimedOut(SPACING * DIALS))
}
