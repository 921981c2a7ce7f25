//! Connections that join a session (draft 4.2, readings ).

mod claim;
mod client;
mod server;

use std::time::Duration;

pub(crate) use client::Joiner;
pub(crate) use server::{Member, answer};
use tcpls_core::wire::hello::join::RandomSource;

/// How long a join may take from its hello to the first record of the other side (reading A-20).
const JOIN_TIMEOUT: Duration = Duration::from_secs(3);

/// Runs `make` with the random numbers of the TLS configuration; `None` when these failed.
fn with_random<T>(
    random: &dyn rustls::crypto::SecureRandom,
    make: impl FnOnce(&mut RandomSource<'_>) -> T,
) -> Option<T> {
    let mut failed = false;
    let value = make(&mut |buffer: &mut [u8]| failed |= random.fill(buffer).is_err());
    (!failed).then_some(value)
}
