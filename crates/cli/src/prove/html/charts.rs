//! Charts as inline SVG: time on the horizontal axis, kills as dashed lines across.

use std::fmt::Write;

use super::super::document::Document;
use super::grouped;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 990.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 228.0;

/// How values become heights.
#[derive(Clone, Debug)]
enum Scale {
    /// From 0 to `top`, with a line at each multiple of `step`.
    Linear { top: f64, step: f64 },
    /// From `10^low` to `10^high`.
    Logarithmic { low: i32, high: i32 },
}

impl Scale {
    fn linear(maximum: f64) -> Self {
        let step = nice_step(maximum.max(1.0) / 4.0);
        Self::Linear { top: step * (maximum.max(1.0) / step).ceil(), step }
    }

    fn logarithmic(minimum: f64, maximum: f64) -> Self {
        let low = minimum.max(0.001).log10().floor() as i32;
        let high = maximum.max(0.002).log10().ceil() as i32;
        Self::Logarithmic { low, high: high.max(low + 1) }
    }

    fn y(&self, value: f64) -> f64 {
        let share = match *self {
            Self::Linear { top, .. } => value / top,
            Self::Logarithmic { low, high } => {
                (value.max(1e-9).log10() - f64::from(low)) / f64::from(high - low)
            }
        };
        BOTTOM - share.clamp(0.0, 1.0) * (BOTTOM - TOP)
    }

