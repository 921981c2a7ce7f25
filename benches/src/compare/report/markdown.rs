//! One Markdown table: transports down, metrics across.

use std::fmt::Write as _;

use super::{Section, number};

/// Columns of one table; more are not read on a page.
const COLUMNS: usize = 6;

pub(super) fn markdown(sections: &[Section<'_>]) -> String {
    let mut peers = Vec::new();
    for row in sections.iter().flat_map(|section| &section.rows) {
        if !peers.contains(&row.peer) {
            peers.push(row.peer);
        }
    }
    let mut text = String::new();
    for sections in sections.chunks(COLUMNS) {
        let heads = sections.iter().map(|section| {
            let metric = section.metric;
            format!(" {}: {}, {} |", section.workload, metric.name, metric.unit)
        });
        let _infallible = writeln!(text, "| |{}", heads.collect::<String>());
        let _infallible = writeln!(text, "|---|{}", "---:|".repeat(sections.len()));
        for peer in &peers {
            let cells = sections.iter().map(|section| {
                let row = section.rows.iter().find(|row| row.peer == *peer);
                let cell = row.map_or_else(
                    || "-".to_owned(),
                    |row| {
                        let spread = row.spread;
                        format!(
                            "{} ({} to {})",
                            number(spread.median),
                            number(spread.min),
                            number(spread.max)
                        )
                    },
                );
                format!(" {cell} |")
            });
            let _infallible = writeln!(text, "| {peer} |{}", cells.collect::<String>());
        }
        text.push('\n');
    }
    text
}
