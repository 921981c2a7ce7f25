//! A TCPLS peer of the smallest kind: one stream from each side, echoed by the other, over records
//! that somebody else protects.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Result, bail, ensure};

use crate::frames::{Frame, decode, encode};

/// The lengths in which the peer's own stream is cut: tiny, full, and in between.
const PIECES: [usize; 5] = [1, 16_369, 1_000, 16_000, 7];

/// Plaintext records, in order.
pub(crate) trait Records {
    /// Sends one record.
    fn send(&mut self, record: &[u8]) -> Result<()>;
    /// Waits for the next record.
    fn receive(&mut self) -> Result<Vec<u8>>;
}

/// Where a conversation starts from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before {
    /// The number of the stream that this side opens: 0 for a client, 1 for a server.
    pub(crate) own: u32,
    /// Records that the TLS library has already sent under the application keys.
    pub(crate) sent: u8,
    /// Records of the same kind that came in without the library showing them.
    pub(crate) received: u8,
}

/// What a conversation came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summary {
    /// Records sent under the application keys, tickets included.
    pub(crate) sent: u64,
    /// Bytes of the other side's stream.
    pub(crate) bytes: usize,
}

/// One side of a conversation.
#[derive(Debug)]
pub(crate) struct Minimal<R> {
    records: R,
    own: u32,
    sent: u64,
    received: u64,
    acknowledged: Option<u64>,
    /// The last record sent that asks for an acknowledgement.
    to_be_acknowledged: Option<u64>,
    echo: Incoming,
    theirs: Incoming,
    /// Tokens that a server gave, by their number.
    tokens: BTreeMap<u8, [u8; 32]>,
    /// The stream and offset that the next record was announced to begin with.
    announced: Option<(u32, u64)>,
}

/// The received direction of a stream.
#[derive(Debug, Default)]
struct Incoming {
    data: Vec<u8>,
    ended: bool,
}

impl<R: Records> Minimal<R> {
    /// A side that has said nothing yet.
    pub(crate) fn new(records: R, before: Before) -> Self {
        Self {
            records,
            own: before.own,
            sent: before.sent.into(),
            received: before.received.into(),
            acknowledged: None,
            to_be_acknowledged: None,
            echo: Incoming::default(),
            theirs: Incoming::default(),
            tokens: BTreeMap::new(),
            announced: None,
        }
    }

    /// Sends `payload` on the own stream, expects it back, echoes the other side's stream, and
    /// waits until all of it is acknowledged.
    pub(crate) fn converse(&mut self, payload: &[u8]) -> Result<Summary> {
        self.send_stream(payload)?;
        while !self.is_over() {
            let record = self.records.receive()?;
            self.handle(&record)?;
        }
        ensure!(
            self.echo.data == payload,
            "the echo differs from what was sent"
        );
        Ok(Summary {
            sent: self.sent,
            bytes: self.theirs.data.len(),
        })
    }

    /// The records below, to end the connection.
    pub(crate) fn into_records(self) -> R {
        self.records
    }

    fn is_over(&self) -> bool {
        self.echo.ended && self.theirs.ended && self.acknowledged >= self.to_be_acknowledged
    }

    fn send_stream(&mut self, payload: &[u8]) -> Result<()> {
        let mut rest = payload;
        let mut offset = 0;
        let mut sizes = PIECES.iter().cycle();
        while !rest.is_empty() {
            let size = sizes.next().copied().unwrap_or(1).min(rest.len());
            let (piece, after) = rest.split_at(size);
            self.send(&[self.piece(offset, false, piece)])?;
            offset += u64::try_from(size)?;
            rest = after;
        }
        // The end comes in a frame without data, and behind frames that carry nothing.
        let end = self.piece(offset, true, &[]);
        self.send(&[Frame::Padding, Frame::Ping, end, Frame::Padding])
    }

    fn piece(&self, offset: u64, fin: bool, data: &[u8]) -> Frame {
        Frame::Stream {
            stream: self.own,
            offset,
            fin,
            data: data.to_vec(),
        }
    }