    fn ticks(&self) -> Vec<f64> {
        match *self {
            Self::Linear { top, step } => (0..)
                .map(|place| f64::from(place) * step)
                .take_while(|v| *v <= top * 1.0001)
                .collect(),
            Self::Logarithmic { low, high } => {
                (low..=high).map(|power| 10f64.powi(power)).collect()
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, at least `rough`.
fn nice_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|f| f * power >= rough * 0.9999);
    factor.unwrap_or(10.0) * power
}

/// A named line or area.
struct Series<'a> {
    name: &'a str,
    /// A colour variable of the style sheet.
    colour: &'a str,
    values: Vec<f64>,
    /// Filled down to these values.
    base: Option<Vec<f64>>,
}

/// Right answers per second, HTTP/2 on top of gRPC.
pub(super) fn throughput(document: &Document) -> String {
    let of = |class: usize| {
        let ok = document.timeline.iter().map(|second| second.row.ok_by_class.get(class).copied());
        ok.map(|ok| ok.unwrap_or(0) as f64).collect::<Vec<f64>>()
    };
    let grpc = of(1);
    let both: Vec<f64> = of(0).iter().zip(&grpc).map(|(http2, grpc)| http2 + grpc).collect();
    let scale = Scale::linear(maximum(&both));
    let zero = vec![0.0; grpc.len()];
    let series = [
        Series { name: "HTTP/2 (JSON)", colour: "http2", values: both, base: Some(grpc.clone()) },
        Series { name: "gRPC", colour: "grpc", values: grpc, base: Some(zero) },
    ];
    chart(document, "throughput", &scale, &series, "requests/s", &|value| grouped(value as u64))
}

/// Percentiles of each second, on a logarithmic axis.
pub(super) fn latency(document: &Document) -> String {
    let of = |pick: fn(&bulkhead_load::Summary) -> f64| -> Vec<f64> {
        document.timeline.iter().map(|second| pick(&second.row.latency_ms)).collect()
    };
    let series = [
        Series { name: "median", colour: "p50", values: of(|s| s.p50), base: None },
        Series { name: "99 %", colour: "p99", values: of(|s| s.p99), base: None },
        Series { name: "99.9 %", colour: "p999", values: of(|s| s.p999), base: None },
        Series { name: "maximum", colour: "max", values: of(|s| s.max), base: None },
    ];
    let low = series[0].values.iter().copied().filter(|v| *v > 0.0).fold(f64::MAX, f64::min);
    let scale = Scale::logarithmic(low.min(1e6), maximum(&series[3].values));
    chart(document, "latency", &scale, &series, "ms", &|value| format!("{value}"))
}

/// Resident memory.
pub(super) fn memory(document: &Document) -> String {
    let values: Vec<f64> = document
        .timeline
        .iter()
        .map(|second| super::super::table::mebibytes(second.rss_bytes as f64))
        .collect();
    let scale = Scale::linear(maximum(&values));
    let zero = Some(vec![0.0; values.len()]);
    let series = [Series { name: "resident memory", colour: "memory", values, base: zero }];
    chart(document, "memory", &scale, &series, "MiB", &|value| format!("{value}"))
}

fn maximum(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

fn chart(
    document: &Document,
    name: &str,
    scale: &Scale,
    series: &[Series<'_>],
    unit: &str,
    label: &dyn Fn(f64) -> String,
) -> String {
    let last = document.timeline.last().map_or(1, |second| second.row.second + 1) as f64;
    let seconds = document.duration_s.max(last).max(1.0);
    let x = |at: f64| LEFT + at / seconds * (RIGHT - LEFT);
    let mut svg = legend(series);
    let _ = write!(
        svg,
        "<div class=\"chart\" data-chart=\"{name}\"><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{name} over time\" data-left=\"{LEFT}\" data-right=\"{RIGHT}\" \
         data-seconds=\"{seconds}\">"
    );
    for tick in scale.ticks() {
        let y = scale.y(tick);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            label(tick)
        );
    }
    let _ = write!(svg, "<text x=\"0\" y=\"12\">{unit}</text>");
    time_axis(&mut svg, seconds, &x);
    for one in series {
        draw(&mut svg, document, one, scale, &x);
    }
    kills(&mut svg, document, &x);
    let _ = write!(
        svg,
        "<line class=\"cursor\" x1=\"0\" x2=\"0\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/></svg>\
         <div class=\"tip\"></div></div>"
    );
    svg
}

fn legend(series: &[Series<'_>]) -> String {
    let mut html = "<div class=\"legend\">".to_owned();
    for Series { name, colour, .. } in series {
        let _ = write!(html, "<span><i style=\"background:var(--{colour})\"></i>{name}</span>");
    }
    html + "<span><i class=\"mark\"></i>worker killed</span></div>"
}

fn time_axis(svg: &mut String, seconds: f64, x: &dyn Fn(f64) -> f64) {
    let _ = write!(
        svg,
        "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{BOTTOM}\" y2=\"{BOTTOM}\"/>"
    );
    let step = nice_step(seconds / 10.0).max(1.0);
    let mut at = 0.0;
    while at <= seconds {
        let anchor = if at + step > seconds && x(at) > RIGHT - 10.0 { "end" } else { "middle" };
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{at} s</text>",
            x(at),
            BOTTOM + 20.0
        );
        at += step;
    }
}

fn draw(
    svg: &mut String,
    document: &Document,
    series: &Series<'_>,
    scale: &Scale,
    x: &dyn Fn(f64) -> f64,
) {
    let points = |values: &[f64]| -> Vec<String> {
        let seconds = document.timeline.iter().map(|second| second.row.second as f64 + 0.5);
        seconds.zip(values).map(|(at, v)| format!("{:.1},{:.1}", x(at), scale.y(*v))).collect()
    };
    let line = points(&series.values);
    if let Some(base) = &series.base {
        let mut area = line.clone();
        area.extend(points(base).into_iter().rev());
        let _ = write!(
            svg,
            "<polygon points=\"{}\" fill=\"var(--{})\" opacity=\".28\"/>",
            area.join(" "),
            series.colour
        );
    }
    let _ = write!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"var(--{})\" stroke-width=\"2\" \
         stroke-linejoin=\"round\"/>",
        line.join(" "),
        series.colour
    );
    // A run of one second has no line to be seen.
    if let [only] = line.as_slice()
        && let Some((x, y)) = only.split_once(',')
    {
        let _ = write!(
            svg,
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"var(--{})\"/>",
            series.colour
        );
    }
}

fn kills(svg: &mut String, document: &Document, x: &dyn Fn(f64) -> f64) {
    // Workers of the same round share a line; long runs have no room for names.
    let mut rounds: Vec<(f64, Vec<String>)> = Vec::new();
    for kill in document.workers.kills.iter().filter(|kill| kill.error.is_none()) {
        match rounds.last_mut() {
            Some((at, workers)) if kill.at_s - *at < 0.2 => workers.push(kill.worker.to_string()),
            _ => rounds.push((kill.at_s, vec![kill.worker.to_string()])),
        }
    }
    let named = rounds.len() <= 16;
    for (at, workers) in rounds {
        let (x, workers) = (x(at), workers.join(", "));
        let _ = write!(
            svg,
            "<line class=\"kill\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\">\
             <title>{at:.1} s: worker {workers} killed</title></line>"
        );
        if named {
            let _ = write!(
                svg,
                "<text class=\"kill-label\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">✕ {workers}</text>",
                TOP - 6.0
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_one_two_or_five() {
        for (rough, step) in [(0.7, 1.0), (1.0, 1.0), (1.2, 2.0), (2_200.0, 5_000.0), (51.0, 100.0)]
        {
            assert!((nice_step(rough) - step).abs() < 1e-9, "{rough}: {}", nice_step(rough));
        }
    }

    #[test]
    fn scales_cover_their_values_from_bottom_to_top() {
        let linear = Scale::linear(18_400.0);
        assert_eq!(linear.ticks(), [0.0, 5_000.0, 10_000.0, 15_000.0, 20_000.0]);
        assert!((linear.y(0.0) - BOTTOM).abs() < 1e-9 && (linear.y(20_000.0) - TOP).abs() < 1e-9);
        let logarithmic = Scale::logarithmic(0.3, 42.0);
        assert_eq!(logarithmic.ticks(), [0.1, 1.0, 10.0, 100.0]);
        assert!((logarithmic.y(0.1) - BOTTOM).abs() < 1e-6);
        assert!((logarithmic.y(100.0) - TOP).abs() < 1e-6);
        assert!(logarithmic.y(0.0) <= BOTTOM, "a second without answers stays on the chart");
    }
}
