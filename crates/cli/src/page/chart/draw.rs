//! The drawing of one chart at one size.

use std::fmt::Write;

use super::{Axis, Band, Canvas, Chart, Mark, Series, Shape, escape};

/// Marks that still have room for their labels.
const LABELS_MAX: usize = 16;

pub(super) fn svg(html: &mut String, chart: &Chart<'_>, canvas: &Canvas) {
    let Canvas { class, width, height, left, right, top, bottom, .. } = canvas;
    let _ = write!(
        html,
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\" \
         data-left=\"{left}\" data-right=\"{right}\">",
        escape(chart.label)
    );
    bands(html, chart, canvas);
    vertical_axis(html, &chart.y, canvas);
    horizontal_axis(html, &chart.x, canvas);
    for one in &chart.series {
        series(html, chart, one, canvas);
    }
    marks(html, chart, canvas);
    let _ = write!(
        html,
        "<line class=\"cursor\" x1=\"0\" x2=\"0\" y1=\"{top}\" y2=\"{bottom}\"/></svg>"
    );
}

impl Canvas {
    fn x(&self, axis: &Axis, value: f64) -> f64 {
        self.left + axis.share(value) * (self.right - self.left)
    }

    fn y(&self, axis: &Axis, value: f64) -> f64 {
        self.bottom - axis.share(value) * (self.bottom - self.top)
    }
}

fn vertical_axis(html: &mut String, axis: &Axis, canvas: &Canvas) {
    let Canvas { left, right, .. } = canvas;
    for (value, text) in &axis.ticks {
        let y = canvas.y(axis, *value);
        let _ = write!(
            html,
            "<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 8.0,
            y + 4.0,
            escape(text)
        );
    }
    let _ = write!(html, "<text x=\"0\" y=\"12\">{}</text>", escape(&axis.unit));
}

fn horizontal_axis(html: &mut String, axis: &Axis, canvas: &Canvas) {
    let Canvas { left, right, bottom, ticks_max, .. } = canvas;
    let _ = write!(
        html,
        "<line class=\"axis\" x1=\"{left}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>"
    );
    let stride = axis.ticks.len().div_ceil(*ticks_max).max(1);
    for (value, text) in axis.ticks.iter().step_by(stride) {
        let x = canvas.x(axis, *value);
        // The last text would stand out of the drawing.
        let anchor = if x > right - 14.0 { "end" } else { "middle" };
        let _ = write!(
            html,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            bottom + 18.0,
            escape(text)
        );
    }
    if !axis.unit.is_empty() {
        let _ = write!(
            html,
            "<text x=\"{right}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            bottom + 36.0,
            escape(&axis.unit)
        );
    }
}

fn series(html: &mut String, chart: &Chart<'_>, series: &Series<'_>, canvas: &Canvas) {
    let place = |x: f64, y: f64| (canvas.x(&chart.x, x), canvas.y(&chart.y, y));
    let colour = series.colour;
    let text = |(x, y): (f64, f64)| format!("{x:.1},{y:.1}");
    let line: Vec<(f64, f64)> = series.points.iter().map(|&(x, y)| place(x, y)).collect();
    if let Shape::Area(base) = &series.shape {
        let base = series.points.iter().zip(base).rev().map(|(&(x, _), &y)| place(x, y));
        let area: Vec<String> = line.iter().copied().chain(base).map(text).collect();
        let _ = write!(
            html,
            "<polygon points=\"{}\" fill=\"var(--{colour})\" opacity=\".28\"/>",
            area.join(" ")
        );
    }
    // A run of one second has no line to be seen.
    if line.len() == 1 || matches!(series.shape, Shape::Points) {
        for (x, y) in &line {
            let _ = write!(
                html,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"var(--{colour})\"/>"
            );
        }
        return;
    }
    let line: Vec<String> = line.into_iter().map(text).collect();
    let _ = write!(
        html,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"var(--{colour})\" stroke-width=\"2\" \
         stroke-linejoin=\"round\"/>",
        line.join(" ")
    );
}

fn bands(html: &mut String, chart: &Chart<'_>, canvas: &Canvas) {
    let Canvas { top, bottom, .. } = canvas;
    for Band { from, to, title } in &chart.bands {
        let [left, right] = [from, to].map(|x| canvas.x(&chart.x, *x));
        let _ = write!(
            html,
            "<rect class=\"band\" x=\"{left:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{:.1}\">\
             <title>{}</title></rect>",
            (right - left).max(1.0),
            bottom - top,
            escape(title)
        );
    }
}

fn marks(html: &mut String, chart: &Chart<'_>, canvas: &Canvas) {
    let Canvas { top, bottom, .. } = canvas;
    let named = chart.marks.len() <= LABELS_MAX;
    for Mark { x, title, label } in &chart.marks {
        let x = canvas.x(&chart.x, *x);
        let _ = write!(
            html,
            "<line class=\"kill\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{bottom}\">\
             <title>{}</title></line>",
            escape(title)
        );
        if named && !label.is_empty() {
            let _ = write!(
                html,
                "<text class=\"kill-label\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                top - 6.0,
                escape(label)
            );
        }
    }
}
