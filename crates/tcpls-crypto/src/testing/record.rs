//! Bodies for record protection.

use std::sync::Arc;

use bytes::BytesMut;
use tcpls_wire::{ConnectionId, RecordSequence};

use super::pieces;
use crate::{
    Backend, ContentType, DirectionKeys, MAX_PLAINTEXT, NotAuthentic, OpenError, OpenedRecord,
    Plaintext, RecordOpener, RecordSealer, Suite, deframe,
};

const CONNECTION: ConnectionId = ConnectionId::from_wire(1);
const SECRET: [u8; 48] = [0x42; 48];

fn keys(suite: Suite) -> Option<Arc<DirectionKeys>> {
    let secret = SECRET.get(..suite.hash().output_len())?;
    let keys = DirectionKeys::from_traffic_secret(suite, Backend::default(), secret);
    keys.ok().map(Arc::new)
}

pub(super) fn ends(suite: Suite) -> Option<(RecordSealer, RecordOpener)> {
    let keys = keys(suite)?;
    let first = RecordSequence::ZERO;
    let sealer = RecordSealer::new(Arc::clone(&keys), CONNECTION, first).ok()?;
    Some((sealer, RecordOpener::new(keys, CONNECTION, first).ok()?))
}

/// Opens a stream of records that comes in pieces: it gives the same records, and the same error, as
/// when it comes at once.
///
/// # Panics
///
/// When it does not.
pub fn opener(data: &[u8]) {
    let Some((len, stream)) = pieces(data) else {
        return;
    };
    let whole = open_all(std::iter::once(stream));
    let cut = open_all(stream.chunks(len));
    assert_eq!(whole, cut);
}

type Outcome = (Vec<OpenedRecord>, Result<usize, OpenError>);

/// The records, and then the error or the number of bytes that are left.
fn open_all<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Option<Outcome> {
    let (_, mut opener) = ends(Suite::Aes128Gcm)?;
    let (mut buffer, mut records) = (BytesMut::new(), Vec::new());
    for part in parts {
        buffer.extend_from_slice(part);
        loop {
            match opener.open_next(&mut buffer) {
                Ok(Some(record)) => records.push(record),
                Ok(None) => break,
                Err(error) => return Some((records, Err(error))),
            }
        }
    }
    Some((records, Ok(buffer.len())))
}

/// Seals the input, cut in two where its first two bytes say, and opens it again in both ways.
///
/// # Panics
///
/// When it does not come out as it went in.
pub fn sealed(data: &[u8]) {
    let Some((&[suite, cut, padding], content)) = data.split_first_chunk() else {
        return;
    };
    let Some(suite) = Suite::ALL.get(usize::from(suite) % Suite::ALL.len()) else {
        return;
    };
    let Some((lead, tail)) = content.split_at_checked(usize::from(cut)) else {
        return;
    };
    let plaintext = Plaintext {
        padding: usize::from(padding),
        ..Plaintext::application_data(lead, tail)
    };
    let Some((mut sealer, mut opener)) = ends(*suite) else {
        return;
    };
    let mut record = vec![0xee; plaintext.sealed_len()];
    let result = sealer.seal_into(&plaintext, &mut record);
    assert_eq!(
        result.is_ok(),
        content.len() + plaintext.padding <= MAX_PLAINTEXT
    );
    if result.is_err() {
        return;
    }
    let mut out = vec![0xee; record.len()];
    let into = opener.open_into(&record, &mut out);
    assert_eq!(into.map(|into| into.len), Ok(content.len()));
    assert_eq!(out.get(..content.len()), Some(content));

    let Some((_, mut opener)) = ends(*suite) else {
        return;
    };
    let found = opener.open_next(&mut BytesMut::from(record.as_slice()));
    let found = found.map(|found| found.map(|record| (record.content_type, record.payload)));
    let expected = (ContentType::ApplicationData, content.to_vec().into());
    assert_eq!(found, Ok(Some(expected)));
}

/// Flips the bit of a record that the first two bytes of the input name: nothing comes out.
///
/// # Panics
///
/// When something does, or when the error blames the peer.
pub fn tampered(data: &[u8]) {
    let Some((&bit, content)) = data.split_first_chunk() else {
        return;
    };
    let bit = usize::from(u16::from_be_bytes(bit));
    let plaintext = Plaintext::application_data(content, &[]);
    let mut record = vec![0; plaintext.sealed_len()];
    let Some((mut sealer, mut opener)) = ends(Suite::Aes128Gcm) else {
        return;
    };
    if sealer.seal_into(&plaintext, &mut record).is_err() {
        return;
    }
    let Some(byte) = record.get_mut(bit / 8) else {
        return;
    };
    *byte ^= 1 << (bit % 8);
    match opener.open_next(&mut BytesMut::from(record.as_slice())) {
        Ok(None) => assert_eq!(deframe(&record), Ok(None)),
        Ok(Some(found)) => assert_eq!(None, Some(found), "bit {bit} changes nothing"),
        Err(error) => assert!(
            matches!(error, OpenError::NotAuthentic(_)),
            "bit {bit} is the peer's fault: {error}"
        ),
    }
    if deframe(&record).is_ok_and(|found| found.is_some()) {
        let error = opener.open_next(&mut BytesMut::from(record.as_slice()));
        assert_eq!(error, Err(NotAuthentic::Tag.into()));
    }
}
