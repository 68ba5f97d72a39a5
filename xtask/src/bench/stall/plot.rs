//! The experiment as a picture: latency over percentile, the theory as a line, what was told as
//! points.

use super::theory::Percentiles;
use crate::bench::svg::{self, Style};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 834.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 374.0;
/// The right edge stands for the largest of so many.
const DECADES: f64 = 4.0;
const SECONDS_MAX: f64 = 2.2;

const STYLE: Style = Style {
    light: "    .theory { fill: none; stroke: #6e7781; stroke-width: 2; }
    .dashed { stroke-dasharray: 5 4; }
    .open { fill: #0969da; stroke: #ffffff; stroke-width: 1.5; }
    .closed { fill: #bc4c00; stroke: #ffffff; stroke-width: 1.5; }
    .corrected { fill: #8250df; stroke: #ffffff; stroke-width: 1.5; }
    .open-text { fill: #0969da; }
    .corrected-text { fill: #8250df; }
    .closed-text { fill: #bc4c00; }
",
    dark: "      .theory { stroke: #9198a1; }
      .open { fill: #58a6ff; stroke: #0d1117; }
      .closed { fill: #f0883e; stroke: #0d1117; }
      .corrected { fill: #bc8cff; stroke: #0d1117; }
      .open-text { fill: #58a6ff; }
      .corrected-text { fill: #bc8cff; }
      .closed-text { fill: #f0883e; }
",
};

/// What one tool told.
pub(crate) struct Series<'a> {
    pub(crate) name: &'a str,
    pub(crate) mark: Mark,
    pub(crate) told: Percentiles,
    /// Of how many requests.
    pub(crate) count: usize,
}

/// How its points look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Circle,
    Square,
    Triangle,
}

impl Mark {
    /// The class in the style, which has the colour.
    fn class(self) -> &'static str {
        match self {
            Self::Circle => "open",
            Self::Square => "closed",
            Self::Triangle => "corrected",
        }
    }

    fn at(self, x: f64, y: f64) -> String {
        let class = self.class();
        match self {
            Self::Circle => {
                format!("  <circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\"/>\n")
            }
            Self::Square => format!(
                "  <path class=\"{class}\" d=\"M{:.1} {:.1}h11v11h-11z\"/>\n",
                x - 5.5,
                y - 5.5
            ),
            Self::Triangle => {
                format!("  <path class=\"{class}\" d=\"M{x:.1} {:.1}l7 12h-14z\"/>\n", y - 8.0)
            }
        }
    }
}

/// The whole file; the theories are sorted latencies.
pub(crate) fn svg(
    title: &str,
    open_theory: &[f64],
    closed_theory: &[f64],
    all: &[Series<'_>],
) -> String {
    let mut text = String::new();
    axes(&mut text);
    line(&mut text, open_theory, "theory");
    line(&mut text, closed_theory, "theory dashed");
    // What comes first stands on top.
    for series in all.iter().rev() {
        points(&mut text, series);
    }
    legend(&mut text, all);
    svg::page(WIDTH, HEIGHT, title, &STYLE, &text)
}

/// Where a share of the requests that are faster stands: each nine takes the same room.
fn x_of(slower: f64) -> f64 {
    LEFT + (RIGHT - LEFT) * (-slower.log10() / DECADES).clamp(0.0, 1.0)
}

fn y_of(milliseconds: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * milliseconds / 1e3 / SECONDS_MAX
}

fn axes(text: &mut String) {
    for (name, slower) in [
        ("0 %", 1.0),
        ("50 %", 0.5),
        ("90 %", 0.1),
        ("99 %", 0.01),
        ("99.9 %", 0.001),
        ("max", 1e-4),
    ] {
        let x = x_of(slower);
        text.push_str(&format!(
            "  <path class=\"grid\" d=\"M{x:.1} {TOP}V{BOTTOM}\"/>\n  <text class=\"axis\" x=\"{x:.1}\" \
             y=\"{}\" text-anchor=\"middle\">{name}</text>\n",
            BOTTOM + 22.0
        ));
    }
    for seconds in ["0", "0.5", "1", "1.5", "2"] {
        let y = y_of(seconds.parse::<f64>().unwrap_or(0.0) * 1e3);
        text.push_str(&format!(
            "  <path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>\n  <text class=\"axis\" x=\"{}\" \
             y=\"{:.1}\" text-anchor=\"end\">{seconds} s</text>\n",
            LEFT - 10.0,
            y + 5.0
        ));
    }
    let middle = LEFT.midpoint(RIGHT);
    text.push_str(&format!(
        "  <text class=\"axis\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">share of the requests \
         that took no longer</text>\n",
        BOTTOM + 46.0
    ));
}

/// Steps through the sorted latencies, few where they say nothing new.
fn line(text: &mut String, sorted: &[f64], class: &str) {
    let count = sorted.len() as f64;
    let mut path = String::new();
    let mut last = (f64::MIN, f64::MIN);
    for (index, &latency) in sorted.iter().enumerate() {
        let slower = ((count - index as f64 - 0.5) / count).max(0.5 / count);
        let (x, y) = (x_of(slower), y_of(latency));
        if (x - last.0).hypot(y - last.1) >= 2.0 || index + 1 == sorted.len() {
            let verb = if path.is_empty() { 'M' } else { 'L' };
            path.push_str(&format!("{verb}{x:.1} {y:.1}"));
            last = (x, y);
        }
    }
    text.push_str(&format!("  <path class=\"{class}\" d=\"{path}\"/>\n"));
}

fn points(text: &mut String, series: &Series<'_>) {
    let told = &series.told;
    let known = [
        (0.5, Some(told.p50)),
        (0.1, Some(told.p90)),
        (0.01, Some(told.p99)),
        (0.001, told.p999),
        (1.0 / series.count.max(1) as f64, Some(told.max)),
    ];
    for (slower, latency) in known {
        if let Some(latency) = latency {
            text.push_str(&series.mark.at(x_of(slower), y_of(latency)));
        }
    }
}

fn legend(text: &mut String, all: &[Series<'_>]) {
    // Between the curve and the dashed rise, where nothing else is.
    let (x, mut y) = (334.0, 204.0);
    for series in all {
        text.push_str(&series.mark.at(x, y));
        let class = series.mark.class();
        text.push_str(&format!(
            "  <text class=\"{class}-text\" x=\"{}\" y=\"{}\">{}</text>\n",
            x + 18.0,
            y + 5.0,
            series.name
        ));
        y += 26.0;
    }
    for (class, name) in [("theory", "theory, open loop"), ("theory dashed", "theory, closed loop")]
    {
        text.push_str(&format!(
            "  <path class=\"{class}\" d=\"M{} {y}h20\"/>\n  <text x=\"{}\" y=\"{}\">{name}</text>\n",
            x - 10.0,
            x + 18.0,
            y + 5.0
        ));
        y += 26.0;
    }
}

#[cfg(test)]
mod tests;
