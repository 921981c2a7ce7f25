//! One row: what it is called, and how it is run within bounds.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Error, Result};

use crate::figures::Findings;
use crate::lab::Lab;
use crate::report::{Outcome, Row};

/// No row takes longer than this unless it says so; one that hangs fails.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// A row before it is run.
pub(crate) struct Scenario {
    /// Unique, in words joined by hyphens.
    pub(crate) name: String,
    /// The other implementation and its version.
    pub(crate) peer: &'static str,
    /// What the row checks, in one sentence.
    pub(crate) checked: String,
    /// Whether the quick set contains it.
    pub(crate) pace: Pace,
    time_limit: Duration,
    body: Body,
}

/// Which set a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// In the quick set and in the full one.
    Quick,
    /// In the full set only.
    Full,
}

type Body = Box<dyn FnOnce(Arc<Lab>) -> Pin<Box<dyn Future<Output = Result<Findings>> + Send>>>;

/// The reason why a row could not be run here. Returned as an error, it is no failure.
#[derive(Debug)]
pub(crate) struct Skip(pub(crate) String);

impl Scenario {
    /// A row of the quick set; `body` returns what is worth noting about a success, or figures.
    pub(crate) fn new<F, R, T>(
        name: impl Into<String>,
        peer: &'static str,
        checked: impl Into<String>,
        body: F,
    ) -> Self
    where
        F: FnOnce(Arc<Lab>) -> R + 'static,
        R: Future<Output = Result<T>> + Send + 'static,
        T: Into<Findings>,
    {
        Self {
            name: name.into(),
            peer,
            checked: checked.into(),
            pace: Pace::Quick,
            time_limit: TIME_LIMIT,
            body: Box::new(move |lab| {
                let running = body(lab);
                Box::pin(async { Ok(running.await?.into()) })
            }),
        }
    }

    /// The same row in the full set only.
    pub(crate) fn full_only(mut self) -> Self {
        self.pace = Pace::Full;
        self
    }

    /// The same row with more time than others.
    pub(crate) fn within(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// Runs the row on a task of its own, so that a panic or a hang is a failure like others.
    pub(crate) async fn run(self, lab: &Arc<Lab>) -> Row {
        let begun = Instant::now();
        let task = tokio::spawn((self.body)(Arc::clone(lab)));
        let abort = task.abort_handle();
        let mut figures = Vec::new();
        let outcome = match tokio::time::timeout(self.time_limit, task).await {
            Ok(Ok(Ok(findings))) => {
                let outcome = findings.outcome();
                figures = findings.figures;
                outcome
            }
            Ok(Ok(Err(error))) => outcome_of(&error),
            Ok(Err(panic)) => Outcome::Fail(panic.to_string()),
            Err(_) => {
                abort.abort();
                Outcome::Fail(format!("not over after {} s", self.time_limit.as_secs()))
            }
        };
        Row {
            name: self.name,
            peer: self.peer,
            checked: self.checked,
            outcome,
            figures,
            seconds: begun.elapsed().as_secs_f64(),
        }
    }
}

fn outcome_of(error: &Error) -> Outcome {
    match error.downcast_ref::<Skip>() {
        Some(Skip(reason)) => Outcome::Skip(reason.clone()),
        None => Outcome::Fail(format!("{error:#}")),
    }
}

impl std::fmt::Display for Skip {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}
