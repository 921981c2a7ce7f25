//! One fault in the middle of a transfer over two paths: how long does the application wait?

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::compare::{Comparison, compare, milliseconds, nothing, plan};
use super::{DIRECTIONS, Directions, PEER, limits};
use crate::agent::protocol::Kind;
use crate::figures::{Figure, Findings, Limit};
use crate::lab::Lab;
use crate::lab::clock::Moment;
use crate::lab::network::{Network, Quality};
use crate::lab::trial::{Direction, Trial};
use crate::scenario::Scenario;

/// Makes a window of more than a path and less than a path and its queue hold, so that nothing is lost but
/// by the fault: TCP alone stalls for a round trip and a full queue, 70 ms, when a slow start ends.
const RECEIVE_BUFFER: u64 = 300_000;

/// Bytes each way.
const LENGTH: u64 = 24_000_000;

/// Bytes that arrive before the fault.
const BEFORE: u64 = 8_000_000;

/// Which gaps count after the fault.
const AFTERMATH: Duration = Duration::from_secs(10);

/// A fault, and what is promised about it.
#[derive(Debug, Clone, Copy)]
struct Fault {
    name: &'static str,
    checked: &'static str,
    /// The paths that are joined before; the fault meets the first.
    paths: &'static [u8],
    /// The paths whose addresses the server tells before.
    advertised: &'static [u8],
    strike: Strike,
    limit: Option<Limit>,
}

/// What happens.
#[derive(Debug, Clone, Copy)]
enum Strike {
    /// A connection is aborted.
    Reset,
    /// Everything vanishes.
    Cut,
    /// The client's interface goes down.
    LinkDown,
    /// The client's address changes.
    ChangeAddress,
    /// The path is announced to end.
    Withdraw,
}

const FAULTS: [Fault; 7] = [
    Fault {
        name: "rst",
        checked: "a connection is reset",
        paths: &[1, 2],
        advertised: &[],
        strike: Strike::Reset,
        limit: Some(limits::RESET_STALL),
    },
    Fault {
        name: "hole",
        checked: "a path swallows everything",
        paths: &[1, 2],
        advertised: &[],
        strike: Strike::Cut,
        limit: Some(limits::HOLE_STALL),
    },
    Fault {
        name: "hole-alone",
        checked: "the only path swallows everything, another is known",
        paths: &[1],
        advertised: &[2],
        strike: Strike::Cut,
        limit: Some(limits::HOLE_STALL_ALONE),
    },
    Fault {
        name: "link-down",
        checked: "the client's interface goes down",
        paths: &[1, 2],
        advertised: &[],
        strike: Strike::LinkDown,
        limit: Some(limits::LINK_STALL),
    },
    Fault {
        name: "address-change",
        checked: "the client's address of a path changes",
        paths: &[1, 2],
        advertised: &[],
        strike: Strike::ChangeAddress,
        limit: Some(limits::LINK_STALL),
    },
    Fault {
        name: "address-change-alone",
        checked: "the client's address of the only path changes",
        paths: &[1],
        advertised: &[],
        strike: Strike::ChangeAddress,
        limit: None,
    },
    Fault {
        name: "withdraw",
        checked: "the server withdraws the address of a path (MPTCP: the client removes its own)",
        paths: &[1, 2],
        advertised: &[1, 2],
        strike: Strike::Withdraw,
        limit: Some(limits::WITHDRAW_STALL),
    },
];

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    let mut rows = Vec::new();
    for fault in FAULTS {
        for (words, directions) in DIRECTIONS {
            let row = Scenario::new(
                format!("lab-{}-{words}", fault.name),
                PEER,
                format!("2 x 50 Mbit/s, 20 ms, {words}: {}", fault.checked),
                move |lab| row(lab, fault, directions),
            );
            let row = row.within(Duration::from_secs(120));
            let is_change = matches!(fault.strike, Strike::ChangeAddress);
            let is_quick = directions == [Direction::Download] && !is_change;
            rows.push(if is_quick { row } else { row.full_only() });
        }
    }
    rows
}

async fn row(lab: Arc<Lab>, fault: Fault, directions: Directions) -> Result<Findings> {
    let figures = vec![
        Figure::new("longest stall", "ms", fault.limit),
        Figure::new("longest stall before the fault", "ms", None),
        Figure::new("total time", "s", None),
        Figure::new("goodput", "Mbit/s", None),
    ];
    let measure = |lab, kind| measure(lab, fault, directions, kind);
    // Over one path, Multipath TCP has nothing to go on with.
    let kinds: &'static [Kind] = if fault.paths.len() > 1 {
        &[Kind::Ours, Kind::Mptcp]
    } else {
        &[Kind::Ours]
    };
    let comparison = Comparison {
        figures,
        kinds,
        repeats: 3,
        derive: nothing,
    };
    compare(lab, comparison, measure).await
}

async fn measure(
    lab: Arc<Lab>,
    fault: Fault,
    directions: Directions,
    kind: Kind,
) -> Result<Vec<f64>> {
    let network = Network::new(&[Quality::new(50, 20); 2])?;
    network.bound_receive_buffers(match kind {
        Kind::Ours | Kind::Tls => RECEIVE_BUFFER,
        // One window for both paths.
        Kind::Mptcp => 2 * RECEIVE_BUFFER,
    })?;
    let mut plan = plan(kind, fault.paths, directions, LENGTH);
    plan.advertised = fault.advertised.to_vec();
    let mut trial = Trial::start(&lab, &network, &plan).await?;
    let begun = trial.go().await?;
    for direction in directions {
        trial.arrived(*direction, BEFORE).await?;
    }
    let struck = Moment::now();
    match fault.strike {
        Strike::Reset => network.reset(1)?,
        Strike::Cut => network.cut(1)?,
        Strike::LinkDown => network.link_down(1)?,
        Strike::ChangeAddress => network.change_address(1)?,
        Strike::Withdraw => trial.withdraw(1).await?,
    }
    let outcome = trial.finish().await?;
    let mut worst = vec![0.0; 4];
    for direction in directions {
        let arrivals = outcome.arrivals(0, *direction)?;
        let settled = begun.after(Duration::from_millis(300));
        let values = [
            milliseconds(arrivals.longest_gap(struck, struck.after(AFTERMATH))),
            milliseconds(arrivals.longest_gap(settled, struck)),
            arrivals.total().as_secs_f64(),
            arrivals.goodput() / 1e6,
        ];
        for (worst, value) in worst.iter_mut().zip(values) {
            *worst = f64::max(*worst, value);
        }
    }
    Ok(worst)
}
