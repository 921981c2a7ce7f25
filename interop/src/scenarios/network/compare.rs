//! Runs the same for each implementation, alternating, so that what else the machine does meets all.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::agent::protocol::{Follow, Kind, Transfer};
use crate::figures::{Figure, Findings};
use crate::lab::Lab;
use crate::lab::network::Family;
use crate::lab::pauses::Pauses;
use crate::lab::trial::{Direction, Plan};
use crate::scenario::{Pace, Skip};

/// How often is measured where a limit that is enforced does not hold at first.
const AGAIN: usize = 3;

/// How many more runs there may be because the machine paused in others that did not keep a limit: these do not
/// count.
const SPARE: usize = 2;

/// What is compared.
#[derive(Debug)]
pub(super) struct Comparison {
    /// Without values.
    pub(super) figures: Vec<Figure>,
    /// What to measure in turn.
    pub(super) kinds: &'static [Kind],
    /// How often the full run measures each.
    pub(super) repeats: usize,
    /// Fills in the figures that follow from others.
    pub(super) derive: fn(&mut Findings),
}

/// Runs `measure` for each kind in turn, and adds its values to the figures. One of ours that fails is not
/// repeated.
///
/// Only our own failure is one; what the others could not do is a note.
pub(super) async fn compare<F>(
    lab: Arc<Lab>,
    comparison: Comparison,
    measure: impl Fn(Arc<Lab>, Kind) -> F,
) -> Result<Findings>
where
    F: Future<Output = Result<Vec<f64>>>,
{
    let repeats = comparison.repeats;
    let (few, many) = match lab.pace {
        Pace::Quick => (1, repeats.max(AGAIN)),
        Pace::Full => (repeats, repeats.max(AGAIN)),
    };
    let mut kinds = comparison.kinds.to_vec();
    let mut findings = Findings {
        figures: comparison.figures,
        ..Findings::default()
    };
    let mut notes = BTreeSet::new();
    let mut run = 0;
    for left in (0..many + SPARE).rev() {
        // One run may meet a moment in which the machine did something else: the median decides.
        let is_enough = findings.failure.is_some() || !findings.is_violated();
        if run >= many || run >= few && is_enough {
            break;
        }
        let before = findings.figures.clone();
        let mut paused = None;
        for kind in kinds.clone() {
            let watch = Pauses::watch()?;
            let measured = measure(Arc::clone(&lab), kind).await;
            paused = paused.max(watch.too_long());
            match measured {
                Ok(values) => {
                    for (figure, value) in findings.figures.iter_mut().zip(values) {
                        figure.add(kind, value);
                    }
                }
                Err(error) if kind == Kind::Ours => {
                    if error.is::<Skip>() {
                        return Err(error);
                    }
                    findings.failure = Some(format!("{error:#}"));
                    kinds.retain(|other| *other != kind);
                }
                Err(error) => {
                    if error.is::<Skip>() {
                        kinds.retain(|other| *other != kind);
                    }
                    notes.insert(format!("{kind:?}: {error:#}"));
                }
            }
        }
        (comparison.derive)(&mut findings);
        if paused.is_none() || findings.failure.is_some() || !findings.is_violated() {
            run += 1;
        } else if left > 0 || run > 0 {
            findings.figures = before;
        } else {
            findings.paused = paused;
        }
    }
    findings.note = notes.into_iter().collect::<Vec<_>>().join("; ");
    Ok(findings)
}

/// For figures that are all measured.
pub(super) fn nothing(_: &mut Findings) {}

/// A plan for one stream that carries `bytes` in each of `directions`.
pub(super) fn plan(kind: Kind, paths: &[u8], directions: &[Direction], bytes: u64) -> Plan {
    let length = |direction| {
        if directions.contains(&direction) {
            bytes
        } else {
            0
        }
    };
    Plan {
        kind,
        paths: paths.to_vec(),
        families: vec![Family::V4],
        advertised: Vec::new(),
        follow: Follow::Failed,
        streams: vec![Transfer {
            upload: length(Direction::Upload),
            download: length(Direction::Download),
            path: None,
        }],
    }
}

/// In ms.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
