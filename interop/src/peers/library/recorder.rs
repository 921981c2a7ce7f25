//! A socket that keeps the first bytes it receives.

use std::io::{Read, Result, Write};
use std::net::TcpStream;

/// Enough for any handshake here.
const KEPT: usize = 16 * 1024;

/// A TCP stream whose incoming handshake can be looked at afterwards.
#[derive(Debug)]
pub(super) struct Recorder {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Recorder {
    /// Records what `stream` receives from now on.
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            received: Vec::new(),
        }
    }

    /// The first bytes received.
    pub(super) fn received(&self) -> Vec<u8> {
        self.received.clone()
    }
}

impl Read for Recorder {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let length = self.stream.read(buffer)?;
        let room = KEPT.saturating_sub(self.received.len()).min(length);
        self.received
            .extend_from_slice(buffer.get(..room).unwrap_or_default());
        Ok(length)
    }
}

impl Write for Recorder {
    fn write(&mut self, buffer: &[u8]) -> Result<usize> {
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> Result<()> {
        self.stream.flush()
    }
}
