//! The load itself: streams that are written and read as fast as they go.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tcpls_tokio::{RecvStream, SendStream, Session};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::control::{Amount, Request};
use crate::exit::{Exit, Failure};

/// Bytes that this side's application has read so far, over all streams.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadCount(Arc<AtomicU64>);

impl ReadCount {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, chunk: &Bytes) {
        self.0.fetch_add(
            u64::try_from(chunk.len()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
    }
}

/// Which directions of its streams a side uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) sends: bool,
    pub(super) reads: bool,
}

/// All the streams of one side.
#[derive(Debug, Default)]
pub(super) struct Load {
    tasks: JoinSet<Result<(), Failure>>,
    /// Streams that are only there.
    idle: Vec<(SendStream, RecvStream)>,
    /// Writers of streams that nobody reads, and what comes back on these.
    stalled: JoinSet<()>,
    unread: Vec<RecvStream>,
}

impl Load {
    /// Opens the streams beside which others are measured, as the client.
    pub(super) async fn beside(
        session: &Session,
        request: &Request,
        part: Part,
    ) -> Result<Self, Failure> {
        let mut load = Self::default();
        for _ in 0..request.idle_streams {
            let stream = session.open_bi().await.map_err(Failure::open)?;
            load.idle.push(stream);
        }
        for _ in 0..request.stalled_streams {
            let stream = session.open_bi().await.map_err(Failure::open)?;
            load.stall(stream, request, part);
        }
        Ok(load)
    }

    /// Opens the data streams as the client.
    pub(super) async fn open(
        &mut self,
        session: &Session,
        request: &Request,
        part: Part,
        count: &ReadCount,
    ) -> Result<(), Failure> {
        for index in 0..request.streams {
            let (send, recv) = session.open_bi().await.map_err(Failure::open)?;
            self.start((send, recv), Quota::new(request, index), part, count);
        }
        Ok(())
    }

    /// Accepts the data streams as the server.
    pub(super) async fn accept(
        session: &Session,
        request: &Request,
        part: Part,
        count: &ReadCount,
    ) -> Result<Self, Failure> {
        let mut load = Self::default();
        for _ in 0..request.idle_streams {
            let stream = session.accept_bi().await.map_err(Failure::session)?;
            load.idle.push(stream);
        }
        for _ in 0..request.stalled_streams {
            let stream = session.accept_bi().await.map_err(Failure::session)?;
            load.stall(stream, request, part);
        }
        for index in 0..request.streams {
            let (send, recv) = session.accept_bi().await.map_err(Failure::session)?;
            load.start((send, recv), Quota::new(request, index), part, count);
        }
        Ok(load)
    }

    /// Waits until every stream is done. Cancel safe.
    pub(super) async fn finish(&mut self) -> Result<(), Failure> {
        while let Some(result) = self.tasks.join_next().await {
            result.map_err(|error| Failure::new(Exit::Internal, error))??;
        }
        self.stalled.shutdown().await;
        self.unread.clear();
        for (mut send, _recv) in self.idle.drain(..) {
            // When the session is over, so are they.
            let _finished = send.finish();
        }
        Ok(())
    }

    fn stall(&mut self, (mut send, recv): (SendStream, RecvStream), request: &Request, part: Part) {
        if !part.sends {
            self.idle.push((send, recv));
            return;
        }
        let piece = Quota::new(request, 0).piece;
        self.unread.push(recv);
        self.stalled.spawn(async move {
            // Until it is given up, or the session ends.
            while send.write_chunk(piece.clone()).await.is_ok() {}
        });
    }

    fn start(
        &mut self,
        (mut send, recv): (SendStream, RecvStream),
        quota: Quota,
        part: Part,
        count: &ReadCount,
    ) {
        if part.sends {
            self.tasks.spawn(quota.send(send));
        } else {
            // When the session is over, whoever reads says so.
            let _finished = send.finish();
        }
        // A direction that carries nothing is read, too: its end says that the stream is over.
        self.tasks.spawn(read(recv, count.clone(), part.reads));
    }
}

/// What one stream sends.
#[derive(Clone, Debug)]
struct Quota {
    piece: Bytes,
    bytes: u64,
    time: Option<Duration>,
}

impl Quota {
    fn new(request: &Request, index: u32) -> Self {
        let bytes = match request.amount {
            Amount::Bytes(bytes) => share(bytes, request.streams, index),
            Amount::Seconds(_) => u64::MAX,
        };
        let length = usize::try_from(request.length).unwrap_or(usize::MAX);
        Self {
            piece: vec![0x5a; length].into(),
            bytes,
            time: request.amount.duration(),
        }
    }

    async fn send(self, mut send: SendStream) -> Result<(), Failure> {
        let start = Instant::now();
        let mut end = pin!(sleep_until(
            start + self.time.unwrap_or(crate::number::LONGEST)
        ));
        let mut left = self.bytes;
        while left > 0 {
            let length = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(self.piece.len());
            let mut piece = self.piece.slice(..length);
            tokio::select! {
                biased;
                () = &mut end => break,
                written = send.write_some_chunk(&mut piece) => {
                    let written = written.map_err(Failure::write)?;
                    left -= u64::try_from(written).unwrap_or(u64::MAX).min(left);
                }
            }
        }
        send.finish().map_err(Failure::lost)
    }
}

/// The part of `total` that stream `index` of `streams` carries; the parts differ by 1 at most.
fn share(total: u64, streams: u32, index: u32) -> u64 {
    let streams = u64::from(streams.max(1));
    total / streams + u64::from(u64::from(index) < total % streams)
}

async fn read(mut recv: RecvStream, count: ReadCount, counted: bool) -> Result<(), Failure> {
    while let Some(chunk) = recv.read_chunk(usize::MAX).await.map_err(Failure::read)? {
        if counted {
            count.add(&chunk);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_differ_by_one_at_most_and_add_up() {
        for (total, streams) in [(0, 1), (1, 3), (10, 3), (u64::MAX, 7)] {
            let shares: Vec<u64> = (0..streams)
                .map(|index| share(total, streams, index))
                .collect();
            assert_eq!(shares.iter().sum::<u64>(), total);
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }
    }
}
