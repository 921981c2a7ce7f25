//! The lab itself: does a path have the round trip and the rate that was asked for?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};

use super::compare::plan;
use super::{PEER, limits};
use crate::agent::protocol::Kind;
use crate::figures::{Figure, Findings, Limit, Rigour};
use crate::lab::Lab;
use crate::lab::network::{Family, Network, Quality, Way};
use crate::lab::pauses::Pauses;
use crate::lab::trial::{Direction, Trial};
use crate::scenario::Scenario;

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    let lines = Scenario::new(
        "lab-lines",
        PEER,
        "one path of the lab: round trips of 20 ms, 25 and 50 Mbit/s under plain TLS",
        lines,
    );
    let weather = Scenario::new(
        "lab-weather",
        PEER,
        "jitter, loss, corruption, a hole and an interface down for 100 ms: plain TLS gets through",
        weather,
    );
    vec![lines, weather]
}

async fn lines(lab: Arc<Lab>) -> Result<Findings> {
    let watch = Pauses::watch()?;
    let network = Network::new(&[Quality::new(25, 20), Quality::new(50, 20)])?;
    let mut figures = Vec::new();
    for family in [Family::V4, Family::V6] {
        let round_trip = network.round_trip(1, family, 5)?.as_secs_f64() * 1000.0;
        for limit in limits::LINE_ROUND_TRIP {
            let mut figure = Figure::new(format!("round trip {family:?}"), "ms", Some(limit));
            figure.add(Kind::Tls, round_trip);
            figures.push(figure);
        }
    }
    for (path, megabits, bytes) in [(1, 25.0, 9_000_000), (2, 50.0, 20_000_000)] {
        let limit = Limit::at_least(megabits * limits::LINE_SHARE, Rigour::Enforced);
        let mut figure = Figure::new(format!("goodput of {megabits}"), "Mbit/s", Some(limit));
        let plan = plan(Kind::Tls, &[path], &[Direction::Download], bytes);
        let mut trial = Trial::start(&lab, &network, &plan).await?;
        trial.go().await?;
        let outcome = trial.finish().await?;
        let arrivals = outcome.arrivals(0, Direction::Download)?;
        // Without the slow start.
        let begin = arrivals.first.after(Duration::from_secs(1));
        figure.add(
            Kind::Tls,
            arrivals.goodput_between(begin, arrivals.last) / 1e6,
        );
        figures.push(figure);
    }
    let mut findings = Findings {
        figures,
        ..Findings::default()
    };
    findings.paused = watch.too_long().filter(|_| findings.is_violated());
    Ok(findings)
}

async fn weather(lab: Arc<Lab>) -> Result<String> {
    let network = Network::new(&[Quality::new(50, 20)])?;
    network.set(1, Way::Both, |conditions| {
        conditions.set_jitter(Duration::from_millis(2));
        conditions.set_loss(2_000);
        conditions.set_corruption(2_000);
    })?;
    let plan = plan(Kind::Tls, &[1], &[Direction::Download], 4_000_000);
    let mut trial = Trial::start(&lab, &network, &plan).await?;
    trial.go().await?;
    trial.arrived(Direction::Download, 1_000_000).await?;
    let outage = Duration::from_millis(100);
    network.cut(1)?;
    tokio::time::sleep(outage).await;
    network.heal(1)?;
    trial.arrived(Direction::Download, 2_000_000).await?;
    network.link_down(1)?;
    tokio::time::sleep(outage).await;
    network.link_up(1)?;
    let outcome = trial.finish().await?;
    let arrivals = outcome.arrivals(0, Direction::Download)?;
    let carried = AtomicU64::new(0);
    let dropped = AtomicU64::new(0);
    network.set(1, Way::Down, |conditions| {
        carried.store(conditions.carried(), Ordering::Relaxed);
        dropped.store(conditions.dropped(), Ordering::Relaxed);
    })?;
    let (carried, dropped) = (carried.into_inner(), dropped.into_inner());
    ensure!(carried > arrivals.bytes, "{carried} bytes under way");
    ensure!(dropped > 0, "nothing was lost");
    Ok(format!("{dropped} frames lost, {carried} bytes carried"))
}
