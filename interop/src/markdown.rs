//! The table of results as a Markdown document.

use std::fmt::{self, Write};

use crate::figures::{Figure, Rigour, summary};
use crate::report::{Outcome, Row};

/// A document about `rows`, measured under `conditions`.
pub(crate) fn document(rows: &[Row], conditions: &str) -> Result<String, fmt::Error> {
    let mut text = String::from("# Interoperability and lab\n\n");
    writeln!(text, "{conditions}\n")?;
    writeln!(
        text,
        "Values are medians, with the range of several runs. A row is open when a limit does not hold\n\
         that is not enforced yet.\n"
    )?;
    let (measured, others): (Vec<&Row>, Vec<&Row>) =
        rows.iter().partition(|row| !row.figures.is_empty());
    if !measured.is_empty() {
        text.push_str("## Measured\n\n");
        text.push_str("| row | what ran | figure | ours | MPTCP | TLS | limit | held |\n");
        text.push_str("|---|---|---|---|---|---|---|---|\n");
        for row in measured {
            write_row(&mut text, row)?;
        }
        text.push('\n');
    }
    if !others.is_empty() {
        text.push_str("## Checked\n\n| row | peer | checked | result |\n|---|---|---|---|\n");
        for row in others {
            let (result, note) = outcome(&row.outcome);
            let note = if note.is_empty() {
                String::new()
            } else {
                format!(": {}", cell(note))
            };
            let checked = cell(&row.checked);
            writeln!(
                text,
                "| {} | {} | {checked} | {result}{note} |",
                row.name, row.peer
            )?;
        }
    }
    Ok(text)
}

fn write_row(text: &mut String, row: &Row) -> fmt::Result {
    let mut head = (row.name.clone(), cell(&row.checked));
    for figure in &row.figures {
        let (name, checked) = std::mem::take(&mut head);
        write_figure(text, &name, &checked, figure)?;
    }
    let (result, note) = outcome(&row.outcome);
    writeln!(text, "| | **{result}** {} | | | | | | |", cell(note))
}

fn write_figure(text: &mut String, name: &str, checked: &str, figure: &Figure) -> fmt::Result {
    let [ours, mptcp, tls] = [&figure.ours, &figure.mptcp, &figure.tls]
        .map(|values| summary(values).unwrap_or_else(|| "-".to_owned()));
    let unit = if figure.unit.is_empty() {
        String::new()
    } else {
        format!(", {}", figure.unit)
    };
    let limit = figure.limit.map_or_else(String::new, |limit| {
        let watched = match limit.rigour {
            Rigour::Enforced => "",
            Rigour::Watched => " (watched)",
        };
        format!("{limit}{watched}")
    });
    let held = match (figure.limit, figure.holds()) {
        (None, _) => "",
        (Some(_), Some(true)) => "yes",
        (Some(_), _) => "**no**",
    };
    let what = cell(&figure.what);
    writeln!(
        text,
        "| {name} | {checked} | {what}{unit} | {ours} | {mptcp} | {tls} | {limit} | {held} |"
    )
}

fn outcome(outcome: &Outcome) -> (&'static str, &str) {
    match outcome {
        Outcome::Pass(note) => ("pass", note),
        Outcome::Open(note) => ("open", note),
        Outcome::Fail(note) => ("FAIL", note),
        Outcome::Skip(note) => ("skip", note),
    }
}

/// Text that does not end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " / ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Limit;

    #[test]
    fn a_measured_row_shows_its_figures_and_its_limit() {
        let limit = Limit::at_most(60.0, Rigour::Enforced);
        let mut figure = Figure::new("stall", "ms", Some(limit));
        figure.ours = vec![50.0];
        let row = Row {
            name: "a-row".to_owned(),
            peer: "somebody",
            checked: "this | that".to_owned(),
            outcome: Outcome::Pass(String::new()),
            figures: vec![figure],
            seconds: 1.0,
        };
        let text = document(&[row], "here").unwrap();
        let line = "| a-row | this \\| that | stall, ms | 50.0 | - | - | <= 60.0 | yes |";
        assert!(text.contains(line), "{text}");
    }
}
