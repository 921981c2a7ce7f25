//! The ceiling: records of 16 KiB sealed and opened with the AEAD on a TCP connection, and nothing else.
//!
//! The keys are constants, and data shorter than a record goes out in a shorter one: the length of the
//! sealed record stands before it.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::byte_stream::Single;
use super::tcp::Listening;
use crate::transport::{Link, Multiplexing, Peer, Receiver, Sender};
use crate::{Error, Identity};

const RECORD: usize = 16 * 1024;
const TAG: usize = 16;
const LENGTH: usize = 5;
/// Space for what one read may give.
const READ: usize = 256 * 1024;

pub(super) struct BareRecords;

impl Peer for BareRecords {
    type Link = BareLink;

    fn name(&self) -> &'static str {
        "bare seal/open over TCP"
    }

    fn multiplexing(&self) -> Multiplexing {
        Multiplexing::No
    }

    async fn link(&self, _identity: &Identity, _streams: u32) -> Result<BareLink, Error> {
        Ok(BareLink(Listening::new().await?))
    }
}

pub(super) struct BareLink(Listening);

impl Link for BareLink {
    type Session = Single<Sealing, Opening>;

    async fn establish(&self) -> Result<(Self::Session, Self::Session), Error> {
        let (near, far) = self.0.pair().await?;
        let session = |tcp: tokio::net::TcpStream| {
            let (receive, send) = tcp.into_split();
            Ok::<_, Error>(Single::new(Sealing::new(send)?, Opening::new(receive)?))
        };
        Ok((session(near)?, session(far)?))
    }
}

pub(super) struct Sealing {
    tcp: OwnedWriteHalf,
    key: LessSafeKey,
    sequence: u64,
    out: Vec<u8>,
}

impl Sealing {
    fn new(tcp: OwnedWriteHalf) -> Result<Self, Error> {
        Ok(Self {
            tcp,
            key: key()?,
            sequence: 0,
            out: Vec::new(),
        })
    }

    /// Seals `data` into the buffer; gives the sealed length.
    fn seal(&mut self, data: &[u8]) -> Result<usize, Error> {
        let mut used = 0;
        for piece in data.chunks(RECORD) {
            let end = used + LENGTH + piece.len() + TAG;
            if self.out.len() < end {
                self.out.resize(end, 0);
            }
            let record = self.out.get_mut(used..end).unwrap_or_default();
            let (header, rest) = record.split_at_mut(LENGTH);
            let length = u16::try_from(piece.len() + TAG)?.to_be_bytes();
            header.copy_from_slice(&[23, 3, 3, length[0], length[1]]);
            let (text, tag) = rest.split_at_mut(piece.len());
            let nonce = nonce(self.sequence);
            self.key
                .seal_out_of_place_scatter(nonce, Aad::empty(), piece, text, &[], tag)?;
            self.sequence += 1;
            used = end;
        }
        Ok(used)
    }
}

impl Sender for Sealing {
    async fn send(&mut self, data: Bytes) -> Result<(), Error> {
        let used = self.seal(&data)?;
        let sealed = self.out.get(..used).unwrap_or_default();
        Ok(self.tcp.write_all(sealed).await?)
    }

    async fn finish(&mut self) -> Result<(), Error> {
        Ok(self.tcp.shutdown().await?)
    }
}

pub(super) struct Opening {
    tcp: OwnedReadHalf,
    key: LessSafeKey,
    sequence: u64,
    buffer: BytesMut,
}

impl Opening {
    fn new(tcp: OwnedReadHalf) -> Result<Self, Error> {
        Ok(Self {
            tcp,
            key: key()?,
            sequence: 0,
            buffer: BytesMut::new(),
        })
    }

    /// Opens all whole records in the buffer; gives the bytes in them.
    fn open(&mut self) -> Result<usize, Error> {
        let mut opened = 0;
        while let Some([_, _, _, high, low]) = self.buffer.first_chunk::<LENGTH>() {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            if self.buffer.len() < LENGTH + length {
                break;
            }
            self.buffer.advance(LENGTH);
            let mut record = self.buffer.split_to(length);
            let text = self
                .key
                .open_in_place(nonce(self.sequence), Aad::empty(), &mut record)?;
            opened += text.len();
            self.sequence += 1;
        }
        Ok(opened)
    }
}

impl Receiver for Opening {
    async fn receive(&mut self) -> Result<usize, Error> {
        loop {
            let opened = self.open()?;
            if opened > 0 {
                return Ok(opened);
            }
            self.buffer.reserve(READ);
            if self.tcp.read_buf(&mut self.buffer).await? == 0 {
                return Ok(0);
            }
        }
    }
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
