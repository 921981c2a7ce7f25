//! The write half of a connection: plaintext in, protected records out (draft 4.3).

use core::fmt;
use std::sync::Arc;

use tcpls_wire::{ConnectionId, RecordSequence};
use zeroize::Zeroize;

use crate::aead::RecordContext;
use crate::generations::Position;
use crate::header::{ContentType, HEADER_LEN, MAX_SEALED_RECORD, TAG_LEN, protected_header};
use crate::key_update::is_key_update;
use crate::nonce::ConnectionIv;
use crate::secrets::{DirectionKeys, KeyError, RecordKey};
use crate::write_buffer::WriteBuffer;

/// Seals the records of one connection and direction, in order.
///
/// The record sequence counts every record of the connection; it is what acknowledgements name. The
/// nonce counts from 0 again in each key generation (reading A-26). A nonce never repeats: the
/// sequence moves on with every record, two sealers of one session have different Connection IDs,
/// and nothing can be sealed twice because a sealer cannot be cloned.
pub struct RecordSealer {
    position: Position,
    connection: ConnectionId,
    iv: ConnectionIv,
    /// Records sealed in this generation; the next nonce.
    nonce_sequence: u64,
    /// Number of the next record; `None` after the last one of 64 bits.
    next: Option<RecordSequence>,
    /// The tail, content type and padding of the record being sealed; kept for its allocation.
    extra: Vec<u8>,
}

/// What one record shall contain: `lead ‖ tail`, then `padding` zero bytes that the peer strips.
#[derive(Debug, Clone, Copy)]
pub struct Plaintext<'a> {
    /// What it is.
    pub content_type: ContentType,
    /// The first part, sealed from where it is: stream data (draft 4.5).
    pub lead: &'a [u8],
    /// The second part, copied once: frame trailers and control frames. Best kept short.
    pub tail: &'a [u8],
    /// Zero bytes of TLS record padding (RFC 8446 section 5.4).
    pub padding: usize,
}

/// A record that was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Its number on this connection.
    pub sequence: RecordSequence,
    /// Bytes written, header and tag included.
    pub len: usize,
}

/// Why a record was not sealed; nothing of it may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Plaintext and padding are together longer than 2^14 bytes.
    #[error("plaintext and padding are longer than a record may be")]
    TooLong,
    /// The output has fewer bytes than [`Plaintext::sealed_len`].
    #[error("the output buffer is too small for the record")]
    OutputTooSmall,
    /// The key of this generation protected as many records as it may, over all connections: this
    /// connection needed a `KeyUpdate` earlier (see [`RecordSealer::update_is_due`]).
    #[error("the key has protected as many records as it may")]
    KeyExhausted,
    /// 2^64 records were sealed.
    #[error("the record sequence is exhausted")]
    SequenceExhausted,
    /// The next key generation cannot be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The AEAD library failed.
    #[error("the cryptographic backend failed to seal")]
    Backend,
}

impl<'a> Plaintext<'a> {
    /// Application data without padding.
    pub const fn application_data(lead: &'a [u8], tail: &'a [u8]) -> Self {
        Self {
            content_type: ContentType::ApplicationData,
            lead,
            tail,
            padding: 0,
        }
    }

    /// A record with this content in one piece and without padding.
    pub const fn new(content_type: ContentType, content: &'a [u8]) -> Self {
        Self {
            content_type,
            lead: &[],
            tail: content,
            padding: 0,
        }
    }

    /// Length of the record on the wire: the content and 22 bytes.
    pub const fn sealed_len(&self) -> usize {
        let content = self
            .lead
            .len()
            .saturating_add(self.tail.len())
            .saturating_add(self.padding);
        content.saturating_add(HEADER_LEN + 1 + TAG_LEN)
    }
}

impl RecordSealer {
    /// A sealer for generation 0 whose first record has the number `first`: 0 on a joined connection
    /// (reading A-9), and what the handshake handed over on the first one (reading A-8).
    ///
    /// There must never be two sealers with the same keys and connection.
    pub fn new(
        keys: Arc<DirectionKeys>,
        connection: ConnectionId,
        first: RecordSequence,
    ) -> Result<Self, KeyError> {
        let mut sealer = Self::starting_at(keys, connection, 0)?;
        sealer.nonce_sequence = first.as_u64();
        sealer.next = Some(first);
        Ok(sealer)
    }

