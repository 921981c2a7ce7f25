//! The figures for people and for programs.

mod chart;
mod markdown;
mod svg;
mod table;

use std::fs;

use tcpls_benches::Error;

use crate::arguments::Arguments;
use crate::figure::{Metric, Results, Row};
use crate::machine::Machine;

/// One table: a metric of a workload with the figures of all transports that have them.
pub(crate) struct Section<'a> {
    pub(crate) workload: &'static str,
    pub(crate) metric: Metric,
    pub(crate) rows: Vec<&'a Row>,
}

/// Prints the tables and writes the files that were asked for.
pub(crate) fn write(arguments: &Arguments, results: &Results) -> Result<(), Error> {
    let rows = results.rows();
    let sections = sections(&rows);
    let machine = Machine::this();
    print!("{}", table::table(&sections));
    for failure in &results.failures {
        println!("failed: {failure}");
    }
    println!("{machine}; {} rounds", arguments.rounds());
    if let Some(path) = &arguments.json {
        let text = serde_json::json!({
            "machine": machine,
            "rounds": arguments.rounds(),
            "workers": arguments.workers,
            "quick": arguments.quick,
            "rows": rows,
            "failures": results.failures,
        });
        fs::write(path, serde_json::to_string_pretty(&text)?)?;
    }
    if let Some(path) = &arguments.markdown {
        fs::write(path, markdown::markdown(&sections))?;
    }
    if let Some(path) = &arguments.svg {
        fs::write(path, chart::chart(&rows, &machine))?;
    }
    // That somebody else's library fails is a result, too.
    let mut ours = results.failures.iter();
    match ours.find(|failure| failure.peer.starts_with("TCPLS")) {
        Some(failure) => Err(failure.to_string().into()),
        None => Ok(()),
    }
}

fn sections(rows: &[Row]) -> Vec<Section<'_>> {
    let mut sections = Vec::<Section<'_>>::new();
    for row in rows {
        let known = sections
            .iter_mut()
            .find(|section| section.workload == row.workload && section.metric == row.metric);
        match known {
            Some(section) => section.rows.push(row),
            None => sections.push(Section {
                workload: row.workload,
                metric: row.metric,
                rows: vec![row],
            }),
        }
    }
    sections
}

/// A figure with three significant digits or more.
fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 || size == 0.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}
