//! The report's charts: time on the horizontal axis, kills as dashed lines across.

use crate::page::chart::{Axis, Band, Chart, Mark, Series, Shape, Tip};
use crate::page::{grouped, number};

use super::super::document::{Document, Second};
use super::super::faults::FaultEvent;
use super::super::table::mebibytes;

/// Right answers per second, HTTP/2 on top of gRPC.
pub(super) fn throughput(document: &Document) -> String {
    let class = |second: &Second, class: usize| {
        second.row.ok_by_class.get(class).copied().unwrap_or(0) as f64
    };
    let grpc = points(document, |second| class(second, 1));
    let both = points(document, |second| class(second, 0) + class(second, 1));
    let base = grpc.iter().map(|(_, y)| *y).collect();
    let zero = vec![0.0; grpc.len()];
    let y = Axis::linear(maximum(&both), "requests/s", |value| grouped(value as u64));
    let series = vec![
        Series { name: "HTTP/2 (JSON)", colour: "http2", points: both, shape: Shape::Area(base) },
        Series { name: "gRPC", colour: "grpc", points: grpc, shape: Shape::Area(zero) },
    ];
    chart(document, "throughput over time", y, series, |second| {
        let row = &second.row;
        let of = |class: usize| row.ok_by_class.get(class).copied().unwrap_or(0);
        vec![
            format!("right answers {}", row.ok),
            format!("HTTP/2 {}", of(0)),
            format!("gRPC {}", of(1)),
            format!("failed {}", row.failed),
        ]
    })
}

/// Percentiles of each second, on a logarithmic axis.
pub(super) fn latency(document: &Document) -> String {
    let of = |name, colour, pick: fn(&bulkhead_load::Summary) -> f64| {
        let points = points(document, |second| pick(&second.row.latency_ms));
        Series { name, colour, points, shape: Shape::Line }
    };
    let mut series = vec![
        of("median", "p50", |s| s.p50),
        of("99 %", "p99", |s| s.p99),
        of("99.9 %", "p999", |s| s.p999),
        of("maximum", "max", |s| s.max),
    ];
    let low = series[0].points.iter().map(|(_, y)| *y).filter(|y| *y > 0.0).fold(1e6, f64::min);
    let y = Axis::logarithmic(low, maximum(&series[3].points), "ms");
    if let Some(link) = &document.link {
        let points = points(document, |_| link.floor.p99_ms);
        series.push(Series {
            name: "floor of the 99 %",
            colour: "soft",
            points,
            shape: Shape::Line,
        });
    }
    chart(document, "latency over time", y, series, |second| {
        let s = &second.row.latency_ms;
        let lines = [("p50", s.p50), ("p99", s.p99), ("p99.9", s.p999), ("max", s.max)];
        lines.map(|(name, ms)| format!("{name} {} ms", number(ms))).to_vec()
    })
}

/// Resident memory.
pub(super) fn memory(document: &Document) -> String {
    let of = |second: &Second| mebibytes(second.rss_bytes as f64);
    let points = points(document, of);
    let zero = Shape::Area(vec![0.0; points.len()]);
    let y = Axis::linear(maximum(&points), "MiB", |value| format!("{value}"));
    let series = vec![Series { name: "resident memory", colour: "memory", points, shape: zero }];
    chart(document, "memory over time", y, series, |second| vec![format!("{:.1} MiB", of(second))])
}

/// A value for the middle of each second.
fn points(document: &Document, of: impl Fn(&Second) -> f64) -> Vec<(f64, f64)> {
    document.timeline.iter().map(|second| (second.row.second as f64 + 0.5, of(second))).collect()
}

fn maximum(points: &[(f64, f64)]) -> f64 {
    points.iter().map(|(_, y)| *y).fold(0.0, f64::max)
}

fn chart(
    document: &Document,
    label: &str,
    y: Axis,
    series: Vec<Series<'_>>,
    tip: impl Fn(&Second) -> Vec<String>,
) -> String {
    let last = document.timeline.last().map_or(1, |second| second.row.second + 1) as f64;
    let bands = bands(document);
    let tips = document.timeline.iter().map(|second| {
        let number = second.row.second;
        let kills = document.workers.kills.iter().filter(|kill| kill.at_s as u64 == number);
        let mut lines = vec![format!("second {}", number + 1)];
        lines.extend(tip(second));
        lines.extend(kills.map(|kill| format!("worker {} killed", kill.worker)));
        let now = number as f64;
        let in_force = bands.iter().filter(|band| band.from < now + 1.0 && band.to > now);
        lines.extend(in_force.map(|band| format!("{} in force", band.title)));
        Tip { x: number as f64 + 0.5, lines }
    });
    Chart {
        label,
        x: Axis::time(document.duration_s.max(last)),
        y,
        series,
        marks: kills(document),
        marks_name: (!document.workers.kills.is_empty()).then_some("worker killed"),
        bands: bands.clone(),
        bands_name: (!document.faults.is_empty()).then_some("fault in force"),
        tips: tips.collect(),
    }
    .html()
}

/// When faults of the profile were in force. Those of the link always are.
fn bands(document: &Document) -> Vec<Band> {
    let faults = document.faults.iter().filter(|fault| fault.took_hold);
    let band = |fault: &FaultEvent| Band {
        from: fault.at_s,
        to: fault.until_s.unwrap_or(document.duration_s).min(document.duration_s),
        title: fault.kind.to_owned(),
    };
    faults.map(band).collect()
}

/// Workers of the same round share a mark.
fn kills(document: &Document) -> Vec<Mark> {
    let mut rounds: Vec<(f64, Vec<String>)> = Vec::new();
    for kill in document.workers.kills.iter().filter(|kill| kill.error.is_none()) {
        match rounds.last_mut() {
            Some((at, workers)) if kill.at_s - *at < 0.2 => workers.push(kill.worker.to_string()),
            _ => rounds.push((kill.at_s, vec![kill.worker.to_string()])),
        }
    }
    let marks = rounds.into_iter().map(|(at, workers)| {
        let workers = workers.join(", ");
        let title = format!("{at:.1} s: worker {workers} killed");
        Mark { x: at, title, label: format!("✕ {workers}") }
    });
    marks.collect()
}
