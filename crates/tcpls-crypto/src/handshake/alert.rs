//! Alerts that this crate sends itself during a handshake.

use tcpls_wire::{Alert, AlertDescription};

use crate::aead::RecordContext;
use crate::header::{ContentType, HEADER_LEN, TAG_LEN, protected_header};
use crate::nonce::nonce;
use crate::secrets::RecordKey;
use crate::wire::ConnectionId;

/// A copy of the key that rustls writes with, and the number of the record after its last one.
pub(super) struct AlertKey {
    pub(super) key: RecordKey,
    pub(super) next: u64,
}

/// Appends the record of a fatal alert to `out`. rustls must write nothing after it.
pub(super) fn write_alert(key: Option<AlertKey>, description: AlertDescription, out: &mut Vec<u8>) {
    match key {
        Some(key) => out.extend_from_slice(&protected_alert(&key, description)),
        None => out.extend_from_slice(&plaintext_alert(description)),
    }
}

/// The record of a fatal alert in cleartext.
pub(crate) fn plaintext_alert(description: AlertDescription) -> [u8; HEADER_LEN + 2] {
    let [level, code] = Alert::fatal(description).encode();
    [ContentType::Alert.as_u8(), 3, 3, 0, 2, level, code]
}

fn protected_alert(key: &AlertKey, description: AlertDescription) -> Vec<u8> {
    const BODY_LEN: u16 = 2 + 1 + 16;
    let header = protected_header(BODY_LEN);
    let [level, code] = Alert::fatal(description).encode();
    let inner = [level, code, ContentType::Alert.as_u8()];
    let context = RecordContext {
        nonce: nonce(key.key.iv(), ConnectionId::FIRST, key.next),
        header,
    };
    let mut body = [0; 3 + TAG_LEN];
    match key.key.aead().seal(&context, &[], &inner, &mut body) {
        Ok(()) => [&header[..], &body].concat(),
        Err(_) => Vec::new(),
    }
}
