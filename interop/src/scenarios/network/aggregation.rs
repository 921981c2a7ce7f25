//! Several paths at once: the sum of what each gives alone, and never less than the best of them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::compare::{Comparison, compare, nothing, plan};
use super::{PEER, limits};
use crate::agent::protocol::Kind;
use crate::figures::{Figure, Findings};
use crate::lab::Lab;
use crate::lab::clock::Moment;
use crate::lab::network::{Network, Quality};
use crate::lab::trial::{Direction, Trial};
use crate::scenario::Scenario;

const DIRECTIONS: [(Direction, &str); 2] = [
    (Direction::Download, "download"),
    (Direction::Upload, "upload"),
];

/// Until when the second path has to give its share.
const GRACE: Duration = Duration::from_millis(500);

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    let mut rows = Vec::new();
    for (direction, word) in DIRECTIONS {
        let row = Scenario::new(
            format!("lab-aggregation-{word}"),
            PEER,
            format!("25 Mbit/s, 20 ms, and the same again after 5 s, {word}"),
            move |lab| aggregation(lab, direction),
        );
        rows.push(row.full_only().within(Duration::from_secs(240)));
    }
    for (shape, name) in SHAPES {
        for (direction, word) in DIRECTIONS {
            let row = Scenario::new(
                format!("lab-flows-{name}-{word}"),
                PEER,
                format!("{shape}, 16 MiB {word}"),
                move |lab| flows(lab, shape, direction),
            );
            rows.push(row.full_only().within(Duration::from_secs(240)));
        }
    }
    for (shape, name) in RATIOS {
        let row = Scenario::new(
            format!("lab-ratio-{name}"),
            PEER,
            format!("{shape}, beside the better path alone, download"),
            move |lab| ratio(lab, shape),
        );
        rows.push(row.full_only().within(Duration::from_secs(240)));
    }
    rows
}

async fn aggregation(lab: Arc<Lab>, direction: Direction) -> Result<Findings> {
    let figures = vec![
        Figure::new("share of the sum", "", Some(limits::AGGREGATION)),
        Figure::new("goodput from 0.5 s after the second path", "Mbit/s", None),
        Figure::new("twice the goodput of one path", "Mbit/s", None),
    ];
    let measure = move |lab, kind| add_path(lab, direction, kind);
    let comparison = Comparison {
        figures,
        kinds: &[Kind::Tls, Kind::Ours, Kind::Mptcp],
        repeats: 3,
        derive: |findings| {
            findings.divide(0, 1, 2);
        },
    };
    compare(lab, comparison, measure).await
}

/// Plain TLS shows what one path gives at the same time.
async fn add_path(lab: Arc<Lab>, direction: Direction, kind: Kind) -> Result<Vec<f64>> {
    let network = Network::new(&[Quality::new(25, 20); 2])?;
    let bytes = if kind == Kind::Tls {
        25_000_000
    } else {
        42_000_000
    };
    let plan = plan(kind, &[1], &[direction], bytes);
    let mut trial = Trial::start(&lab, &network, &plan).await?;
    trial.go().await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let added = Moment::now();
    trial.open_path(2).await?;
    let outcome = trial.finish().await?;
    let arrivals = outcome.arrivals(0, direction)?;
    let goodput = arrivals.goodput_between(added.after(GRACE), arrivals.last);
    let mut values = vec![0.0, goodput / 1e6];
    if kind == Kind::Tls {
        values.push(2.0 * goodput / 1e6);
    }
    Ok(values)
}

/// Two paths.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// Of each in tenths of a Mbit/s.
    rates: [u64; 2],
    /// Of each in ms.
    round_trips: [u64; 2],
}

/// What the kernel's own test of simultaneous flows uses, as a shape and a name.
const SHAPES: [(Shape, &str); 5] = [
    (Shape::new([100, 100], [0, 0]), "balanced"),
    (Shape::new([100, 100], [2, 50]), "unbalanced-delay"),
    (Shape::new([100, 30], [0, 0]), "unbalanced-rate"),
    (Shape::new([100, 30], [2, 50]), "unbalanced-both"),
    (Shape::new([100, 30], [50, 2]), "opposed"),
];

