//! What is measured: names, units, and which way is better.

use serde::Serialize;
use tcpls_benches::Spread;

/// One column of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Metric {
    /// What it is.
    pub(crate) name: &'static str,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// Whether more of it is better.
    pub(crate) better: Better,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    /// More is.
    Higher,
    /// Less is.
    Lower,
}

impl Metric {
    pub(crate) const fn more(name: &'static str, unit: &'static str) -> Self {
        Self {
            name,
            unit,
            better: Better::Higher,
        }
    }

    pub(crate) const fn less(name: &'static str, unit: &'static str) -> Self {
        Self {
            name,
            unit,
            better: Better::Lower,
        }
    }
}

/// What one measurement gave.
pub(crate) type Figures = Vec<(Metric, f64)>;

/// All figures of one transport for one metric of a workload.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) workload: &'static str,
    #[serde(flatten)]
    pub(crate) metric: Metric,
    pub(crate) peer: &'static str,
    #[serde(flatten)]
    pub(crate) spread: Spread,
    pub(crate) rounds: Vec<f64>,
}

/// A measurement that gave nothing.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Failure {
    pub(crate) workload: &'static str,
    pub(crate) peer: &'static str,
    pub(crate) error: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}: {}", self.peer, self.workload, self.error)
    }
}

/// Workload, metric and transport, and what the rounds gave.
type Measured = (&'static str, Metric, &'static str, Vec<f64>);

/// Rows in the order in which they were first seen.
#[derive(Debug, Default)]
pub(crate) struct Results {
    rows: Vec<Measured>,
    pub(crate) failures: Vec<Failure>,
}

impl Results {
    /// Adds what one measurement gave.
    pub(crate) fn add(&mut self, workload: &'static str, peer: &'static str, figures: &Figures) {
        for (metric, value) in figures {
            let known = self
                .rows
                .iter_mut()
                .find(|row| row.0 == workload && row.1 == *metric && row.2 == peer);
            match known {
                Some(row) => row.3.push(*value),
                None => self.rows.push((workload, *metric, peer, vec![*value])),
            }
        }
    }

    /// Medians and spreads.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let row = |(workload, metric, peer, values): &Measured| {
            Some(Row {
                workload,
                metric: *metric,
                peer,
                spread: Spread::of(values)?,
                rounds: values.clone(),
            })
        };
        self.rows.iter().filter_map(row).collect()
    }
}
