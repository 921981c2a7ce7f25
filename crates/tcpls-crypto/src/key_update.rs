//! `KeyUpdate` messages, and finding them where they change keys (RFC 8446 section 4.6.3).

use tcpls_wire::AlertDescription;

use crate::header::ContentType;
use crate::seal::Plaintext;

/// Whether the receiver of a `KeyUpdate` shall send one itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyUpdateRequest {
    /// `update_not_requested`, 0.
    NotRequested,
    /// `update_requested`, 1: answered on the same connection (reading A-26).
    Requested,
}

/// The `KeyUpdate` message: `18 000001 request`.
pub const fn key_update_message(request: KeyUpdateRequest) -> [u8; 5] {
    let request = match request {
        KeyUpdateRequest::NotRequested => 0,
        KeyUpdateRequest::Requested => 1,
    };
    [KEY_UPDATE, 0, 0, 1, request]
}

/// Whether a record to be sealed is a `KeyUpdate` message and nothing else.
pub(crate) fn is_key_update(plaintext: &Plaintext<'_>) -> bool {
    let message = if plaintext.lead.is_empty() {
        plaintext.tail
    } else {
        plaintext.lead
    };
    plaintext.content_type == ContentType::Handshake
        && plaintext.lead.len() + plaintext.tail.len() == 5
        && message.first() == Some(&KEY_UPDATE)
}

/// Where the handshake messages of a connection end, followed record by record without keeping them.
#[derive(Debug, Default)]
pub(crate) struct HandshakeTracker {
    /// The header of the message that is not finished, as far as it came; empty between messages.
    header: Vec<u8>,
    /// Bytes of that message, behind its header, that are still to come.
    remaining: usize,
}

/// What the handshake messages of a record mean for the keys of the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyChange {
    /// The next record has the same key.
    Stay,
    /// The record ended with a `KeyUpdate`.
    Next,
}

/// A handshake message that is cut up against the rules of RFC 8446 section 5.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeFault {
    /// A record of another type came in the middle of a message.
    #[error("another record in the middle of a handshake message")]
    Interleaved,
    /// An empty handshake or alert record.
    #[error("an empty handshake or alert record")]
    Empty,
    /// Something follows a `KeyUpdate` in its record.
    #[error("a KeyUpdate message does not end its record")]
    KeyUpdateNotLast,
    /// A `KeyUpdate` message whose body is not one byte.
    #[error("a KeyUpdate message has another length than one byte")]
    KeyUpdateLength,
}

impl HandshakeFault {
    /// The alert that this fault deserves.
    pub const fn alert(self) -> AlertDescription {
        match self {
            Self::Interleaved | Self::Empty | Self::KeyUpdateNotLast => {
                AlertDescription::UNEXPECTED_MESSAGE
            }
            Self::KeyUpdateLength => AlertDescription::DECODE_ERROR,
        }
    }
}

impl HandshakeTracker {
    /// Takes note of one record's content.
    pub(crate) fn record(
        &mut self,
        content_type: ContentType,
        content: &[u8],
    ) -> Result<KeyChange, HandshakeFault> {
        match content_type {
            ContentType::Handshake => self.handshake(content),
            _ if !self.header.is_empty() => Err(HandshakeFault::Interleaved),
            ContentType::Alert if content.is_empty() => Err(HandshakeFault::Empty),
            ContentType::Alert | ContentType::ApplicationData => Ok(KeyChange::Stay),
        }
    }

    fn handshake(&mut self, mut content: &[u8]) -> Result<KeyChange, HandshakeFault> {
        if content.is_empty() {
            return Err(HandshakeFault::Empty);
        }
        let mut change = KeyChange::Stay;
        while !content.is_empty() {
            if change == KeyChange::Next {
                return Err(HandshakeFault::KeyUpdateNotLast);
            }
            if self.header.len() < HEADER_LEN {
                content = self.take_header(content)?;
            }
            let skipped = self.remaining.min(content.len());
            self.remaining -= skipped;
            content = content.get(skipped..).unwrap_or_default();
            if self.header.len() == HEADER_LEN && self.remaining == 0 {
                if self.header.first() == Some(&KEY_UPDATE) {
                    change = KeyChange::Next;
                }
                self.header.clear();
            }
        }
        Ok(change)
    }

