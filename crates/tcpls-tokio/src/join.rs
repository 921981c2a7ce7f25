//! Connections that join a session (draft 4.2, readings ).

mod claim;
mod client;
mod look;
mod server;

use std::time::Duration;

pub(crate) use client::Joiner;
pub(crate) use server::{Member, answer};

/// How long a join may take from its hello to the first record of the other side (reading A-20).
const JOIN_TIMEOUT: Duration = Duration::from_secs(3);
