//! Faults that befall exchanges: what the client sees of each, on every protocol, and that nothing of them
//! is left when they are taken back or their time is over.

use std::time::{Duration, Instant};

use bulkhead_chaos::http::{HttpFault, Sticky};
use bulkhead_chaos::{Fault, FaultRefusal, FaultReport, FaultRule, FaultState, Placed};
use bulkhead_config::model::{
    Backend, Cluster, Config, Endpoint, EndpointAddress, Listener, PathMatch, Protocol, Route,
};
use bulkhead_gateway::Gateway;
use serde_json::{Value, json};

use crate::http2::{connect, exchange, get, grpc, run};
use crate::support::{
    PATIENCE, address, client, config, feed, origin, read_response, start, value, wait_for_value,
    wait_until,
};

mod bodies;
mod filter;
mod identity;
mod own;
mod upstream;

const MINUTE: Duration = Duration::from_secs(60);
/// Protocols of the client and of the upstream.
const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

fn rule(declared: Value) -> FaultRule {
    let fault: HttpFault = serde_json::from_value(declared).expect("a fault");
    FaultRule { seed: 7, ..FaultRule::new(Fault::Http(fault), MINUTE) }
}

/// Puts a fault in force at all workers.
#[track_caller]
fn put(gateway: &Gateway, id: &str, declared: Value) -> FaultReport {
    let placed = gateway.put_fault(id, rule(declared)).expect("a fault");
    let report = match placed {
        Placed::Created(report) => Some(report),
        Placed::Unchanged(_) => None,
    };
    let report = report.expect("no fault of this name was there");
    wait_until("the workers take it", || gateway.fault(id).expect("a report").in_force);
    report
}

fn hits(gateway: &Gateway, id: &str) -> u64 {
    gateway.fault(id).expect("a report").hits
}

fn injected(gateway: &Gateway, kind: &str) -> f64 {
    let sample = format!("bulkhead_faults_injected_total{{kind=\"{kind}\"}}");
    value(&gateway.registry().render(), &sample).unwrap_or(0.0)
}

/// What a client of HTTP/1.1 gets: status and body.
fn ask(gateway: &Gateway, path: &str) -> (u16, Vec<u8>) {
    let mut client = client(gateway);
    client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
    let (head, body) = read_response(&mut client);
    (head["HTTP/1.1 ".len()..][..3].parse().expect("a status"), body)
}

#[test]
fn an_aborted_request_is_answered_in_its_clients_terms_until_it_is_taken_back() {
    run(async {
        for protocol in PROTOCOLS {
            let origin = origin();
            let gateway = start(config(origin.addr(), protocol, 2));
            put(&gateway, "a", json!({"abort": {"status": 503}, "percent": 100}));
            assert_eq!(ask(&gateway, "/api/v1/7/feed"), (503, b"fault filter abort".to_vec()));
            let client = connect(address(&gateway)).await;
            let (head, body, _) =
                exchange(&client, get("/api/v1/7/feed"), None).await.expect("an answer");
            assert_eq!((head.status().as_u16(), body.as_slice()), (503, ABORTED));
            let (head, _, _) =
                exchange(&client, grpc("/feed.v1.Feed/Get"), Some(Default::default()))
                    .await
                    .expect("an answer");
            assert_eq!(
                (head.status().as_u16(), &head.headers()["grpc-status"]),
                (200, &"14".parse().unwrap())
            );
            assert_eq!((hits(&gateway, "a"), injected(&gateway, "abort")), (3, 3.0));

            let removed = gateway.remove_fault("a").expect("taken back");
            assert_eq!((removed.state, removed.hits), (FaultState::Removed, 3));
            assert_eq!(ask(&gateway, "/api/v1/7/feed"), (200, feed(7)));
            assert_eq!(hits(&gateway, "a"), 3);
        }
    });
}

const ABORTED: &[u8] = b"fault filter abort";

#[test]
fn a_status_of_grpc_is_told_to_calls_and_translated_for_others() {
    run(async {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http2, 1));
        put(&gateway, "a", json!({"abort": {"grpc_status": 7}, "percent": 100}));
        let client = connect(address(&gateway)).await;
        for content_type in ["application/grpc", "application/grpc+json"] {
            let mut call = grpc("/feed.v1.Feed/Get");
            call.headers_mut().insert("content-type", content_type.parse().expect("a value"));
            let call = exchange(&client, call, Some(Default::default()));
            let (head, ..) = call.await.expect("an answer");
            assert_eq!(head.headers()["grpc-status"], "7");
            assert_eq!(head.headers()["content-type"], content_type);
        }
        assert_eq!(ask(&gateway, "/api/v1/7/feed").0, 403);
    });
}

