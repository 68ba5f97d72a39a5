//! What a run has shown, as data that serialises to JSON. Milliseconds throughout.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::Outcome;
use crate::tally::{ClassTally, Excluded, Slice, Tally, histogram, merge};

/// A distribution in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Values recorded.
    pub count: u64,
    /// Smallest.
    pub min: f64,
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Largest, rounded up to three digits.
    pub max: f64,
}

impl Summary {
    /// Of a histogram of microseconds. All 0 if it is empty.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let ms = |us: u64| us as f64 / 1_000.0;
        // Percentiles answer with the upper end of a bucket, which may lie beyond the maximum.
        let at = |quantile| ms(histogram.value_at_quantile(quantile).min(histogram.max()));
        Self {
            count: histogram.len(),
            min: ms(histogram.min()),
            mean: (histogram.mean()).round() / 1_000.0,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: ms(histogram.max()),
        }
    }
}

/// A histogram of microseconds with three significant digits, up to two minutes.
#[derive(Clone, Debug, PartialEq)]
pub struct Latencies(pub Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(histogram())
    }
}

/// One second of the run. Answers count in the second in which they came.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Row {
    /// Seconds since the start of the measured part, at its beginning.
    pub second: u64,
    /// Requests whose time came.
    pub scheduled: u64,
    /// Right answers.
    pub ok: u64,
    /// Failed requests.
    pub failed: u64,
    /// Right answers by class, in the order of the options.
    pub ok_by_class: Vec<u64>,
    /// Failures by kind; kinds that did not occur are left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<&'static str, u64>,
    /// Latency from the intended time.
    pub latency_ms: Summary,
    /// Largest lag of the generator.
    pub lag_ms_max: f64,
    /// Requests in flight at its end.
    pub in_flight: u64,
    /// Requests that waited for a stream at its end.
    pub waiting: u64,
    /// Connections that were up at its end.
    pub connections: u64,
}

impl Row {
    pub(crate) fn of(slice: &Slice) -> Self {
        let failures = failures(&slice.outcomes);
        Self {
            second: slice.second,
            scheduled: slice.scheduled,
            ok: slice.ok.iter().sum(),
            failed: failures.values().sum(),
            ok_by_class: slice.ok.clone(),
            failures,
            latency_ms: Summary::of(&slice.latency),
            lag_ms_max: slice.lag_ns_max as f64 / 1e6,
            in_flight: slice.in_flight,
            waiting: slice.waiting,
            connections: slice.connections,
        }
    }
}

/// Failures by kind; kinds that did not occur are left out.
fn failures(outcomes: &[u64; Outcome::ALL.len()]) -> BTreeMap<&'static str, u64> {
    let kinds = Outcome::ALL.iter().filter(|&&outcome| outcome != Outcome::Ok);
    kinds
        .map(|&outcome| (outcome.as_str(), outcomes[outcome as usize]))
        .filter(|&(_, count)| count > 0)
        .collect()
}

/// One class of requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClassReport {
    /// Its name.
    pub name: String,
    /// Requests put on a connection.
    pub sent: u64,
    /// Right answers.
    pub ok: u64,
    /// All others.
    pub failed: u64,
    /// Failures by kind; kinds that did not occur are left out.
    pub failures: BTreeMap<&'static str, u64>,
    /// Whole answers by status, right or not.
    pub statuses: BTreeMap<u16, u64>,
    /// Bytes of the answers' bodies.
    pub body_bytes: u64,
    /// From the intended send time to the whole answer; right answers only.
    pub latency_ms: Summary,
    /// From the actual send time.
    pub service_ms: Summary,
    /// What `latency_ms` sums up.
    #[serde(skip)]
    pub latency: Latencies,
    /// What `service_ms` sums up.
    #[serde(skip)]
    pub service: Latencies,
}

/// Connections of the generator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConnectionReport {
    /// Connections that came up.
    pub opened: u64,
    /// Connections that ended although we wanted to keep them.
    pub lost: u64,
    /// Attempts that failed.
    pub connects_failed: u64,
    /// Of the failed: in the TLS handshake.
    pub tls_failed: u64,
    /// Of the failed: because no descriptor or no local port was left.
    pub exhausted: u64,
    /// TLS handshakes that ended well.
    pub tls_handshakes: u64,
    /// Of these: those that resumed an earlier session.
    pub tls_resumed: u64,
}

/// An example of a failure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FailureSample {
    /// Seconds since the start.
    pub at_s: f64,
    /// Class of the request.
    pub class: String,
    /// Kind.
    pub kind: &'static str,
    /// What was seen.
    pub detail: String,
}

