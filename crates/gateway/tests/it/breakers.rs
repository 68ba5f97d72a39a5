//! Circuit breakers and limits of requests in flight, of routes and of clusters.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bulkhead_config::model::{
    Backend, CircuitBreaker, Config, PathMatch, Protection, Protocol, RouteMatch,
};
use bulkhead_gateway::Gateway;
use bulkhead_origin::Origin;
use bulkhead_testkit::RawClient;

use crate::support::{PATIENCE, client, config, origin, read_request, read_response, start, value};

const BREAKER: CircuitBreaker = CircuitBreaker {
    failure_percent: 50,
    minimum_requests: 4,
    window: Duration::from_secs(600),
    open_duration: Duration::from_secs(600),
    half_open_requests: 1,
};

fn breaker(breaker: CircuitBreaker) -> Protection {
    Protection { requests_max: None, circuit_breaker: Some(breaker) }
}

/// Sends one request; gives the status and the head.
fn get(client: &mut RawClient, path: &str) -> (u16, String) {
    client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
    let (head, _) = read_response(client);
    (head["HTTP/1.1 ".len()..][..3].parse().expect("a status"), head)
}

#[track_caller]
fn check_statuses(client: &mut RawClient, path: &str, expect: &[u16]) {
    let got: Vec<u16> = expect.iter().map(|_| get(client, path).0).collect();
    assert_eq!(got, expect, "{path}");
}

fn metric(gateway: &Gateway, name: &str, scope: &str, of: &str, more: &str) -> f64 {
    let sample = format!("{name}{{scope=\"{scope}\",name=\"{of}\"{more}}}");
    value(&gateway.registry().render(), &sample).unwrap_or(0.0)
}

#[track_caller]
fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

/// Two routes to one cluster, the first of which is guarded.
fn two_routes(origin: &Origin, protection: Protection) -> Config {
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    let mut guarded = config.routes[0].clone();
    guarded.name = "guarded".to_owned();
    guarded.matches =
        vec![RouteMatch { path: PathMatch::Prefix("/status".to_owned()), ..RouteMatch::default() }];
    guarded.protection = protection;
    config.routes.insert(0, guarded);
    config
}

#[test]
fn a_route_that_fails_is_closed_to_requests_and_others_are_not() {
    let origin = origin();
    let gateway = start(two_routes(&origin, breaker(BREAKER)));
    let mut client = client(&gateway);
    // 404 is the request's fault: no failure. Of the first four, two fail.
    for (path, status) in
        [("/status/404", 404), ("/status/204", 204), ("/status/500", 500), ("/status/503", 503)]
    {
        assert_eq!(get(&mut client, path).0, status);
    }
    let asked = origin.stats().requests_total();
    let (status, head) = get(&mut client, "/status/200");
    assert_eq!(status, 503);
    assert!(
        head.contains("retry-after: 600\r\n") || head.contains("retry-after: 599\r\n"),
        "{head}"
    );
    assert_eq!(origin.stats().requests_total(), asked, "the upstream is left alone");
    assert_eq!(get(&mut client, "/api/v1/1/feed").0, 200);
    let count = |name, more| metric(&gateway, name, "route", "guarded", more);
    wait_for("the breaker is shown as open", || {
        count("bulkhead_circuit_breaker_open_workers", "") == 1.0
    });
    assert_eq!(count("bulkhead_circuit_breaker_opened_total", ""), 1.0);
    let reason = ",reason=\"open\"";
    assert_eq!(count("bulkhead_circuit_breaker_rejections_total", reason), 1.0);
    let failures = gateway.registry().render();
    let sample = "bulkhead_failures_total{kind=\"circuit_open\",side=\"gateway\"}";
    assert_eq!(value(&failures, sample), Some(1.0));
}

#[test]
fn a_breaker_outlives_a_reload_but_not_other_limits() {
    let origin = origin();
    let config = two_routes(&origin, breaker(BREAKER));
    let gateway = start(config.clone());
    check_statuses(&mut client(&gateway), "/status/500", &[500, 500, 500, 500, 503]);
    gateway.apply(config).expect("apply");
    check_statuses(&mut client(&gateway), "/status/200", &[503]);
    let other = CircuitBreaker { failure_percent: 60, ..BREAKER };
    gateway.apply(two_routes(&origin, breaker(other))).expect("apply");
    // The worker takes the configuration between two turns.
    wait_for("other limits begin closed", || get(&mut client(&gateway), "/status/200").0 == 200);
    gateway.apply(two_routes(&origin, Protection::default())).expect("apply");
    wait_for("without a breaker nothing is turned away", || {
        let mut client = client(&gateway);
        (0..8).all(|_| get(&mut client, "/status/500").0 == 500)
    });
}

#[test]
fn half_open_one_good_answer_closes_it() {
    let origin = origin();
    let short = CircuitBreaker { open_duration: Duration::from_millis(1), ..BREAKER };
    let gateway = start(two_routes(&origin, breaker(short)));
    let mut client = client(&gateway);
    check_statuses(&mut client, "/status/500", &[500, 500, 500, 500]);
    wait_for("it lets a request through", || get(&mut client, "/status/200").0 == 200);
    check_statuses(&mut client, "/status/200", &[200; 8]);
}

