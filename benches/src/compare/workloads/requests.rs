//! Requests and answers of 1 KiB, each on a stream of its own.
//!
//! Transports without streams send one request after the other on their only one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tcpls_benches::transport::{Link, Multiplexing, Peer, Receiver, STREAMS, Sender, Session};
use tcpls_benches::{Error, Identity};
use tokio::task::JoinSet;

use super::patterns::{exchange, receive_up_to, serve};
use crate::arguments::Effort;
use crate::figure::{Figures, Metric};
use crate::meter::{Gauge, now, per_second};
use crate::subject::Outcome;

/// Bytes of a request, and of an answer.
const LENGTH: usize = 1024;

/// How many at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InFlight {
    One,
    Hundred,
}

impl InFlight {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::One => "requests of 1 KiB, 1 in flight",
            Self::Hundred => "requests of 1 KiB, 100 in flight",
        }
    }

    fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Hundred => 100,
        }
    }
}

const RATE: Metric = Metric::more("requests", "1/s");
/// Of a thousand requests, sorted by their time, which one is shown.
const PERCENTILES: [(usize, Metric); 3] = [
    (500, Metric::less("p50", "us")),
    (990, Metric::less("p99", "us")),
    (999, Metric::less("p99.9", "us")),
];

type Tasks = JoinSet<Result<Vec<Duration>, Error>>;

pub(super) async fn run<P: Peer>(
    in_flight: InFlight,
    peer: &P,
    effort: Effort,
    identity: &Identity,
) -> Outcome {
    let link = peer.link(identity, STREAMS).await?;
    let (near, far) = link.establish().await?;
    let gauge = Arc::new(Gauge::default());
    let mut tasks = Tasks::new();
    match (peer.multiplexing(), in_flight) {
        (Multiplexing::No, InFlight::Hundred) => return Ok(None),
        (Multiplexing::No, InFlight::One) => {
            let (send, receive) = far.accept().await?;
            tokio::spawn(answer_on(send, receive));
            let (send, receive) = near.open().await?;
            tasks.spawn(ask_on(send, receive, Arc::clone(&gauge)));
        }
        (Multiplexing::Yes, _) => {
            tokio::spawn(serve(far, Bytes::from(vec![7; LENGTH])));
            let near = Arc::new(near);
            for _ in 0..in_flight.count() {
                tasks.spawn(ask(Arc::clone(&near), Arc::clone(&gauge)));
            }
        }
    }
    let start = now();
    tokio::time::sleep(effort.window).await;
    gauge.stop();
    let took = start.elapsed();
    let mut times = Vec::new();
    while let Some(done) = tasks.join_next().await {
        times.extend(done??);
    }
    Ok(Some(figures(times, took)))
}

fn figures(mut times: Vec<Duration>, took: Duration) -> Figures {
    times.sort_unstable();
    let mut figures = vec![(RATE, per_second(times.len(), took))];
    for (thousandth, metric) in PERCENTILES {
        if let Some(time) = times.get(times.len() * thousandth / 1000) {
            figures.push((metric, time.as_secs_f64() * 1e6));
        }
    }
    figures
}

/// Asks again and again, each time on a new stream, and tells how long each took.
async fn ask(session: Arc<impl Session>, gauge: Arc<Gauge>) -> Result<Vec<Duration>, Error> {
    let request = Bytes::from(vec![7; LENGTH]);
    let mut times = Vec::new();
    while !gauge.is_stopped() {
        let start = now();
        exchange(&*session, request.clone(), LENGTH).await?;
        times.push(start.elapsed());
    }
    Ok(times)
}

/// The same on one stream.
async fn ask_on(
    mut send: impl Sender,
    mut receive: impl Receiver,
    gauge: Arc<Gauge>,
) -> Result<Vec<Duration>, Error> {
    let request = Bytes::from(vec![7; LENGTH]);
    let mut times = Vec::new();
    while !gauge.is_stopped() {
        let start = now();
        send.send(request.clone()).await?;
        receive_up_to(&mut receive, LENGTH).await?;
        times.push(start.elapsed());
    }
    send.finish().await?;
    Ok(times)
}

/// Answers what is asked on one stream.
async fn answer_on(mut send: impl Sender, mut receive: impl Receiver) -> Result<(), Error> {
    let answer = Bytes::from(vec![7; LENGTH]);
    while receive_up_to(&mut receive, LENGTH).await? == LENGTH {
        send.send(answer.clone()).await?;
    }
    send.finish().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_count_from_the_quickest() {
        let times = (1..=1000).rev().map(Duration::from_micros).collect();
        let shown: Vec<f64> = figures(times, Duration::from_secs(2))
            .into_iter()
            .map(|(_, value)| value.round())
            .collect();
        assert_eq!(shown, [500.0, 501.0, 991.0, 1000.0]);
    }
}
