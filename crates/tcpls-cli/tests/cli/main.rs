//! The built program, as its users run it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bad_input;
mod demo;
mod echo;
mod peers;
mod perf;
mod perf_idle;
mod probe;
mod process;
