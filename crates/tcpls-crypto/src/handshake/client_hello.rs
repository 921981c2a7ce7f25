//! The client's hello on its way from rustls to the wire.

use tcpls_wire::hello::{HandshakeMessage, HandshakeType};

use super::exchange::{Exchange, Rewritten};
use crate::header::{HEADER_LEN, MAX_PLAINTEXT};

/// Puts the TCPLS extensions into the `ClientHello` records that rustls writes.
///
/// All handshake records that a client writes in cleartext are those of its hello, or of the second
/// one after a `HelloRetryRequest`.
#[derive(Debug, Default)]
pub(super) struct HelloWriter {
    /// Version of the records of the hello that is being collected.
    version: [u8; 2],
    /// The hello, as far as rustls wrote it.
    message: Vec<u8>,
    /// The last hello as it went on the wire; it holds no token.
    sent: Vec<u8>,
}

impl HelloWriter {
    /// Appends the records in `written`, which are whole, to `out` as they go on the wire.
    pub(super) fn rewrite(&mut self, exchange: &Exchange, written: &[u8], out: &mut Vec<u8>) {
        let mut rest = written;
        while let Some((record, next)) = split_record(rest) {
            match record {
                [HANDSHAKE, major, minor, _, _, body @ ..] => {
                    self.version = [*major, *minor];
                    self.message.extend_from_slice(body);
                    self.finish_message(exchange, out);
                }
                _ => out.extend_from_slice(record),
            }
            rest = next;
        }
    }

    /// The last hello that was written, with its header: after a `HelloRetryRequest`, the second one.
    pub(super) fn into_sent(self) -> Vec<u8> {
        self.sent
    }

    fn finish_message(&mut self, exchange: &Exchange, out: &mut Vec<u8>) {
        if HandshakeMessage::announced_length(&self.message) != Some(self.message.len()) {
            return;
        }
        let written = std::mem::take(&mut self.message);
        let message = match exchange.rewritten(HandshakeType::CLIENT_HELLO, &written) {
            Some(Rewritten::Hello(extended)) => extended,
            Some(Rewritten::Secret(_)) | None => written,
        };
        let [major, minor] = self.version;
        out.reserve(message.len() + HEADER_LEN);
        for fragment in message.chunks(MAX_PLAINTEXT) {
            let [high, low] = u16::try_from(fragment.len())
                .unwrap_or(u16::MAX)
                .to_be_bytes();
            out.extend_from_slice(&[HANDSHAKE, major, minor, high, low]);
            out.extend_from_slice(fragment);
        }
        self.sent = message;
    }
}

fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let &[_, _, _, high, low] = bytes.first_chunk::<HEADER_LEN>()?;
    bytes.split_at_checked(HEADER_LEN + usize::from(u16::from_be_bytes([high, low])))
}

const HANDSHAKE: u8 = 22;
