//! One stream in bulk.

use criterion::{BenchmarkId, Criterion, Throughput};
use tcpls_core::SessionConfig;

use crate::talk::{open, pair, transfer};

/// Bytes of one iteration.
const BYTES: usize = 4 << 20;

/// Over one connection, and over several whose records overtake each other.
pub(crate) fn connections(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("4 MiB");
    group.throughput(Throughput::Bytes(BYTES.try_into().unwrap()));
    for connections in [1, 2, 4] {
        group.bench_function(BenchmarkId::new("connections", connections), |bencher| {
            let mut pair = pair(&SessionConfig::new(), connections);
            let stream = open(&mut pair);
            bencher.iter(|| transfer(&mut pair, stream, BYTES));
        });
    }
    group.finish();
}

/// Records sealed between two key updates.
const RECORDS: [u64; 2] = [u64::MAX, 16];
/// Each iteration begins a session: the generations of one are numbered.
const FEWER: usize = 1 << 20;

/// Without key updates, and with one for every 16 records.
pub(crate) fn key_updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a session and 1 MiB");
    group.throughput(Throughput::Bytes(FEWER.try_into().unwrap()));
    for (name, records) in ["no key update", "a key update every 16 records"]
        .iter()
        .zip(RECORDS)
    {
        group.bench_function(*name, |bencher| {
            let mut config = SessionConfig::new();
            config.key_update_after(records);
            bencher.iter(|| {
                let mut pair = pair(&config, 1);
                let stream = open(&mut pair);
                transfer(&mut pair, stream, FEWER);
            });
        });
    }
    group.finish();
}
