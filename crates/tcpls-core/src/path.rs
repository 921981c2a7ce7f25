//! What a session knows of the TCP connections under it.

use std::time::Duration;

/// What TCP says about one connection, as `TCP_INFO` has it; zero where it says nothing.
///
/// The driver reads it when [`Event::PathInfoWanted`](crate::Event::PathInfoWanted) or
/// [`Session::wants_path_info`](crate::Session::wants_path_info) asks, and gives it to
/// [`Session::handle_path_info`](crate::Session::handle_path_info).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PathInfo {
    /// The smoothed round trip time, queues on the path included; zero when none was measured.
    pub round_trip: Duration,
    /// How much it varies.
    pub round_trip_variation: Duration,
    /// Bytes that TCP lets be on their way.
    pub congestion_window: u64,
    /// Bytes that TCP sent and the peer's TCP did not acknowledge.
    pub in_flight: u64,
    /// Bytes in the socket that TCP did not send yet.
    pub unsent: u64,
    /// Since TCP last heard an acknowledgment, of whatever.
    pub since_ack: Duration,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PathStatus {
    /// Its share of the load.
    #[default]
    Available,
    /// Nothing, as long as an available one works.
    Backup,
    /// Nothing, as long as any other works: it is about to go.
    Draining,
}

/// The connections that a stream may use.
///
/// Streams on connections of their own do not wait for each other's lost segments (draft 4.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StreamPaths {
    /// All of them, as the scheduler decides.
    #[default]
    All,
    /// These, and all others only while none of these works.
    Only(Vec<crate::ConnectionHandle>),
}
