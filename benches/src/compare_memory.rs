//! User-space memory of what is idle: both ends, everything that is allocated through Rust.
#![allow(
    clippy::print_stdout,
    reason = "a measuring program prints its figures"
)]

use std::time::Duration;

use bytes::Bytes;
use clap::{Parser, ValueEnum};
use tcpls_benches::peers::{Visitor, visit_all};
use tcpls_benches::transport::{Link, Multiplexing, Peer, Receiver, STREAMS, Sender, Session};
use tcpls_benches::{Error, Identity};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[derive(Debug, Parser)]
#[command(about = "Heap bytes of idle sessions or streams, both ends")]
struct Arguments {
    /// The transport, as the tables call it.
    #[arg(long, default_value = "TCPLS")]
    peer: String,
    /// What is idle.
    #[arg(long, value_enum, default_value = "sessions")]
    of: Idle,
    /// How many to hold at a time.
    #[arg(long, default_value_t = 200)]
    count: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Idle {
    Sessions,
    Streams,
}

fn main() -> Result<(), Error> {
    let mut measuring = Measuring {
        arguments: Arguments::parse(),
        outcome: Err("there is no such transport".into()),
    };
    visit_all(&mut measuring);
    let (arguments, each) = (measuring.arguments, measuring.outcome?);
    if arguments.json {
        println!("{}", serde_json::json!({ "bytes_each": each }));
    } else if let Some(each) = each {
        let Arguments {
            peer, count, of, ..
        } = arguments;
        println!("{peer}, {count} idle {of:?}, both ends: {each} bytes of heap each");
    } else {
        println!("{} has no streams", arguments.peer);
    }
    Ok(())
}

/// Measures the one transport that was asked for.
struct Measuring {
    arguments: Arguments,
    outcome: Result<Option<usize>, Error>,
}

impl Visitor for Measuring {
    fn visit<P: Peer>(&mut self, peer: P) {
        if peer.name() == self.arguments.peer {
            self.outcome = bytes_each(&peer, &self.arguments);
        }
    }
}

fn bytes_each(peer: &impl Peer, arguments: &Arguments) -> Result<Option<usize>, Error> {
    let _profiler = dhat::Profiler::builder().testing().build();
    let runtime = tokio::runtime::Runtime::new()?;
    let count = arguments.count.max(1);
    let bytes = match (arguments.of, peer.multiplexing()) {
        (Idle::Sessions, _) => runtime.block_on(sessions(peer, count))?,
        (Idle::Streams, Multiplexing::Yes) => runtime.block_on(streams(peer, count))?,
        (Idle::Streams, Multiplexing::No) => return Ok(None),
    };
    Ok(Some(bytes / count))
}

/// Heap bytes of so many sessions that have moved a little both ways and rest.
async fn sessions(peer: &impl Peer, count: usize) -> Result<usize, Error> {
    let link = peer.link(&Identity::generate()?, STREAMS).await?;
    // What is allocated once and for all is not a session's.
    let warm = used_session(&link).await?;
    let before = settled().await;
    let mut sessions = Vec::with_capacity(count);
    for _ in 0..count {
        sessions.push(used_session(&link).await?);
    }
    let after = settled().await;
    drop((warm, sessions));
    Ok(after.saturating_sub(before))
}

/// Heap bytes of so many open streams of one session that have moved a little both ways and rest.
async fn streams(peer: &impl Peer, count: usize) -> Result<usize, Error> {
    let link = peer
        .link(&Identity::generate()?, u32::try_from(count + 1)?)
        .await?;
    let (near, far) = link.establish().await?;
    let warm = used_stream(&near, &far, 1024).await?;
    let before = settled().await;
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        streams.push(used_stream(&near, &far, 1024).await?);
    }
    let after = settled().await;
    drop((warm, streams));
    Ok(after.saturating_sub(before))
}

/// The heap once buffers of what went on have been given back.
async fn settled() -> usize {
    tokio::time::sleep(Duration::from_secs(1)).await;
    dhat::HeapStats::get().curr_bytes
}

/// What keeps a session open: its ends, and the halves of its only stream where it is that stream.
type Held<S> = ((S, S), Ends<S>);
/// Both halves of a stream at both ends.
type Ends<S> = [(<S as Session>::Sender, <S as Session>::Receiver); 2];

async fn used_session<L: Link>(link: &L) -> Result<Held<L::Session>, Error> {
    let (near, far) = link.establish().await?;
    let ends = used_stream(&near, &far, 40_000).await?;
    Ok(((near, far), ends))
}

async fn used_stream<S: Session>(near: &S, far: &S, length: usize) -> Result<Ends<S>, Error> {
    let (mut send, mut receive) = near.open().await?;
    let block = Bytes::from(vec![1; length]);
    send.send(block.clone()).await?;
    let (mut far_send, mut far_receive) = far.accept().await?;
    take(&mut far_receive, length).await?;
    far_send.send(block).await?;
    take(&mut receive, length).await?;
    Ok([(send, receive), (far_send, far_receive)])
}

async fn take(from: &mut impl Receiver, length: usize) -> Result<(), Error> {
    let mut left = length;
    while left > 0 {
        match from.receive().await? {
            0 => return Err("the stream ended early".into()),
            count => left = left.saturating_sub(count),
        }
    }
    Ok(())
}
