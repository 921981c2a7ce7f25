//! Moving to the next generation of keys: the `KeyUpdate` record sealed and opened, and at each end the
//! next secret, key and IV derived.

use std::hint::black_box;
use std::sync::Arc;

use bytes::BytesMut;
use criterion::{BatchSize, BenchmarkId, Criterion};
use tcpls_crypto::{
    ContentType, KeyUpdateRequest, Plaintext, RecordOpener, RecordSealer, WriteBuffer,
    key_update_message,
};

use crate::halves::{BACKENDS, SUITES, halves};

/// Space for the record of a `KeyUpdate`.
const RECORD: usize = 64;

/// At the end that sends, and at the end that receives.
pub(crate) fn key_update(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("key update");
    for (suite, backend) in SUITES
        .into_iter()
        .flat_map(|suite| BACKENDS.map(|backend| (suite, backend)))
    {
        let name = format!("{suite:?}/{backend:?}");
        group.bench_function(BenchmarkId::new("sent", &name), |bencher| {
            let (mut sealer, _) = halves(suite, backend);
            let mut out = WriteBuffer::with_capacity(RECORD);
            bencher.iter(|| {
                out.clear();
                send(&mut sealer, &mut out);
                black_box(out.pending().len())
            });
        });
        group.bench_function(BenchmarkId::new("received", &name), |bencher| {
            let (mut sealer, mut opener) = halves(suite, backend);
            // Sealing the next one is not part of the time.
            let record = || {
                let mut out = WriteBuffer::with_capacity(RECORD);
                send(&mut sealer, &mut out);
                BytesMut::from(out.pending())
            };
            bencher.iter_batched(
                record,
                |mut record| receive(&mut opener, &mut record),
                BatchSize::NumIterations(64),
            );
        });
    }
    group.finish();
}

/// Sends a `KeyUpdate` and erases the generation that it ends, as a session does.
fn send(sealer: &mut RecordSealer, out: &mut WriteBuffer) {
    let message = key_update_message(KeyUpdateRequest::NotRequested);
    let before = sealer.generation();
    sealer
        .seal(&Plaintext::new(ContentType::Handshake, &message), out)
        .unwrap();
    assert_eq!(sealer.generation(), before + 1);
    sealer.keys().forget_before(sealer.generation());
}

fn receive(opener: &mut RecordOpener, record: &mut BytesMut) {
    let before = opener.generation();
    black_box(opener.open_next(record).unwrap().unwrap());
    assert_eq!(opener.generation(), before + 1);
    let keys = Arc::clone(opener.keys());
    keys.forget_before(opener.generation());
}
