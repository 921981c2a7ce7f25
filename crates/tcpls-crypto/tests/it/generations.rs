//! Key updates and the limits on keys (reading A-26).

use std::sync::Arc;

use bytes::BytesMut;
use tcpls_crypto::wire::{ConnectionId, RecordSequence};
use tcpls_crypto::{
    Backend, ContentType, DirectionKeys, KeyError, KeyUpdateRequest, Limits, Plaintext,
    RecordOpener, RecordSealer, SealError, Suite, WriteBuffer, key_update_message,
};

use crate::records::{combinations, keys, open, opener, seal, sealer};

const UPDATE: [u8; 5] = key_update_message(KeyUpdateRequest::NotRequested);

fn update() -> Plaintext<'static> {
    Plaintext::new(ContentType::Handshake, &UPDATE)
}

fn data() -> Plaintext<'static> {
    Plaintext::application_data(b"data", b"")
}

/// a `KeyUpdate` moves this connection to the next key, where nonces count from 0 again, while
/// the numbers that acknowledgements name go on.
#[test]
fn key_update_restarts_nonces_and_keeps_numbers() {
    for (suite, backend) in combinations() {
        let keys = keys(suite, backend, 1);
        let (mut sealer, mut opener) = (sealer(&keys, 5), opener(&keys, 5));
        let mut number = 0;
        for generation in 0..4 {
            assert_eq!(
                (sealer.generation(), opener.generation()),
                (generation, generation)
            );
            for plaintext in [data(), data(), update()] {
                let record = seal(&mut sealer, &plaintext);
                assert_eq!(open(&mut opener, &record).sequence.as_u64(), number);
                number += 1;
            }
        }
        assert_eq!(sealer.next_sequence(), opener.next_sequence());

        // Generation 4 of another connection starts at nonce 0, so this one must be there too.
        let connection = ConnectionId::from_wire(5);
        let mut fresh = RecordOpener::starting_at(keys, connection, 4).unwrap();
        open(&mut fresh, &seal(&mut sealer, &data()));
    }
}

/// the update may be in either part of the record, and the receiver finds it in any record.
#[test]
fn key_update_works_from_either_part() {
    let keys = keys(Suite::Aes128Gcm, Backend::default(), 1);
    for (lead, tail) in [(&UPDATE[..], &[][..]), (&[], &UPDATE)] {
        let (mut sealer, mut opener) = (sealer(&keys, 1), opener(&keys, 1));
        let plaintext = Plaintext {
            content_type: ContentType::Handshake,
            lead,
            tail,
            padding: 3,
        };
        open(&mut opener, &seal(&mut sealer, &plaintext));
        assert_eq!((sealer.generation(), opener.generation()), (1, 1));
        open(&mut opener, &seal(&mut sealer, &data()));
    }
}

/// each connection updates for itself; generation g is the same key everywhere.
#[test]
fn connections_update_one_by_one() {
    let keys = keys(Suite::Aes256Gcm, Backend::default(), 1);
    let mut ends: Vec<_> = (0..3)
        .map(|id| (sealer(&keys, id), opener(&keys, id)))
        .collect();
    for (index, (sealer, opener)) in ends.iter_mut().enumerate() {
        for _ in 0..index {
            open(opener, &seal(sealer, &update()));
        }
    }
    assert_eq!(keys.highest_generation(), 2);
    for (sealer, opener) in &mut ends {
        open(opener, &seal(sealer, &data()));
    }
    let one = ends[1].0.keys().key(1).unwrap();
    assert!(Arc::ptr_eq(&one, &keys.key(1).unwrap()));
}