/// From one path alone to two alike, and one a hundred times slower; then of delays.
const RATIOS: [(Shape, &str); 9] = [
    (Shape::new([500, 5], [20, 20]), "rate-1-to-100"),
    (Shape::new([450, 50], [20, 20]), "rate-10-to-90"),
    (Shape::new([375, 125], [20, 20]), "rate-25-to-75"),
    (Shape::new([250, 250], [20, 20]), "rate-50-to-50"),
    (Shape::new([250, 250], [100, 20]), "delay-1-to-5"),
    (Shape::new([250, 250], [40, 20]), "delay-1-to-2"),
    (Shape::new([250, 250], [20, 60]), "delay-3-to-1"),
    (Shape::new([500, 50], [20, 100]), "slow-and-far"),
    (Shape::new([300, 100], [100, 2]), "fast-and-far"),
];

impl Shape {
    const fn new(rates: [u64; 2], round_trips: [u64; 2]) -> Self {
        Self { rates, round_trips }
    }

    fn network(&self) -> Result<Network> {
        let qualities: Vec<Quality> = std::iter::zip(self.rates, self.round_trips)
            .map(|(rate, round_trip)| Quality {
                rate: rate * 100_000,
                ..Quality::new(0, round_trip)
            })
            .collect();
        Network::new(&qualities)
    }

    /// Bits per second.
    fn sum(&self) -> u64 {
        self.rates.iter().sum::<u64>() * 100_000
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ([first, second], [near, far]) = (self.rates, self.round_trips);
        let (first, second) = (tenths(first), tenths(second));
        write!(
            f,
            "{first} Mbit/s with {near} ms and {second} with {far} ms"
        )
    }
}

fn tenths(number: u64) -> String {
    if number.is_multiple_of(10) {
        return (number / 10).to_string();
    }
    format!("{}.{}", number / 10, number % 10)
}

async fn flows(lab: Arc<Lab>, shape: Shape, direction: Direction) -> Result<Findings> {
    const LENGTH: u64 = 16 << 20;
    let milliseconds = LENGTH * 8 * 1000 / (shape.sum() * 9 / 10) + 450;
    let limit = limits::flows(Duration::from_millis(milliseconds));
    let figures = vec![Figure::new("total time", "s", Some(limit))];
    let measure = move |lab: Arc<Lab>, kind| async move {
        let network = shape.network()?;
        let plan = plan(kind, &[1, 2], &[direction], LENGTH);
        let mut trial = Trial::start(&lab, &network, &plan).await?;
        trial.go().await?;
        let outcome = trial.finish().await?;
        let total = outcome.arrivals(0, direction)?.total();
        Ok(vec![total.as_secs_f64()])
    };
    let comparison = Comparison {
        figures,
        kinds: &[Kind::Ours, Kind::Mptcp],
        repeats: 1,
        derive: nothing,
    };
    compare(lab, comparison, measure).await
}

async fn ratio(lab: Arc<Lab>, shape: Shape) -> Result<Findings> {
    let figures = vec![
        Figure::new("share of the better path alone", "", Some(limits::RATIO)),
        Figure::new("goodput", "Mbit/s", None),
    ];
    let measure = move |lab, kind| measure_ratio(lab, shape, kind);
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

/// Plain TLS takes the path that gives it more.
async fn measure_ratio(lab: Arc<Lab>, shape: Shape, kind: Kind) -> Result<Vec<f64>> {
    let choices: &[&[u8]] = if kind == Kind::Tls {
        &[&[1], &[2]]
    } else {
        &[&[1, 2]]
    };
    let mut goodputs = Vec::new();
    for paths in choices {
        let network = shape.network()?;
        // 5 s of both; a path alone gets as much time as it has rate.
        let bytes = match paths {
            [path] => {
                let rates = shape.rates.iter().skip(usize::from(*path) - 1);
                rates.copied().next().unwrap_or_default() * 100_000 * 5 / 8
            }
            _ => shape.sum() * 5 / 8,
        };
        let plan = plan(kind, paths, &[Direction::Download], bytes);
        let mut trial = Trial::start(&lab, &network, &plan).await?;
        trial.go().await?;
        let outcome = trial.finish().await?;
        let arrivals = outcome.arrivals(0, Direction::Download)?;
        goodputs.push(arrivals.goodput() / 1e6);
    }
    let best = goodputs.into_iter().max_by(f64::total_cmp);
    Ok(vec![0.0, best.context("no path")?])
}
