//! Allocations per record in steady state, both ends together: one stream in bulk over loopback.
//!
//! The counting allocator sees everything that is allocated through Rust.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot start shall say where, and its output is what it is for"
)]

use std::sync::Arc;

use bytes::Bytes;
use tcpls_benches::{Identity, SERVER_NAME};
use tcpls_tokio::{ClientConfig, Endpoint, RecvStream, SendStream, ServerConfig, default_provider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Bytes of data in a full record.
const RECORD: u64 = 16 * 1024 - 15;
const WRITE: usize = 64 * 1024;

/// How the application reads and writes.
#[derive(Clone, Copy, Debug)]
enum Interface {
    Chunks,
    Copies,
}

fn main() {
    // `cargo bench` asks for figures; as a test it only has to run.
    let measures = std::env::args().any(|argument| argument == "--bench");
    let bytes: u64 = if measures { 256 << 20 } else { 2 << 20 };
    let _profiler = dhat::Profiler::builder().testing().build();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for interface in [Interface::Chunks, Interface::Copies] {
        let (blocks, allocated) = runtime.block_on(count(interface, bytes));
        let per_record = |count: u64| count * 1000 / bytes.div_ceil(RECORD);
        let (blocks, allocated) = (per_record(blocks), per_record(allocated));
        println!(
            "{interface:?}: {}.{:03} allocations and {} bytes of them per full record, both ends",
            blocks / 1000,
            blocks % 1000,
            allocated / 1000
        );
        // Far above what it is, and far below one for every frame, buffer and wake-up.
        assert!(
            !measures || blocks < 20_000,
            "allocations grew out of bounds"
        );
    }
}

/// Allocations, and their bytes, while so many bytes pass once buffers are as large as they get.
async fn count(interface: Interface, bytes: u64) -> (u64, u64) {
    let identity = Identity::generate().unwrap();
    let provider = default_provider();
    let client = ClientConfig::new(&Arc::new(identity.client(&provider).unwrap())).unwrap();
    let server = ServerConfig::new(&Arc::new(identity.server(&provider).unwrap())).unwrap();
    let far = Endpoint::server(server, ([127, 0, 0, 1], 0).into()).unwrap();
    let near = Endpoint::client(client);
    let (session, accepted) = tokio::join!(
        near.connect(far.local_addr().unwrap(), SERVER_NAME),
        async { far.accept().await.unwrap().accept().await }
    );
    let (session, accepted) = (session.unwrap(), accepted.unwrap());
    let (send, _receive) = session.open_bi().await.unwrap();
    let (_send, mut receive) = accepted.accept_bi().await.unwrap();
    let warm_up = bytes / 4;
    let sending = tokio::spawn(send_all(interface, send, warm_up + bytes));
    receive_all(interface, &mut receive, warm_up).await;
    let before = dhat::HeapStats::get();
    receive_all(interface, &mut receive, bytes).await;
    let after = dhat::HeapStats::get();
    drop(sending.await.unwrap());
    (
        after.total_blocks - before.total_blocks,
        after.total_bytes - before.total_bytes,
    )
}

/// Sends so much, and a write more.
async fn send_all(interface: Interface, mut to: SendStream, bytes: u64) -> SendStream {
    let block = Bytes::from(vec![7; WRITE]);
    for _ in 0..=bytes / u64::try_from(WRITE).unwrap() {
        match interface {
            Interface::Chunks => to.write_chunk(block.clone()).await.unwrap(),
            Interface::Copies => AsyncWriteExt::write_all(&mut to, &block).await.unwrap(),
        }
    }
    to
}

/// Receives so much at least.
async fn receive_all(interface: Interface, from: &mut RecvStream, bytes: u64) {
    let mut buffer = vec![0; WRITE];
    let mut received = 0;
    while received < bytes {
        let count = match interface {
            Interface::Chunks => from.read_chunk(usize::MAX).await.unwrap().unwrap().len(),
            Interface::Copies => AsyncReadExt::read(from, &mut buffer).await.unwrap(),
        };
        assert_ne!(count, 0, "the stream ended early");
        received += u64::try_from(count).unwrap();
    }
}
