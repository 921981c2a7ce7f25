//! The handshake messages that may follow the handshake (readings ).

use bytes::{Buf, Bytes, BytesMut};
use tcpls_wire::{AlertDescription, Role};

use crate::key_update::{KEY_UPDATE, KeyUpdateRequest};

/// Puts the post-handshake messages of a connection together from its handshake records.
///
/// At most one message of [`MAX_MESSAGE_LEN`](Self::MAX_MESSAGE_LEN) and one record are kept.
#[derive(Debug)]
pub struct PostHandshake {
    /// The side that receives these messages.
    role: Role,
    buffer: BytesMut,
}

/// A message that follows the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostHandshakeMessage {
    /// A session ticket from the server: the message without its 4-byte header, as
    /// [`TicketStore::store`](crate::TicketStore::store) takes it.
    NewSessionTicket(Bytes),
    /// The peer's records on this connection have the next generation's key from here on. The
    /// [`RecordOpener`](crate::RecordOpener) has moved on already.
    KeyUpdate(KeyUpdateRequest),
}

/// An authentic message that does not belong here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PostHandshakeFault {
    /// Neither a ticket nor a key update: post-handshake authentication among others is refused.
    #[error("handshake message type {0} after the handshake")]
    Unexpected(u8),
    /// A ticket that a client sent.
    #[error("a session ticket from the client")]
    TicketFromClient,
    /// Longer than [`PostHandshake::MAX_MESSAGE_LEN`].
    #[error("a handshake message of {0} bytes after the handshake")]
    TooLong(usize),
    /// A `KeyUpdate` that is not one byte long.
    #[error("a KeyUpdate message has another length than one byte")]
    KeyUpdateLength,
    /// A `KeyUpdate` whose byte is neither 0 nor 1.
    #[error("unknown KeyUpdate request {0}")]
    KeyUpdateRequest(u8),
}

impl PostHandshakeFault {
    /// The alert that this fault deserves.
    pub const fn alert(self) -> AlertDescription {
        match self {
            Self::Unexpected(_) | Self::TicketFromClient => AlertDescription::UNEXPECTED_MESSAGE,
            Self::TooLong(_) | Self::KeyUpdateLength => AlertDescription::DECODE_ERROR,
            Self::KeyUpdateRequest(_) => AlertDescription::ILLEGAL_PARAMETER,
        }
    }
}

impl PostHandshake {
    /// The longest message body that is accepted, in bytes.
    pub const MAX_MESSAGE_LEN: usize = 65_535;

    /// Nothing received yet; `role` is the side that receives.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            buffer: BytesMut::new(),
        }
    }

    /// Takes the content of one handshake record; then [`poll`](Self::poll) until it gives `None`.
    pub fn handle(&mut self, content: &[u8]) {
        self.buffer.extend_from_slice(content);
    }

    /// The next whole message; `None` as long as there is none.
    pub fn poll(&mut self) -> Result<Option<PostHandshakeMessage>, PostHandshakeFault> {
        let Some(&[kind, a, b, c]) = self.buffer.first_chunk() else {
            return Ok(None);
        };
        let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        self.check(kind, len)?;
        if self.buffer.len() < HEADER_LEN + len {
            return Ok(None);
        }
        self.buffer.advance(HEADER_LEN);
        let body = self.buffer.split_to(len).freeze();
        match (kind, &*body) {
            (NEW_SESSION_TICKET, _) => Ok(Some(PostHandshakeMessage::NewSessionTicket(body))),
            (_, [0]) => Ok(Some(PostHandshakeMessage::KeyUpdate(
                KeyUpdateRequest::NotRequested,
            ))),
            (_, [1]) => Ok(Some(PostHandshakeMessage::KeyUpdate(
                KeyUpdateRequest::Requested,
            ))),
            (_, &[other]) => Err(PostHandshakeFault::KeyUpdateRequest(other)),
            _ => Err(PostHandshakeFault::KeyUpdateLength),
        }
    }

    /// Judges a header before its body is waited for.
    fn check(&self, kind: u8, len: usize) -> Result<(), PostHandshakeFault> {
        match (kind, self.role) {
            (NEW_SESSION_TICKET, Role::Server) => Err(PostHandshakeFault::TicketFromClient),
            (NEW_SESSION_TICKET, _) if len > Self::MAX_MESSAGE_LEN => {
                Err(PostHandshakeFault::TooLong(len))
            }
            (KEY_UPDATE, _) if len != 1 => Err(PostHandshakeFault::KeyUpdateLength),
            (NEW_SESSION_TICKET | KEY_UPDATE, _) => Ok(()),
            (other, _) => Err(PostHandshakeFault::Unexpected(other)),
        }
    }
}

const NEW_SESSION_TICKET: u8 = 4;
const HEADER_LEN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_update::key_update_message;

    fn poll_all(messages: &mut PostHandshake) -> Vec<PostHandshakeMessage> {
        std::iter::from_fn(|| messages.poll().unwrap()).collect()
    }

    /// tickets and key updates come out whole however the records cut them.
    #[test]
    fn messages_are_put_together_from_any_records() {
        let update = key_update_message(KeyUpdateRequest::Requested);
        let stream = [&[4, 0, 0, 3, 1, 2, 3][..], &[4, 0, 0, 0], &update].concat();
        let expected = vec![
            PostHandshakeMessage::NewSessionTicket(Bytes::from_static(&[1, 2, 3])),
            PostHandshakeMessage::NewSessionTicket(Bytes::new()),
            PostHandshakeMessage::KeyUpdate(KeyUpdateRequest::Requested),
        ];
        for record_len in 1..=stream.len() {
            let mut messages = PostHandshake::new(Role::Client);
            let mut seen = Vec::new();
            for record in stream.chunks(record_len) {
                messages.handle(record);
                seen.extend(poll_all(&mut messages));
            }
            assert_eq!(seen, expected, "{record_len} bytes a record");
        }
    }

    /// post-handshake authentication is refused, and so is everything else.
    #[test]
    fn other_handshake_messages_are_unexpected() {
        for kind in (0..=255).filter(|kind| ![NEW_SESSION_TICKET, KEY_UPDATE].contains(kind)) {
            let mut messages = PostHandshake::new(Role::Client);
            messages.handle(&[kind, 0, 0, 9]);
            let fault = messages.poll().unwrap_err();
            assert_eq!(fault, PostHandshakeFault::Unexpected(kind));
            assert_eq!(fault.alert(), AlertDescription::UNEXPECTED_MESSAGE);
        }
    }

    #[test]
    fn wrong_messages_are_judged_by_their_header() {
        let poll = |role, bytes: &[u8]| {
            let mut messages = PostHandshake::new(role);
            messages.handle(bytes);
            messages.poll().unwrap_err()
        };
        assert_eq!(
            poll(Role::Server, &[4, 0, 0, 9]),
            PostHandshakeFault::TicketFromClient
        );
        assert_eq!(
            poll(Role::Client, &[4, 1, 0, 0]),
            PostHandshakeFault::TooLong(65_536)
        );
        assert_eq!(
            poll(Role::Server, &[24, 0, 0, 2]),
            PostHandshakeFault::KeyUpdateLength
        );
        assert_eq!(
            poll(Role::Server, &[24, 0, 0, 1, 2]),
            PostHandshakeFault::KeyUpdateRequest(2)
        );
    }
}
