//! Many streams of one write each, a hundred at a time; the server ends each when it has all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tcpls_benches::transport::{Link, Multiplexing, Peer, STREAMS, WRITE};
use tcpls_benches::{Error, Identity};
use tokio::task::JoinSet;

use super::patterns::{exchange, serve};
use crate::arguments::Effort;
use crate::figure::Metric;
use crate::meter::{now, per_second};
use crate::subject::Outcome;

const AT_A_TIME: usize = 100;

const RATE: Metric = Metric::more("streams", "1/s");

pub(super) async fn run<P: Peer>(peer: &P, effort: Effort, identity: &Identity) -> Outcome {
    if peer.multiplexing() == Multiplexing::No {
        return Ok(None);
    }
    let link = peer.link(identity, STREAMS).await?;
    let (near, far) = link.establish().await?;
    let serving = tokio::spawn(serve(far, Bytes::new()));
    let near = Arc::new(near);
    let begun = Arc::new(AtomicUsize::new(0));
    let block = Bytes::from(vec![7; WRITE]);
    let start = now();
    let mut tasks = JoinSet::<Result<(), Error>>::new();
    for _ in 0..AT_A_TIME {
        let (near, begun, block) = (Arc::clone(&near), Arc::clone(&begun), block.clone());
        tasks.spawn(async move {
            while begun.fetch_add(1, Ordering::Relaxed) < effort.small_streams {
                exchange(&*near, block.clone(), 0).await?;
            }
            Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let took = start.elapsed();
    drop(near);
    serving.await?;
    Ok(Some(vec![(RATE, per_second(effort.small_streams, took))]))
}
