//! `bulkhead run` in front of an origin, until a signal ends it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use bulkhead_testkit::{RawClient, Scratch};
use rustix::process::{Pid, Signal, kill_process};

use crate::bulkhead;
use crate::running::{PATIENCE, Running, address, get, origin};

#[test]
fn serves_without_a_file_and_drains() {
    let origin = origin();
    let upstream = format!("http://{}", origin.addr());
    let mut gateway = Running::start(&[
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        &upstream,
        "--workers",
        "2",
        "--admin",
        "127.0.0.1:0",
        "--allow-faults",
    ]);
    let admin = address(&gateway.wait_for("admin server"), "http://");
    let web = address(&gateway.wait_for("ready:"), "on ");

    let feed = get(web, "/api/v1/7/feed");
    assert!(feed.starts_with("HTTP/1.1 200 "), "{feed}");
    assert!(get(admin, "/readyz").starts_with("HTTP/1.1 200 "));
    let metrics = get(admin, "/metrics");
    assert!(metrics.contains("http_response_status_code=\"200\"} 1\n"), "{metrics}");
    assert!(metrics.contains("bulkhead_config_revision 1\n"), "{metrics}");
    assert!(!metrics.contains("bulkhead_worker_cpu_seconds_total{worker=\"0\"} 0\n"), "{metrics}");

    let mut client = RawClient::connect(admin, PATIENCE);
    client.send("POST /workers/0/kill HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let killed = String::from_utf8(client.read_to_end()).unwrap();
    assert!(killed.starts_with("HTTP/1.1 200 "), "{killed}");
    assert!(get(web, "/api/v1/8/feed").starts_with("HTTP/1.1 200 "));

    gateway.signal(Signal::TERM);
    gateway.wait_for("drained");
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
    origin.stop();
}

#[test]
fn reloads_on_hangup_and_keeps_the_old_on_error() {
    let origin = origin();
    let text = |status: u16| {
        format!(
            "listeners:\n  - address: 127.0.0.1:0\nworkers: 1\n\
             routes:\n  - filters:\n      - direct_response: {{ status: {status} }}\n"
        )
    };
    let scratch = Scratch::new();
    let path = scratch.write("gateway.yaml", text(201)).display().to_string();
    let mut gateway = Running::start(&["--config", &path]);
    let web = address(&gateway.wait_for("ready:"), "on ");
    assert!(get(web, "/").starts_with("HTTP/1.1 201 "));

    scratch.write("gateway.yaml", text(202));
    gateway.signal(Signal::HUP);
    gateway.wait_for("applied as revision 2");
    assert!(get(web, "/").starts_with("HTTP/1.1 202 "));

    // And by itself when the file changes.
    scratch.write("gateway.yaml", text(203));
    gateway.wait_for("applied as revision 3");
    assert!(get(web, "/").starts_with("HTTP/1.1 203 "));

    scratch.write("gateway.yaml", text(99));
    gateway.signal(Signal::HUP);
    gateway.wait_for("refused, the one before stays in force");
    assert!(get(web, "/").starts_with("HTTP/1.1 203 "));

    gateway.signal(Signal::INT);
    gateway.wait_for("drained");
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
    origin.stop();
}

#[test]
fn faults_that_nobody_can_ask_for_are_told() {
    let mut gateway = Running::start(&[
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        "http://127.0.0.1:1",
        "--allow-faults",
    ]);
    assert!(gateway.wait_for("`--allow-faults`").contains("no admin server"));
}

/// A drain under load costs no request: clients are told to go away and finish what they have begun.
#[test]
fn a_drain_under_load_loses_nothing() {
    let origin = origin();
    let upstream = format!("h2c://{}", origin.addr());
    let mut gateway =
        Running::start(&["--listen", "127.0.0.1:0", "--upstream", &upstream, "--workers", "2"]);
    let web = address(&gateway.wait_for("ready:"), "on ");
    let mut load = bulkhead()
        .arg("load")
        .arg(format!("h2c://{web}/delay/30"))
        .args(["--rate", "300", "--duration", "60s", "--connections", "4", "--warmup", "0s"])
        .args(["--timeout", "2s", "--json", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut seconds = BufReader::new(load.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(seconds.any(|line| line.contains(" 1 s ")));
    gateway.signal(Signal::TERM);
    gateway.wait_for("drained");
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
    kill_process(Pid::from_child(&load), Signal::INT).unwrap();
    let output = load.wait_with_output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["requests"]["ok"].as_u64() > Some(200), "{document:#}");
    // Those that came after the end found nobody; none that was taken was lost.
    for (kind, count) in document["errors"].as_object().unwrap() {
        assert!(["connect", "unsent"].contains(&kind.as_str()), "{kind}: {count}");
    }
    origin.stop();
}

/// WebSockets as a user has them: a file that allows them, and the load generator as client.
#[test]
fn a_route_carries_websockets() {
    let origin = origin();
    let scratch = Scratch::new();
    let text = format!(
        "listeners: [{{ address: \"127.0.0.1:0\" }}]\nworkers: 2\n\
         admin: {{ address: \"127.0.0.1:0\" }}\n\
         routes: [{{ backends: [origin], upgrades: [websocket] }}]\n\
         clusters: {{ origin: {{ endpoints: [\"{}\"] }} }}\n",
        origin.addr()
    );
    let path = scratch.write("gateway.yaml", text).display().to_string();
    let mut gateway = Running::start(&["--config", &path, "--allow-faults"]);
    let admin = address(&gateway.wait_for("admin server"), "http://");
    let web = address(&gateway.wait_for("ready:"), "on ");
    let mut load = bulkhead()
        .arg("load")
        .arg(format!("ws://{web}/ws"))
        .args(["--rate", "200", "--duration", "60s", "--connections", "4", "--warmup", "0s"])
        .args(["--json", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut seconds = BufReader::new(load.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(seconds.any(|line| line.contains(" 1 s ")));
    let metrics = get(admin, "/metrics");
    assert!(metrics.contains("bulkhead_tunnels_active{protocol=\"websocket\"} 4\n"), "{metrics}");
    for worker in 0..2 {
        let mut client = RawClient::connect(admin, PATIENCE);
        client.send(format!(
            "POST /workers/{worker}/kill HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        ));
        let killed = String::from_utf8(client.read_to_end()).unwrap();
        assert!(killed.starts_with("HTTP/1.1 200 "), "{killed}");
    }
    assert!(seconds.any(|line| line.contains(" 3 s ")));
    kill_process(Pid::from_child(&load), Signal::INT).unwrap();
    let output = load.wait_with_output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["requests"]["ok"].as_u64() > Some(300), "{document:#}");
    assert!(document["errors"].as_object().is_none_or(serde_json::Map::is_empty), "{document:#}");
    origin.stop();
}