#[test]
fn a_delay_holds_what_it_says_and_nothing_else() {
    run(async {
        for direction in ["request", "response"] {
            for protocol in PROTOCOLS {
                let origin = origin();
                let gateway = start(config(origin.addr(), protocol, 2));
                let delay = json!({"delay_ms": 120, "direction": direction});
                put(&gateway, "d", json!({"delay": delay, "percent": 100}));
                let started = Instant::now();
                assert_eq!(ask(&gateway, "/api/v1/7/feed"), (200, feed(7)));
                assert!(started.elapsed() >= Duration::from_millis(120), "{direction}");

                let client = connect(address(&gateway)).await;
                let started = Instant::now();
                let body = Some(vec![7; 100_000].into());
                let request =
                    http::Request::post("http://a.example/echo").body(()).expect("a request");
                let (_, echo, _) = exchange(&client, request, body).await.expect("an answer");
                assert!(echo == vec![7; 100_000], "{direction}");
                assert!(started.elapsed() >= Duration::from_millis(120), "{direction}");
                if protocol == Protocol::Http2 {
                    let mut message = Vec::new();
                    bulkhead_origin::feed::push_grpc_request(7, &mut message);
                    let call = exchange(&client, grpc("/feed.v1.Feed/Get"), Some(message.into()));
                    let trailers = call.await.expect("an answer").2.expect("trailers");
                    assert_eq!(trailers["grpc-status"], "0");
                }
                assert_eq!(gateway.fault("d").expect("a report").active, 0);
            }
        }
    });
}

#[test]
fn a_held_exchange_outlives_its_worker_and_a_reload() {
    for direction in ["request", "response"] {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http1, 2));
        let delay = json!({"delay_ms": 300, "direction": direction});
        put(&gateway, "d", json!({"delay": delay, "percent": 100}));
        let mut clients: Vec<_> = (0..6).map(|_| client(&gateway)).collect();
        let started = Instant::now();
        for client in &mut clients {
            client.send("GET /api/v1/7/feed HTTP/1.1\r\nhost: a\r\n\r\n");
        }
        while gateway.fault("d").expect("a report").active < 6 {
            assert!(started.elapsed() < PATIENCE, "the exchanges are not held");
            std::thread::yield_now();
        }
        gateway.kill_worker(0).expect("kill a worker");
        gateway.kill_worker(1).expect("kill a worker");
        gateway.apply(config(origin.addr(), Protocol::Http1, 2)).expect("a configuration");
        for client in &mut clients {
            assert_eq!(read_response(client).1, feed(7), "{direction}");
        }
        assert!(started.elapsed() >= Duration::from_millis(300), "{direction}");
        // And the rule outlives both.
        assert!(gateway.fault("d").expect("a report").in_force, "{direction}");
        assert_eq!(hits(&gateway, "d"), 6);
        let started = Instant::now();
        assert_eq!(ask(&gateway, "/api/v1/7/feed").0, 200);
        assert!(started.elapsed() >= Duration::from_millis(300), "{direction}");
        assert_eq!(gateway.evacuation_totals().lost_connections, 0);
    }
}

#[test]
fn a_delay_longer_than_the_routes_time_out_ends_in_its_answer() {
    for direction in ["request", "response"] {
        let origin = origin();
        let mut config = config(origin.addr(), Protocol::Http1, 1);
        config.routes[0].timeouts.request = Some(Duration::from_millis(80));
        let gateway = start(config);
        let delay = json!({"delay_ms": 60_000, "direction": direction});
        put(&gateway, "d", json!({"delay": delay, "percent": 100}));
        assert_eq!(ask(&gateway, "/api/v1/7/feed").0, 504, "{direction}");
        assert_eq!(gateway.fault("d").expect("a report").active, 0, "{direction}");
    }
}

#[test]
fn an_exchange_that_is_held_ends_with_the_gateway() {
    for direction in ["request", "response"] {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http1, 1));
        let delay = json!({"delay_ms": 60_000, "direction": direction});
        put(&gateway, "d", json!({"delay": delay, "percent": 100}));
        let mut client = client(&gateway);
        client.send("GET /bytes/100000 HTTP/1.1\r\nhost: a\r\n\r\n");
        let started = Instant::now();
        while gateway.fault("d").expect("a report").active == 0 {
            assert!(started.elapsed() < PATIENCE, "it is not held");
            std::thread::yield_now();
        }
        drop(client);
        // HTTP/1 may end its half and still read, so only the end of the gateway ends it for certain.
        gateway.drain(Duration::ZERO);
        assert_eq!(gateway.fault("d").expect("a report").active, 0, "{direction}");
    }
}

