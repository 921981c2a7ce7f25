//! Sessions without a network, for tests of this crate and of what is built on it.
//!
//! [`Pair`] is two sessions with real record protection over byte pipes on a virtual clock; everything
//! that a network decides (delays, how bytes are cut up, what is lost when a connection breaks) comes
//! from its configuration and seed, so that a run can be repeated. [`Solo`] is one session whose peer
//! is the test itself, record by record.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::partial_pub_fields,
    reason = "tools of tests: they stop a test that misuses them, and let it reach the sessions"
)]

mod clock;
mod fuzz;
mod host;
mod link;
mod nonces;
mod pair;
mod random;
mod solo;

pub use clock::Clock;
pub use fuzz::session_records;
pub use host::Host;
pub use link::LinkConfig;
pub use pair::{Pair, PairConfig};
pub use random::Random;
pub use solo::{Sent, Solo};
