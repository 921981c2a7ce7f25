//! Paths that go and come back: one open at a time, or none for a while.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::compare::{Comparison, compare, nothing, plan};
use super::{DIRECTIONS, Directions, PEER, limits};
use crate::agent::protocol::Kind;
use crate::figures::{Figure, Findings};
use crate::lab::Lab;
use crate::lab::clock::Moment;
use crate::lab::network::{Network, Quality};
use crate::lab::trial::Trial;
use crate::scenario::Scenario;

/// Bytes that rotate: 60 MiB.
const LENGTH: u64 = 60 << 20;

/// How long a path stays open.
const TURN: Duration = Duration::from_secs(5);

/// How long nothing gets through.
const OUTAGE: Duration = Duration::from_secs(10);

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    let mut rows = Vec::new();
    for (word, directions) in DIRECTIONS {
        for paths in [2, 4] {
            let checked =
                format!("25 Mbit/s, one of {paths} paths open, another every 5 s, 60 MiB {word}");
            let row = Scenario::new(
                format!("lab-rotation-{paths}-{word}"),
                PEER,
                checked,
                move |lab| rotation(lab, paths, directions),
            );
            rows.push(row.full_only().within(Duration::from_secs(300)));
        }
        for (outage, name, checked) in [
            (Outage::Silent, "outage", "both paths are holes for 10 s"),
            (
                Outage::Killed,
                "killed",
                "both connections are reset, and the paths holes for 10 s",
            ),
        ] {
            let row = Scenario::new(
                format!("lab-{name}-{word}"),
                PEER,
                format!("2 x 25 Mbit/s, {checked}, {word}"),
                move |lab| interrupted(lab, outage, directions),
            );
            rows.push(row.full_only().within(Duration::from_secs(300)));
        }
    }
    rows
}

async fn rotation(lab: Arc<Lab>, paths: u8, directions: Directions) -> Result<Findings> {
    let limit = match directions {
        [_] => limits::ROTATION,
        _ => limits::ROTATION_BOTH,
    };
    let figures = vec![
        Figure::new("times the same at single-path goodput", "", Some(limit)),
        Figure::new("total time", "s", None),
    ];
    let measure = move |lab, kind| rotate(lab, paths, directions, kind);
    let comparison = Comparison {
        figures,
        kinds: &[Kind::Tls, Kind::Ours, Kind::Mptcp],
        repeats: 1,
        derive: |findings| {
            findings.divide(0, 1, 1);
        },
    };
    compare(lab, comparison, measure).await
}

/// Plain TLS stays on one path that is always open.
async fn rotate(lab: Arc<Lab>, paths: u8, directions: Directions, kind: Kind) -> Result<Vec<f64>> {
    let network = Network::new(&vec![Quality::new(25, 20); usize::from(paths)])?;
    let plan = plan(kind, &[1], directions, LENGTH);
    let mut trial = Trial::start(&lab, &network, &plan).await?;
    if kind != Kind::Tls {
        for path in 2..=paths {
            network.cut(path)?;
        }
        for path in 2..=paths {
            trial.offer_path(path).await?;
        }
    }
    trial.go().await?;
    let finishing = trial.finish();
    tokio::pin!(finishing);
    let mut turns = (1..=paths).cycle();
    let mut open = turns.next().unwrap_or(1);
    let outcome = loop {
        tokio::select! {
            outcome = &mut finishing => break outcome?,
            () = tokio::time::sleep(TURN), if kind != Kind::Tls => {
                let next = turns.next().unwrap_or(1);
                network.cut(open)?;
                network.heal(next)?;
                open = next;
            }
        }
    };
    let mut total = 0.0;
    for direction in directions {
        total = f64::max(
            total,
            outcome.arrivals(0, *direction)?.total().as_secs_f64(),
        );
    }
    Ok(vec![0.0, total])
}

/// How an outage begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    /// Nobody is told.
    Silent,
    /// The client's connections are aborted, too.
    Killed,
}

async fn interrupted(lab: Arc<Lab>, outage: Outage, directions: Directions) -> Result<Findings> {
    let figures = vec![
        Figure::new("data after the paths are back", "s", Some(limits::OUTAGE)),
        Figure::new("total time", "s", None),
    ];
    let measure = move |lab, kind| survive(lab, outage, directions, kind);
    // Multipath TCP's connection is over with the last of its subflows.
    let kinds: &'static [Kind] = match outage {
        Outage::Silent => &[Kind::Ours, Kind::Mptcp],
        Outage::Killed => &[Kind::Ours],
    };
    let comparison = Comparison {
        figures,
        kinds,
        repeats: 2,
        derive: nothing,
    };
    compare(lab, comparison, measure).await
}

async fn survive(
    lab: Arc<Lab>,
    outage: Outage,
    directions: Directions,
    kind: Kind,
) -> Result<Vec<f64>> {
    let network = Network::new(&[Quality::new(25, 20); 2])?;
    let plan = plan(kind, &[1, 2], directions, 16_000_000);
    let mut trial = Trial::start(&lab, &network, &plan).await?;
    trial.go().await?;
    for direction in directions {
        trial.arrived(*direction, 6_000_000).await?;
    }
    for path in [1, 2] {
        network.cut(path)?;
        if outage == Outage::Killed {
            network.reset(path)?;
        }
    }
    tokio::time::sleep(OUTAGE).await;
    let back = Moment::now();
    for path in [1, 2] {
        network.heal(path)?;
    }
    let outcome = trial.finish().await?;
    let (mut wait, mut total) = (Duration::ZERO, Duration::ZERO);
    for direction in directions {
        let arrivals = outcome.arrivals(0, *direction)?;
        let mut gaps = arrivals.gaps.iter();
        let touching = gaps.find(|gap| gap.begin < back && gap.end > back);
        wait = wait.max(touching.map_or(Duration::ZERO, |gap| gap.end.since(back)));
        total = total.max(arrivals.total());
    }
    Ok(vec![wait.as_secs_f64(), total.as_secs_f64()])
}
