//! Standard input and output as sources and sinks of bytes.
//!
//! Both run on threads of their own: a read that waits for a terminal can be neither cancelled nor
//! waited for, and must not keep the program from ending.

use std::io::{self, Read as _, Write as _};

use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot};

use crate::exit::{Exit, Failure};

/// Pieces that wait between the thread and the stream.
const QUEUE: usize = 8;
/// Memory that reads share.
const BLOCK: usize = 256 * 1024;
/// The least room that a read is given.
const LEAST: usize = 16 * 1024;

/// Standard input, read ahead a little.
#[derive(Debug)]
pub(crate) struct Input {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
}

impl Input {
    pub(crate) fn open() -> Self {
        let (sender, pieces) = mpsc::channel(QUEUE);
        std::thread::spawn(move || read_input(&sender));
        Self { pieces }
    }

    /// The next bytes; `None` at the end. Cancel safe.
    pub(crate) async fn read(&mut self) -> Result<Option<Bytes>, Failure> {
        self.pieces
            .recv()
            .await
            .transpose()
            .map_err(|error| Failure::new(Exit::File, format!("standard input: {error}")))
    }
}

fn read_input(pieces: &mpsc::Sender<io::Result<Bytes>>) {
    let mut input = io::stdin().lock();
    let mut block = BytesMut::new();
    loop {
        if block.len() < LEAST {
            block = BytesMut::zeroed(BLOCK);
        }
        let piece = match input.read(&mut block) {
            Ok(0) => return,
            Ok(count) => Ok(block.split_to(count).freeze()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let last = piece.is_err();
        if pieces.blocking_send(piece).is_err() || last {
            return;
        }
    }
}

/// Standard output, written behind a little.
#[derive(Debug)]
pub(crate) struct Output {
    pieces: mpsc::Sender<Bytes>,
    done: oneshot::Receiver<io::Result<()>>,
}

impl Output {
    pub(crate) fn open() -> Self {
        let (pieces, receiver) = mpsc::channel(QUEUE);
        let (sender, done) = oneshot::channel();
        std::thread::spawn(move || {
            // Nobody waits for the result when the program ends for another reason.
            let _sent = sender.send(write_output(receiver));
        });
        Self { pieces, done }
    }

    /// Passes on bytes, waiting while too much is unwritten.
    pub(crate) async fn write(&mut self, piece: Bytes) -> Result<(), Failure> {
        if self.pieces.send(piece).await.is_ok() {
            return Ok(());
        }
        let result = (&mut self.done).await;
        Err(unwritten(&result.map_or_else(io::Error::other, |result| {
            result
                .err()
                .unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())
        })))
    }

    /// Waits until everything is written.
    pub(crate) async fn finish(self) -> Result<(), Failure> {
        drop(self.pieces);
        let result = self
            .done
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
        result.map_err(|error| unwritten(&error))
    }
}

fn write_output(mut pieces: mpsc::Receiver<Bytes>) -> io::Result<()> {
    let mut output = io::stdout().lock();
    while let Some(piece) = pieces.blocking_recv() {
        output.write_all(&piece)?;
        // Whoever reads gets each piece at once: it may be an answer that is waited for.
        output.flush()?;
    }
    output.flush()
}

fn unwritten(error: &io::Error) -> Failure {
    Failure::new(Exit::File, format!("standard output: {error}"))
}
