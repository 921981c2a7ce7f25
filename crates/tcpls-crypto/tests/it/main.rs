//! The crate from outside: records and handshakes in memory, also against rustls by itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "tests stop at what they do not expect"
)]

mod assumptions;
mod faults;
mod generations;
mod handshakes;
mod hellos;
mod joins;
mod key_schedule;
mod negotiation;
mod peers;
mod plain_peers;
mod records;
mod refusals;
mod rogue_servers;
mod talk;
mod untrusted;
mod watch;
