//! A server with addresses of both families, one of which does not get through.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::compare::{Comparison, compare, milliseconds, nothing, plan};
use super::{PEER, limits};
use crate::agent::protocol::{Event, Kind};
use crate::figures::{Figure, Findings, Limit};
use crate::lab::Lab;
use crate::lab::network::{Family, Network, Quality};
use crate::lab::trial::{Direction, Trial};
use crate::scenario::Scenario;

/// A name, what it means, which family is a hole, and what to keep to.
const HOLES: [(&str, &str, Option<Family>, Limit); 3] = [
    ("both", "both families work", None, limits::ESTABLISHMENT),
    (
        "v4-hole",
        "IPv4 is a hole",
        Some(Family::V4),
        limits::ESTABLISHMENT,
    ),
    (
        "v6-hole",
        "IPv6 is a hole",
        Some(Family::V6),
        limits::ESTABLISHMENT_FALLBACK,
    ),
];

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    let rows = HOLES.into_iter().map(|(name, words, hole, limit)| {
        let row = Scenario::new(
            format!("lab-dual-stack-{name}"),
            PEER,
            format!("a session with a server at IPv6 and IPv4 addresses, 20 ms: {words}"),
            move |lab| row(lab, hole, limit),
        );
        row.full_only().within(Duration::from_secs(120))
    });
    rows.collect()
}

async fn row(lab: Arc<Lab>, hole: Option<Family>, limit: Limit) -> Result<Findings> {
    let figures = vec![Figure::new("time to a session", "ms", Some(limit))];
    let measure = move |lab, kind| measure(lab, hole, kind);
    let comparison = Comparison {
        figures,
        kinds: &[Kind::Ours],
        repeats: 3,
        derive: nothing,
    };
    compare(lab, comparison, measure).await
}

async fn measure(lab: Arc<Lab>, hole: Option<Family>, kind: Kind) -> Result<Vec<f64>> {
    let network = Network::new(&[Quality::new(50, 20)])?;
    if let Some(family) = hole {
        network.cut_family(1, family)?;
    }
    let mut plan = plan(kind, &[1], &[Direction::Download], 100_000);
    plan.families = vec![Family::V6, Family::V4];
    let mut trial = Trial::start(&lab, &network, &plan).await?;
    trial.go().await?;
    let outcome = trial.finish().await?;
    let time = outcome.client.iter().find_map(Event::connected);
    Ok(vec![milliseconds(time.context("no handshake")?)])
}
