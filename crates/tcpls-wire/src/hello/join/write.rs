//! Writing TLS structures whose length comes first.

use alloc::vec::Vec;

use super::RECORD_HANDSHAKE;
use crate::{ExtensionType, hello::HandshakeType};

/// Appends `body` after its 8-bit length; `body` is at most 255 bytes.
pub(super) fn prefixed_u8(body: &[u8], out: &mut Vec<u8>) {
    let [.., length] = body.len().to_be_bytes();
    out.push(length);
    out.extend_from_slice(body);
}

/// Appends `body` after its 16-bit length; `body` is at most 65535 bytes.
pub(super) fn prefixed_u16(body: &[u8], out: &mut Vec<u8>) {
    let [.., high, low] = body.len().to_be_bytes();
    out.extend_from_slice(&[high, low]);
    out.extend_from_slice(body);
}

/// Appends an extension; `body` is at most 65535 bytes.
pub(super) fn extension(kind: ExtensionType, body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&kind.as_u16().to_be_bytes());
    prefixed_u16(body, out);
}

/// Appends a handshake message in a record of its own; it is at most [`MAX_MESSAGE`] bytes.
pub(super) fn record(version: [u8; 2], kind: HandshakeType, body: &[u8], out: &mut Vec<u8>) {
    let length = body.len() + crate::hello::HANDSHAKE_HEADER;
    let [.., high, low] = length.to_be_bytes();
    out.push(RECORD_HANDSHAKE);
    out.extend_from_slice(&version);
    out.extend_from_slice(&[high, low, kind.as_u8(), 0]);
    prefixed_u16(body, out);
}

/// Length of an extension around its body.
pub(super) const EXTENSION: usize = 4;

/// The longest handshake message with its header that fits one record.
pub(super) const MAX_MESSAGE: usize = 16_384;
