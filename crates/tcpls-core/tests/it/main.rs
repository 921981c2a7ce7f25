//! The session from outside: two of them on a simulated network, or one against crafted records.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "tests stop at what they do not expect"
)]

mod back_pressure;
mod exchange;
mod interaction;
mod talk;
