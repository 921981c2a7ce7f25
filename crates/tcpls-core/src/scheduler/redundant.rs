//! Everything on every connection.

use super::{Decision, Duplicates, Offer, Scheduler};

/// Sends all data on every connection, for the lowest latency at the price of as many times the bytes;
/// the peer keeps what comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Redundant;

impl Scheduler for Redundant {
    fn decide(&self, _offer: &Offer<'_>) -> Decision {
        Decision::Send
    }

    fn duplicates(&self) -> Duplicates {
        Duplicates::All
    }
}
