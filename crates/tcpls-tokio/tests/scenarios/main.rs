//! Sessions, plain TLS and refusals over real rustls handshakes, in memory and on loopback.
#![allow(
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::similar_names,
    reason = "a scenario that cannot go on shall say where; near and far, send and sent come in pairs"
)]

mod addresses;
mod answers;
mod breaking;
mod bulk;
mod cancel_safety;
mod common;
mod crowds;
mod ending;
mod establishment;
mod fallback;
mod healing;
mod hostile;
mod identity;
mod joins;
mod paths;
mod profile;
mod proxy;
mod refusals;
mod resets;
mod rest;
mod resumption;
mod streams;
mod tokens;
mod waiters;
mod wakeups;
