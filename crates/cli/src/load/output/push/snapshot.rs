//! What is told of the run up to now, in no format yet. Names follow OpenTelemetry where it has them;
//! times are in seconds, counts cumulative.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bulkhead_load::{Latencies, Row};

/// Upper bounds of the histogram's buckets, in seconds.
pub(super) const BOUNDS: [f64; 20] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
    0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 30.0,
];
const US_PER_S: f64 = 1_000_000.0;

/// How a figure behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    /// A level.
    Gauge,
}

/// A figure under a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Metric {
    /// Words with dots between.
    pub(super) name: &'static str,
    /// As OpenTelemetry writes it: `s`, `{request}`.
    pub(super) unit: &'static str,
    pub(super) kind: Kind,
    /// Labels and value of each series.
    pub(super) points: Vec<(Vec<(&'static str, String)>, f64)>,
}

/// Latencies from the intended send time; right answers only.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Buckets {
    /// In each bucket of [`BOUNDS`], and above the last.
    pub(super) counts: Vec<u64>,
    /// Seconds.
    pub(super) sum: f64,
    pub(super) count: u64,
}

/// Name of the [`Buckets`].
pub(super) const DURATION: &str = "http.client.request.duration";

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Snapshot {
    pub(super) started: SystemTime,
    pub(super) now: SystemTime,
    pub(super) metrics: Vec<Metric>,
    pub(super) duration: Buckets,
}

/// Sums since the start.
#[derive(Clone, Debug)]
pub(super) struct Totals {
    started: SystemTime,
    classes: Vec<String>,
    scheduled: u64,
    ok: Vec<u64>,
    failures: BTreeMap<&'static str, u64>,
    latencies: Latencies,
}

impl Totals {
    pub(super) fn new(classes: Vec<String>, started: SystemTime) -> Self {
        Self {
            started,
            ok: vec![0; classes.len()],
            classes,
            scheduled: 0,
            failures: BTreeMap::new(),
            latencies: Latencies::default(),
        }
    }

    /// Adds a second, and tells how things stand after it.
    pub(super) fn add(&mut self, row: &Row, latencies: &Latencies, now: SystemTime) -> Snapshot {
        self.scheduled += row.scheduled;
        self.ok.iter_mut().zip(&row.ok_by_class).for_each(|(sum, part)| *sum += part);
        for (&kind, count) in &row.failures {
            *self.failures.entry(kind).or_insert(0) += count;
        }
        // Bounds are equal, so nothing can be out of range.
        let _same_bounds = self.latencies.0.add(&latencies.0);
        let metrics = self.metrics(row);
        Snapshot { started: self.started, now, metrics, duration: self.buckets() }
    }

    fn metrics(&self, row: &Row) -> Vec<Metric> {
        let label = |name, value: &str| (name, value.to_owned());
        let ok = self.classes.iter().zip(&self.ok);
        let ok =
            ok.map(|(class, n)| (vec![label("class", class), label("outcome", "ok")], *n as f64));
        let failed = self.failures.iter();
        // Rows tell failures by kind over all classes.
        let failed = failed.map(|(kind, n)| (vec![label("outcome", kind)], *n as f64));
        let s = &row.latency_ms;
        let quantiles =
            [("0.5", s.p50), ("0.9", s.p90), ("0.99", s.p99), ("0.999", s.p999), ("1", s.max)];
        let quantiles = quantiles.map(|(q, ms)| (vec![label("quantile", q)], ms / 1_000.0));
        let metric = |name, unit, kind, points| Metric { name, unit, kind, points };
        let level = |name, unit, value| metric(name, unit, Kind::Gauge, vec![(Vec::new(), value)]);
        let scheduled = vec![(Vec::new(), self.scheduled as f64)];
        vec![
            metric(
                "bulkhead.load.requests",
                "{request}",
                Kind::Counter,
                ok.chain(failed).collect(),
            ),
            metric("bulkhead.load.requests.scheduled", "{request}", Kind::Counter, scheduled),
            metric("bulkhead.load.latency", "s", Kind::Gauge, quantiles.to_vec()),
            level("bulkhead.load.generator.lag", "s", row.lag_ms_max / 1_000.0),
            level("bulkhead.load.requests.in_flight", "{request}", row.in_flight as f64),
            level("bulkhead.load.requests.waiting", "{request}", row.waiting as f64),
            level("bulkhead.load.connections", "{connection}", row.connections as f64),
        ]
    }

    fn buckets(&self) -> Buckets {
        let histogram = &self.latencies.0;
        let mut counts = Vec::with_capacity(BOUNDS.len() + 1);
        let mut below = 0;
        for bound in BOUNDS {
            let up_to = histogram.count_between(0, (bound * US_PER_S).round() as u64);
            counts.push(up_to - below);
            below = up_to;
        }
        counts.push(histogram.len() - below);
        let sum = histogram.mean() * histogram.len() as f64 / US_PER_S;
        Buckets { counts, sum, count: histogram.len() }
    }
}
