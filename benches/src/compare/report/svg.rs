//! A writer of bar charts.

use std::fmt::Write as _;

use super::number;

/// What a bar stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Ours.
    Ours,
    /// Somebody else's.
    Other,
    /// What none can pass.
    Bound,
}

/// One bar, from 0 to its value, with a line over its range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar<'a> {
    pub(super) label: &'a str,
    pub(super) value: f64,
    pub(super) range: (f64, f64),
    pub(super) tone: Tone,
}

/// Bars of one scale.
#[derive(Clone, Debug)]
pub(super) struct Panel<'a> {
    pub(super) title: String,
    pub(super) subtitle: String,
    pub(super) bars: Vec<Bar<'a>>,
}

const WIDTH: f64 = 860.0;
const LEFT: f64 = 210.0;
const LONGEST: f64 = 540.0;
const LINE: f64 = 20.0;

/// Draws the panels one below the other.
pub(super) fn draw(panels: &[Panel<'_>], footer: &str) -> String {
    let mut body = String::new();
    let mut y = 10.0;
    for panel in panels {
        y = draw_panel(&mut body, panel, y);
    }
    let _infallible = writeln!(
        body,
        r#"<text class="small" x="10" y="{:.0}">{}</text>"#,
        y + LINE,
        escape(footer)
    );
    let height = y + 2.0 * LINE;
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" width="{WIDTH}" height="{height:.0}" role="img">
<style>
text {{ font: 13px system-ui, sans-serif; fill: #24292f; }}
.title {{ font-weight: 600; font-size: 15px; }}
.small {{ font-size: 12px; fill: #57606a; }}
.ours {{ fill: #0969da; }} .other {{ fill: #8c959f; }} .bound {{ fill: #d0d7de; }}
line {{ stroke: #24292f; stroke-width: 1; opacity: 0.6; }}
</style>
<rect width="100%" height="100%" fill="#ffffff"/>
{body}</svg>
"##
    )
}

/// Draws one; gives where the next begins.
fn draw_panel(out: &mut String, panel: &Panel<'_>, top: f64) -> f64 {
    let largest = panel.bars.iter().map(|bar| bar.range.1);
    let scale = LONGEST / largest.fold(f64::MIN_POSITIVE, f64::max);
    let mut y = top + LINE;
    let _infallible = writeln!(
        out,
        r#"<text class="title" x="10" y="{y:.0}">{}</text><text class="small" x="{LEFT}" y="{y:.0}">{}</text>"#,
        escape(&panel.title),
        escape(&panel.subtitle)
    );
    y += LINE / 2.0;
    for bar in &panel.bars {
        let class = match bar.tone {
            Tone::Ours => "ours",
            Tone::Other => "other",
            Tone::Bound => "bound",
        };
        let (text, middle) = (y + 14.0, y + 9.0);
        let (low, high) = (LEFT + bar.range.0 * scale, LEFT + bar.range.1 * scale);
        let _infallible = writeln!(
            out,
            r#"<text x="{:.0}" y="{text:.0}" text-anchor="end">{}</text><rect class="{class}" x="{LEFT}" y="{:.0}" width="{:.1}" height="14"/><line x1="{low:.1}" y1="{middle:.0}" x2="{high:.1}" y2="{middle:.0}"/><text class="small" x="{:.0}" y="{text:.0}">{}</text>"#,
            LEFT - 8.0,
            escape(bar.label),
            y + 2.0,
            bar.value * scale,
            high + 8.0,
            number(bar.value)
        );
        y += LINE;
    }
    y + LINE
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values() {
        let bar = |label, value| Bar {
            label,
            value,
            range: (value, value),
            tone: Tone::Other,
        };
        let panel = Panel {
            title: "a < b".to_owned(),
            subtitle: String::new(),
            bars: vec![bar("one", 1.0), bar("two", 2.0)],
        };
        let svg = draw(&[panel], "");
        assert!(svg.contains("a &lt; b"));
        assert!(
            svg.contains(r#"width="270.0""#) && svg.contains(r#"width="540.0""#),
            "{svg}"
        );
    }
}
