//! What a session takes from the heap, whatever its peer sends: each test drives a hostile peer and
//! states a bound that follows from the configuration alone.
//!
//! The allocator counts for each thread by itself, so tests do not disturb each other.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "tests stop at what they do not expect"
)]

mod control;
mod extended;
mod received;
mod sent;
mod victim;
mod windows;
