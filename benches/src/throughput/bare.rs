//! The ceilings: TCP alone, and TCP with nothing but sealed and opened records on it.

use std::time::Duration;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bytes::BytesMut;
use tcpls_benches::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Load, bulk, stopwatch, tcp_pair};

const RECORD: usize = 16 * 1024;
const TAG: usize = 16;
/// Records sealed for one write.
const BATCH: usize = 8;

/// TCP without any cryptography.
pub(crate) async fn raw(load: Load) -> Result<Duration, Error> {
    let (near, far) = tcp_pair().await?;
    bulk::transfer(near, far, load).await
}

/// Sealing, writing, reading and opening 16 KiB records, and nothing else.
pub(crate) async fn records(load: Load) -> Result<Duration, Error> {
    let (near, far) = tcp_pair().await?;
    let count = load.bytes.div_ceil(u64::try_from(RECORD)?);
    let start = stopwatch();
    let sender = tokio::spawn(send_records(near, count));
    receive_records(far, count).await?;
    sender.await??;
    Ok(start.elapsed())
}

async fn send_records(mut tcp: TcpStream, count: u64) -> Result<TcpStream, Error> {
    let key = key()?;
    let block = vec![7; RECORD];
    let mut out = vec![0; BATCH * (RECORD + TAG)];
    let mut sequence = 0;
    while sequence < count {
        let mut used = 0;
        for record in out.chunks_exact_mut(RECORD + TAG) {
            if sequence == count {
                break;
            }
            let (text, tag) = record.split_at_mut(RECORD);
            key.seal_out_of_place_scatter(nonce(sequence), Aad::empty(), &block, text, &[], tag)?;
            sequence += 1;
            used += RECORD + TAG;
        }
        tcp.write_all(out.get(..used).unwrap_or_default()).await?;
    }
    Ok(tcp)
}

async fn receive_records(mut tcp: TcpStream, count: u64) -> Result<(), Error> {
    let key = key()?;
    let mut buffer = BytesMut::new();
    let mut sequence = 0;
    while sequence < count {
        buffer.reserve(256 * 1024);
        if tcp.read_buf(&mut buffer).await? == 0 {
            return Err("the connection ended early".into());
        }
        while buffer.len() >= RECORD + TAG {
            let mut record = buffer.split_to(RECORD + TAG);
            key.open_in_place(nonce(sequence), Aad::empty(), &mut record)?;
            sequence += 1;
        }
    }
    Ok(())
}

fn key() -> Result<LessSafeKey, Error> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[1; 16])?))
}

fn nonce(sequence: u64) -> Nonce {
    let mut nonce = [0; 12];
    if let Some(end) = nonce.last_chunk_mut::<8>() {
        *end = sequence.to_be_bytes();
    }
    Nonce::assume_unique_for_key(nonce)
}
