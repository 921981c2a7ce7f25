//! What a command found out, for people or for programs.

use std::fmt::Display;
use std::io::Write as _;

use serde::Serialize;

use crate::exit::{Exit, Failure};

/// How reports are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

impl Format {
    /// Prints `report` on standard output and flushes it.
    pub(crate) fn print(self, report: &(impl Serialize + Display)) -> Result<(), Failure> {
        let text = self.render(report)?;
        let mut output = std::io::stdout().lock();
        writeln!(output, "{text}")
            .and_then(|()| output.flush())
            .map_err(|error| Failure::new(Exit::File, format!("standard output: {error}")))
    }

    /// Prints `report` on standard error, where standard output carries data.
    pub(crate) fn note(self, report: &(impl Serialize + Display)) -> Result<(), Failure> {
        let text = self.render(report)?;
        // Without standard error there is nobody to tell.
        let _written = writeln!(std::io::stderr(), "{text}");
        Ok(())
    }

    fn render(self, report: &(impl Serialize + Display)) -> Result<String, Failure> {
        match self {
            Self::Text => Ok(report.to_string()),
            Self::Json => serde_json::to_string(report)
                .map_err(|error| Failure::new(Exit::Internal, format!("no JSON: {error}"))),
        }
    }
}

/// A failure as data: what `--json` puts on standard output beside the line on standard error.
#[derive(Debug, Serialize)]
pub(crate) struct FailureReport<'a> {
    error: &'a str,
    exit_code: u8,
}

impl<'a> FailureReport<'a> {
    pub(crate) fn new(failure: &'a Failure) -> Self {
        Self {
            error: &failure.message,
            exit_code: failure.exit.code(),
        }
    }
}

impl Display for FailureReport<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.error)
    }
}
