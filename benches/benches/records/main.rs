//! Sealing and opening of records, beside the bare AEAD calls, and updates of their keys.
#![allow(
    missing_docs,
    reason = "criterion's macro makes an undocumented function"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a bench that cannot start shall say where"
)]

mod halves;
mod key_update;

use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs::aead;
use bytes::{BufMut, BytesMut};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tcpls_crypto::wire::{ConnectionId, RecordSequence};
use tcpls_crypto::{
    Backend, DirectionKeys, Limits, Plaintext, RecordOpener, RecordSealer, Suite, WriteBuffer,
};

const LEN: usize = 16 * 1024;
const TAG: usize = 16;
/// A bench seals more under one key than a session may.
const UNLIMITED: Limits = Limits {
    update_after: u64::MAX,
    confidentiality: u64::MAX,
    integrity: u64::MAX,
};

fn seal_and_open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("seal and open 16 KiB");
    group.throughput(Throughput::Bytes(LEN.try_into().unwrap()));
    for (suite, algorithm) in [
        (Suite::Aes128Gcm, &aead::AES_128_GCM),
        (Suite::Aes256Gcm, &aead::AES_256_GCM),
        (Suite::ChaCha20Poly1305, &aead::CHACHA20_POLY1305),
    ] {
        let name = format!("{suite:?}");
        group.bench_function(BenchmarkId::new("bare AEAD", &name), |bencher| {
            let key = aead::UnboundKey::new(algorithm, &vec![1; algorithm.key_len()]).unwrap();
            let key = aead::LessSafeKey::new(key);
            // The data of a full Stream frame; its fields and the content type are encrypted with it.
            let (text, fields) = (vec![7; LEN - 15], [2; 16]);
            let mut sequence = 0_u64;
            let mut sealed = vec![0; LEN + 1 + TAG];
            let mut received = BytesMut::with_capacity(2 * LEN);
            bencher.iter(|| {
                sequence += 1;
                let nonce = || {
                    let mut nonce = [0; 12];
                    nonce[4..].copy_from_slice(&sequence.to_be_bytes());
                    aead::Nonce::assume_unique_for_key(nonce)
                };
                let (body, rest) = sealed.split_at_mut(LEN - 15);
                key.seal_out_of_place_scatter(
                    nonce(),
                    aead::Aad::empty(),
                    &text,
                    body,
                    &fields,
                    rest,
                )
                .unwrap();
                // Through the same buffers as below: what differs is what a record adds.
                received.reserve(sealed.len());
                received.put_slice(&sealed);
                let mut record = received.split();
                key.open_in_place(nonce(), aead::Aad::empty(), &mut record)
                    .unwrap();
                black_box(record.freeze());
            });
        });
        for backend in [Backend::AwsLc, Backend::RustCrypto] {
            let name = format!("{suite:?}/{backend:?}");
            group.bench_function(BenchmarkId::new("record", name), |bencher| {
                let secret = vec![3; suite.hash().output_len()];
                let keys = || {
                    let keys = DirectionKeys::from_traffic_secret(suite, backend, &secret).unwrap();
                    Arc::new(keys.with_limits(UNLIMITED))
                };
                let first = RecordSequence::ZERO;
                let mut sealer = RecordSealer::new(keys(), ConnectionId::FIRST, first).unwrap();
                let mut opener = RecordOpener::new(keys(), ConnectionId::FIRST, first).unwrap();
                let text = vec![7; LEN - 15];
                let mut out = WriteBuffer::with_capacity(2 * LEN);
                let mut received = BytesMut::with_capacity(2 * LEN);
                bencher.iter(|| {
                    let plaintext = Plaintext::application_data(&text, &[2; 15]);
                    sealer.seal(&plaintext, &mut out).unwrap();
                    // Standing in for the socket, which copies as well.
                    received.reserve(out.len());
                    received.put_slice(out.pending());
                    out.clear();
                    black_box(opener.open_next(&mut received).unwrap());
                });
            });
        }
    }
    group.finish();
}

criterion_group!(
    benches,
    seal_and_open,
    halves::seal,
    halves::open,
    key_update::key_update
);
criterion_main!(benches);
