//! Sealing and opening on both backends.

use std::sync::Arc;

use bytes::BytesMut;
use proptest::prelude::*;
use tcpls_crypto::wire::{ConnectionId, RecordSequence};
use tcpls_crypto::{
    Backend, ContentType, DirectionKeys, KeyUpdateRequest, MAX_PLAINTEXT, MAX_SEALED_RECORD,
    OpenedRecord, Plaintext, RecordOpener, RecordSealer, SealError, Suite, WriteBuffer,
    key_update_message,
};

/// Every suite on every backend that is compiled in.
pub fn combinations() -> impl Iterator<Item = (Suite, Backend)> {
    Suite::ALL
        .into_iter()
        .flat_map(|suite| Backend::ALL.iter().map(move |backend| (suite, *backend)))
}

/// Keys from a secret that counts up from `start`.
pub fn keys(suite: Suite, backend: Backend, start: u8) -> Arc<DirectionKeys> {
    let secret: Vec<u8> = (start..).take(suite.hash().output_len()).collect();
    Arc::new(DirectionKeys::from_traffic_secret(suite, backend, &secret).unwrap())
}

pub fn sealer(keys: &Arc<DirectionKeys>, connection: u32) -> RecordSealer {
    let connection = ConnectionId::from_wire(connection);
    RecordSealer::new(Arc::clone(keys), connection, RecordSequence::ZERO).unwrap()
}

pub fn opener(keys: &Arc<DirectionKeys>, connection: u32) -> RecordOpener {
    let connection = ConnectionId::from_wire(connection);
    RecordOpener::new(Arc::clone(keys), connection, RecordSequence::ZERO).unwrap()
}

pub fn seal(sealer: &mut RecordSealer, plaintext: &Plaintext<'_>) -> Vec<u8> {
    let mut out = WriteBuffer::new();
    sealer.seal(plaintext, &mut out).unwrap();
    assert_eq!(out.len(), plaintext.sealed_len());
    out.pending().to_vec()
}

