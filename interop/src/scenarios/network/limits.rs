//! The numbers to reach, and which of them already decide about their rows.

use std::time::Duration;

use crate::figures::{Limit, Rigour};

/// A path of the lab has the round trip that was asked for, in ms.
pub(super) const LINE_ROUND_TRIP: [Limit; 2] = [
    Limit::at_least(20.0, Rigour::Enforced),
    Limit::at_most(25.0, Rigour::Enforced),
];

/// The share of a line that is left for plain TLS.
pub(super) const LINE_SHARE: f64 = 0.92;

/// A session with a server of two families, in ms: two round trips and the arithmetic of a handshake.
pub(super) const ESTABLISHMENT: Limit = Limit::at_most(200.0, Rigour::Watched);

/// The same when the preferred family is a hole: 250 ms more.
pub(super) const ESTABLISHMENT_FALLBACK: Limit = Limit::at_most(450.0, Rigour::Enforced);

/// Longest stall after an RST, in ms.
pub(super) const RESET_STALL: Limit = Limit::at_most(60.0, Rigour::Enforced);

/// Longest stall after a path turns into a hole while another is joined, in ms.
pub(super) const HOLE_STALL: Limit = Limit::at_most(200.0, Rigour::Enforced);

/// The same while none is, but another address is known: 500 ms and a round trip.
pub(super) const HOLE_STALL_ALONE: Limit = Limit::at_most(520.0, Rigour::Enforced);

/// Longest stall after an address was withdrawn, in ms.
pub(super) const WITHDRAW_STALL: Limit = Limit::at_most(40.0, Rigour::Enforced);

/// Longest stall after an interface goes down, in ms.
pub(super) const LINK_STALL: Limit = Limit::at_most(200.0, Rigour::Enforced);

/// From an interface that comes up to a path over it, in ms: the kernel tells at once, and joining takes two
/// round trips.
pub(super) const INTERFACE_JOIN: Limit = Limit::at_most(400.0, Rigour::Enforced);

/// 60 MiB over one open path of several, as a multiple of the time over one that stays open.
pub(super) const ROTATION: Limit = Limit::at_most(1.1, Rigour::Enforced);

/// The same with as much in the other direction at once.
pub(super) const ROTATION_BOTH: Limit = Limit::at_most(1.1, Rigour::Watched);

/// From the end of an outage of all paths to the next data, in s.
pub(super) const OUTAGE: Limit = Limit::at_most(1.1, Rigour::Enforced);

/// Two equal paths, as a share of twice what plain TLS gets of one.
pub(super) const AGGREGATION: Limit = Limit::at_least(0.95, Rigour::Enforced);

/// Two unequal paths, as a share of what plain TLS gets of the better one.
pub(super) const RATIO: Limit = Limit::at_least(0.95, Rigour::Enforced);

/// The shapes of the kernel's test of simultaneous flows.
pub(super) fn flows(time: Duration) -> Limit {
    Limit::at_most(time.as_secs_f64(), Rigour::Enforced)
}

/// While a session moves, the worst 500 ms as a share of plain TLS's mean on one path.
pub(super) const MIGRATION_HALF_SECOND: Limit = Limit::at_least(0.9, Rigour::Enforced);

/// The same of the worst 100 ms.
pub(super) const MIGRATION_TENTH: Limit = Limit::at_least(0.5, Rigour::Enforced);

/// The busiest 100 ms as a share of the line.
pub(super) const MIGRATION_BURST: Limit = Limit::at_most(2.0, Rigour::Enforced);

/// What a stream on a clean path waits, as a share of what it waits when it shares both paths.
pub(super) const BLOCKING: Limit = Limit::at_most(0.5, Rigour::Enforced);

/// A receive buffer whose window 25 Mbit/s with 20 ms and a queue of 50 ms hold without losses.
pub(super) const LOSSLESS_RECEIVE_BUFFER: u64 = 260_000;