#[test]
fn what_is_held_goes_on_when_the_fault_is_taken_back() {
    let held = |direction: &str| json!({"delay": {"delay_ms": 600_000, "direction": direction}});
    let slow = |direction| json!({"slow_body": {"bytes_per_s": 1, "direction": direction}});
    let hangs = json!({"upstream_failure": {"failure": "timeout", "after_ms": 600_000}});
    for effect in [held("request"), held("response"), slow("response"), slow("request"), hangs] {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http2, 1));
        let mut declared = effect.clone();
        declared["percent"] = json!(100);
        put(&gateway, "d", declared);
        let mut client = client(&gateway);
        let body = feed(7);
        client.send(format!(
            "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
            body.len()
        ));
        client.send(&body);
        let started = Instant::now();
        while gateway.fault("d").expect("a report").active == 0 {
            assert!(started.elapsed() < PATIENCE, "{effect} befalls nobody");
            std::thread::yield_now();
        }
        gateway.remove_fault("d").expect("taken back");
        assert_eq!(read_response(&mut client).1, body, "{effect}");
        assert_eq!(gateway.fault("d").expect("a report").active, 0, "{effect}");
        wait_for_value(&gateway, "http_server_active_requests", 0.0);
    }
}

#[test]
fn time_ends_a_fault_though_nobody_takes_it_back() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let short = FaultRule { ttl_ms: 50, ..rule(json!({"abort": {"status": 503}, "percent": 100})) };
    gateway.put_fault("a", short).expect("a fault");
    let started = Instant::now();
    while ask(&gateway, "/api/v1/7/feed").0 != 200 {
        assert!(started.elapsed() < PATIENCE, "it does not end");
    }
    let report = gateway.fault("a").expect("a report");
    assert_eq!((report.state, report.ttl_left_ms), (FaultState::Expired, 0));
}

#[test]
fn faults_befall_only_whom_they_are_for() {
    let origin = origin();
    let gateway = start(with_others(origin.addr()));
    for (id, condition, strikes) in [
        ("listener", json!({"listener": "main"}), true),
        ("no-listener", json!({"listener": "other"}), false),
        ("route", json!({"route": "all"}), true),
        ("no-route", json!({"route": "other"}), false),
        ("cluster", json!({"cluster": "origin"}), true),
        ("no-cluster", json!({"cluster": "other"}), false),
        ("header", json!({"headers": [{"name": "Host", "value": "a"}]}), true),
        ("no-header", json!({"headers": [{"name": "x-user"}]}), false),
    ] {
        let mut declared = json!({"abort": {"status": 418}, "percent": 100});
        declared.as_object_mut().unwrap().extend(condition.as_object().unwrap().clone());
        put(&gateway, id, declared);
        let expect = if strikes { 418 } else { 200 };
        assert_eq!(ask(&gateway, "/api/v1/7/feed").0, expect, "{id}");
        gateway.remove_fault(id).expect("taken back");
    }
}

/// A listener, a route and a cluster more, which requests of `ask` do not meet.
fn with_others(upstream: std::net::SocketAddr) -> Config {
    let mut config = config(upstream, Protocol::Http1, 1);
    config.listeners.push(Listener::new("other", ([127, 0, 0, 1], 0)));
    let mut route = Route::new("other", vec![Backend::new("other", 1)]);
    route.matches[0].path = PathMatch::Prefix("/other".to_owned());
    config.routes.push(route);
    let endpoint = Endpoint::new(EndpointAddress::Socket(([127, 0, 0, 1], 1).into()));
    let cluster = Cluster::new("other", vec![endpoint], Protocol::Http1);
    config.clusters.insert("other".to_owned(), cluster);
    config
}

#[test]
fn a_fault_for_what_is_not_there_is_refused_with_what_was_meant() {
    let origin = origin();
    let gateway = start(with_others(origin.addr()));
    let declared = |condition: (&str, &str)| {
        let mut declared = json!({"abort": {"status": 418}, "percent": 100});
        declared[condition.0] = json!(condition.1);
        rule(declared)
    };
    let refused = |condition, told: &str| {
        let refused = gateway.put_fault("a", declared(condition));
        assert_eq!(refused, Err(FaultRefusal::Impossible(told.to_owned())));
        assert_eq!(gateway.check_fault(&declared(condition)), refused.map(drop));
        assert_eq!(gateway.fault("a"), None);
    };
    refused(("route", "othr"), "there is no route `othr`; did you mean `other`?");
    refused(("cluster", "orgin"), "there is no cluster `orgin`; did you mean `origin`?");
    refused(("listener", "x"), "there is no listener `x`; expected is `main` or `other`");
    let stall: bulkhead_chaos::GatewayFault =
        serde_json::from_value(json!({"stall_worker": {"worker": 1}})).expect("a fault");
    let stall = gateway.put_fault("a", FaultRule::new(Fault::Gateway(stall), MINUTE));
    assert!(matches!(stall, Err(FaultRefusal::Impossible(_))));

    // A reload that takes the name away leaves the fault as it is; it can be asked for again, and taken back.
    gateway.put_fault("a", declared(("route", "other"))).expect("a fault");
    gateway.apply(config(origin.addr(), Protocol::Http1, 1)).expect("a configuration");
    let again = gateway.put_fault("a", declared(("route", "other"))).expect("the same");
    assert!(matches!(again, Placed::Unchanged(report) if report.state == FaultState::Active));
    assert_eq!(ask(&gateway, "/api/v1/7/feed").0, 200);
    let removed = gateway.remove_fault("a").expect("taken back");
    assert_eq!((removed.state, removed.hits), (FaultState::Removed, 0));
    let gone = gateway.put_fault("b", declared(("route", "other")));
    assert!(matches!(gone, Err(FaultRefusal::Impossible(_))));
}

