//! The application moves a session to another path and back, in the middle of a transfer.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::compare::{Comparison, compare, plan};
use super::{PEER, limits};
use crate::agent::protocol::Kind;
use crate::figures::{Figure, Findings};
use crate::lab::Lab;
use crate::lab::clock::Moment;
use crate::lab::network::{Network, Quality};
use crate::lab::trial::{Direction, Trial};
use crate::scenario::Scenario;

/// Of both paths, in Mbit/s.
const RATE: u64 = 30;

/// 60 MiB.
const LENGTH: u64 = 60 << 20;

/// Makes a window of more than 30 Mbit/s need in 80 ms, and of less than the path of 40 ms and its queue
/// hold.
const RECEIVE_BUFFER: u64 = 640_000;

/// From so long before the first migration the windows count, to leave out the first slow start.
const BEFORE: Duration = Duration::from_millis(500);

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    let directions = [
        (Direction::Download, "download"),
        (Direction::Upload, "upload"),
    ];
    let rows = directions.into_iter().map(|(direction, word)| {
        let row = Scenario::new(
            format!("lab-migration-{word}"),
            PEER,
            format!("30 Mbit/s, 40 ms to 80 ms and back after a third each, 60 MiB {word}"),
            move |lab| row(lab, direction),
        );
        row.full_only().within(Duration::from_secs(240))
    });
    rows.collect()
}

async fn row(lab: Arc<Lab>, direction: Direction) -> Result<Findings> {
    let figures = vec![
        Figure::new(
            "worst 500 ms over the mean of one connection",
            "",
            Some(limits::MIGRATION_HALF_SECOND),
        ),
        Figure::new(
            "worst 100 ms over the mean of one connection",
            "",
            Some(limits::MIGRATION_TENTH),
        ),
        Figure::new(
            "busiest 100 ms over the line",
            "",
            Some(limits::MIGRATION_BURST),
        ),
        Figure::new("worst 500 ms", "Mbit/s", None),
        Figure::new("worst 100 ms", "Mbit/s", None),
        Figure::new("mean", "Mbit/s", None),
    ];
    let measure = move |lab, kind| measure(lab, direction, kind);
    let comparison = Comparison {
        figures,
        kinds: &[Kind::Tls, Kind::Ours, Kind::Mptcp],
        repeats: 1,
        derive: |findings| {
            findings.divide(0, 3, 5);
            findings.divide(1, 4, 5);
        },
    };
    compare(lab, comparison, measure).await
}

/// Plain TLS stays where it is.
async fn measure(lab: Arc<Lab>, direction: Direction, kind: Kind) -> Result<Vec<f64>> {
    let quality = |round_trip| Quality {
        queue: Duration::from_millis(100),
        ..Quality::new(RATE, round_trip)
    };
    let network = Network::new(&[quality(40), quality(80)])?;
    network.bound_receive_buffers(RECEIVE_BUFFER)?;
    let plan = plan(kind, &[1], &[direction], LENGTH);
    let mut trial = Trial::start(&lab, &network, &plan).await?;
    trial.go().await?;
    trial.arrived(direction, LENGTH / 3).await?;
    let first = Moment::now();
    trial.migrate(1, 2).await?;
    trial.arrived(direction, LENGTH * 2 / 3).await?;
    trial.migrate(2, 1).await?;
    let outcome = trial.finish().await?;
    let arrivals = outcome.arrivals(0, direction)?;
    let from = first.before(BEFORE);
    let (half_second, _) = arrivals.extremes(Duration::from_millis(500), from, arrivals.last);
    let (tenth, burst) = arrivals.extremes(Duration::from_millis(100), from, arrivals.last);
    let line = f64::from(u32::try_from(RATE)?) * 1e6;
    Ok(vec![
        0.0,
        0.0,
        burst / line,
        half_second / 1e6,
        tenth / 1e6,
        arrivals.goodput_between(from, arrivals.last) / 1e6,
    ])
}