#[test]
fn a_cluster_counts_attempts_of_all_routes() {
    let origin = origin();
    for grpc in [false, true] {
        let mut config = config(origin.addr(), Protocol::Http1, 1);
        let cluster = config.clusters.get_mut("origin").expect("the cluster");
        cluster.ejection = None;
        cluster.protection = breaker(BREAKER);
        let gateway = start(config);
        let mut client = client(&gateway);
        check_statuses(&mut client, "/status/500", &[500, 500, 500, 500, 503]);
        let opened =
            || metric(&gateway, "bulkhead_circuit_breaker_opened_total", "cluster", "origin", "");
        wait_for("it is counted", || opened() == 1.0);
        if grpc {
            client.send(
                "POST /a.B/C HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\n\
                 content-length: 0\r\n\r\n",
            );
            let head = String::from_utf8(client.read_until(b"\r\n\r\n")).expect("a head");
            assert!(head.contains("grpc-status: 14\r\n"), "{head}");
        }
    }
}

/// An upstream that a test plays itself, behind a gateway that lets `requests_max` through.
fn played(requests_max: u32, workers: usize) -> (TcpListener, Gateway) {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = upstream.local_addr().expect("an address");
    let mut config = config(address, Protocol::Http1, workers);
    config.routes[0].protection =
        Protection { requests_max: Some(requests_max), circuit_breaker: None };
    config.routes[0].backends = vec![Backend::new("origin", 1)];
    (upstream, start(config))
}

fn accept(upstream: &TcpListener) -> TcpStream {
    let (mut socket, _) = upstream.accept().expect("a connection");
    socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
    read_request(&mut socket);
    socket
}

fn answer(socket: &mut TcpStream) {
    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("answer");
}

#[test]
fn requests_in_flight_are_limited_and_places_come_back() {
    let (upstream, gateway) = played(1, 1);
    for _ in 0..3 {
        let mut first = client(&gateway);
        first.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let mut socket = accept(&upstream);
        assert_eq!(get(&mut client(&gateway), "/").0, 503, "one is in flight");
        answer(&mut socket);
        assert!(read_response(&mut first).0.starts_with("HTTP/1.1 200"));
        // So that the next attempt comes on a new connection.
        drop(socket);
    }
    // One that fails gives its place back as well.
    let mut failing = client(&gateway);
    failing.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
    drop(accept(&upstream));
    assert!(read_response(&mut failing).0.starts_with("HTTP/1.1 502"));
    let mut last = client(&gateway);
    last.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    answer(&mut accept(&upstream));
    assert!(read_response(&mut last).0.starts_with("HTTP/1.1 200"));
    let full = ",reason=\"requests_max\"";
    let name = "bulkhead_circuit_breaker_rejections_total";
    assert_eq!(metric(&gateway, name, "route", "all", full), 3.0);
}

#[test]
fn an_exchange_that_moves_to_another_worker_is_in_flight_there() {
    let (upstream, gateway) = played(1, 1);
    let mut moving = client(&gateway);
    moving.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut socket = accept(&upstream);
    gateway.kill_worker(0).expect("kill");
    // The successor has the exchange, as soon as it has taken it over.
    wait_for("it is counted there", || get(&mut client(&gateway), "/").0 == 503);
    answer(&mut socket);
    assert!(read_response(&mut moving).0.starts_with("HTTP/1.1 200"));
    moving.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    read_request(&mut socket);
    answer(&mut socket);
    assert!(read_response(&mut moving).0.starts_with("HTTP/1.1 200"), "its place is free");
}

#[test]
fn a_waiting_request_whose_endpoint_goes_away_is_in_flight_once() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("bind");
    let origin = origin();
    let guarded = |address| {
        let mut config = config(address, Protocol::Http1, 1);
        let cluster = config.clusters.get_mut("origin").expect("the cluster");
        cluster.connections_max = 1;
        cluster.protection = Protection { requests_max: Some(2), circuit_breaker: None };
        config
    };
    let before = guarded(upstream.local_addr().expect("an address"));
    let gateway = start(before.clone());
    let in_flight = || {
        let clusters = gateway.endpoints();
        clusters[0].endpoints.iter().map(|endpoint| endpoint.in_flight).sum::<u64>()
    };
    for round in 0..3 {
        let mut first = client(&gateway);
        first.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        let mut socket = accept(&upstream);
        let mut second = client(&gateway);
        second.send("GET /api/v1/1/feed HTTP/1.1\r\nhost: a\r\n\r\n");
        wait_for("the second waits for the connection", || in_flight() == 2);
        gateway.apply(guarded(origin.addr())).expect("apply");
        assert!(read_response(&mut second).0.starts_with("HTTP/1.1 200"), "round {round}");
        answer(&mut socket);
        assert!(read_response(&mut first).0.starts_with("HTTP/1.1 200"), "round {round}");
        drop(socket);
        gateway.apply(before.clone()).expect("apply");
        wait_for("the endpoint is back", || {
            let clusters = gateway.endpoints();
            clusters[0].endpoints.iter().all(|endpoint| endpoint.address != origin.addr().into())
        });
    }
}
