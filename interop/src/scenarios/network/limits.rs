//! The numbers to reach, and which of them already decide about their rows.

use crate::figures::{Limit, Rigour};

/// A path of the lab has the round trip that was asked for, in ms.
pub(super) const LINE_ROUND_TRIP: [Limit; 2] = [
    Limit::at_least(20.0, Rigour::Enforced),
    Limit::at_most(25.0, Rigour::Enforced),
];

/// The share of a line that is left for plain TLS.
pub(super) const LINE_SHARE: f64 = 0.92;

/// Longest stall after an RST, in ms.
pub(super) const RESET_STALL: Limit = Limit::at_most(60.0, Rigour::Watched);

/// Longest stall after a path turns into a hole while another is joined, in ms.
pub(super) const HOLE_STALL: Limit = Limit::at_most(200.0, Rigour::Watched);

/// Longest stall after an interface goes down, in ms.
pub(super) const LINK_STALL: Limit = Limit::at_most(200.0, Rigour::Watched);
