//! As much as goes through, on one stream or on many at a time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tcpls_benches::transport::{Link, Multiplexing, Peer, Receiver, STREAMS, Sender, Session};
use tcpls_benches::{Error, Identity};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::patterns::{block, drain, pump};
use crate::arguments::Effort;
use crate::figure::Metric;
use crate::meter::Gauge;
use crate::subject::Outcome;

/// In which direction, and on how many streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bulk {
    Upload,
    Download,
    Both,
    HundredStreams,
    ThousandStreams,
    TenThousandStreams,
}

impl Bulk {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Upload => "bulk, one stream up",
            Self::Download => "bulk, one stream down",
            Self::Both => "bulk, one stream both ways",
            Self::HundredStreams => "bulk, 100 streams up",
            Self::ThousandStreams => "bulk, 1,000 streams up",
            Self::TenThousandStreams => "bulk, 10,000 streams up",
        }
    }

    fn streams(self) -> usize {
        match self {
            Self::HundredStreams => 100,
            Self::ThousandStreams => 1000,
            Self::TenThousandStreams => 10_000,
            Self::Upload | Self::Download | Self::Both => 1,
        }
    }

    /// How many times the usual warm-up it takes until most streams have sent for the first time.
    fn warm_ups(self) -> u32 {
        match self {
            Self::TenThousandStreams => 4,
            Self::Upload
            | Self::Download
            | Self::Both
            | Self::HundredStreams
            | Self::ThousandStreams => 1,
        }
    }

    fn client_sends(self) -> bool {
        self != Self::Download
    }

    fn server_sends(self) -> bool {
        matches!(self, Self::Download | Self::Both)
    }
}

const RATE: Metric = Metric::more("goodput", "Gbit/s");
const WORK: Metric = Metric::less("CPU time of both ends", "s/GiB");

/// What the streams may take to end.
const DRAIN: Duration = Duration::from_secs(2);

type Tasks = JoinSet<Result<(u64, u64), Error>>;

pub(super) async fn run<P: Peer>(
    bulk: Bulk,
    peer: &P,
    effort: Effort,
    identity: &Identity,
) -> Outcome {
    if bulk.streams() > 1 && peer.multiplexing() == Multiplexing::No {
        return Ok(None);
    }
    let link = peer
        .link(identity, STREAMS.max(u32::try_from(bulk.streams())?))
        .await?;
    let (near, far) = link.establish().await?;
    let mut halves = Vec::new();
    for _ in 0..bulk.streams() {
        let (mut send, receive) = near.open().await?;
        // The first byte shows the stream to the server, whoever sends the rest.
        send.send(Bytes::from_static(&[7])).await?;
        halves.push((bulk.client_sends().then(block), send, receive));
        let (mut send, receive) = far.accept().await?;
        // And back: yamux opens no more while 256 wait for a sign of life.
        send.send(Bytes::from_static(&[7])).await?;
        halves.push((bulk.server_sends().then(block), send, receive));
    }
    let gauge = Arc::new(Gauge::default());
    let mut tasks = Tasks::new();
    for (block, send, receive) in halves {
        tasks.spawn(both(block, send, receive, Arc::clone(&gauge)));
    }
    tokio::time::sleep(effort.warm_up * bulk.warm_ups()).await;
    let start = gauge.reading();
    tokio::time::sleep(effort.window).await;
    let end = gauge.reading();
    gauge.stop();
    let first_bytes = 2 * u64::try_from(bulk.streams())?;
    // What fills the buffers of very many streams may take very long to get through.
    if let Ok(moved) = timeout(DRAIN, finish(tasks)).await {
        let (sent, received) = moved?;
        if sent + first_bytes != received {
            return Err(format!("{sent} bytes were sent and {received} received").into());
        }
    }
    Ok(Some(vec![
        (RATE, end.gigabits_since(&start)),
        (WORK, end.seconds_per_gibibyte_since(&start)),
    ]))
}

/// Waits for the ends of all streams; gives the bytes that were sent, and that were received.
async fn finish(mut tasks: Tasks) -> Result<(u64, u64), Error> {
    let (mut sent, mut received) = (0, 0);
    while let Some(done) = tasks.join_next().await {
        let (more_sent, more_received) = done??;
        sent += more_sent;
        received += more_received;
    }
    Ok((sent, received))
}

/// Sends `block` or nothing, and receives what comes; gives the bytes of both.
async fn both(
    block: Option<Bytes>,
    mut to: impl Sender,
    from: impl Receiver,
    gauge: Arc<Gauge>,
) -> Result<(u64, u64), Error> {
    let Some(block) = block else {
        to.finish().await?;
        // `to` lives until the other half is done with, as in an application.
        let received = drain(from, &gauge).await?;
        drop(to);
        return Ok((0, received));
    };
    let sending = Arc::clone(&gauge);
    let sent = tokio::spawn(async move { pump(to, block, &sending).await });
    let received = drain(from, &gauge).await?;
    Ok((sent.await??, received))
}
