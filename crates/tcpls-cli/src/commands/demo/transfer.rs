//! What each end of the demonstration does: send random bytes, receive, hash both.

use std::collections::BTreeMap;

use bytes::BytesMut;
use rand::Rng as _;
use rand::rngs::SmallRng;
use tcpls_tokio::{RecvStream, SendStream, Session, StreamId};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::breakage::Arrivals;
use crate::digest::{Digest, Hasher};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;

/// One end of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Client,
    Server,
}

/// What both ends do together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) streams: u32,
    /// Bytes over all streams and both directions.
    pub(super) size: u64,
    /// Whether the client damages the first byte that it receives on its first stream.
    pub(super) damage: bool,
}

/// How many bytes passed one end of one direction of a stream, and what they hash to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) bytes: u64,
    pub(super) digest: Digest,
}

/// What one end sent and received, by stream.
#[derive(Debug, Default)]
pub(super) struct Passages {
    pub(super) sent: BTreeMap<StreamId, Passed>,
    pub(super) received: BTreeMap<StreamId, Passed>,
}

/// Who is told what arrives.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) progress: Progress,
    pub(super) arrivals: Arrivals,
}

enum Passage {
    Sent(StreamId, Passed),
    Received(StreamId, Passed),
}

/// Runs the plan for one end.
pub(super) async fn run(
    session: &Session,
    end: End,
    plan: Plan,
    watch: &Watch,
) -> Result<Passages, Failure> {
    let mut tasks = JoinSet::new();
    for index in 0..plan.streams {
        let opens = opener(index) == end;
        let (send, recv) = if opens {
            session.open_bi().await.map_err(Failure::open)?
        } else {
            session.accept_bi().await.map_err(Failure::session)?
        };
        let bytes = plan.share(end, index);
        let damage = plan.damage && end == End::Client && index == 0;
        tasks.spawn(send_random(send, bytes));
        tasks.spawn(receive(recv, end, damage, watch.clone()));
    }
    let mut passages = Passages::default();
    while let Some(result) = tasks.join_next().await {
        match result.map_err(|error| Failure::new(Exit::Internal, error))?? {
            Passage::Sent(id, passed) => passages.sent.insert(id, passed),
            Passage::Received(id, passed) => passages.received.insert(id, passed),
        };
    }
    Ok(passages)
}

impl Plan {
    /// The bytes that `end` sends on its stream `index`; all of them add up to the size.
    fn share(self, end: End, index: u32) -> u64 {
        let parts = 2 * u64::from(self.streams.max(1));
        let part = 2 * u64::from(index) + u64::from(end == End::Server);
        self.size / parts + u64::from(part < self.size % parts)
    }
}

/// Bytes that are made and written at a time.
const PIECE: usize = 64 * 1024;

async fn send_random(mut stream: SendStream, bytes: u64) -> Result<Passage, Failure> {
    let mut random: SmallRng = rand::make_rng();
    let mut hasher = Hasher::default();
    let mut left = bytes;
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
        let mut piece = BytesMut::zeroed(length);
        random.fill_bytes(&mut piece);
        hasher.update(&piece);
        stream
            .write_chunk(piece.freeze())
            .await
            .map_err(Failure::write)?;
        left -= u64::try_from(length).unwrap_or(u64::MAX).min(left);
    }
    stream.finish().map_err(Failure::lost)?;
    Ok(Passage::Sent(
        stream.id(),
        Passed {
            bytes,
            digest: hasher.finish(),
        },
    ))
}

async fn receive(
    mut stream: RecvStream,
    end: End,
    damage: bool,
    watch: Watch,
) -> Result<Passage, Failure> {
    let mut hasher = Hasher::default();
    let mut bytes = 0;
    while let Some(chunk) = stream.read_chunk(usize::MAX).await.map_err(Failure::read)? {
        match chunk.split_first() {
            Some((first, rest)) if damage && bytes == 0 => {
                hasher.update(&[first ^ 1]);
                hasher.update(rest);
            }
            _ => hasher.update(&chunk),
        }
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        bytes += length;
        watch.progress.add(length);
        watch.arrivals.add(end, length, Instant::now());
    }
    Ok(Passage::Received(
        stream.id(),
        Passed {
            bytes,
            digest: hasher.finish(),
        },
    ))
}

/// The ends take turns in opening streams.
const fn opener(index: u32) -> End {
    if index.is_multiple_of(2) {
        End::Client
    } else {
        End::Server
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_size() {
        for (streams, size) in [(1, 0), (1, 1), (3, 10), (8, 256 << 20), (128, 77)] {
            let plan = Plan {
                streams,
                size,
                damage: false,
            };
            let ends = [End::Client, End::Server];
            let sum: u64 = (0..streams)
                .flat_map(|index| ends.map(|end| plan.share(end, index)))
                .sum();
            assert_eq!(sum, size);
        }
    }
}
