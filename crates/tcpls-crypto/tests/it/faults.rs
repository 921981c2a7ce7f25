//! What must not come in, by blame (reading A-18).

use bytes::BytesMut;
use tcpls_crypto::wire::AlertDescription;
use tcpls_crypto::{
    Backend, ContentType, HandshakeFault, MAX_PLAINTEXT, NotAuthentic, OpenError, Plaintext,
    RecordFault, RecordOpener, Suite,
};

use crate::records::{combinations, keys, open, opener, seal, sealer};

fn refuse(opener: &mut RecordOpener, bytes: &[u8]) -> OpenError {
    opener.open_next(&mut BytesMut::from(bytes)).unwrap_err()
}

/// whatever bit is flipped, the record does not authenticate or its header is refused, and no
/// byte of it comes out.
#[test]
fn no_flipped_bit_gets_through() {
    for (suite, backend) in combinations() {
        let keys = keys(suite, backend, 1);
        let record = seal(
            &mut sealer(&keys, 1),
            &Plaintext::application_data(b"secret", b"tail"),
        );
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (mut in_place, mut into) = (opener(&keys, 1), opener(&keys, 1));
            match in_place.open_next(&mut BytesMut::from(&flipped[..])) {
                // A longer length: the rest is waited for.
                Ok(None) => assert!((24..40).contains(&bit), "bit {bit}"),
                Ok(Some(opened)) => panic!("bit {bit} of a record is ignored: {opened:?}"),
                Err(error) => {
                    assert!(
                        matches!(error, OpenError::NotAuthentic(_)),
                        "bit {bit}: {error}"
                    );
                }
            }
            let mut out = [0; 64];
            assert!(into.open_into(&flipped, &mut out).is_err(), "bit {bit}");
            assert!(!out.windows(6).any(|window| window == b"secret"));
        }
    }
}

/// failed tags are counted for the key, over all connections, up to the integrity limit.
#[test]
fn failures_are_counted_up_to_the_integrity_limit() {
    let keys = keys(Suite::Aes128Gcm, Backend::default(), 1);
    let secret: Vec<u8> = (1..33).collect();
    let limits = tcpls_crypto::Limits {
        integrity: 3,
        ..keys.limits()
    };
    let keys = std::sync::Arc::new(
        tcpls_crypto::DirectionKeys::from_traffic_secret(
            Suite::Aes128Gcm,
            Backend::default(),
            &secret,
        )
        .unwrap()
        .with_limits(limits),
    );
    let record = seal(
        &mut sealer(&keys, 9),
        &Plaintext::application_data(b"x", b""),
    );
    for connection in 1..=3 {
        let error = refuse(&mut opener(&keys, connection), &record);
        assert_eq!(error, NotAuthentic::Tag.into());
        assert_eq!(error.alert(), AlertDescription::BAD_RECORD_MAC);
        assert_eq!(keys.key(0).unwrap().failed(), u64::from(connection));
    }
    // Even a good record is not looked at any more.
    assert_eq!(
        refuse(&mut opener(&keys, 9), &record),
        OpenError::IntegrityLimit
    );
}

/// an authentic record that is wrong is the peer's fault.
#[test]
fn authentic_but_wrong_records_are_the_peers_fault() {
    let keys = keys(Suite::Aes128Gcm, Backend::default(), 1);
    let handshake = |content| Plaintext::new(ContentType::Handshake, content);
    let mut records = sealer(&keys, 1);
    let record = seal(&mut records, &handshake(&[4, 0, 0, 9, 0]));
    let mut reader = opener(&keys, 1);
    open(&mut reader, &record);
    let next = seal(
        &mut records,
        &Plaintext::application_data(b"in between", b""),
    );
    assert_eq!(
        refuse(&mut reader, &next),
        RecordFault::from(HandshakeFault::Interleaved).into()
    );

    let empty = |content_type| seal(&mut sealer(&keys, 1), &Plaintext::new(content_type, b""));
    open(&mut opener(&keys, 1), &empty(ContentType::ApplicationData));
    for content_type in [ContentType::Alert, ContentType::Handshake] {
        let error = refuse(&mut opener(&keys, 1), &empty(content_type));
        assert_eq!(error, RecordFault::from(HandshakeFault::Empty).into());
        assert_eq!(error.alert(), AlertDescription::UNEXPECTED_MESSAGE);
    }
}

/// Records that this crate's sealer never makes: sealed with a bare AEAD key.
mod forged {
    use aes_gcm::aead::{Aead, KeyInit, Payload};
    use tcpls_crypto::nonce;
    use tcpls_crypto::wire::ConnectionId;

    use super::*;

    /// RFC 8448 section 3: the client's application traffic secret, and what comes from it.
    const SECRET: &str = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
    const KEY: u128 = 0x1742_2dda_596e_d5d9_acd8_90e3_c63f_5051;
    const IV: [u8; 12] = [
        0x5b, 0x78, 0x92, 0x3d, 0xee, 0x08, 0x57, 0x90, 0x33, 0xe5, 0x23, 0xd9,
    ];