/// Opens the one record that `bytes` is, in place and into another buffer.
pub fn open(opener: &mut RecordOpener, bytes: &[u8]) -> OpenedRecord {
    let mut buffer = BytesMut::from(bytes);
    let record = opener.open_next(&mut buffer).unwrap().unwrap();
    assert!(buffer.is_empty());
    record
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// R5, R25, A-26: records of connection 0x01020304 at sequence 5 of generation 0, and at sequence 0 of
/// generation 1, computed with Python's `cryptography`: `"TCPLS" 17 0000` inside.
#[test]
fn records_of_another_implementation() {
    let vectors = [
        (
            Suite::Aes128Gcm,
            [
                "170303001815ab3de639a002bab206dd0ed0853c37f6ffee6addb7e0c0",
                "1703030018c540317aed92064eb770be5036d33244b82571b49292a8a1",
            ],
        ),
        (
            Suite::Aes256Gcm,
            [
                "17030300182688781050544d8aa9fc1f3cd9a2e9ffb66f6a8d1a581cf3",
                "1703030018b0170c2539fdf53db8da5a9d3944039fa86a9fe4e8adcbf0",
            ],
        ),
        (
            Suite::ChaCha20Poly1305,
            [
                "1703030018ee55829b5ff21101467717a79d34523524e8e80427706a0d",
                "170303001875d88bac3e8292c4651d099243d3e74417a7192060ffc898",
            ],
        ),
    ];
    let connection = ConnectionId::from_wire(0x0102_0304);
    for (suite, [first, second]) in vectors {
        for backend in Backend::ALL {
            let keys = keys(suite, *backend, 0);
            let plaintext = |lead, tail| Plaintext {
                padding: 2,
                ..Plaintext::application_data(lead, tail)
            };
            let fifth = RecordSequence::from_wire(5);
            let mut sealer = RecordSealer::new(Arc::clone(&keys), connection, fifth).unwrap();
            assert_eq!(seal(&mut sealer, &plaintext(b"TCP", b"LS")), hex(first));
            let mut opener = RecordOpener::new(Arc::clone(&keys), connection, fifth).unwrap();
            assert_eq!(&open(&mut opener, &hex(first)).payload[..], b"TCPLS");

            let mut sealer = RecordSealer::starting_at(Arc::clone(&keys), connection, 1).unwrap();
            assert_eq!(seal(&mut sealer, &plaintext(b"", b"TCPLS")), hex(second));
            let mut opener = RecordOpener::starting_at(keys, connection, 1).unwrap();
            assert_eq!(&open(&mut opener, &hex(second)).payload[..], b"TCPLS");
        }
    }
}

/// R25: Connection ID 0 is plain TLS 1.3: the client's record in RFC 8448 section 3.
#[test]
fn record_of_rfc_8448() {
    let secret = hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
    let record = hex(
        "17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc \
         ab 3f 2b 98 19 a8 a5 b4 6b 39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd \
         1e 3d ea e6 3a ee bb 21 69 49 15 e4",
    );
    let content: Vec<u8> = (0..50).collect();
    for backend in Backend::ALL {
        let keys = DirectionKeys::from_traffic_secret(Suite::Aes128Gcm, *backend, &secret).unwrap();
        let keys = Arc::new(keys);
        let plaintext = Plaintext::application_data(&content, &[]);
        assert_eq!(seal(&mut sealer(&keys, 0), &plaintext), record);
        let opened = open(&mut opener(&keys, 0), &record);
        assert_eq!(opened.payload, content);
        assert_eq!(opened.content_type, ContentType::ApplicationData);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// R24, R25: whatever is sealed comes out again, on every backend in the same bytes.
    #[test]
    fn records_round_trip_on_every_backend(
        lead in proptest::collection::vec(any::<u8>(), 0..2000),
        tail in proptest::collection::vec(any::<u8>(), 0..600),
        padding in 0_usize..40,
        connection: u32,
        kind in 0..3,
    ) {
        let content_type = [
            ContentType::ApplicationData,
            ContentType::Alert,
            ContentType::ApplicationData,
        ][usize::try_from(kind).unwrap()];
        prop_assume!(content_type == ContentType::ApplicationData || !(lead.is_empty() && tail.is_empty()));
        let plaintext = Plaintext { content_type, lead: &lead, tail: &tail, padding };
        for suite in Suite::ALL {
            let mut records = Vec::new();
            for backend in Backend::ALL {
                let keys = keys(suite, *backend, 7);
                let record = seal(&mut sealer(&keys, connection), &plaintext);
                records.push(record);
            }
            for backend in Backend::ALL {
                let keys = keys(suite, *backend, 7);
                for record in &records {
                    prop_assert_eq!(record, &records[0]);
                    let opened = open(&mut opener(&keys, connection), record);
                    prop_assert_eq!(opened.sequence, RecordSequence::ZERO);
                    prop_assert_eq!(opened.content_type, content_type);
                    prop_assert_eq!(&opened.payload[..], &[&lead[..], &tail].concat()[..]);

                    let mut out = vec![0xee; record.len()];
                    let into = opener(&keys, connection).open_into(record, &mut out).unwrap();
                    prop_assert_eq!(&out[..into.len], &opened.payload[..]);
                    prop_assert_eq!(into.content_type, content_type);
                }
            }
        }
    }

    /// Any segmentation of the byte stream gives the same records.
    #[test]
    fn records_are_the_same_however_the_stream_is_cut(
        sizes in proptest::collection::vec(0_usize..300, 1..20),
        cuts in proptest::collection::vec(1_usize..50, 1..20),
    ) {
        let keys = keys(Suite::Aes128Gcm, Backend::default(), 1);
        let mut sealer = sealer(&keys, 3);
        let mut stream = Vec::new();
        for (index, size) in sizes.iter().enumerate() {
            let content = vec![u8::try_from(index).unwrap(); *size];
            stream.extend(seal(&mut sealer, &Plaintext::application_data(&content, &[])));
        }
        let mut opener = opener(&keys, 3);
        let (mut buffer, mut opened) = (BytesMut::new(), Vec::new());
        let mut cuts = cuts.iter().cycle();
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (part, next) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            buffer.extend_from_slice(part);
            rest = next;
            while let Some(record) = opener.open_next(&mut buffer).unwrap() {
                prop_assert_eq!(record.sequence.as_u64(), u64::try_from(opened.len()).unwrap());
                opened.push(record.payload.len());
            }
        }
        prop_assert_eq!(opened, sizes);
    }
}

/// The largest record of TLS passes, and one byte more is refused.
#[test]
fn the_largest_record() {
    for (suite, backend) in combinations() {
        let keys = keys(suite, backend, 9);
        let lead = vec![1; MAX_PLAINTEXT - 10];
        for (tail, padding) in [(10, 0), (4, 6), (0, 10)] {
            let tail = vec![2; tail];
            let plaintext = Plaintext {
                padding,
                ..Plaintext::application_data(&lead, &tail)
            };
            let record = seal(&mut sealer(&keys, 1), &plaintext);
            assert_eq!(record.len(), MAX_SEALED_RECORD);
            let opened = open(&mut opener(&keys, 1), &record);
            assert_eq!(opened.payload.len(), lead.len() + tail.len());

            let more = Plaintext {
                padding: padding + 1,
                ..plaintext
            };
            let error = sealer(&keys, 1)
                .seal(&more, &mut WriteBuffer::new())
                .unwrap_err();
            assert_eq!(error, SealError::TooLong);
        }
    }
}

/// Records that fail to be sealed use up no number, and nothing is written.
#[test]
fn refused_records_leave_no_trace() {
    let keys = keys(Suite::Aes256Gcm, Backend::default(), 1);
    let mut sealer = sealer(&keys, 1);
    let plaintext = Plaintext::application_data(b"data", b"");
    let mut small = [0; 25];
    assert_eq!(
        sealer.seal_into(&plaintext, &mut small),
        Err(SealError::OutputTooSmall)
    );
    let long = vec![0; MAX_PLAINTEXT + 1];
    let mut out = WriteBuffer::new();
    let too_long = Plaintext::application_data(&long, b"");
    assert_eq!(sealer.seal(&too_long, &mut out), Err(SealError::TooLong));
    assert!(out.is_empty());
    assert_eq!(sealer.next_sequence(), Some(RecordSequence::ZERO));
    assert_eq!(
        open(&mut opener(&keys, 1), &seal(&mut sealer, &plaintext)).payload,
        &b"data"[..]
    );
}

/// The last number of 64 bits is used once, and none after it.
#[test]
fn sequences_end_at_64_bits() {
    let keys = keys(Suite::ChaCha20Poly1305, Backend::default(), 1);
    let last = RecordSequence::from_wire(u64::MAX);
    let connection = ConnectionId::from_wire(1);
    let mut sealer = RecordSealer::new(Arc::clone(&keys), connection, last).unwrap();
    let mut opener = RecordOpener::new(keys, connection, last).unwrap();
    let plaintext = Plaintext::application_data(b"last", b"");
    let record = seal(&mut sealer, &plaintext);
    assert_eq!(open(&mut opener, &record).sequence, last);
    assert_eq!(sealer.next_sequence(), None);
    let error = sealer.seal(&plaintext, &mut WriteBuffer::new());
    assert_eq!(error, Err(SealError::SequenceExhausted));
    assert!(opener.open_next(&mut BytesMut::from(&record[..])).is_err());
}

/// R22, R24, A-9: the records of one connection are nothing on another, although the keys are the
/// same and both start at 0.
#[test]
fn records_belong_to_their_connection_and_place() {
    let keys = keys(Suite::Aes128Gcm, Backend::default(), 1);
    let mut one = sealer(&keys, 1);
    let first = seal(&mut one, &Plaintext::application_data(b"one", b""));
    let second = seal(&mut one, &Plaintext::application_data(b"two", b""));
    let open = |connection, record: &[u8]| {
        opener(&keys, connection).open_next(&mut BytesMut::from(record))
    };
    assert!(open(1, &first).is_ok());
    assert!(open(0, &first).is_err());
    assert!(open(2, &first).is_err());
    assert!(open(1, &second).is_err());
}

/// Debug output shows nothing that is secret.
#[test]
fn debug_output_is_redacted() {
    let keys = keys(Suite::Aes128Gcm, Backend::default(), 0x41);
    let shown = format!(
        "{keys:?} {:?} {:?} {:?}",
        keys.key(0).unwrap(),
        sealer(&keys, 1),
        opener(&keys, 1)
    );
    assert!(
        !shown.contains("65, 66") && !shown.contains("4142"),
        "{shown}"
    );
    assert!(shown.contains("highest_generation: 0"), "{shown}");
}

/// A sealed `KeyUpdate` is what a plain TLS peer expects.
#[test]
fn key_update_message_layout() {
    assert_eq!(
        key_update_message(KeyUpdateRequest::NotRequested),
        [24, 0, 0, 1, 0]
    );
    assert_eq!(
        key_update_message(KeyUpdateRequest::Requested),
        [24, 0, 0, 1, 1]
    );
}
