//! What rows measure: ours beside the others', and the limit that it has to keep.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::report::Outcome;

/// What came of a row.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Worth knowing, in one line.
    pub(crate) note: String,
    /// What was measured.
    pub(crate) figures: Vec<Figure>,
    /// Why ours did not get to the end, if it did not.
    pub(crate) failure: Option<String>,
    /// How long the machine paused in the middle of what was measured, if it did in every run that did not keep
    /// a limit: none decides then.
    pub(crate) paused: Option<Duration>,
}

impl Findings {
    /// A pass if all limits hold, a failure if one that is enforced does not, and open otherwise.
    pub(crate) fn outcome(&self) -> Outcome {
        let missed = |rigour: Rigour| {
            let figures = self.figures.iter();
            let missed = figures.filter(|figure| figure.misses(rigour));
            missed
                .map(|figure| figure.what.as_str())
                .collect::<Vec<_>>()
        };
        let is_watched = |figure: &Figure| {
            let limit = figure.limit;
            limit.is_some_and(|limit| limit.rigour == Rigour::Watched)
        };
        let enforced = missed(Rigour::Enforced);
        let watched = missed(Rigour::Watched);
        let mut words = Vec::new();
        words.extend(self.failure.clone());
        if !enforced.is_empty() || !watched.is_empty() {
            words.push(format!(
                "missed: {}",
                [enforced.clone(), watched].concat().join(", ")
            ));
        }
        if let Some(paused) = self.paused {
            words.push(format!("the machine paused for {} ms", paused.as_millis()));
        }
        if !self.note.is_empty() {
            words.push(self.note.clone());
        }
        let is_open = self.figures.iter().any(is_watched);
        let note = words.join("; ");
        let decides = self.paused.is_none() || self.failure.is_some();
        if !enforced.is_empty() && decides || (self.failure.is_some() && !is_open) {
            Outcome::Fail(note)
        } else if self.failure.is_some() || note.starts_with("missed") {
            Outcome::Open(note)
        } else {
            Outcome::Pass(note)
        }
    }

    /// Whether a limit that is enforced does not hold.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_violated(&self) -> bool {
        self.figures
            .iter()
            .any(|figure| figure.misses(Rigour::Enforced))
    }

    /// Replaces the values of figure `share` by those of figure `whole`, divided by the median that
    /// plain TLS has of figure `base`.
    #[cfg(target_os = "linux")]
    pub(crate) fn divide(&mut self, share: usize, whole: usize, base: usize) {
        let values = |index: usize| self.figures.get(index).cloned();
        let (Some(whole), Some(base)) = (values(whole), values(base)) else {
            return;
        };
        let (Some(share), Some(base)) = (self.figures.get_mut(share), median(&base.tls)) else {
            return;
        };
        let divided = |values: &[f64]| values.iter().map(|value| value / base).collect();
        share.ours = divided(&whole.ours);
        share.mptcp = divided(&whole.mptcp);
        share.tls.clear();
    }
}

impl From<String> for Findings {
    fn from(note: String) -> Self {
        Self {
            note,
            ..Self::default()
        }
    }
}

/// One quantity, measured once or more for each implementation.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// What it is.
    pub(crate) what: String,
    /// In which unit.
    pub(crate) unit: &'static str,
    /// Of our sessions, in the order of the runs.
    pub(crate) ours: Vec<f64>,
    /// Of TLS over the kernel's Multipath TCP.
    pub(crate) mptcp: Vec<f64>,
    /// Of TLS over one TCP connection.
    pub(crate) tls: Vec<f64>,
    /// What it has to keep to, if anything.
    pub(crate) limit: Option<Limit>,
}

/// What the median of a figure has to keep to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Limit {
    /// On which side of the value it has to be.
    pub(crate) side: Side,
    /// In the figure's unit.
    pub(crate) value: f64,
    /// What follows if it does not.
    pub(crate) rigour: Rigour,
}

/// A side of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Side {
    /// The value or less.
    AtMost,
    /// The value or more.
    AtLeast,
}

/// Whether a limit decides about its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rigour {
    /// The row fails when the limit does not hold.
    Enforced,
    /// It is only shown whether the limit holds.
    Watched,
}

impl Limit {
    /// At most `value`.
    pub(crate) const fn at_most(value: f64, rigour: Rigour) -> Self {
        let side = Side::AtMost;
        Self {
            side,
            value,
            rigour,
        }
    }

    /// At least `value`.
    pub(crate) const fn at_least(value: f64, rigour: Rigour) -> Self {
        let side = Side::AtLeast;
        Self {
            side,
            value,
            rigour,
        }
    }

    fn holds(&self, value: f64) -> bool {
        match self.side {
            Side::AtMost => value <= self.value,
            Side::AtLeast => value >= self.value,
        }
    }
}

impl Figure {
    /// A figure without values.
    pub(crate) fn new(what: impl Into<String>, unit: &'static str, limit: Option<Limit>) -> Self {
        Self {
            what: what.into(),
            unit,
            ours: Vec::new(),
            mptcp: Vec::new(),
            tls: Vec::new(),
            limit,
        }
    }

