//! A client that uses every network interface, as they come and go.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::compare::{Comparison, compare, milliseconds, nothing, plan};
use super::{PEER, limits};
use crate::agent::protocol::{Follow, Kind};
use crate::figures::{Figure, Findings};
use crate::lab::Lab;
use crate::lab::clock::Moment;
use crate::lab::network::{Network, Quality};
use crate::lab::trial::{Direction, Trial};
use crate::scenario::Scenario;

/// 30 MiB.
const LENGTH: u64 = 30 << 20;

/// How much has arrived before the second interface comes up, and before the first goes down.
const BEFORE: [u64; 2] = [4 << 20, 12 << 20];

/// A window that a path of 50 Mbit/s and 20 ms and its queue hold without losses.
const RECEIVE_BUFFER: u64 = 300_000;

/// How long the stalls after the first interface went down count.
const AFTERMATH: Duration = Duration::from_secs(3);

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    let row = Scenario::new(
        "lab-interfaces",
        PEER,
        "2 x 50 Mbit/s, 20 ms, download: an interface comes up and is used, then the first goes down",
        row,
    );
    vec![row.full_only().within(Duration::from_secs(120))]
}

async fn row(lab: Arc<Lab>) -> Result<Findings> {
    let figures = vec![
        Figure::new(
            "a path after its interface came up",
            "ms",
            Some(limits::INTERFACE_JOIN),
        ),
        Figure::new(
            "longest stall as the first went down",
            "ms",
            Some(limits::LINK_STALL),
        ),
        Figure::new("total time", "s", None),
    ];
    let comparison = Comparison {
        figures,
        kinds: &[Kind::Ours],
        repeats: 3,
        derive: nothing,
    };
    compare(lab, comparison, measure).await
}

async fn measure(lab: Arc<Lab>, kind: Kind) -> Result<Vec<f64>> {
    let direction = Direction::Download;
    let network = Network::new(&[Quality::new(50, 20); 2])?;
    network.bound_receive_buffers(RECEIVE_BUFFER)?;
    network.link_down(2)?;
    let mut plan = plan(kind, &[1], &[direction], LENGTH);
    plan.follow = Follow::Interfaces;
    let mut trial = Trial::start(&lab, &network, &plan).await?;
    trial.go().await?;
    let [first, second] = BEFORE;
    trial.arrived(direction, first).await?;
    let up = Moment::now();
    network.link_up(2)?;
    // The session only knows the server's address on the first path.
    network.route(1, 2)?;
    let joined = trial.joined(up).await?;
    trial.arrived(direction, second).await?;
    let down = Moment::now();
    network.link_down(1)?;
    let outcome = trial.finish().await?;
    let arrivals = outcome.arrivals(0, direction)?;
    Ok(vec![
        milliseconds(joined.since(up)),
        milliseconds(arrivals.longest_gap(down, down.after(AFTERMATH))),
        arrivals.total().as_secs_f64(),
    ])
}
