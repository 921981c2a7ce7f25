//! Drives a handshake over a byte stream.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tcpls_core::crypto::{ClientHandshake, Established, HandshakeError, ServerHandshake};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::error::ConnectError;
use crate::io::Transport;

/// What both sides' handshakes have in common.
pub(crate) trait Handshake {
    fn read(&mut self, input: &mut BytesMut) -> Result<(), HandshakeError>;
    fn write(&mut self, output: &mut Vec<u8>);
    fn is_complete(&self) -> bool;
    fn finish(self) -> Result<Established, HandshakeError>;
}

/// Runs `handshake` to its end. `input` starts with what was already read, and ends with what
/// was read beyond the handshake.
///
/// When it fails, the peer has been sent the alert that says why.
pub(crate) async fn run<H: Handshake>(
    mut handshake: H,
    transport: &mut Transport,
    input: &mut BytesMut,
) -> Result<Established, ConnectError> {
    let mut output = Vec::new();
    loop {
        let result = handshake.read(input);
        handshake.write(&mut output);
        if let Err(error) = result {
            // Our error explains more than a socket that does not take its alert.
            let _sent = send_and_end(transport, &output).await;
            return Err(error.into());
        }
        if !output.is_empty() {
            transport.write.write_all(&output).await?;
            transport.write.flush().await?;
            output.clear();
        }
        if handshake.is_complete() {
            return Ok(handshake.finish()?);
        }
        if read(transport, input).await? == 0 {
            return Err(ConnectError::Closed);
        }
    }
}

/// Space for the messages of a handshake: an empty buffer would grow read by read.
const ROOM: usize = 4096;

/// Reads once behind what `input` holds; 0 is the end.
pub(crate) async fn read(transport: &mut Transport, input: &mut BytesMut) -> io::Result<usize> {
    input.reserve(ROOM);
    transport.read.read_buf(input).await
}

/// Sends an alert as the last word, and reads what the peer still sends for a moment: closing a
/// socket with unread input makes the kernel send a RST, which can destroy the alert on its way.
pub(crate) async fn send_and_end(transport: &mut Transport, alert: &[u8]) -> io::Result<()> {
    transport.write.write_all(alert).await?;
    transport.write.shutdown().await?;
    discard(transport).await;
    Ok(())
}

/// Reads what a peer that was told to go still sends, for a moment.
pub(crate) async fn discard(transport: &mut Transport) {
    let mut space = vec![0; 4096];
    let discard = async { while transport.read.read(&mut space).await.is_ok_and(|n| n > 0) {} };
    // A peer that does not go is left alone.
    let _elapsed = tokio::time::timeout(LINGER, discard).await;
}

/// How long a refused peer may take to hang up.
pub(crate) const LINGER: Duration = Duration::from_millis(500);

/// Bounds a whole handshake.
pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or(Err(ConnectError::TimedOut(limit)))
}

impl Handshake for ClientHandshake {
    fn read(&mut self, input: &mut BytesMut) -> Result<(), HandshakeError> {
        Self::read(self, input)
    }

    fn write(&mut self, output: &mut Vec<u8>) {
        Self::write(self, output);
    }

    fn is_complete(&self) -> bool {
        Self::is_complete(self)
    }

    fn finish(self) -> Result<Established, HandshakeError> {
        Self::finish(self)
    }
}

impl Handshake for ServerHandshake {
    fn read(&mut self, input: &mut BytesMut) -> Result<(), HandshakeError> {
        Self::read(self, input)
    }

    fn write(&mut self, output: &mut Vec<u8>) {
        Self::write(self, output);
    }

    fn is_complete(&self) -> bool {
        Self::is_complete(self)
    }

    fn finish(self) -> Result<Established, HandshakeError> {
        Self::finish(self)
    }
}
