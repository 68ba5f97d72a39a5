//! The report's charts.

use bulkhead_load::{Latencies, LoadReport, Summary};

use crate::page::chart::{Axis, Chart, Series, Shape, Tip};
use crate::page::{grouped, number};

use super::slot::Slot;

/// Lines of the percentile chart, for each halving of what lies above.
const TICKS_PER_HALF: u32 = 5;

/// Answers and failures in each second.
pub(super) fn throughput(slots: &[Slot]) -> String {
    let ok = points(slots, |slot| slot.ok);
    let scheduled = points(slots, |slot| slot.scheduled);
    let failed = points(slots, |slot| slot.failed);
    let maximum = [&ok, &scheduled, &failed].map(|points| maximum(points));
    let y = Axis::linear(maximum.into_iter().fold(0.0, f64::max), "per second", axis_number);
    let base = vec![0.0; ok.len()];
    let series = vec![
        Series { name: "fell due", colour: "soft", points: scheduled, shape: Shape::Line },
        Series { name: "right answers", colour: "http2", points: ok, shape: Shape::Area(base) },
        Series { name: "failed", colour: "kill", points: failed, shape: Shape::Line },
    ];
    over_time(slots, "throughput and failures over time", y, series, |slot| {
        vec![
            format!("fell due {}", rounded(slot.scheduled)),
            format!("right answers {}", rounded(slot.ok)),
            format!("failed {}", rounded(slot.failed)),
        ]
    })
}

/// Percentiles of each second.
pub(super) fn latency(slots: &[Slot]) -> String {
    let of = |name, colour, pick: fn(&Summary) -> f64| {
        // A second without a right answer has no latency to show.
        let some = slots.iter().filter(|slot| slot.latency_ms.count > 0);
        let points = some.map(|slot| (slot.middle(), pick(&slot.latency_ms))).collect();
        Series { name, colour, points, shape: Shape::Line }
    };
    let series = vec![
        of("median", "p50", |s| s.p50),
        of("90 %", "grpc", |s| s.p90),
        of("99 %", "p99", |s| s.p99),
        of("99.9 %", "p999", |s| s.p999),
        of("maximum", "max", |s| s.max),
    ];
    let y = Axis::logarithmic(minimum(&series[0].points), maximum(&series[4].points), "ms");
    over_time(slots, "latency percentiles over time", y, series, |slot| {
        let s = &slot.latency_ms;
        let lines =
            [("p50", s.p50), ("p90", s.p90), ("p99", s.p99), ("p99.9", s.p999), ("max", s.max)];
        lines.map(|(name, ms)| format!("{name} {} ms", number(ms))).to_vec()
    })
}

/// Lag of the generator, at worst in each second.
pub(super) fn lag(slots: &[Slot]) -> String {
    let points = points(slots, |slot| slot.lag_ms);
    let y = Axis::logarithmic(minimum(&points), maximum(&points), "ms");
    let series = vec![Series { name: "largest lag", colour: "memory", points, shape: Shape::Line }];
    over_time(slots, "largest lag of the generator over time", y, series, |slot| {
        vec![format!("{} ms", number(slot.lag_ms))]
    })
}

/// Levels at the end of each second.
pub(super) fn in_flight(slots: &[Slot]) -> String {
    let of = |name, colour, pick: fn(&Slot) -> u64| {
        let points = points(slots, |slot| pick(slot) as f64);
        Series { name, colour, points, shape: Shape::Line }
    };
    let series = vec![
        of("connections", "soft", |slot| slot.connections),
        of("in flight", "http2", |slot| slot.in_flight),
        of("waiting", "p999", |slot| slot.waiting),
    ];
    let maximum = series.iter().map(|one| maximum(&one.points)).fold(4.0, f64::max);
    let y = Axis::linear(maximum, "", axis_number);
    over_time(slots, "requests in flight and connections over time", y, series, |slot| {
        vec![
            format!("connections {}", grouped(slot.connections)),
            format!("in flight {}", grouped(slot.in_flight)),
            format!("waiting {}", grouped(slot.waiting)),
        ]
    })
}

/// Latency and service time by percentile, the rarest to the right.
pub(super) fn percentiles(report: &LoadReport) -> String {
    let of = |latencies: &Latencies| -> Vec<(f64, f64)> {
        let steps = latencies.0.iter_quantiles(TICKS_PER_HALF);
        let points = steps.map(|step| {
            let above = 1.0 - step.quantile_iterated_to();
            let rank = if above > 0.0 { 1.0 / above } else { latencies.0.len() as f64 };
            let us = step.value_iterated_to().min(latencies.0.max());
            (rank, us as f64 / 1_000.0)
        });
        points.collect()
    };
    let (latency, service) = (of(&report.latency), of(&report.service));
    let tips = latency.iter().map(|&(rank, ms)| {
        let share = 1.0 - 1.0 / rank.max(1.0);
        let text = format!("{:.4}", share * 100.0);
        let served = report.service.0.value_at_quantile(share).min(report.service.0.max());
        let lines = vec![
            format!("{} %", text.trim_end_matches('0').trim_end_matches('.')),
            format!("latency {} ms", number(ms)),
            format!("service {} ms", number(served as f64 / 1_000.0)),
        ];
        Tip { x: rank, lines }
    });
    Chart {
        label: "latency and service time by percentile",
        x: Axis::quantiles(report.latency.0.len()),
        y: Axis::logarithmic(
            minimum(&service).min(minimum(&latency)),
            maximum(&latency).max(maximum(&service)),
            "ms",
        ),
        tips: tips.collect(),
        series: vec![
            Series { name: "latency", colour: "p999", points: latency, shape: Shape::Line },
            Series { name: "service time", colour: "grpc", points: service, shape: Shape::Line },
        ],
        marks: Vec::new(),
        marks_name: None,
        bands: Vec::new(),
        bands_name: None,
    }
    .html()
}

fn over_time(
    slots: &[Slot],
    label: &str,
    y: Axis,
    series: Vec<Series<'_>>,
    tip: impl Fn(&Slot) -> Vec<String>,
) -> String {
    let end = slots.last().map_or(1, |slot| slot.second + slot.seconds) as f64;
    let tips = slots.iter().map(|slot| {
        let lines = std::iter::once(slot.name()).chain(tip(slot)).collect();
        Tip { x: slot.middle(), lines }
    });
    let x = Axis::time(end);
    let tips = tips.collect();
    Chart {
        label,
        x,
        y,
        series,
        marks: Vec::new(),
        marks_name: None,
        bands: Vec::new(),
        bands_name: None,
        tips,
    }
    .html()
}

fn points(slots: &[Slot], of: impl Fn(&Slot) -> f64) -> Vec<(f64, f64)> {
    slots.iter().map(|slot| (slot.middle(), of(slot))).collect()
}

fn maximum(points: &[(f64, f64)]) -> f64 {
    points.iter().map(|(_, y)| *y).fold(0.0, f64::max)
}

/// The smallest that a logarithmic axis can show.
fn minimum(points: &[(f64, f64)]) -> f64 {
    points.iter().map(|(_, y)| *y).filter(|y| *y > 0.0).fold(1e6, f64::min)
}

/// Whole numbers with their thousands apart.
pub(super) fn axis_number(value: f64) -> String {
    if value.fract() == 0.0 { grouped(value as u64) } else { number(value) }
}

fn rounded(value: f64) -> String {
    if value.fract() == 0.0 { grouped(value as u64) } else { format!("{value:.1}") }
}
