//! The two graphs of the screen: answers and latencies of the last two minutes.

use bulkhead_load::Row;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType};

use super::super::state::{HISTORY, LiveState};
use super::SOFT;
use crate::page::grouped;

type Points = Vec<(f64, f64)>;

/// Right answers and failures per second.
pub(super) fn throughput(state: &LiveState, frame: &mut Frame<'_>, area: Rect) {
    let ok = points(state, |row| Some(row.ok as f64));
    let failed = points(state, |row| Some(row.failed as f64));
    let largest = ok.iter().chain(&failed).map(|(_, y)| *y).fold(2.0, f64::max);
    let labels = [0.0, largest / 2.0, largest].map(|value| grouped(value.round() as u64));
    let lines = [("right answers", Color::Cyan, ok), ("failed", Color::Red, failed)];
    graph(frame, area, " Throughput, per second ", state, &lines, ([0.0, largest], labels));
}

/// Percentiles of each second, on a logarithmic axis.
pub(super) fn latency(state: &LiveState, frame: &mut Frame<'_>, area: Rect) {
    let of = |pick: fn(&Row) -> f64| {
        // A second without a right answer has no latency.
        points(state, |row| (row.latency_ms.count > 0).then(|| pick(row).max(0.001).log10()))
    };
    let (p50, p99) = (of(|row| row.latency_ms.p50), of(|row| row.latency_ms.p99));
    let max = of(|row| row.latency_ms.max);
    let low = p50.iter().map(|(_, y)| y.floor()).fold(f64::INFINITY, f64::min);
    let high = max.iter().map(|(_, y)| y.ceil()).fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low.is_finite() { (low, high.max(low + 1.0)) } else { (0.0, 1.0) };
    let labels = [low, f64::midpoint(low, high), high].map(|power| {
        let value = 10f64.powf(power);
        let digits = if value < 1.0 { 2 } else { usize::from(power.fract() != 0.0) };
        format!("{value:.digits$}")
    });
    let lines =
        [("50 %", Color::Cyan, p50), ("99 %", Color::Yellow, p99), ("maximum", Color::Red, max)];
    graph(frame, area, " Latency, ms, logarithmic ", state, &lines, ([low, high], labels));
}

fn points(state: &LiveState, of: impl Fn(&Row) -> Option<f64>) -> Points {
    state.rows.iter().filter_map(|row| Some((row.second as f64, of(row)?))).collect()
}

fn graph(
    frame: &mut Frame<'_>,
    area: Rect,
    title: &'static str,
    state: &LiveState,
    lines: &[(&str, Color, Points)],
    (bounds, labels): ([f64; 2], [String; 3]),
) {
    // The axis begins at the first second that is kept, and grows to its whole length.
    let from = state.rows.front().map_or(0, |row| row.second);
    let last = state.rows.back().map_or(0, |row| row.second);
    let to = last.max(from + 10).min(from + HISTORY as u64);
    let x = Axis::default()
        .style(SOFT)
        .bounds([from as f64, to as f64])
        .labels([format!("{from} s"), format!("{to} s")]);
    // All labels as wide as the widest, so that both graphs begin in the same column.
    let labels = labels.map(|label| format!("{label:>8}"));
    // A legend within the graph would cover it.
    let mut title = vec![Span::raw(title)];
    for (name, colour, _) in lines {
        title.push(Span::styled(format!("━ {name} "), Style::new().fg(*colour)));
    }
    // What is drawn last is on top: the most usual value.
    let datasets = lines.iter().rev().map(|(_, colour, points)| {
        Dataset::default()
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(Style::new().fg(*colour))
            .data(points)
    });
    let chart = Chart::new(datasets.collect())
        .block(Block::bordered().title(Line::from(title)))
        .legend_position(None)
        .x_axis(x)
        .y_axis(Axis::default().style(SOFT).bounds(bounds).labels(labels));
    frame.render_widget(chart, area);
}
