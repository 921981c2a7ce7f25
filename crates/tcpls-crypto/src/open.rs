//! The read half of a connection: protected records in, plaintext out (draft 4.3).

use core::fmt;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use tcpls_wire::{ConnectionId, RecordSequence};

use crate::aead::RecordContext;
use crate::deframe::{CHANGE_CIPHER_SPEC_LEN, Deframed, deframe};
use crate::fault::{NotAuthentic, OpenError, RecordFault};
use crate::generations::Position;
use crate::header::{ContentType, HEADER_LEN, MAX_PLAINTEXT, TAG_LEN};
use crate::key_update::{HandshakeTracker, KeyChange};
use crate::nonce::ConnectionIv;
use crate::secrets::{DirectionKeys, KeyError};

/// Opens the records of one connection and direction, in order.
///
/// Numbers and generations are those of the peer's [`RecordSealer`](crate::RecordSealer): a record
/// that carries a `KeyUpdate` moves the opener to the next generation right after it. After an error
/// the connection cannot be read any further.
pub struct RecordOpener {
    position: Position,
    connection: ConnectionId,
    iv: ConnectionIv,
    /// The next nonce, counted from 0 in each generation.
    nonce_sequence: u64,
    next: Option<RecordSequence>,
    tracker: HandshakeTracker,
    /// How many `change_cipher_spec` records may still come before the first protected one.
    change_cipher_specs: u8,
}

/// A record whose protection was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedRecord {
    /// Its number on this connection.
    pub sequence: RecordSequence,
    /// What it contains.
    pub content_type: ContentType,
    /// The content, without padding; it shares the memory of the buffer it was received in.
    pub payload: Bytes,
}

/// A record that was opened into a buffer of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenedInto {
    /// Its number on this connection.
    pub sequence: RecordSequence,
    /// What it contains.
    pub content_type: ContentType,
    /// Bytes of content at the front of the output, without padding.
    pub len: usize,
}

impl RecordOpener {
    /// An opener for generation 0 whose first record has the number `first`: 0 on a joined connection
    /// (reading A-9), and what the handshake handed over on the first one (reading A-8).
    pub fn new(
        keys: Arc<DirectionKeys>,
        connection: ConnectionId,
        first: RecordSequence,
    ) -> Result<Self, KeyError> {
        let mut opener = Self::starting_at(keys, connection, 0)?;
        opener.nonce_sequence = first.as_u64();
        opener.next = Some(first);
        Ok(opener)
    }

