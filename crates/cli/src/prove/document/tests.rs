use serde_json::Value;

use super::*;
use crate::prove::verdict::tests::{plan, preflight, storm};

/// The rate was given, and was sustained.
fn calibrated() -> Calibrated {
    let last = Step { rate: 100.0, p99_ms: 1.5, failed: 0, sustained: true };
    Calibrated { calibration: None, last }
}

/// A document of a small run in which all went well.
pub(crate) fn document() -> Document {
    of(&storm())
}

/// What a run of [`plan`] gives that saw this.
pub(crate) fn of(storm: &Storm) -> Document {
    Document::new(&plan(), preflight(), calibrated(), storm)
}

#[test]
fn the_promised_keys_are_there() {
    let json: Value = serde_json::to_value(document()).unwrap();
    for pointer in [
        "/verdict",
        "/requests/sent",
        "/requests/ok",
        "/requests/failed",
        "/requests/by_protocol/http2/ok",
        "/requests/by_protocol/grpc/ok",
        "/latency_ms/p50",
        "/latency_ms/p99",
        "/latency_ms/p999",
        "/latency_ms/max",
        "/throughput_rps",
        "/workers/count",
        "/workers/killed",
        "/workers/evacuated_connections",
        "/workers/lost_connections",
        "/memory/rss_start_bytes",
        "/memory/rss_growth_bytes",
        "/oom_events",
        "/cpu_us_per_request",
        "/seed",
        "/checks/0/name",
        "/checks/0/pass",
        "/checks/0/value",
        "/checks/0/limit",
        "/timeline/0/latency_ms/p99",
    ] {
        assert!(json.pointer(pointer).is_some_and(|value| !value.is_null()), "{pointer}");
    }
    assert_eq!(json["verdict"], "pass");
}

#[test]
fn figures_are_those_of_the_run() {
    let document = document();
    let storm = storm();
    assert!(document.passed());
    assert_eq!(document.requests.scheduled, storm.load.scheduled + storm.held.scheduled);
    assert_eq!(document.requests.ok + document.requests.failed, document.requests.scheduled);
    let by_protocol = &document.requests.by_protocol;
    assert_eq!(by_protocol.values().map(|class| class.ok).sum::<u64>(), document.requests.ok);
    assert_eq!(by_protocol["held"].ok, 6);
    let expected = storm.gateway_cpu.as_secs_f64() * 1e6 / document.requests.ok as f64;
    assert!((document.cpu_us_per_request - expected).abs() < 1e-9);
    assert_eq!(document.memory.rss_growth_bytes, 1 << 20);
    assert_eq!(document.timeline.len(), 3);
}

#[test]
fn one_failed_request_fails_the_run() {
    let mut storm = storm();
    storm.load.failed = 1;
    let document = of(&storm);
    assert!(!document.passed());
    assert_eq!(document.verdict, "fail");
}