/// limits are counted for each generation, summed over connections.
#[test]
fn limits_count_over_all_connections() {
    let limits = Limits {
        update_after: 4,
        confidentiality: 6,
        integrity: 9,
    };
    let secret = [5; 32];
    let keys = DirectionKeys::from_traffic_secret(Suite::Aes128Gcm, Backend::default(), &secret);
    let keys = Arc::new(keys.unwrap().with_limits(limits));
    let (mut one, mut two) = (sealer(&keys, 1), sealer(&keys, 2));
    for sealed in 0..2 {
        assert!(
            !one.update_is_due() && !two.update_is_due(),
            "after {sealed} records on each"
        );
        seal(&mut one, &data());
        seal(&mut two, &data());
    }
    assert!(one.update_is_due() && two.update_is_due());

    // One climbs, the other goes on and hits the limit.
    seal(&mut one, &update());
    assert!(!one.update_is_due());
    seal(&mut two, &data());
    let mut out = WriteBuffer::new();
    assert_eq!(two.seal(&data(), &mut out), Err(SealError::KeyExhausted));
    assert_eq!(two.seal(&update(), &mut out), Err(SealError::KeyExhausted));
    assert!(out.is_empty());
    seal(&mut one, &data());
    assert_eq!(keys.key(1).unwrap().sealed(), 1);
}

/// erased generations are gone; those that a connection is at, or has ahead of it, are not erased
/// before it has moved on or is over.
#[test]
fn erased_generations_cannot_be_had() {
    let keys = keys(Suite::Aes128Gcm, Backend::default(), 1);
    let mut old = sealer(&keys, 1);
    let first = Arc::downgrade(&keys.key(0).unwrap());
    keys.key(3).unwrap();
    keys.forget_before(3);
    assert!(keys.key(0).is_ok() && keys.key(1).is_ok());
    seal(&mut old, &update());
    assert_eq!(keys.key(0).unwrap_err(), KeyError::Forgotten(0));
    assert!(first.upgrade().is_none(), "the key itself is gone");
    let late = RecordOpener::starting_at(Arc::clone(&keys), ConnectionId::from_wire(7), 1).unwrap();
    seal(&mut old, &update());
    seal(&mut old, &update());
    assert!(keys.key(1).is_ok(), "another one is still there");
    drop(late);
    let connection = ConnectionId::from_wire(9);
    let new = |generation| RecordSealer::starting_at(Arc::clone(&keys), connection, generation);
    for generation in 0..3 {
        let gone = KeyError::Forgotten(generation);
        assert_eq!(new(generation).unwrap_err(), gone);
    }
    assert!(new(3).is_ok());
}

/// where old generations are erased, there is no end to the new ones.
#[test]
fn generations_go_on_where_old_ones_are_erased() {
    let keys = keys(Suite::ChaCha20Poly1305, Backend::default(), 1);
    let (mut sealer, mut opener) = (sealer(&keys, 1), opener(&keys, 1));
    for generation in 0..DirectionKeys::MAX_GENERATIONS + 10 {
        open(&mut opener, &seal(&mut sealer, &update()));
        keys.forget_before(generation);
    }
    open(&mut opener, &seal(&mut sealer, &data()));
    assert_eq!(sealer.generation(), DirectionKeys::MAX_GENERATIONS + 10);
}

/// a peer that only ever updates its keys comes to an end.
#[test]
fn generations_are_bounded() {
    let keys = keys(Suite::ChaCha20Poly1305, Backend::default(), 1);
    assert!(keys.key(DirectionKeys::MAX_GENERATIONS - 1).is_ok());
    for generation in [DirectionKeys::MAX_GENERATIONS, u32::MAX] {
        assert_eq!(
            keys.key(generation).unwrap_err(),
            KeyError::TooManyGenerations(generation)
        );
    }
}

/// a first record that is not number 0 shifts numbers and nonces alike.
#[test]
fn hand_over_sequence_counts_for_the_nonce() {
    let keys = keys(Suite::Aes256Gcm, Backend::default(), 1);
    let mut whole = sealer(&keys, 0);
    seal(&mut whole, &data());
    let second = seal(&mut whole, &data());
    let one = RecordSequence::from_wire(1);
    let mut late = RecordOpener::new(keys, ConnectionId::FIRST, one).unwrap();
    let opened = late
        .open_next(&mut BytesMut::from(&second[..]))
        .unwrap()
        .unwrap();
    assert_eq!(opened.sequence, one);
}
