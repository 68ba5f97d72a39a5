//! `bulkhead prove` as a user runs it: exit status, documents, Ctrl-C.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bulkhead_testkit::Scratch;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bulkhead;

const SMALL: [&str; 8] =
    ["prove", "--rate", "200", "--workers", "3", "--connections", "6", "--kill-interval"];

/// For a whole small run on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

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
    let status = output.status.code().unwrap();
    assert_eq!(document["exit_status"], status);
    assert!(matches!((document["verdict"] == "pass", status), (true, 0) | (false, 4)), "{status}");
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
    // No worker was killed yet, so nothing was shown; a late generator would be graver.
    assert_eq!(document["verdict"], "fail");
    assert!(matches!(status.code(), Some(2 | 4)), "{status}");
}

/// The peer is a program that only writes down its number: what matters is what becomes of it.
#[test]
fn a_run_that_is_killed_leaves_no_peer_behind() {
    let scratch = Scratch::new();
    let number = scratch.path().join("number");
    let script =
        format!("#!/bin/sh\necho $$ > {0}.new\nmv {0}.new {0}\nexec sleep 600\n", number.display());
    let program = scratch.write("haproxy", script);
    std::fs::set_permissions(program, PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", scratch.path().display(), std::env::var("PATH").unwrap());
    let mut run = bulkhead()
        .args(SMALL)
        .args(["1s", "--duration", "3s", "--no-report", "--against", "haproxy"])
        .env("PATH", path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let peer = loop {
        if let Ok(number) = std::fs::read_to_string(&number) {
            break number.trim().to_owned();
        }
        assert_eq!(run.try_wait().unwrap(), None, "the run ended before the peer was there");
        assert!(began.elapsed() < PATIENCE, "the peer was not started");
        std::thread::yield_now();
    };
    run.kill().unwrap();
    run.wait().unwrap();
    // Gone, or waiting to be collected by whoever adopted it.
    let lives = || {
        let state = std::fs::read_to_string(format!("/proc/{peer}/stat"));
        state.is_ok_and(|state| !state.contains(") Z "))
    };
    while lives() {
        assert!(began.elapsed() < PATIENCE, "the peer lives on");
        std::thread::yield_now();
    }
}

#[test]
fn what_cannot_be_run_exits_with_4_and_what_cannot_be_read_with_2() {
    for (arguments, status) in [
        (["--duration", "500ms"], 4),
        (["--loss", "5"], 4),
        (["--workers", "1"], 2),
        (["--rate", "nonsense"], 2),
        (["--profile", "artcle"], 2),
        (["--print-profile", "a.yaml"], 2),
    ] {
        let output = bulkhead().arg("prove").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn a_profile_is_printed_changed_and_run() {
    let scratch = Scratch::new();
    let printed = bulkhead().args(["prove", "--print-profile", "quick"]).output().unwrap();
    assert!(printed.status.success());
    let text = String::from_utf8(printed.stdout).unwrap();
    let fault = "faults: [{at: 500ms, lasts: 1s, fault: {gateway: {slow_log: {delay_ms: 20}}}}]\n";
    let profile = scratch.write("mine.yaml", text + fault);
    let [json, journal] = ["a.json", "journal.json"].map(|name| scratch.path().join(name));
    let output = bulkhead()
        .args(SMALL)
        .args(["1s", "--duration", "3s", "--no-report", "--json"])
        .arg(&json)
        .arg("--journal")
        .arg(&journal)
        .arg("--profile")
        .arg(&profile)
        .output()
        .unwrap();
    let document: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(document["profile"], profile.to_str().unwrap(), "{output:?}");
    for name in ["faults_took_hold", "faults_over", "workers_killed", "requests_failed"] {
        assert!(passed(&document, name), "{name}: {document:#}");
    }
    assert_eq!(document["faults"][0]["kind"], "gateway.slow_log");
    let journal: Value = serde_json::from_str(&std::fs::read_to_string(journal).unwrap()).unwrap();
    let states: Vec<_> = journal["bulkhead"]["injections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|told| (told["activity"].as_str().unwrap(), told["state"].as_str().unwrap()))
        .collect();
    let [(_, expired), (killed, reverted)] = states[..] else { panic!("{states:?}") };
    assert!(killed.starts_with("kill 1: worker "), "{killed}");
    assert_eq!((expired, reverted), ("expired", "reverted"));
    assert_eq!(journal["deviated"], false);

    let wrong = scratch.write("wrong.yaml", "duration: 20s\nkills: {evry: 3s}\n");
    let output = bulkhead().args(["prove", "--profile"]).arg(&wrong).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(told.contains("wrong.yaml:2:9: ") && told.contains("did you mean `every`?"), "{told}");
}

/// Name of a check and whether it passed.
fn passed(document: &Value, name: &str) -> bool {
    let checks = document["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name);
    check.unwrap_or_else(|| panic!("no check {name}"))["pass"] == true
}

/// The article's storm in small. `None`: this host lets us make no links.
fn behind_a_link(place: &str) -> Option<(Value, String)> {
    let scratch = Scratch::new();
    let [json, junit, markdown] = ["a.json", "a.xml", "a.md"].map(|name| scratch.path().join(name));
    let output = bulkhead()
        .args(SMALL)
        .args(["2s", "--profile", "article", "--duration", "6s", "--no-report", "--link", place])
        .args(["--seed", "9", "--congestion", "cubic", "--json"])
        .arg(&json)
        .arg("--junit")
        .arg(&junit)
        .arg("--markdown")
        .arg(&markdown)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    if stderr.contains("links need root") {
        assert_eq!(output.status.code(), Some(4));
        eprintln!("skipped: {stderr}");
        return None;
    }
    let document: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(output.status.code().map(Value::from).as_ref(), Some(&document["exit_status"]));
    assert!(std::fs::read_to_string(junit).unwrap().contains("name=\"link_loss_percent\""));
    Some((document, std::fs::read_to_string(markdown).unwrap()))
}

#[test]
fn the_link_loses_what_was_asked_and_the_gateway_nothing() {
    for place in ["client", "upstream"] {
        let Some((document, markdown)) = behind_a_link(place) else { return };
        // How punctual the machine is is not the question here.
        for name in [
            "requests_failed",
            "connections_lost",
            "link_loss_percent",
            "link_delay_ms",
            "link_healed",
        ] {
            assert!(passed(&document, name), "{place} {name}: {document:#}");
        }
        let link = &document["link"];
        assert_eq!((&link["place"], &link["congestion_control"]), (&place.into(), &"cubic".into()));
        let floor = link["floor"]["p99_ms"].as_f64().unwrap();
        assert!((150.0..165.0).contains(&floor), "{floor}");
        assert!(
            markdown.contains("This link alone costs 1 % of requests at least 157 ms"),
            "{markdown}"
        );
    }
}
