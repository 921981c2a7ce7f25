//! Finding the records in a stream of bytes, without copying them.

use tcpls_wire::AlertDescription;

use crate::fault::NotAuthentic;
use crate::header::{HEADER_LEN, MAX_CIPHERTEXT, TAG_LEN};

/// A whole record at the front of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deframed {
    /// A protected record that takes `len` bytes, header included.
    Protected {
        /// Bytes of the record, header included: at least 21, at most 16645.
        len: usize,
    },
    /// A well-formed `change_cipher_spec` record: 6 bytes to skip, where it is allowed at all.
    ChangeCipherSpec,
}

/// Looks for a whole record at the front of `buffer`: `None` as long as it is incomplete.
///
/// The header is judged as soon as its five bytes are there, so that garbage is not waited for.
pub fn deframe(buffer: &[u8]) -> Result<Option<Deframed>, NotAuthentic> {
    let Some((&[record_type, version @ .., high, low], body)) =
        buffer.split_first_chunk::<HEADER_LEN>()
    else {
        return Ok(None);
    };
    let length = u16::from_be_bytes([high, low]);
    let body = body.get(..usize::from(length));
    match record_type {
        APPLICATION_DATA => protected(version, length, body),
        CHANGE_CIPHER_SPEC => change_cipher_spec(length, body),
        ALERT => plaintext_alert(length, body),
        HANDSHAKE => Err(NotAuthentic::PlaintextHandshake),
        other => Err(NotAuthentic::RecordType(other)),
    }
}

fn protected(
    version: [u8; 2],
    length: u16,
    body: Option<&[u8]>,
) -> Result<Option<Deframed>, NotAuthentic> {
    if version != [3, 3] {
        return Err(NotAuthentic::Version(u16::from_be_bytes(version)));
    }
    if usize::from(length) > MAX_CIPHERTEXT {
        return Err(NotAuthentic::TooLong(length));
    }
    if usize::from(length) < TAG_LEN {
        return Err(NotAuthentic::TooShort(length));
    }
    Ok(body.map(|body| Deframed::Protected {
        len: HEADER_LEN + body.len(),
    }))
}

/// RFC 8446 section 5: exactly one byte, 1; anything else is no compatibility record.
fn change_cipher_spec(length: u16, body: Option<&[u8]>) -> Result<Option<Deframed>, NotAuthentic> {
    match (length, body) {
        (1, None) => Ok(None),
        (1, Some([1])) => Ok(Some(Deframed::ChangeCipherSpec)),
        _ => Err(NotAuthentic::ChangeCipherSpec),
    }
}

fn plaintext_alert(length: u16, body: Option<&[u8]>) -> Result<Option<Deframed>, NotAuthentic> {
    match (length, body) {
        (2, None) => Ok(None),
        (2, Some(&[_, description])) => Err(NotAuthentic::PlaintextAlert(
            AlertDescription::from_wire(description),
        )),
        _ => Err(NotAuthentic::RecordType(ALERT)),
    }
}

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Length of a `change_cipher_spec` record.
pub(crate) const CHANGE_CIPHER_SPEC_LEN: usize = HEADER_LEN + 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incomplete_records_are_waited_for() {
        let mut record = vec![23, 3, 3, 0, 17];
        record.extend([0; 17]);
        for cut in 0..record.len() {
            assert_eq!(deframe(&record[..cut]), Ok(None), "{cut} bytes");
        }
        record.extend([23, 3]);
        assert_eq!(deframe(&record), Ok(Some(Deframed::Protected { len: 22 })));
    }

    /// a wrong header is told at once, and is not the peer's fault.
    #[test]
    fn wrong_headers_are_judged_without_their_body() {
        let judge = |header: [u8; 5]| deframe(&header).unwrap_err();
        assert_eq!(judge([24, 3, 3, 0, 17]), NotAuthentic::RecordType(24));
        assert_eq!(
            judge([0x48, 0x54, 0x54, 0x50, 0x2f]),
            NotAuthentic::RecordType(0x48)
        );
        assert_eq!(judge([23, 3, 1, 0, 17]), NotAuthentic::Version(0x0301));
        assert_eq!(judge([23, 3, 3, 0x41, 0x01]), NotAuthentic::TooLong(16_641));
        assert_eq!(judge([23, 3, 3, 0, 15]), NotAuthentic::TooShort(15));
        assert_eq!(judge([22, 3, 3, 0, 4]), NotAuthentic::PlaintextHandshake);
        assert_eq!(judge([20, 3, 3, 0, 2]), NotAuthentic::ChangeCipherSpec);
    }

    /// the longest ciphertext of TLS is still a record.
    #[test]
    fn longest_record_is_accepted() {
        let mut record = vec![23, 3, 3, 0x41, 0x00];
        record.resize(HEADER_LEN + MAX_CIPHERTEXT, 0);
        assert_eq!(
            deframe(&record),
            Ok(Some(Deframed::Protected { len: record.len() }))
        );
    }

    #[test]
    fn change_cipher_spec_is_one_byte_of_value_one() {
        assert_eq!(deframe(&[20, 3, 3, 0, 1]), Ok(None));
        assert_eq!(
            deframe(&[20, 3, 3, 0, 1, 1]),
            Ok(Some(Deframed::ChangeCipherSpec))
        );
        assert_eq!(
            deframe(&[20, 3, 3, 0, 1, 2]),
            Err(NotAuthentic::ChangeCipherSpec)
        );
    }

    /// a plaintext alert ends the connection; what it said is kept for the report.
    #[test]
    fn plaintext_alert_tells_its_description() {
        assert_eq!(
            deframe(&[21, 3, 3, 0, 2, 2, 80]),
            Err(NotAuthentic::PlaintextAlert(
                AlertDescription::INTERNAL_ERROR
            ))
        );
    }
}
