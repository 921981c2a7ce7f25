//! What the chart shows.

use super::svg::{Bar, Panel, Tone, draw};
use crate::figure::{Better, Row};
use crate::machine::Machine;

/// Workload and metric of each panel.
const PANELS: [(&str, &str); 4] = [
    ("bulk, one stream up", "goodput"),
    ("bulk, one stream up", "CPU time of both ends"),
    ("small streams of 64 KiB", "streams"),
    ("requests of 1 KiB, 100 in flight", "requests"),
];

pub(super) fn chart(rows: &[Row], machine: &Machine) -> String {
    let panels = PANELS.iter().filter_map(|(workload, metric)| {
        let chosen = rows
            .iter()
            .filter(|row| row.workload == *workload && row.metric.name == *metric);
        let bars = chosen.clone().map(|row| Bar {
            label: row.peer,
            value: row.spread.median,
            range: (row.spread.min, row.spread.max),
            tone: match row.peer {
                peer if peer.starts_with("TCPLS") => Tone::Ours,
                "raw TCP" | "bare seal/open over TCP" => Tone::Bound,
                _ => Tone::Other,
            },
        });
        let metric = chosen.clone().next()?.metric;
        let better = match metric.better {
            Better::Higher => "more is better",
            Better::Lower => "less is better",
        };
        Some(Panel {
            title: (*workload).to_owned(),
            subtitle: format!("{}, {} ({better})", metric.name, metric.unit),
            bars: bars.collect(),
        })
    });
    draw(
        &panels.collect::<Vec<_>>(),
        &format!("loopback, AES-128-GCM, {machine}"),
    )
}