/// A whole run. Everything but `excluded`, `retries` and `connections` is about the measured part.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LoadReport {
    /// From the start of the measured part to the last answer or time-out.
    pub duration_s: f64,
    /// Requests whose time came: `ok + failed`.
    pub scheduled: u64,
    /// Requests put on a connection.
    pub sent: u64,
    /// Right answers.
    pub ok: u64,
    /// All others, those never sent among them.
    pub failed: u64,
    /// Requests that never found a free stream in time, those dropped among them.
    pub unsent: u64,
    /// Of the unsent: given up at once because too many waited already.
    pub dropped: u64,
    /// Requests sent more than 10 ms after their time.
    pub late: u64,
    /// Requests sent again; not counted in `sent`.
    pub retries: u64,
    /// Requests of warm-up and cool-down.
    pub excluded: Excluded,
    /// Right answers per second of the scheduled duration.
    pub throughput_rps: f64,
    /// From the intended send time, all classes; right answers only.
    pub latency_ms: Summary,
    /// From the actual send time, all classes.
    pub service_ms: Summary,
    /// How late the generator itself was. Latency contains it.
    pub generator_lag_ms: Summary,
    /// CPU time of the generator's threads.
    pub generator_cpu_s: f64,
    /// CPU time of the thread that used most.
    pub generator_cpu_s_max: f64,
    /// By class.
    pub classes: Vec<ClassReport>,
    /// By second.
    pub rows: Vec<Row>,
    /// Connections.
    pub connections: ConnectionReport,
    /// The first failures.
    pub failure_samples: Vec<FailureSample>,
    /// What `latency_ms` sums up.
    #[serde(skip)]
    pub latency: Latencies,
    /// What `service_ms` sums up.
    #[serde(skip)]
    pub service: Latencies,
}

impl LoadReport {
    pub(crate) fn new(
        tally: &Tally,
        names: &[String],
        rows: Vec<Row>,
        scheduled: Duration,
        duration: Duration,
    ) -> Self {
        let (mut latency, mut service) = (histogram(), histogram());
        for class in &tally.classes {
            merge(&mut latency, &class.latency);
            merge(&mut service, &class.service);
        }
        let classes: Vec<ClassReport> = tally
            .classes
            .iter()
            .enumerate()
            .map(|(index, class)| of_class(index, class, names))
            .collect();
        let sum = |of: fn(&ClassReport) -> u64| classes.iter().map(of).sum();
        let ok: u64 = sum(|class| class.ok);
        let sent = sum(|class| class.sent);
        Self {
            duration_s: duration.as_secs_f64(),
            scheduled: tally.scheduled,
            sent,
            ok,
            failed: sum(|class| class.failed),
            unsent: tally.scheduled.saturating_sub(sent),
            dropped: tally.dropped,
            late: tally.late,
            retries: tally.retries,
            excluded: tally.excluded,
            throughput_rps: ok as f64 / scheduled.as_secs_f64().max(f64::MIN_POSITIVE),
            latency_ms: Summary::of(&latency),
            service_ms: Summary::of(&service),
            generator_lag_ms: Summary::of(&tally.lag),
            generator_cpu_s: tally.cpu_ns as f64 / 1e9,
            generator_cpu_s_max: tally.cpu_ns_max as f64 / 1e9,
            classes,
            rows,
            connections: ConnectionReport {
                opened: tally.connections.opened,
                lost: tally.connections.lost,
                connects_failed: tally.connections.connects_failed,
                tls_failed: tally.connections.tls_failed,
                exhausted: tally.connections.exhausted,
                tls_handshakes: tally.connections.handshakes,
                tls_resumed: tally.connections.resumed,
            },
            failure_samples: tally
                .samples
                .iter()
                .map(|sample| FailureSample {
                    at_s: sample.at_ns as f64 / 1e9,
                    class: name_of(names, sample.class),
                    kind: sample.outcome.as_str(),
                    detail: sample.detail.clone(),
                })
                .collect(),
            latency: Latencies(latency),
            service: Latencies(service),
        }
    }
}

fn of_class(index: usize, class: &ClassTally, names: &[String]) -> ClassReport {
    let failures = failures(&class.outcomes);
    ClassReport {
        name: name_of(names, index),
        sent: class.sent,
        ok: class.outcomes[Outcome::Ok as usize],
        failed: failures.values().sum(),
        failures,
        statuses: class.statuses.clone(),
        body_bytes: class.body_bytes,
        latency_ms: Summary::of(&class.latency),
        service_ms: Summary::of(&class.service),
        latency: Latencies(class.latency.clone()),
        service: Latencies(class.service.clone()),
    }
}

fn name_of(names: &[String], index: usize) -> String {
    names.get(index).cloned().unwrap_or_else(|| format!("class {index}"))
}