    fn forge(inner: &[u8]) -> Vec<u8> {
        let cipher = aes_gcm::Aes128Gcm::new(&KEY.to_be_bytes().into());
        let [high, low] = u16::try_from(inner.len() + 16).unwrap().to_be_bytes();
        let header = [23, 3, 3, high, low];
        let nonce = nonce(&IV, ConnectionId::FIRST, 0);
        let payload = Payload {
            msg: inner,
            aad: &header,
        };
        let sealed = cipher.encrypt(&nonce.into(), payload).unwrap();
        [&header[..], &sealed].concat()
    }

    fn opener() -> RecordOpener {
        let secret: Vec<u8> = (0..32)
            .map(|i| u8::from_str_radix(&SECRET[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        let keys = tcpls_crypto::DirectionKeys::from_traffic_secret(
            Suite::Aes128Gcm,
            Backend::default(),
            &secret,
        );
        let first = tcpls_crypto::wire::RecordSequence::ZERO;
        RecordOpener::new(keys.unwrap().into(), ConnectionId::FIRST, first).unwrap()
    }

    /// An inner plaintext without any content type is `unexpected_message`.
    #[test]
    fn a_record_of_zeros_is_refused() {
        for len in [0, 1, 500] {
            let error = refuse(&mut opener(), &forge(&vec![0; len]));
            assert_eq!(error, RecordFault::NoContentType.into());
            assert_eq!(error.alert(), AlertDescription::UNEXPECTED_MESSAGE);
        }
    }

    /// Only alerts, handshake messages and application data are ever protected.
    #[test]
    fn other_content_types_are_refused() {
        for byte in (1..=255).filter(|byte| ![21, 22, 23].contains(byte)) {
            let error = refuse(&mut opener(), &forge(&[1, 2, byte]));
            assert_eq!(error, RecordFault::ContentType(byte).into());
            assert_eq!(error.alert(), AlertDescription::UNEXPECTED_MESSAGE);
        }
    }

    /// More than 2^14 bytes of content and padding are `record_overflow`, also where the ciphertext
    /// is not too long.
    #[test]
    fn an_overlong_plaintext_is_refused() {
        let mut inner = vec![1; MAX_PLAINTEXT];
        inner.push(23);
        assert_eq!(
            open(&mut opener(), &forge(&inner)).payload.len(),
            MAX_PLAINTEXT
        );
        inner.push(0);
        let error = refuse(&mut opener(), &forge(&inner));
        assert_eq!(error, RecordFault::TooLong.into());
        assert_eq!(error.alert(), AlertDescription::RECORD_OVERFLOW);
        inner.resize(MAX_PLAINTEXT + 240, 0);
        assert_eq!(
            refuse(&mut opener(), &forge(&inner)),
            RecordFault::TooLong.into()
        );
    }
}

/// one `change_cipher_spec` may come before the first record of a joined connection,
/// none after it, and none at all after a handshake.
#[test]
fn change_cipher_spec_only_before_the_first_record() {
    let keys = keys(Suite::Aes256Gcm, Backend::default(), 1);
    let spec = [20, 3, 3, 0, 1, 1];
    let misplaced = OpenError::from(NotAuthentic::ChangeCipherSpec);
    let record = seal(
        &mut sealer(&keys, 7),
        &Plaintext::application_data(b"x", b""),
    );

    let mut reader = opener(&keys, 7);
    let mut buffer = BytesMut::from(&[&spec[..], &record].concat()[..]);
    assert_eq!(
        reader.open_next(&mut buffer).unwrap().unwrap().payload,
        &b"x"[..]
    );
    assert_eq!(refuse(&mut reader, &spec), misplaced);

    let twice = [spec, spec].concat();
    assert_eq!(refuse(&mut opener(&keys, 7), &twice), misplaced);
    assert_eq!(refuse(&mut opener(&keys, 0), &spec), misplaced);
}

/// A record that does not fit the caller's buffer can still be opened in another way.
#[test]
fn a_small_output_is_no_failure() {
    let keys = keys(Suite::Aes128Gcm, Backend::default(), 1);
    let record = seal(
        &mut sealer(&keys, 1),
        &Plaintext::application_data(b"0123456789", b""),
    );
    let mut reader = opener(&keys, 1);
    let mut out = [0; 10];
    assert_eq!(
        reader.open_into(&record, &mut out),
        Err(OpenError::OutputTooSmall)
    );
    let whole = &record[..record.len() - 1];
    assert_eq!(
        reader.open_into(whole, &mut [0; 64]),
        Err(OpenError::OutputTooSmall)
    );
    assert_eq!(&open(&mut reader, &record).payload[..], b"0123456789");
    assert_eq!(keys.key(0).unwrap().failed(), 0);
}
