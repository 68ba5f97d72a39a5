//! Prometheus remote write 1.0: a series for each label set, classic histogram buckets, labels sorted.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bytes::Bytes;
use prost::Message;

use super::labels::Labels;
use super::snapshot::{BOUNDS, DURATION, Kind, Metric, Snapshot};

/// What the specification asks for.
pub(super) const HEADERS: [(&str, &str); 3] = [
    ("content-type", "application/x-protobuf"),
    ("content-encoding", "snappy"),
    ("x-prometheus-remote-write-version", "0.1.0"),
];

/// `prometheus.WriteRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) series: Vec<TimeSeries>,
}

/// `prometheus.TimeSeries`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(super) samples: Vec<Sample>,
}

/// `prometheus.Label`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Message)]
pub(super) struct Label {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

/// `prometheus.Sample`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Sample {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub(super) timestamp: i64,
}

/// The body.
pub(super) fn encode(snapshot: &Snapshot, labels: &Labels) -> anyhow::Result<Bytes> {
    let mut writer = Writer { labels, timestamp: unix_ms(snapshot.now), series: Vec::new() };
    for metric in &snapshot.metrics {
        let name = name(metric);
        for (labels, value) in &metric.points {
            let own: Vec<(&str, &str)> =
                labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
            writer.push(&name, &own, *value);
        }
    }
    let duration = &snapshot.duration;
    let name = format!("{}_seconds", DURATION.replace('.', "_"));
    let bounds = BOUNDS.iter().map(|bound| format!("{bound}")).chain(["+Inf".to_owned()]);
    let mut up_to = 0;
    for (bound, count) in bounds.zip(&duration.counts) {
        up_to += count;
        writer.push(&format!("{name}_bucket"), &[("le", bound.as_str())], up_to as f64);
    }
    writer.push(&format!("{name}_count"), &[], duration.count as f64);
    writer.push(&format!("{name}_sum"), &[], duration.sum);
    let request = WriteRequest { series: writer.series }.encode_to_vec();
    let compressed =
        snap::raw::Encoder::new().compress_vec(&request).context("compress metrics")?;
    Ok(Bytes::from(compressed))
}

struct Writer<'a> {
    labels: &'a Labels,
    timestamp: i64,
    series: Vec<TimeSeries>,
}

impl Writer<'_> {
    fn push(&mut self, name: &str, own: &[(&str, &str)], value: f64) {
        let fixed = [("__name__", name), ("job", "bulkhead-load")];
        let all = fixed.into_iter().chain(self.labels.iter()).chain(own.iter().copied());
        // An empty label is as good as none, and receivers refuse it.
        let mut labels: Vec<Label> = all
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| Label { name: name.to_owned(), value: value.to_owned() })
            .collect();
        labels.sort();
        let samples = vec![Sample { value, timestamp: self.timestamp }];
        self.series.push(TimeSeries { labels, samples });
    }
}

/// As Prometheus writes names: unit and `total` last.
fn name(metric: &Metric) -> String {
    let mut name = metric.name.replace('.', "_");
    if metric.unit == "s" {
        name += "_seconds";
    }
    if metric.kind == Kind::Counter {
        name += "_total";
    }
    name
}

fn unix_ms(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
