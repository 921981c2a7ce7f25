//! Alerts that this crate sends itself during a handshake.

use tcpls_wire::{Alert, AlertDescription};

use crate::aead::RecordContext;
use crate::header::{ContentType, HEADER_LEN, TAG_LEN, protected_header};
use crate::nonce::nonce;
use crate::secrets::{RecordKey, RecordSecret};
use crate::wire::ConnectionId;
use crate::{Backend, Suite};

/// A copy of the key that rustls writes with, and the number of the record after its last one.
///
/// Handshakes seldom need it: the cipher is only made ready for an alert.
pub(super) struct AlertKey {
    pub(super) suite: Suite,
    pub(super) secret: RecordSecret,
    pub(super) next: u64,
}

/// Appends the record of a fatal alert to `out`. rustls must write nothing after it.
pub(super) fn write_alert(key: Option<AlertKey>, description: AlertDescription, out: &mut Vec<u8>) {
    match key {
        Some(key) => out.extend_from_slice(&protected_alert(&key, description).unwrap_or_default()),
        None => out.extend_from_slice(&plaintext_alert(description)),
    }
}

/// The record of a fatal alert in cleartext.
pub(crate) fn plaintext_alert(description: AlertDescription) -> [u8; HEADER_LEN + 2] {
    let [level, code] = Alert::fatal(description).encode();
    [ContentType::Alert.as_u8(), 3, 3, 0, 2, level, code]
}

/// `None` if the backend does not take the key.
fn protected_alert(alert_key: &AlertKey, description: AlertDescription) -> Option<Vec<u8>> {
    const BODY_LEN: u16 = 2 + 1 + 16;
    let header = protected_header(BODY_LEN);
    let [level, code] = Alert::fatal(description).encode();
    let inner = [level, code, ContentType::Alert.as_u8()];
    let key = RecordKey::new(alert_key.suite, Backend::default(), &alert_key.secret).ok()?;
    let context = RecordContext {
        nonce: nonce(key.iv(), ConnectionId::FIRST, alert_key.next),
        header,
    };
    let mut body = [0; 3 + TAG_LEN];
    let sealed = key.aead().seal(&context, &[], &inner, &mut body);
    sealed.ok().map(|()| [&header[..], &body].concat())
}
