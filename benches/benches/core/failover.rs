//! What the loss of a connection costs: all that it carried goes out again on another.

use criterion::{BatchSize, Criterion, Throughput};
use tcpls_core::SessionConfig;
use tcpls_core::testing::Pair;
use tcpls_core::wire::{Role, StreamId};

use crate::talk::{open, pair, read, write};

/// Bytes that are on their way when the connection breaks.
const BYTES: usize = 1 << 20;

pub(crate) fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("failover");
    group.throughput(Throughput::Bytes(BYTES.try_into().unwrap()));
    group.bench_function("a reset with 1 MiB on its way", |bencher| {
        bencher.iter_batched(on_its_way, recover, BatchSize::LargeInput);
    });
    group.finish();
}

/// A pair with two connections whose data is written and not acknowledged.
fn on_its_way() -> (Pair, StreamId) {
    let mut pair = pair(&SessionConfig::new(), 2);
    let stream = open(&mut pair);
    assert_eq!(write(&mut pair, stream, BYTES), BYTES);
    pair.settle();
    (pair, stream)
}

/// Breaks the first connection; the server gets everything all the same.
fn recover((mut pair, stream): (Pair, StreamId)) -> Pair {
    pair.reset(0);
    let mut received = 0;
    while received < BYTES {
        pair.settle();
        received += read(&mut pair, Role::Server, stream);
        assert!(received >= BYTES || pair.step(), "stuck at {received}");
    }
    pair
}
