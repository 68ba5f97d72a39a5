//! A small run for tests: three seconds, two classes, one stall, ten failures.

use std::collections::BTreeMap;

use bulkhead_load::{
    ClassReport, ConnectionReport, FailureSample, Latencies, LoadReport, Row, Summary,
};

use super::Provenance;
use crate::load::document::{Document, Generator, Judged, Requests};

/// `count` values from `from_us` in steps of `step_us`.
pub(crate) fn latencies(count: u64, from_us: u64, step_us: u64) -> Latencies {
    let mut latencies = Latencies::default();
    for number in 0..count {
        latencies.0.record(from_us + number * step_us).unwrap();
    }
    latencies
}

pub(crate) fn row(second: u64) -> (Row, Latencies) {
    let stalled = second == 1;
    let latencies = if stalled { latencies(90, 400, 5_000) } else { latencies(100, 300, 11) };
    let failures: BTreeMap<&'static str, u64> =
        if stalled { [("reset", 4), ("timeout", 6)].into() } else { BTreeMap::new() };
    let row = Row {
        second,
        scheduled: 100,
        ok: latencies.0.len(),
        failed: failures.values().sum(),
        ok_by_class: vec![latencies.0.len() - 20, 20],
        failures,
        latency_ms: Summary::of(&latencies.0),
        lag_ms_max: 0.05 * (second + 1) as f64,
        in_flight: 3 + second,
        waiting: 0,
        connections: 10,
    };
    (row, latencies)
}

fn class(name: &str, ok: u64, failures: &[(&'static str, u64)]) -> ClassReport {
    let (latency, service) = (latencies(ok, 300, 1_700), latencies(ok, 290, 12));
    let failed = failures.iter().map(|(_, count)| count).sum();
    ClassReport {
        name: name.to_owned(),
        sent: ok + failed,
        ok,
        failed,
        failures: failures.iter().copied().collect(),
        statuses: [(200, ok)].into(),
        body_bytes: ok * 1_024,
        latency_ms: Summary::of(&latency.0),
        service_ms: Summary::of(&service.0),
        latency,
        service,
    }
}

pub(crate) fn report() -> LoadReport {
    let classes = vec![
        class("feed", 230, &[("reset", 4), ("timeout", 4)]),
        class("<grpc>", 60, &[("timeout", 2)]),
    ];
    let (latency, service) = (latencies(290, 300, 1_700), latencies(290, 290, 12));
    LoadReport {
        duration_s: 3.0,
        scheduled: 300,
        sent: 300,
        ok: 290,
        failed: 10,
        late: 2,
        throughput_rps: 96.5,
        latency_ms: Summary::of(&latency.0),
        service_ms: Summary::of(&service.0),
        generator_lag_ms: Summary::of(&latencies(300, 1, 1).0),
        generator_cpu_s: 0.012,
        generator_cpu_s_max: 0.012,
        classes,
        rows: (0..3).map(|second| row(second).0).collect(),
        connections: ConnectionReport {
            opened: 12,
            lost: 2,
            tls_handshakes: 12,
            tls_resumed: 2,
            ..ConnectionReport::default()
        },
        failure_samples: vec![FailureSample {
            at_s: 1.25,
            class: "feed".to_owned(),
            kind: "reset",
            detail: "RST_STREAM </script><script>alert(1)</script>".to_owned(),
        }],
        latency,
        service,
        ..LoadReport::default()
    }
}

pub(crate) fn document() -> Document {
    let report = report();
    let judged = |assertion: &str, holds| Judged { assertion: assertion.to_owned(), holds };
    Document {
        target: "http://127.0.0.1:9000/?a=1&b=\"2\"".to_owned(),
        seed: 7,
        arrivals: "open",
        valid: true,
        invalid_reasons: Vec::new(),
        requests: Requests {
            scheduled: report.scheduled,
            sent: report.sent,
            ok: report.ok,
            failed: report.failed,
            unsent: report.unsent,
            dropped: report.dropped,
            late: report.late,
            retries: report.retries,
        },
        excluded: report.excluded,
        statuses: [("2xx".to_owned(), report.ok)].into(),
        classes: report.classes.clone(),
        errors: [("reset", 4), ("timeout", 6)].into(),
        throughput_rps: report.throughput_rps,
        latency_ms: report.latency_ms,
        service_ms: report.service_ms,
        generator: Generator {
            lag_ms: report.generator_lag_ms,
            cpu_us_per_request: 40.0,
            cpu_share: 0.004,
            threads: 1,
            steal_share: 0.0,
        },
        connections: report.connections,
        agents: None,
        assertions: vec![judged("p99<10ms", true), judged("error_rate<0.1%", false)],
        failure_samples: report.failure_samples,
        duration_s: 3.0,
    }
}

pub(crate) fn provenance() -> Provenance {
    Provenance {
        command: "bulkhead load 'http://127.0.0.1:9000/?a=1' --rate 100 --seed 7".to_owned(),
        version: "0.1.0 (abc)".to_owned(),
        ended_unix_s: 1_795_494_240,
    }
}
