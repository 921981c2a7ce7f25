//! Many streams of 1 KiB, a hundred at a time.

use criterion::{BenchmarkId, Criterion, Throughput};
use tcpls_core::SessionConfig;
use tcpls_core::wire::Role;

use crate::talk::{pair, read};

const STREAMS: u64 = 10_000;
const AT_A_TIME: u64 = 100;
const LENGTH: usize = 1024;
/// Streams that are open beside them, and idle.
const IDLE: [usize; 2] = [0, 4_000];

pub(crate) fn ten_thousand(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("10,000 streams of 1 KiB");
    group.sample_size(10);
    group.throughput(Throughput::Elements(STREAMS));
    for idle in IDLE {
        group.bench_function(BenchmarkId::new("idle streams beside", idle), |bencher| {
            let mut config = SessionConfig::new();
            config.own_streams(5_000).peer_streams(5_000);
            let mut pair = pair(&config, 1);
            for _ in 0..idle {
                pair.client.session.open_bi().unwrap();
            }
            pair.drive();
            while pair.server.session.accept_bi().is_some() {}
            bencher.iter(|| {
                for _ in 0..STREAMS / AT_A_TIME {
                    batch(&mut pair);
                }
            });
        });
    }
    group.finish();
}

/// A hundred streams from their opening to their end.
fn batch(pair: &mut tcpls_core::testing::Pair) {
    let text = [7; LENGTH];
    for _ in 0..AT_A_TIME {
        let stream = pair.client.session.open_bi().unwrap();
        assert_eq!(pair.client.session.send(stream).write(&text), Ok(LENGTH));
        pair.client.session.send(stream).finish().unwrap();
    }
    pair.drive();
    let mut ended = 0;
    while let Some(stream) = pair.server.session.accept_bi() {
        assert_eq!(read(pair, Role::Server, stream), LENGTH);
        pair.server.session.send(stream).finish().unwrap();
        ended += 1;
    }
    assert_eq!(ended, AT_A_TIME);
    pair.drive();
    pair.client.take_events();
    pair.server.take_events();
}