    fn take_header<'a>(&mut self, content: &'a [u8]) -> Result<&'a [u8], HandshakeFault> {
        let missing = HEADER_LEN
            .saturating_sub(self.header.len())
            .min(content.len());
        let (taken, rest) = content.split_at_checked(missing).unwrap_or((content, &[]));
        self.header.extend_from_slice(taken);
        if let &[kind, a, b, c] = self.header.as_slice() {
            self.remaining =
                usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
            if kind == KEY_UPDATE && self.remaining != 1 {
                return Err(HandshakeFault::KeyUpdateLength);
            }
        }
        Ok(rest)
    }
}

/// The type of a `KeyUpdate` message.
pub(crate) const KEY_UPDATE: u8 = 24;
/// Length of a handshake message header: `Type:1 Length:3`.
const HEADER_LEN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const UPDATE: [u8; 5] = key_update_message(KeyUpdateRequest::Requested);

    fn ticket() -> Vec<u8> {
        let mut message = vec![4, 0, 0, 40];
        message.extend([24; 40]);
        message
    }

    /// the keys change after the record that a `KeyUpdate` ends, wherever it was cut.
    #[test]
    fn key_update_is_found_however_it_is_cut() {
        let messages = [ticket(), ticket(), UPDATE.to_vec()].concat();
        for record_len in 1..=messages.len() {
            let mut tracker = HandshakeTracker::default();
            let mut changes = Vec::new();
            for record in messages.chunks(record_len) {
                changes.push(tracker.record(ContentType::Handshake, record).unwrap());
            }
            assert_eq!(
                changes.pop(),
                Some(KeyChange::Next),
                "{record_len} bytes a record"
            );
            assert!(changes.iter().all(|change| *change == KeyChange::Stay));
            assert!(tracker.header.is_empty());
        }
    }

    #[test]
    fn nothing_may_follow_a_key_update_in_its_record() {
        let mut tracker = HandshakeTracker::default();
        let record = [&UPDATE[..], &ticket()].concat();
        let fault = tracker.record(ContentType::Handshake, &record).unwrap_err();
        assert_eq!(fault, HandshakeFault::KeyUpdateNotLast);
        assert_eq!(fault.alert(), AlertDescription::UNEXPECTED_MESSAGE);
    }

    #[test]
    fn handshake_messages_are_not_interleaved_with_other_records() {
        for other in [ContentType::Alert, ContentType::ApplicationData] {
            for cut in 1..44 {
                let mut tracker = HandshakeTracker::default();
                tracker
                    .record(ContentType::Handshake, &ticket()[..cut])
                    .unwrap();
                assert_eq!(
                    tracker.record(other, b"xy"),
                    Err(HandshakeFault::Interleaved)
                );
            }
        }
    }

    #[test]
    fn empty_records_are_for_application_data_only() {
        let mut tracker = HandshakeTracker::default();
        assert_eq!(
            tracker.record(ContentType::ApplicationData, b""),
            Ok(KeyChange::Stay)
        );
        assert_eq!(
            tracker.record(ContentType::Handshake, b""),
            Err(HandshakeFault::Empty)
        );
        assert_eq!(
            tracker.record(ContentType::Alert, b""),
            Err(HandshakeFault::Empty)
        );
    }

    #[test]
    fn key_update_of_another_length_is_a_fault() {
        let mut tracker = HandshakeTracker::default();
        let fault = tracker.record(ContentType::Handshake, &[24, 0, 0, 2, 0, 0]);
        assert_eq!(fault, Err(HandshakeFault::KeyUpdateLength));
    }
}
