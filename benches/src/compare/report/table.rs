//! Tables for the terminal: each figure with its spread, and as a ratio to TCPLS.

use std::fmt::Write as _;

use super::{Section, number};

/// The transport that the others are compared with.
const OURS: &str = "TCPLS";

pub(super) fn table(sections: &[Section<'_>]) -> String {
    let mut text = String::new();
    for section in sections {
        let ours = section.rows.iter().find(|row| row.peer == OURS);
        let _infallible = writeln!(
            text,
            "{}: {}, {}\n{:<30}{:>10}{:>10}{:>10}{:>12}",
            section.workload,
            section.metric.name,
            section.metric.unit,
            "",
            "median",
            "min",
            "max",
            "of TCPLS"
        );
        for row in &section.rows {
            let ratio = ours.map_or(f64::NAN, |ours| row.spread.median / ours.spread.median);
            let _infallible = writeln!(
                text,
                "  {:<28}{:>10}{:>10}{:>10}{ratio:>12.3}",
                row.peer,
                number(row.spread.median),
                number(row.spread.min),
                number(row.spread.max),
            );
        }
        text.push('\n');
    }
    text
}
