//! `bulkhead prove` as a user runs it: exit status, documents, Ctrl-C.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use bulkhead_testkit::Scratch;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bulkhead;

const SMALL: [&str; 8] =
    ["prove", "--rate", "200", "--workers", "3", "--connections", "6", "--kill-interval"];

#[test]
fn gives_a_verdict_with_every_figure_it_promises() {
    let scratch = Scratch::new();
    let (json, html) = (scratch.path().join("a.json"), scratch.path().join("a.html"));
    let output = bulkhead()
        .args(SMALL)
        .args(["1s", "--duration", "3s", "--seed", "5", "--json"])
        .arg(&json)
        .arg("--report")
        .arg(&html)
        .output()
        .unwrap();
    let document: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    for pointer in [
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
        "/cpu_us_per_request",
        "/seed",
    ] {
        assert!(document.pointer(pointer).is_some_and(Value::is_number), "{pointer}: {document:#}");
    }
    assert!(document.get("oom_events").is_some());
    assert_eq!(document["requests"]["failed"], 0, "{document:#}");
    assert_eq!(document["workers"]["lost_connections"], 0);
    assert_eq!((&document["workers"]["killed"], &document["seed"]), (&1.into(), &5.into()));
    // How punctual the generator is depends on what else this machine does; all else must hold.
    let passed = document["verdict"] == "pass";
    assert_eq!(output.status.code(), Some(if passed { 0 } else { 1 }));
    let page = std::fs::read_to_string(html).unwrap();
    assert!(
        page.contains("<svg") && !page.contains("src=\"http"),
        "a page of its own, with charts"
    );
}

#[test]
fn ends_early_with_a_partial_report() {
    let scratch = Scratch::new();
    let json = scratch.path().join("a.json");
    let mut child = bulkhead()
        .args(SMALL)
        .args(["10s", "--duration", "60s", "--no-report", "--json"])
        .arg(&json)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first whole second of the storm.
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let mut lines = stderr.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("1/60 s")));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let rest: Vec<String> = lines.collect();
    let status = child.wait().unwrap();
    let document: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert!(document["requests"]["ok"].as_u64() > Some(0), "{rest:?}");
    assert_eq!(document["requests"]["failed"], 0, "{document:#}");
    // No worker was killed yet, so it cannot have passed.
    assert_eq!((status.code(), &document["verdict"]), (Some(1), &"fail".into()));
}

#[test]
fn what_cannot_be_run_exits_with_2() {
    for arguments in [&["--duration", "500ms"][..], &["--workers", "1"], &["--rate", "nonsense"]] {
        let output = bulkhead().arg("prove").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
}
