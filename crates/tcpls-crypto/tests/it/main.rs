//! The crate from outside: records and handshakes in memory, also against rustls by itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "tests stop at what they do not expect"
)]

mod faults;
mod generations;
mod handshakes;
mod peers;
mod records;
mod talk;
