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

/// How many connections an attempt may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zeal {
    /// One: it may lead to somebody who never asked for it (reading A-32).
    Once,
    /// One after the other, until one comes about.
    Repeatedly,
}

/// Opens a TCP connection, whenever in the next seconds the path begins to work. Returns how long it
/// took, too.
///
/// A SYN that was lost is repeated by the system only after 1, 3, 7.. seconds. With
/// [`Zeal::Repeatedly`], other connections fill the time between: the first one that comes about is
/// taken and the others are closed.
pub(super) async fn dial(
    options: &PathOptions,
    zeal: Zeal,
) -> Result<(TcpStream, Duration), PathError> {
    let (dials, pause) = match zeal {
        Zeal::Once => (1, SPACING * DIALS),
        Zeal::Repeatedly => (DIALS, SPACING),
    };
    let mut dialling = JoinSet::new();
    for _ in 0..dials {
        let options = options.clone();
        let began = Instant::now();
        dialling.spawn(async move { Ok((options.dial().await?, began.elapsed())) });
        if let Ok(Some(Ok(end))) = tokio::time::timeout(pause, dialling.join_next()).await {
            return end;
        }
    }
    Err(PathError::TimedOut(pause * dials))
}
