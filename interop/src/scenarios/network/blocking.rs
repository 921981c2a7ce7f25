//! Two streams over two paths of which one loses segments: pinned apart, the stream on the clean path
//! does not wait for them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::compare::{Comparison, compare, milliseconds, nothing, plan};
use super::{PEER, limits};
use crate::agent::protocol::{Kind, Transfer};
use crate::figures::{Figure, Findings};
use crate::lab::Lab;
use crate::lab::network::{Network, Quality, Way};
use crate::lab::trial::{Direction, Trial};
use crate::scenario::Scenario;

/// Bytes of each stream.
const LENGTH: u64 = 8_000_000;

/// Segments of a million that the second path loses.
const LOSS: u64 = 10_000;

/// A gap that is no longer than this is not waited for.
const PATIENCE: Duration = Duration::from_millis(15);

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    let row = Scenario::new(
        "lab-blocking",
        PEER,
        "2 x 25 Mbit/s, 20 ms, 1 % loss on the second; two streams pinned apart, then over both",
        row,
    );
    vec![row.full_only().within(Duration::from_secs(180))]
}

async fn row(lab: Arc<Lab>) -> Result<Findings> {
    let figures = vec![
        Figure::new(
            "waits of the stream on the clean path, of those when shared",
            "",
            Some(limits::BLOCKING),
        ),
        Figure::new("waits of the first stream, pinned", "ms", None),
        Figure::new("waits of the first stream, shared", "ms", None),
        Figure::new("longest wait of the first stream, pinned", "ms", None),
        Figure::new("longest wait of the first stream, shared", "ms", None),
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
    let (pinned, longest_pinned) = waits(&lab, kind, [Some(0), Some(1)]).await?;
    let (shared, longest_shared) = waits(&lab, kind, [None, None]).await?;
    Ok(vec![
        pinned / shared.max(1.0),
        pinned,
        shared,
        longest_pinned,
        longest_shared,
    ])
}

/// How long the first stream waits in all, and at most at once, in ms.
async fn waits(lab: &Lab, kind: Kind, paths: [Option<usize>; 2]) -> Result<(f64, f64)> {
    let network = Network::new(&[Quality::new(25, 20); 2])?;
    network.bound_receive_buffers(limits::LOSSLESS_RECEIVE_BUFFER)?;
    network.set(2, Way::Both, |conditions| conditions.set_loss(LOSS))?;
    let mut plan = plan(kind, &[1, 2], &[Direction::Download], LENGTH);
    plan.streams = paths
        .map(|path| Transfer {
            upload: 0,
            download: LENGTH,
            path,
        })
        .to_vec();
    let mut trial = Trial::start(lab, &network, &plan).await?;
    trial.go().await?;
    let outcome = trial.finish().await?;
    let arrivals = outcome.arrivals(0, Direction::Download)?;
    // Not the pauses of the slow start.
    let settled = arrivals.first.after(Duration::from_millis(300));
    let waits = arrivals.gaps.iter().filter(|gap| gap.begin > settled);
    let waits = waits
        .map(|gap| gap.length())
        .filter(|length| *length > PATIENCE);
    let longest = arrivals.longest_gap(settled, arrivals.last);
    Ok((milliseconds(waits.sum()), milliseconds(longest)))
}