    /// Adds a value of one run.
    #[cfg(target_os = "linux")]
    pub(crate) fn add(&mut self, kind: crate::agent::protocol::Kind, value: f64) {
        use crate::agent::protocol::Kind;
        match kind {
            Kind::Ours => self.ours.push(value),
            Kind::Mptcp => self.mptcp.push(value),
            Kind::Tls => self.tls.push(value),
        }
    }

    /// Whether the limit holds; `None` without a limit, or without a value that it could hold for.
    pub(crate) fn holds(&self) -> Option<bool> {
        Some(self.limit?.holds(self.judged()?))
    }

    /// Whether there is a limit of this rigour that does not hold. Without a value none does.
    fn misses(&self, rigour: Rigour) -> bool {
        let asked = |limit: Limit| limit.rigour == rigour;
        self.limit.is_some_and(asked) && self.holds() != Some(true)
    }

    /// The values that the limit is about: ours, or those of the lab itself where it is measured.
    fn judged(&self) -> Option<f64> {
        median(&self.ours).or_else(|| median(&self.tls))
    }
}

/// The middle of the values; of an even number, the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(*upper);
    }
    let lower = values.get(middle.checked_sub(1)?)?;
    Some(f64::midpoint(*lower, *upper))
}

/// The median, with the range where there are several values.
pub(crate) fn summary(values: &[f64]) -> Option<String> {
    let middle = median(values)?;
    if values.len() < 2 {
        return Some(rounded(middle));
    }
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(format!(
        "{} ({}..{})",
        rounded(middle),
        rounded(lowest),
        rounded(highest)
    ))
}

fn rounded(value: f64) -> String {
    let decimals = if value.abs() >= 100.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::AtMost => "<=",
            Side::AtLeast => ">=",
        };
        write!(f, "{side} {}", rounded(self.value))
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]:", self.what, self.unit)?;
        let columns = [
            ("ours", &self.ours),
            ("mptcp", &self.mptcp),
            ("tls", &self.tls),
        ];
        for (name, values) in columns {
            if let Some(summary) = summary(values) {
                write!(f, " {name} {summary};")?;
            }
        }
        let Some(limit) = self.limit else {
            return Ok(());
        };
        let kept = if self.holds() == Some(true) {
            "kept"
        } else {
            "MISSED"
        };
        let rigour = match limit.rigour {
            Rigour::Enforced => "",
            Rigour::Watched => ", not enforced",
        };
        write!(f, " limit {limit} {kept}{rigour}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(values: &[f64], limit: Limit) -> Figure {
        let mut figure = Figure::new("stall", "ms", Some(limit));
        figure.ours = values.to_vec();
        figure
    }

    fn outcome(values: &[f64], limit: Limit) -> Outcome {
        let findings = Findings {
            figures: vec![figure(values, limit)],
            ..Findings::default()
        };
        findings.outcome()
    }

    #[test]
    fn the_median_decides() {
        let limit = Limit::at_most(60.0, Rigour::Enforced);
        let passed = Outcome::Pass(String::new());
        let failed = Outcome::Fail("missed: stall".to_owned());
        assert_eq!(outcome(&[10.0, 200.0, 60.0], limit), passed);
        assert_eq!(outcome(&[61.0, 200.0, 60.0], limit), failed);
        let limit = Limit::at_least(60.0, Rigour::Enforced);
        assert_eq!(outcome(&[60.0], limit), passed);
        assert_eq!(outcome(&[59.0, 60.0], limit), failed);
    }

    #[test]
    fn where_the_machine_paused_no_limit_decides() {
        let limit = Limit::at_most(60.0, Rigour::Enforced);
        let of = |failure| Findings {
            figures: vec![figure(&[100.0], limit)],
            paused: Some(Duration::from_millis(70)),
            failure,
            ..Findings::default()
        };
        let note = "missed: stall; the machine paused for 70 ms".to_owned();
        assert_eq!(of(None).outcome(), Outcome::Open(note));
        let failed = of(Some("lost".to_owned())).outcome();
        assert!(matches!(failed, Outcome::Fail(_)));
    }

    #[test]
    fn an_enforced_limit_without_a_value_fails_the_row() {
        let limit = Limit::at_most(60.0, Rigour::Enforced);
        assert!(matches!(outcome(&[], limit), Outcome::Fail(_)));
    }

    #[test]
    fn a_watched_limit_leaves_the_row_open() {
        let limit = Limit::at_most(60.0, Rigour::Watched);
        assert!(matches!(outcome(&[100.0], limit), Outcome::Open(_)));
        assert!(matches!(outcome(&[10.0], limit), Outcome::Pass(_)));
    }

    #[test]
    fn a_failure_of_ours_fails_a_row_whose_limits_are_enforced() {
        for (rigour, fails) in [(Rigour::Enforced, true), (Rigour::Watched, false)] {
            let findings = Findings {
                failure: Some("lost".to_owned()),
                figures: vec![figure(&[10.0], Limit::at_most(60.0, rigour))],
                ..Findings::default()
            };
            assert_eq!(matches!(findings.outcome(), Outcome::Fail(_)), fails);
        }
    }

    #[test]
    fn a_figure_in_one_line() {
        let limit = Limit::at_most(60.0, Rigour::Watched);
        let line = figure(&[50.0, 70.25, 130.0], limit).to_string();
        let expected = "stall [ms]: ours 70.2 (50.0..130); limit <= 60.0 MISSED, not enforced";
        assert_eq!(line, expected);
    }
}
