//! The session from outside: two of them on a simulated network, or one against crafted records.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_in_result,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "tests stop at what they do not expect"
)]

mod acks;
mod back_pressure;
mod breaking;
mod close;
mod control;
mod doubt;
mod draft_only;
mod exchange;
mod extended_floods;
mod failover;
mod farewell;
mod floods;
mod flow;
mod generations;
mod hostile;
mod idle;
mod idle_streams;
mod interaction;
mod joining;
mod keys;
mod landing;
mod limits;
mod liveness;
mod misbehaviour;
mod network;
mod one_direction;
mod packing;
mod path_state;
mod priorities;
mod retiring;
mod room;
mod scheduling;
mod silence;
mod stream_change;
mod streams;
mod talk;
mod tokens;
mod waiting_writers;
