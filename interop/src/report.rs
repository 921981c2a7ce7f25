//! The table of results, for people and as data.

use serde::Serialize;

use crate::figures::Figure;
use crate::lab::Lab;

/// All rows so far; each is printed when it is added.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    openssl: Option<String>,
    /// What the figures depend on.
    machine: String,
    #[serde(skip)]
    name_width: usize,
    rows: Vec<Row>,
}

/// One scenario that was run, or could not be.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) peer: &'static str,
    pub(crate) checked: String,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) figures: Vec<Figure>,
    pub(crate) seconds: f64,
}

/// What a scenario came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", content = "note", rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// All as expected, with what was seen.
    Pass(String),
    /// Nothing wrong, but short of a limit that is not enforced yet.
    Open(String),
    /// Not as expected, with the difference.
    Fail(String),
    /// Not run, with what is missing.
    Skip(String),
}

impl Report {
    /// Prints the head of a table whose longest row name has `name_width` letters.
    pub(crate) fn start(lab: &Lab, name_width: usize) -> Self {
        println!(
            "result     s  {:name_width$}  {:22}  checked and seen",
            "row", "peer"
        );
        Self {
            openssl: lab.openssl.clone(),
            machine: machine(lab),
            name_width,
            rows: Vec::new(),
        }
    }

    /// Prints and keeps one row.
    pub(crate) fn add(&mut self, row: Row) {
        let (result, note) = match &row.outcome {
            Outcome::Pass(note) => ("pass", note),
            Outcome::Open(note) => ("open", note),
            Outcome::Fail(note) => ("FAIL", note),
            Outcome::Skip(note) => ("skip", note),
        };
        let Row {
            name,
            peer,
            checked,
            seconds,
            ..
        } = &row;
        let width = self.name_width;
        println!("{result} {seconds:>7.2}  {name:width$}  {peer:22}  {checked}");
        if !note.is_empty() {
            println!(
                "{:width$}-> {}",
                "",
                note.replace('\n', " / "),
                width = 14 + width + 26
            );
        }
        for figure in &row.figures {
            println!("{:14}{figure}", "");
        }
        self.rows.push(row);
    }

    /// Prints how many rows came to what.
    pub(crate) fn print_summary(&self) {
        let count = |wanted: fn(&Outcome) -> bool| {
            self.rows.iter().filter(|row| wanted(&row.outcome)).count()
        };
        println!(
            "interop: {} passed, {} open, {} failed, {} skipped",
            count(|outcome| matches!(outcome, Outcome::Pass(_))),
            count(|outcome| matches!(outcome, Outcome::Open(_))),
            count(|outcome| matches!(outcome, Outcome::Fail(_))),
            count(|outcome| matches!(outcome, Outcome::Skip(_))),
        );
    }

    /// The table as a document.
    pub(crate) fn markdown(&self) -> Result<String, std::fmt::Error> {
        let openssl = self.openssl.as_deref().unwrap_or("no OpenSSL");
        let conditions = format!("{}; {openssl}.", self.machine);
        crate::markdown::document(&self.rows, &conditions)
    }

    /// Whether no row failed.
    pub(crate) fn is_clean(&self) -> bool {
        !self
            .rows
            .iter()
            .any(|row| matches!(row.outcome, Outcome::Fail(_)))
    }
}

/// The system, its cores, and how this program was built.
fn machine(lab: &Lab) -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let build = if cfg!(debug_assertions) {
        "debug build"
    } else {
        "release build"
    };
    let system = std::env::consts::OS;
    let (release, control) = (release.trim(), &lab.congestion_control);
    format!("{system} {release}, {cores} cores, {build}, congestion control of the lab: {control}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(outcome: Outcome) -> Row {
        let (name, checked) = ("a-row".to_owned(), "something".to_owned());
        Row {
            name,
            peer: "somebody",
            checked,
            outcome,
            figures: Vec::new(),
            seconds: 0.25,
        }
    }

    fn report(outcome: Outcome) -> Report {
        Report {
            openssl: None,
            machine: String::new(),
            name_width: 0,
            rows: vec![row(outcome)],
        }
    }

    #[test]
    fn only_a_failure_makes_the_report_unclean() {
        assert!(report(Outcome::Pass(String::new())).is_clean());
        assert!(report(Outcome::Skip("no headers".to_owned())).is_clean());
        assert!(report(Outcome::Open("61 ms".to_owned())).is_clean());
        assert!(!report(Outcome::Fail("lost a byte".to_owned())).is_clean());
    }

    #[test]
    fn a_row_as_data_has_flat_keys() {
        let value = serde_json::to_value(row(Outcome::Skip("why".to_owned()))).unwrap();
        let expected = serde_json::json!({
            "name": "a-row", "peer": "somebody", "checked": "something",
            "result": "skip", "note": "why", "seconds": 0.25,
        });
        assert_eq!(value, expected);
    }
}