    /// A sealer for a joined connection that starts at a later generation, where both sides agreed on
    /// that (reading A-26).
    pub fn starting_at(
        keys: Arc<DirectionKeys>,
        connection: ConnectionId,
        generation: u32,
    ) -> Result<Self, KeyError> {
        let position = Position::new(keys, generation)?;
        Ok(Self {
            iv: ConnectionIv::new(position.key().iv(), connection),
            position,
            connection,
            nonce_sequence: 0,
            next: Some(RecordSequence::ZERO),
            extra: Vec::new(),
        })
    }

    /// Seals one record to the front of `out`, which has room for [`Plaintext::sealed_len`] bytes.
    ///
    /// This is the primitive: nothing is allocated, and `lead` is read once and not copied. After a
    /// handshake record that is a `KeyUpdate` message, the next record is of the next generation.
    pub fn seal_into(
        &mut self,
        plaintext: &Plaintext<'_>,
        out: &mut [u8],
    ) -> Result<Sealed, SealError> {
        let len = plaintext.sealed_len();
        if len > MAX_SEALED_RECORD {
            return Err(SealError::TooLong);
        }
        let out = out.get_mut(..len).ok_or(SealError::OutputTooSmall)?;
        let (header, body) = out
            .split_first_chunk_mut::<HEADER_LEN>()
            .ok_or(SealError::OutputTooSmall)?;
        let sequence = self.next.ok_or(SealError::SequenceExhausted)?;
        // Fetched before anything is sealed: a KeyUpdate that cannot be followed is not sent.
        let next_key = if is_key_update(plaintext) {
            Some(self.position.next_key()?)
        } else {
            None
        };
        if self.position.key().count_sealed() >= self.position.keys().limits().confidentiality {
            return Err(SealError::KeyExhausted);
        }
        self.write_extra(plaintext);
        let body_len = u16::try_from(body.len()).map_err(|_| SealError::TooLong)?;
        *header = protected_header(body_len);
        let context = RecordContext {
            nonce: self.iv.nonce(self.nonce_sequence),
            header: *header,
        };
        // The numbers move on first, so that no failure can make a nonce repeat.
        self.nonce_sequence = self.nonce_sequence.wrapping_add(1);
        self.next = sequence.next();
        self.position
            .key()
            .aead()
            .seal(&context, plaintext.lead, &self.extra, body)
            .map_err(|_| SealError::Backend)?;
        if let Some(key) = next_key {
            self.move_to_next_generation(key);
        }
        Ok(Sealed { sequence, len })
    }

    /// Seals one record to the end of `out`.
    pub fn seal(
        &mut self,
        plaintext: &Plaintext<'_>,
        out: &mut WriteBuffer,
    ) -> Result<RecordSequence, SealError> {
        let room = out.room(plaintext.sealed_len().min(MAX_SEALED_RECORD));
        let sealed = self.seal_into(plaintext, room)?;
        out.commit(sealed.len);
        Ok(sealed.sequence)
    }

    /// Number of the record that is sealed next; `None` when there are none left.
    pub const fn next_sequence(&self) -> Option<RecordSequence> {
        self.next
    }

    /// The key generation of the record that is sealed next, counted from 0.
    pub fn generation(&self) -> u32 {
        self.position.generation()
    }

    /// The connection whose records these are.
    pub const fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Whether the key has protected so many records, over all connections, that each connection
    /// should send a `KeyUpdate`.
    pub fn update_is_due(&self) -> bool {
        self.position.key().sealed() >= self.position.keys().limits().update_after
    }

    /// The keys that this sealer shares with those of the session's other connections.
    pub fn keys(&self) -> &Arc<DirectionKeys> {
        self.position.keys()
    }

    fn write_extra(&mut self, plaintext: &Plaintext<'_>) {
        self.extra.clear();
        self.extra
            .reserve(plaintext.tail.len() + 1 + plaintext.padding);
        self.extra.extend_from_slice(plaintext.tail);
        self.extra.push(plaintext.content_type.as_u8());
        if plaintext.padding > 0 {
            self.extra.resize(self.extra.len() + plaintext.padding, 0);
        }
    }

    fn move_to_next_generation(&mut self, key: Arc<RecordKey>) {
        self.iv = ConnectionIv::new(key.iv(), self.connection);
        self.position.move_on(key);
        self.nonce_sequence = 0;
    }
}

impl Drop for RecordSealer {
    fn drop(&mut self) {
        self.extra.zeroize();
    }
}

impl fmt::Debug for RecordSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordSealer")
            .field("connection", &self.connection)
            .field("next", &self.next)
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}