    /// An opener for a joined connection that starts at a later generation, where both sides agreed
    /// on that (reading A-26).
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
            tracker: HandshakeTracker::default(),
            // The first connection's handshake has already sent protected records.
            change_cipher_specs: u8::from(connection != ConnectionId::FIRST),
        })
    }

    /// Takes the next whole record off the front of `buffer` and decrypts it in place.
    ///
    /// `None` if there is none yet; what is there of it stays in `buffer`. Before the first record of
    /// a joined connection, one `change_cipher_spec` record is skipped (reading A-20).
    pub fn open_next(&mut self, buffer: &mut BytesMut) -> Result<Option<OpenedRecord>, OpenError> {
        let Some(len) = self.next_record(buffer)? else {
            return Ok(None);
        };
        let mut record = buffer.split_to(len);
        let inner = self.open_in_place(&mut record)?;
        record.advance(HEADER_LEN);
        record.truncate(inner.len);
        let OpenedInto {
            sequence,
            content_type,
            ..
        } = inner;
        Ok(Some(OpenedRecord {
            sequence,
            content_type,
            payload: record.freeze(),
        }))
    }

    /// Decrypts the record that is exactly `record` into `out`.
    ///
    /// `out` must fit the record's content with its type and padding, `record.len() - 21` bytes. An
    /// error before the decryption leaves the opener as it was.
    pub fn open_into(&mut self, record: &[u8], out: &mut [u8]) -> Result<OpenedInto, OpenError> {
        match deframe(record)? {
            Some(Deframed::Protected { len }) if len == record.len() => {}
            _ => return Err(OpenError::OutputTooSmall),
        }
        let (context, body) = self.context(record)?;
        let (text, tag) = split_tag(body)?;
        let out = out.get_mut(..text.len()).ok_or(OpenError::OutputTooSmall)?;
        let opened = self
            .position
            .key()
            .aead()
            .open_into(&context, text, tag, out);
        self.judge(opened.is_ok())?;
        self.accept(out)
    }

    /// Length of the whole record at the front of `buffer`, after any `change_cipher_spec` that may
    /// come before it was removed; `None` if it is incomplete.
    pub fn next_record(&mut self, buffer: &mut BytesMut) -> Result<Option<usize>, OpenError> {
        loop {
            match deframe(buffer)? {
                None => return Ok(None),
                Some(Deframed::Protected { len }) => return Ok(Some(len)),
                Some(Deframed::ChangeCipherSpec) if self.change_cipher_specs > 0 => {
                    self.change_cipher_specs -= 1;
                    buffer.advance(CHANGE_CIPHER_SPEC_LEN);
                }
                Some(Deframed::ChangeCipherSpec) => {
                    return Err(NotAuthentic::ChangeCipherSpec.into());
                }
            }
        }
    }

    /// Number of the record that is opened next; `None` when there can be none.
    pub const fn next_sequence(&self) -> Option<RecordSequence> {
        self.next
    }

    /// The key generation of the record that is opened next, counted from 0.
    pub fn generation(&self) -> u32 {
        self.position.generation()
    }

    /// The connection whose records these are.
    pub const fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// The keys that this opener shares with those of the session's other connections.
    pub fn keys(&self) -> &Arc<DirectionKeys> {
        self.position.keys()
    }

    fn open_in_place(&mut self, record: &mut [u8]) -> Result<OpenedInto, OpenError> {
        let (context, _) = self.context(record)?;
        let body = record.get_mut(HEADER_LEN..).ok_or(NotAuthentic::Tag)?;
        let text_len = body.len().checked_sub(TAG_LEN).ok_or(NotAuthentic::Tag)?;
        let (text, tag) = body
            .split_at_mut_checked(text_len)
            .ok_or(NotAuthentic::Tag)?;
        let opened = self
            .position
            .key()
            .aead()
            .open_in_place(&context, text, tag);
        self.judge(opened.is_ok())?;
        self.accept(text)
    }

    /// The nonce and header of `record`, and what follows the header.
    fn context<'a>(&self, record: &'a [u8]) -> Result<(RecordContext, &'a [u8]), OpenError> {
        if self.next.is_none() {
            return Err(RecordFault::SequenceExhausted.into());
        }
        if self.position.key().failed() >= self.position.keys().limits().integrity {
            return Err(OpenError::IntegrityLimit);
        }
        let (&header, body) = record
            .split_first_chunk::<HEADER_LEN>()
            .ok_or(OpenError::OutputTooSmall)?;
        Ok((
            RecordContext {
                nonce: self.iv.nonce(self.nonce_sequence),
                header,
            },
            body,
        ))
    }

    fn judge(&self, authentic: bool) -> Result<(), OpenError> {
        if authentic {
            return Ok(());
        }
        self.position.key().count_failed();
        Err(NotAuthentic::Tag.into())
    }

    /// Counts an authentic record, finds its content type and follows a change of keys.
    fn accept(&mut self, inner: &[u8]) -> Result<OpenedInto, OpenError> {
        let sequence = self.next.ok_or(RecordFault::SequenceExhausted)?;
        self.next = sequence.next();
        self.nonce_sequence = self.nonce_sequence.wrapping_add(1);
        let (content_type, content) = strip(inner)?;
        let change = self
            .tracker
            .record(content_type, content)
            .map_err(RecordFault::from)?;
        if change == KeyChange::Next {
            self.move_to_next_generation()?;
        }
        Ok(OpenedInto {
            sequence,
            content_type,
            len: content.len(),
        })
    }

    fn move_to_next_generation(&mut self) -> Result<(), KeyError> {
        let key = self.position.next_key()?;
        self.iv = ConnectionIv::new(key.iv(), self.connection);
        self.position.move_on(key);
        self.nonce_sequence = 0;
        Ok(())
    }
}

/// Content type and content of a decrypted record (RFC 8446 section 5.2).
fn strip(inner: &[u8]) -> Result<(ContentType, &[u8]), RecordFault> {
    if inner.len() > MAX_PLAINTEXT + 1 {
        return Err(RecordFault::TooLong);
    }
    let end = inner
        .iter()
        .rposition(|byte| *byte != 0)
        .ok_or(RecordFault::NoContentType)?;
    let (content, rest) = inner
        .split_at_checked(end)
        .ok_or(RecordFault::NoContentType)?;
    let byte = *rest.first().ok_or(RecordFault::NoContentType)?;
    let content_type = ContentType::from_wire(byte).ok_or(RecordFault::ContentType(byte))?;
    Ok((content_type, content))
}

fn split_tag(body: &[u8]) -> Result<(&[u8], &[u8]), NotAuthentic> {
    let text_len = body.len().checked_sub(TAG_LEN).ok_or(NotAuthentic::Tag)?;
    body.split_at_checked(text_len).ok_or(NotAuthentic::Tag)
}

impl fmt::Debug for RecordOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordOpener")
            .field("connection", &self.connection)
            .field("next", &self.next)
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}
