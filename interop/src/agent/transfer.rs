//! Random bytes, sent and received with their hash.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::meter::{Meter, hexadecimal};
use super::protocol::Event;
use super::tell;
use crate::lab::clock::Moment;
use crate::lab::conditions::Random;

/// Bytes that are made or read at once.
const PIECE: usize = 64 << 10;

/// Progress is told after so many bytes.
const PROGRESS: u64 = 128 << 10;

/// Which end makes the bytes; the two make different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The end that connected.
    Client,
    /// The end that accepted.
    Server,
}

/// Sends `length` bytes that depend on `stream` and `origin`, and tells their hash.
pub(super) async fn send(
    mut writer: impl AsyncWrite + Unpin,
    stream: usize,
    origin: Origin,
    length: u64,
) -> Result<()> {
    let offset = if origin == Origin::Client { 1 } else { 2 };
    let mut random = Random::new(u64::try_from(stream)? * 2 + offset);
    let mut hash = Sha256::new();
    let mut left = length;
    let mut piece = vec![0; PIECE];
    while left > 0 {
        piece.truncate(usize::try_from(left).unwrap_or(PIECE));
        for bytes in piece.chunks_mut(8) {
            let number = random.next().to_le_bytes();
            for (byte, random) in bytes.iter_mut().zip(number) {
                *byte = random;
            }
        }
        hash.update(&piece);
        writer.write_all(&piece).await.context("cannot send")?;
        left = left.saturating_sub(u64::try_from(piece.len())?);
    }
    writer.flush().await.context("cannot send")?;
    tell(&Event::Sent {
        stream,
        sha256: hexadecimal(&hash.finalize()),
    });
    Ok(())
}

/// Receives `length` bytes and tells how they arrived.
pub(super) async fn receive(
    mut reader: impl AsyncRead + Unpin,
    stream: usize,
    length: u64,
    begin: Moment,
) -> Result<()> {
    let mut meter = Meter::new(begin);
    let mut told = 0;
    let mut piece = vec![0; PIECE];
    while meter.bytes() < length {
        let read = reader.read(&mut piece).await.context("cannot receive")?;
        let read = piece.get(..read).unwrap_or_default();
        anyhow::ensure!(!read.is_empty(), "ends after {} bytes", meter.bytes());
        meter.record(read, Moment::now());
        if meter.bytes() >= told + PROGRESS {
            told = meter.bytes();
            tell(&Event::Progress {
                stream,
                received: told,
            });
        }
    }
    tell(&Event::Received {
        stream,
        arrivals: meter.finish(),
    });
    Ok(())
}
