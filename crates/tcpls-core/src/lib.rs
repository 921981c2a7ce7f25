//! The TCPLS session as a state machine without I/O.
//!
//! [`Session`] takes opened records, time and the application's calls, and gives out records to
//! seal, events and deadlines. It reads no clock, draws no random number and touches no socket, so
//! the same calls always give the same answers. How to drive one is in the documentation of
//! [`Session`].

mod address;
mod budget;
mod config;
mod connection;
mod error;
mod event;
mod handle;
mod idle;
mod number;
mod path;
mod profile;
mod range_set;
pub mod scheduler;
mod sent;
mod session;
mod spent_ids;
mod stats;
mod stream;
#[cfg(feature = "testing")]
pub mod testing;
mod timer;
mod token;
mod transmit;

pub use address::AddressStanding;
pub use budget::{BudgetStats, Budgets};
pub use config::{Failover, SessionConfig, StreamAnnouncement};
pub use connection::{ConnectionStart, KeyGenerations};
pub use crypto::{ContentType, OpenedRecord};
pub use error::{
    AddressError, CloseCode, CloseReason, ConnectionFailure, FinishError, Limit, OpenError,
    PeerMisbehaved, ReadError, ResetError, RetireError, TokenError, TransportCode, WriteError,
};
pub use event::Event;
pub use handle::ConnectionHandle;
pub use path::{PathInfo, PathStatus, StreamPaths};
pub use profile::Profile;
pub use session::{Delivery, LandedRecord, Landing, Session, SessionClose};
pub use stats::{ConnectionStats, FrameCounts, SessionStats, StreamStats};
pub use stream::{RecvStream, SendStream, Sharing};
pub use tcpls_crypto as crypto;
pub use tcpls_crypto::wire;
pub use timer::TimeoutReason;
pub use transmit::{OutgoingRecord, Transmit, TransmitState};
