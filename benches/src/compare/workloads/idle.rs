//! What streams cost that are open and rest.

use std::time::Duration;

use bytes::Bytes;
use tcpls_benches::Identity;
use tcpls_benches::transport::{Link, Multiplexing, Peer, Sender, Session};

use super::patterns::receive_up_to;
use crate::arguments::Effort;
use crate::figure::Metric;
use crate::meter::Gauge;
use crate::subject::Outcome;

const STREAMS: u32 = 1000;

/// After that, acknowledgements and the like have gone out.
const SETTLE: Duration = Duration::from_millis(300);

const WORK: Metric = Metric::less("CPU time of both ends", "ms/s");

pub(super) async fn run<P: Peer>(peer: &P, effort: Effort, identity: &Identity) -> Outcome {
    if peer.multiplexing() == Multiplexing::No {
        return Ok(None);
    }
    let link = peer.link(identity, STREAMS).await?;
    let (near, far) = link.establish().await?;
    let mut open = Vec::new();
    for _ in 0..STREAMS {
        let (mut send, mut receive) = near.open().await?;
        send.send(Bytes::from_static(&[7])).await?;
        let (mut far_send, mut far_receive) = far.accept().await?;
        receive_up_to(&mut far_receive, 1).await?;
        far_send.send(Bytes::from_static(&[7])).await?;
        receive_up_to(&mut receive, 1).await?;
        open.push((send, receive, far_send, far_receive));
    }
    tokio::time::sleep(SETTLE).await;
    let gauge = Gauge::default();
    let start = gauge.reading();
    tokio::time::sleep(effort.window).await;
    let busy = gauge.reading().busy_since(&start);
    drop(open);
    Ok(Some(vec![(WORK, busy * 1e3)]))
}
