//! Sessions from nothing, with full handshakes, on four pairs of client and server at a time.

use tcpls_benches::transport::{Link, Peer, STREAMS};
use tcpls_benches::{Error, Identity};
use tokio::task::JoinSet;

use crate::arguments::Effort;
use crate::figure::Metric;
use crate::meter::{now, per_second};
use crate::subject::Outcome;

const AT_A_TIME: usize = 4;

const RATE: Metric = Metric::more("sessions", "1/s");

pub(super) async fn run<P: Peer>(peer: &P, effort: Effort, identity: &Identity) -> Outcome {
    let mut links = Vec::new();
    for _ in 0..AT_A_TIME {
        links.push(peer.link(identity, STREAMS).await?);
    }
    let start = now();
    let mut tasks = JoinSet::<Result<usize, Error>>::new();
    for link in links {
        tasks.spawn(async move {
            let mut count = 0;
            while start.elapsed() < effort.window {
                link.establish().await?;
                count += 1;
            }
            Ok(count)
        });
    }
    let mut count = 0;
    while let Some(done) = tasks.join_next().await {
        count += done??;
    }
    Ok(Some(vec![(RATE, per_second(count, start.elapsed()))]))
}
