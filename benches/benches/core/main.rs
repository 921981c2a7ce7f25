//! Two sessions in memory, on a virtual clock: what the state machine and the records cost, without
//! sockets, threads or locks. The simulated network copies each byte twice.
#![allow(
    missing_docs,
    reason = "criterion's macro makes an undocumented function"
)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench that cannot start shall say where"
)]

mod bulk;
mod failover;
mod requests;
mod small_streams;
mod talk;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    benches,
    bulk::connections,
    bulk::key_updates,
    failover::replay,
    requests::one_at_a_time,
    small_streams::ten_thousand
);
criterion_main!(benches);
