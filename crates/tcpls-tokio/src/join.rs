//! Connections that join a session (draft 4.2, readings ).

mod claim;
mod client;
mod server;

use std::time::Duration;

pub(crate) use client::Joiner;
pub(crate) use server::{Member, answer};

/// How many connections that have shown a token of one session may be about to prove themselves; one more
/// ends the one that took longest.
pub(crate) const PENDING_JOINS: usize = 8;

/// How long a join may take from its hello to the first record of the other side (reading A-20).
const JOIN_TIMEOUT: Duration = Duration::from_secs(3);