    fn send(&mut self, frames: &[Frame]) -> Result<()> {
        self.records.send(&encode(frames)?)?;
        if frames.iter().any(Frame::is_eliciting) {
            self.to_be_acknowledged = Some(self.sent);
        }
        self.sent += 1;
        Ok(())
    }

    /// Applies one record and answers it.
    fn handle(&mut self, record: &[u8]) -> Result<()> {
        let sequence = self.received;
        self.received += 1;
        let frames = decode(record)?;
        self.check_announced(&frames)?;
        let mut answer = VecDeque::new();
        for frame in &frames {
            match frame {
                Frame::Stream {
                    stream,
                    offset,
                    fin,
                    data,
                } if *stream == self.own => {
                    self.echo.take(*offset, *fin, data)?;
                }
                Frame::Stream {
                    stream,
                    offset,
                    fin,
                    data,
                } => {
                    ensure!(
                        *stream == self.own ^ 1,
                        "stream {stream} is not part of this"
                    );
                    self.theirs.take(*offset, *fin, data)?;
                    answer.push_back(frame.clone());
                }
                Frame::Ack {
                    connection,
                    highest,
                } => self.acknowledge(*connection, *highest)?,
                Frame::NewToken { sequence, value } => self.take_token(*sequence, *value)?,
                Frame::StreamChange { stream, offset } => {
                    self.announced = Some((*stream, *offset));
                }
                Frame::ConnectionReset { connection } => {
                    bail!("connection {connection} was reported, but nothing failed")
                }
                Frame::NewAddress { .. }
                | Frame::RemoveAddress { .. }
                | Frame::Ping
                | Frame::Padding => {}
            }
        }
        if frames.iter().any(Frame::is_eliciting) {
            // The largest piece fills a record by itself, so the acknowledgement goes alone.
            for frame in answer {
                self.send(&[frame])?;
            }
            self.send(&[Frame::Ack {
                connection: 0,
                highest: sequence,
            }])?;
        }
        Ok(())
    }

    /// A wrong announcement would only cost time; on one connection there is no reason for one.
    fn check_announced(&mut self, frames: &[Frame]) -> Result<()> {
        if let Some(announced) = self.announced.take() {
            let begins = match frames.last() {
                Some(Frame::Stream { stream, offset, .. }) => Some((*stream, *offset)),
                _ => None,
            };
            ensure!(
                begins == Some(announced),
                "a record begins with {begins:?} after {announced:?} was announced"
            );
        }
        Ok(())
    }

    /// Only a client gets tokens; number 1 was in the handshake, and each is new.
    fn take_token(&mut self, sequence: u8, value: [u8; 32]) -> Result<()> {
        ensure!(self.own == 0, "a client sent a token");
        ensure!(sequence > 1, "token {sequence} in a frame");
        ensure!(
            !self.tokens.values().any(|known| *known == value),
            "a token came twice"
        );
        let earlier = self.tokens.insert(sequence, value);
        ensure!(earlier.is_none(), "two tokens have the number {sequence}");
        Ok(())
    }

    fn acknowledge(&mut self, connection: u32, highest: u64) -> Result<()> {
        ensure!(
            connection == 0,
            "an ACK for connection {connection}, which does not exist"
        );
        ensure!(
            highest < self.sent,
            "an ACK for record {highest}, but only {} went",
            self.sent
        );
        ensure!(
            self.acknowledged <= Some(highest),
            "an ACK that takes back an earlier one"
        );
        self.acknowledged = Some(highest);
        Ok(())
    }
}

impl Incoming {
    /// On one connection all pieces come in order.
    fn take(&mut self, offset: u64, fin: bool, data: &[u8]) -> Result<()> {
        ensure!(!self.ended, "data after the end of a stream");
        let expected = self.data.len();
        ensure!(
            usize::try_from(offset)? == expected,
            "offset {offset} instead of {expected}"
        );
        self.data.extend_from_slice(data);
        self.ended = fin;
        Ok(())
    }
}
