//! Rows in the lab of network namespaces: faults, several paths, and the kernel's Multipath TCP as the
//! peer to beat.

mod aggregation;
mod blocking;
mod compare;
mod establishment;
mod faults;
mod interfaces;
mod limits;
mod lines;
mod migration;
mod outages;

use crate::lab::trial::Direction;
use crate::scenario::Scenario;

/// What the rows call the other implementation.
const PEER: &str = "MPTCP, TLS";

/// Directions of the data.
type Directions = &'static [Direction];

/// With the word for them.
const DIRECTIONS: [(&str, Directions); 3] = [
    ("download", &[Direction::Download]),
    ("upload", &[Direction::Upload]),
    ("both", &[Direction::Download, Direction::Upload]),
];

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    let mut rows = lines::rows();
    rows.extend(establishment::rows());
    rows.extend(faults::rows());
    rows.extend(interfaces::rows());
    rows.extend(outages::rows());
    rows.extend(migration::rows());
    rows.extend(aggregation::rows());
    rows.extend(blocking::rows());
    rows
}
