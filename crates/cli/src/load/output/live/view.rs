//! Draws the state. Pure: the same state is always the same screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Gauge, Paragraph};

use super::state::LiveState;
use crate::page::grouped;

mod graphs;

/// A narrower screen has no room for graphs beside the figures.
const WIDTH_WITH_GRAPHS: u16 = 90;
/// Columns of the figures.
const FIGURES_WIDTH: u16 = 46;

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
const SOFT: Style = Style::new().add_modifier(Modifier::DIM);

pub(super) fn view(state: &LiveState, frame: &mut Frame<'_>) {
    let [head, bar, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let title = vec![
        Span::styled("bulkhead load ", BOLD),
        Span::raw(format!("{}  ", state.plan.target)),
        Span::styled(state.plan.pace.as_str(), SOFT),
    ];
    frame.render_widget(Line::from(title), head);
    progress(state, frame, bar);
    if body.width >= WIDTH_WITH_GRAPHS {
        let [left, right] =
            Layout::horizontal([Constraint::Min(0), Constraint::Length(FIGURES_WIDTH)]).areas(body);
        let [top, bottom] = Layout::vertical([Constraint::Fill(1); 2]).areas(left);
        graphs::throughput(state, frame, top);
        graphs::latency(state, frame, bottom);
        figures(state, frame, right);
    } else {
        figures(state, frame, body);
    }
    let text = if state.ending {
        "ending: no more requests are sent; waiting for the last answers"
    } else {
        "q or Ctrl-C: end early, with a report"
    };
    frame.render_widget(Line::styled(text, SOFT), foot);
}

fn progress(state: &LiveState, frame: &mut Frame<'_>, area: Rect) {
    let (part, left) = state.part();
    let elapsed = clock(state.elapsed.as_secs());
    let label = if left.is_zero() {
        format!("{}  {elapsed}", part.name())
    } else {
        let left = left.as_millis().div_ceil(1_000) as u64;
        format!("{}  {elapsed}  {} left", part.name(), clock(left))
    };
    let gauge = Gauge::default()
        .ratio(state.progress())
        .label(label)
        .gauge_style(Style::new().fg(Color::Blue));
    frame.render_widget(gauge, area);
}

fn figures(state: &LiveState, frame: &mut Frame<'_>, area: Rect) {
    let [latency, counts, errors] =
        Layout::vertical([Constraint::Length(8), Constraint::Length(8), Constraint::Min(0)])
            .areas(area);
    frame.render_widget(
        Paragraph::new(latencies(state)).block(Block::bordered().title(" Latency, ms ")),
        latency,
    );
    frame.render_widget(
        Paragraph::new(counters(state)).block(Block::bordered().title(" Now ")),
        counts,
    );
    let failures = errors_by_kind(state, usize::from(errors.height.saturating_sub(2)));
    let title = Block::bordered().title(" Errors ");
    frame.render_widget(Paragraph::new(failures).block(title), errors);
}

fn latencies(state: &LiveState) -> Vec<Line<'static>> {
    let (latest, overall) = (state.latest(), state.overall());
    let mut lines =
        vec![Line::styled(format!("{:<10}{:>14}{:>14}", "", "last second", "whole run"), SOFT)];
    for (name, now, all) in [
        ("50 %", latest.p50, overall.p50),
        ("90 %", latest.p90, overall.p90),
        ("99 %", latest.p99, overall.p99),
        ("99.9 %", latest.p999, overall.p999),
        ("maximum", latest.max, overall.max),
    ] {
        lines.push(Line::raw(format!("{name:<10}{now:>14.3}{all:>14.3}")));
    }
    lines
}

fn counters(state: &LiveState) -> Vec<Line<'static>> {
    let row = state.rows.back().cloned().unwrap_or_default();
    let pair = |name: &str, value: String, note: String| {
        Line::from(vec![
            Span::raw(format!("{name:<16}")),
            Span::styled(format!("{value:>10}"), BOLD),
            Span::styled(format!("  {note}"), SOFT),
        ])
    };
    let all = state.ok + state.failed;
    let share = state.failed as f64 * 100.0 / all.max(1) as f64;
    vec![
        pair("right answers/s", grouped(row.ok), format!("{} in all", grouped(state.ok))),
        pair("failed/s", grouped(row.failed), format!("{share:.2} % in all")),
        pair("in flight", grouped(row.in_flight), String::new()),
        pair("waiting", grouped(row.waiting), String::new()),
        pair("connections", grouped(row.connections), String::new()),
        pair(
            "generator lag",
            format!("{:.3}", row.lag_ms_max),
            format!("ms, max {:.3}", state.lag_ms_max),
        ),
    ]
}

fn errors_by_kind(state: &LiveState, room: usize) -> Vec<Line<'static>> {
    if state.failures.is_empty() {
        return vec![Line::styled("none", SOFT)];
    }
    let mut failures: Vec<(&str, u64)> =
        state.failures.iter().map(|(kind, count)| (*kind, *count)).collect();
    failures.sort_by_key(|&(kind, count)| (std::cmp::Reverse(count), kind));
    failures
        .into_iter()
        .take(room)
        .map(|(kind, count)| Line::styled(format!("{kind:<24}{:>14}", grouped(count)), BAD))
        .collect()
}

/// `1:05`, or `1:01:05` from an hour on.
fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds % 3_600 / 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}
