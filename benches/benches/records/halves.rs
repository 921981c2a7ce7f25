//! Sealing and opening each by itself, for records that fill a segment, a page, and as much as they may.

use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs::aead;
use bytes::BytesMut;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use tcpls_crypto::wire::{ConnectionId, RecordSequence};
use tcpls_crypto::{
    Backend, DirectionKeys, Plaintext, RecordOpener, RecordSealer, Suite, WriteBuffer,
};

use crate::{LEN, TAG, UNLIMITED};

/// Bytes of plaintext.
const SIZES: [usize; 3] = [1400, 4096, LEN];
/// The fields of a Stream frame, sealed after its data.
const FIELDS: [u8; 15] = [2; 15];
pub(crate) const SUITES: [Suite; 3] = [Suite::Aes128Gcm, Suite::Aes256Gcm, Suite::ChaCha20Poly1305];
pub(crate) const BACKENDS: [Backend; 2] = [Backend::AwsLc, Backend::RustCrypto];

fn algorithm(suite: Suite) -> &'static aead::Algorithm {
    match suite {
        Suite::Aes128Gcm => &aead::AES_128_GCM,
        Suite::Aes256Gcm => &aead::AES_256_GCM,
        Suite::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
    }
}

/// A sealer and an opener with the same keys.
pub(crate) fn halves(suite: Suite, backend: Backend) -> (RecordSealer, RecordOpener) {
    let secret = vec![3; suite.hash().output_len()];
    let keys = || {
        let keys = DirectionKeys::from_traffic_secret(suite, backend, &secret).unwrap();
        Arc::new(keys.with_limits(UNLIMITED))
    };
    let first = RecordSequence::ZERO;
    (
        RecordSealer::new(keys(), ConnectionId::FIRST, first).unwrap(),
        RecordOpener::new(keys(), ConnectionId::FIRST, first).unwrap(),
    )
}

pub(crate) fn seal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("seal");
    for (suite, size) in pairs() {
        group.throughput(Throughput::Bytes(size.try_into().unwrap()));
        let text = vec![7; size - FIELDS.len()];
        group.bench_function(
            BenchmarkId::new(format!("bare AEAD/{suite:?}"), size),
            |bencher| {
                let algorithm = algorithm(suite);
                let key = aead::UnboundKey::new(algorithm, &vec![1; algorithm.key_len()]);
                let key = aead::LessSafeKey::new(key.unwrap());
                let (mut body, mut rest) = (vec![0; text.len()], [0; FIELDS.len() + TAG]);
                bencher.iter(|| {
                    key.seal_out_of_place_scatter(
                        aead::Nonce::assume_unique_for_key([0; 12]),
                        aead::Aad::from([23, 3, 3, 64, 0]),
                        black_box(&text),
                        &mut body,
                        &FIELDS,
                        &mut rest,
                    )
                    .unwrap();
                });
            },
        );
        for backend in BACKENDS {
            group.bench_function(
                BenchmarkId::new(format!("record/{suite:?}/{backend:?}"), size),
                |bencher| {
                    let (mut sealer, _) = halves(suite, backend);
                    let mut out = WriteBuffer::with_capacity(2 * LEN);
                    bencher.iter(|| {
                        out.clear();
                        let plaintext = Plaintext::application_data(black_box(&text), &FIELDS);
                        sealer.seal(&plaintext, &mut out).unwrap();
                    });
                },
            );
        }
    }
    group.finish();
}

pub(crate) fn open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    for (suite, size) in pairs() {
        group.throughput(Throughput::Bytes(size.try_into().unwrap()));
        let text = vec![7; size - FIELDS.len()];
        for backend in BACKENDS {
            // Sealing the next record is not part of the time.
            let record = |sealer: &mut RecordSealer| {
                let mut out = WriteBuffer::with_capacity(2 * LEN);
                let plaintext = Plaintext::application_data(&text, &FIELDS);
                sealer.seal(&plaintext, &mut out).unwrap();
                BytesMut::from(out.pending())
            };
            group.bench_function(
                BenchmarkId::new(format!("in place/{suite:?}/{backend:?}"), size),
                |bencher| {
                    let (mut sealer, mut opener) = halves(suite, backend);
                    bencher.iter_batched(
                        || record(&mut sealer),
                        |mut record| opener.open_next(&mut record).unwrap().unwrap(),
                        BatchSize::SmallInput,
                    );
                },
            );
            group.bench_function(
                BenchmarkId::new(format!("into place/{suite:?}/{backend:?}"), size),
                |bencher| {
                    let (mut sealer, mut opener) = halves(suite, backend);
                    let mut out = vec![0; LEN + 256];
                    bencher.iter_batched(
                        || record(&mut sealer),
                        |record| opener.open_into(&record, &mut out).unwrap().len,
                        BatchSize::SmallInput,
                    );
                },
            );
        }
    }
    group.finish();
}

fn pairs() -> impl Iterator<Item = (Suite, usize)> {
    SUITES
        .into_iter()
        .flat_map(|suite| SIZES.map(|size| (suite, size)))
}
