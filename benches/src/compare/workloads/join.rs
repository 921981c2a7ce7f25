//! Connections that join a session; only TCPLS has that. Compare establishments.

use std::time::Duration;

use tcpls_benches::transport::{Joined, Link, Peer, STREAMS};
use tcpls_benches::{Error, Identity};
use tokio::task::JoinSet;

use crate::arguments::Effort;
use crate::figure::Metric;
use crate::meter::{now, per_second};
use crate::subject::Outcome;

/// Joins to one session; its server gives out a bounded number of tokens.
const EACH: usize = 20;

/// Sessions that are joined at a time, as with establishments.
const AT_A_TIME: usize = 4;

const RATE: Metric = Metric::more("joins", "1/s");

pub(super) async fn run<P: Peer>(peer: &P, effort: Effort, identity: &Identity) -> Outcome {
    let mut tasks = JoinSet::<Result<Option<f64>, Error>>::new();
    for _ in 0..AT_A_TIME {
        let link = peer.link(identity, STREAMS).await?;
        tasks.spawn(async move { joins(&link, effort.window).await });
    }
    let mut rate = 0.0;
    while let Some(done) = tasks.join_next().await {
        match done?? {
            Some(more) => rate += more,
            None => return Ok(None),
        }
    }
    Ok(Some(vec![(RATE, rate)]))
}

/// Joins per second, or nothing where connections cannot join.
async fn joins(link: &impl Link, window: Duration) -> Result<Option<f64>, Error> {
    let (mut count, mut took) = (0, Duration::ZERO);
    while took < window {
        // Not part of the time, although the others' sessions begin beside joins.
        let (near, _far) = link.establish().await?;
        let start = now();
        for _ in 0..EACH {
            if link.join(&near).await? == Joined::Never {
                return Ok(None);
            }
            count += 1;
        }
        took += start.elapsed();
    }
    Ok(Some(per_second(count, took)))
}
