//! OTLP/HTTP in its JSON form: lowerCamelCase keys, 64-bit integers as texts, enums as numbers.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bytes::Bytes;
use serde_json::{Value, json};

use super::labels::Labels;
use super::snapshot::{BOUNDS, DURATION, Kind, Metric, Snapshot};

pub(super) const HEADERS: [(&str, &str); 1] = [("content-type", "application/json")];

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u8 = 2;

/// The body: an `ExportMetricsServiceRequest`.
pub(super) fn encode(snapshot: &Snapshot, labels: &Labels) -> anyhow::Result<Bytes> {
    let service =
        [("service.name", "bulkhead-load"), ("service.version", env!("CARGO_PKG_VERSION"))];
    let attributes: Vec<Value> = service.into_iter().map(attribute).collect();
    // On the points and not on the resource: not every receiver keeps what stands there.
    let common: Vec<Value> = labels.iter().map(attribute).collect();
    let mut metrics: Vec<Value> =
        snapshot.metrics.iter().map(|metric| one(metric, snapshot, &common)).collect();
    metrics.push(histogram(snapshot, &common));
    let request = json!({ "resourceMetrics": [{
        "resource": { "attributes": attributes },
        "scopeMetrics": [{ "scope": { "name": "bulkhead.load" }, "metrics": metrics }],
    }] });
    Ok(Bytes::from(serde_json::to_vec(&request).context("serialise metrics")?))
}

fn one(metric: &Metric, snapshot: &Snapshot, common: &[Value]) -> Value {
    let points: Vec<Value> = metric
        .points
        .iter()
        .map(|(labels, value)| {
            let own = labels.iter().map(|(name, value)| attribute((name, value)));
            let attributes: Vec<Value> = common.iter().cloned().chain(own).collect();
            let mut point = json!({
                "attributes": attributes,
                "startTimeUnixNano": unix_ns(snapshot.started),
                "timeUnixNano": unix_ns(snapshot.now),
            });
            match metric.kind {
                Kind::Counter => point["asInt"] = json!((*value as u64).to_string()),
                Kind::Gauge => point["asDouble"] = json!(value),
            }
            point
        })
        .collect();
    let mut text = json!({ "name": metric.name, "unit": metric.unit });
    match metric.kind {
        Kind::Counter => {
            text["sum"] = json!({
                "dataPoints": points,
                "aggregationTemporality": CUMULATIVE,
                "isMonotonic": true,
            });
        }
        Kind::Gauge => text["gauge"] = json!({ "dataPoints": points }),
    }
    text
}

fn histogram(snapshot: &Snapshot, common: &[Value]) -> Value {
    let duration = &snapshot.duration;
    let counts: Vec<String> = duration.counts.iter().map(u64::to_string).collect();
    json!({
        "name": DURATION,
        "unit": "s",
        "histogram": {
            "aggregationTemporality": CUMULATIVE,
            "dataPoints": [{
                "attributes": common,
                "startTimeUnixNano": unix_ns(snapshot.started),
                "timeUnixNano": unix_ns(snapshot.now),
                "count": duration.count.to_string(),
                "sum": duration.sum,
                "bucketCounts": counts,
                "explicitBounds": BOUNDS,
            }],
        },
    })
}

fn attribute((name, value): (&str, &str)) -> Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

fn unix_ns(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}