#[test]
fn the_same_seed_decides_the_same_for_each_exchange() {
    let statuses = || {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http1, 1));
        put(&gateway, "a", json!({"abort": {"status": 503}, "percent": 30}));
        let mut client = client(&gateway);
        let mut statuses = Vec::new();
        for _ in 0..60 {
            client.send("GET /api/v1/7/feed HTTP/1.1\r\nhost: a\r\n\r\n");
            statuses.push(read_response(&mut client).0.starts_with("HTTP/1.1 503"));
        }
        statuses
    };
    let first = statuses();
    assert_eq!(first, statuses());
    let struck = first.iter().filter(|struck| **struck).count();
    assert!((5..=35).contains(&struck), "{struck}");
}

#[test]
fn groups_are_marked_counted_and_compared() {
    let origin = origin();
    let scratch = bulkhead_testkit::Scratch::new();
    let log = scratch.path().join("access.log");
    let mut config: Config = config(origin.addr(), Protocol::Http1, 1);
    config.access_log = Some(bulkhead_config::model::AccessLog::File(log.clone()));
    let gateway = start(config);
    let sticky = serde_json::to_value(Sticky::Header("x-user".to_owned())).expect("JSON");
    put(&gateway, "a", json!({"abort": {"status": 503}, "percent": 25, "control_group": sticky}));
    let mut client = client(&gateway);
    let mut answers = Vec::new();
    for user in (0..100).chain(0..100) {
        client.send(format!("GET /api/v1/7/feed HTTP/1.1\r\nhost: a\r\nx-user: {user}\r\n\r\n"));
        answers.push(read_response(&mut client).0.starts_with("HTTP/1.1 503"));
    }
    assert_eq!(answers[..100], answers[100..], "the same user, the same group");
    let groups = gateway.fault("a").expect("a report").groups.expect("two groups");
    let struck = answers.iter().filter(|struck| **struck).count() as u64;
    assert_eq!((groups.experiment.requests, groups.experiment.failures), (struck, struck));
    assert_eq!(groups.control.failures, 0);
    assert!((20..=90).contains(&groups.control.requests), "{}", groups.control.requests);
    assert!(groups.control.mean_ms > 0.0);
    let metrics = gateway.registry().render();
    for (group, count) in [("experiment", struck), ("control", groups.control.requests)] {
        let sample = format!("bulkhead_fault_group_requests_total{{group=\"{group}\"}}");
        assert_eq!(value(&metrics, &sample), Some(count as f64), "{metrics}");
        let sample = format!("bulkhead_fault_group_duration_seconds_count{{group=\"{group}\"}}");
        assert_eq!(value(&metrics, &sample), Some(count as f64), "{metrics}");
    }
    gateway.drain(PATIENCE);
    let lines = std::fs::read_to_string(&log).expect("the log");
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let with = |key: &str, text: &str| lines.iter().filter(|line| line[key] == text).count() as u64;
    assert_eq!((with("fault", "abort"), with("fault_group", "experiment")), (struck, struck));
    assert_eq!(with("fault_group", "control"), groups.control.requests);
}

#[test]
fn goaway_ends_the_connection_behind_the_exchange() {
    run(async {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http1, 1));
        put(&gateway, "g", json!({"goaway": {}, "percent": 100}));
        let mut client = client(&gateway);
        client.send("GET /api/v1/7/feed HTTP/1.1\r\nhost: a\r\n\r\n");
        let (head, body) = read_response(&mut client);
        assert!(head.contains("connection: close"), "{head}");
        assert_eq!(body, feed(7));
        assert!(client.is_over());
        let client = connect(address(&gateway)).await;
        let (_, body, _) = exchange(&client, get("/api/v1/7/feed"), None).await.expect("an answer");
        assert_eq!(body, feed(7));
        // The connection takes no other stream.
        assert!(exchange(&client, get("/api/v1/7/feed"), None).await.is_err());
        wait_for_value(&gateway, "http_server_active_requests", 0.0);
    });
}
