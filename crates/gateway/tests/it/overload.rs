//! Not everything can be served: what is turned away, how, and that it comes back.

use bulkhead_config::Config;
use bulkhead_config::model::{AdaptiveConcurrency, MemoryMax, Protocol};
use bulkhead_message::Priority;
use bulkhead_testkit::RawClient;

use crate::support::{client, config, origin, read_response, start, value};

fn get(client: &mut RawClient, path: &str) {
    client.send(format!("GET {path} HTTP/1.1\r\nhost: a.example\r\n\r\n"));
}

/// The limit is one request, whatever the latency.
fn limited(mut config: Config) -> Config {
    let cluster = config.clusters.get_mut("origin").expect("the cluster");
    let one = AdaptiveConcurrency { initial: 1, min: 1, max: 1, ..AdaptiveConcurrency::default() };
    cluster.adaptive_concurrency = Some(one);
    config
}

#[test]
fn requests_beyond_the_learnt_limit_are_shed_by_priority() {
    let origin = origin();
    let mut config = limited(config(origin.addr(), Protocol::Http1, 1));
    let mut critical = config.routes[0].clone();
    critical.name = "critical".to_owned();
    critical.hostnames = vec!["critical.example".to_owned()];
    critical.priority = Priority::Critical;
    config.routes.push(critical);
    let gateway = start(config);
    let (mut first, mut second) = (client(&gateway), client(&gateway));
    get(&mut first, "/delay/300");
    // The one place is taken as soon as the origin has seen the request.
    while origin.stats().requests_total() == 0 {
        std::thread::yield_now();
    }
    get(&mut second, "/status/200");
    let (head, body) = read_response(&mut second);
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(head.contains("retry-after: 1"), "{head}");
    assert_eq!(body, b"overloaded: the gateway is at its limit\n");
    second.send("POST /feed.v1.Feed/Get HTTP/1.1\r\nhost: a.example\r\n");
    second.send("content-type: application/grpc\r\ncontent-length: 0\r\n\r\n");
    let head = String::from_utf8(second.read_until(b"\r\n\r\n")).expect("an ASCII head");
    assert!(head.contains("grpc-status: 8"), "{head}");

    let mut critical = client(&gateway);
    critical.send("GET /status/200 HTTP/1.1\r\nhost: critical.example\r\n\r\n");
    assert!(read_response(&mut critical).0.starts_with("HTTP/1.1 200"));

    assert!(read_response(&mut first).0.starts_with("HTTP/1.1 200"));
    get(&mut first, "/status/200");
    assert!(read_response(&mut first).0.starts_with("HTTP/1.1 200"), "the place is free again");
    let metrics = gateway.registry().render();
    let shed = "bulkhead_requests_shed_total{reason=\"concurrency\"}";
    assert_eq!(value(&metrics, shed), Some(2.0));
    assert_eq!(value(&metrics, "bulkhead_cluster_shed_total{cluster=\"origin\"}"), Some(2.0));
    let limit = "bulkhead_cluster_concurrency_limit{cluster=\"origin\"}";
    assert_eq!(value(&metrics, limit), Some(1.0));
}

#[test]
fn the_limit_is_right_after_a_worker_died() {
    let origin = origin();
    let gateway = start(limited(config(origin.addr(), Protocol::Http2, 2)));
    let mut client = client(&gateway);
    for round in 0..6 {
        get(&mut client, "/delay/60");
        gateway.kill_worker(round % 2).expect("kill a worker");
        // Each would take the only place for ever if it were not given back.
        let (head, _) = read_response(&mut client);
        assert!(head.starts_with("HTTP/1.1 200"), "round {round}: {head}");
    }
}

#[test]
fn attempts_that_end_without_an_answer_give_their_place_back() {
    let origin = origin();
    let gateway = start(limited(config(origin.addr(), Protocol::Http1, 1)));
    for _ in 0..3 {
        let mut gone = client(&gateway);
        get(&mut gone, "/close");
        let (head, _) = read_response(&mut gone);
        assert!(head.starts_with("HTTP/1.1 502"), "{head}");
    }
    let mut client = client(&gateway);
    get(&mut client, "/status/200");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
}

#[test]
fn without_memory_nothing_new_is_served_until_there_is_some() {
    let origin = origin();
    let calm = config(origin.addr(), Protocol::Http1, 1);
    let gateway = start(calm.clone());
    let mut old = client(&gateway);
    get(&mut old, "/status/200");
    assert!(read_response(&mut old).0.starts_with("HTTP/1.1 200"));

    let mut pressed = calm.clone();
    // Less than any process has.
    pressed.overload.memory_max = MemoryMax::Bytes(1 << 20);
    gateway.apply(pressed).expect("a configuration that holds");
    // The worker measures at the end of a turn: the first request may still be served.
    let shed = (0..100).find_map(|_| {
        get(&mut old, "/status/200");
        let (head, _) = read_response(&mut old);
        head.starts_with("HTTP/1.1 503").then_some(head)
    });
    assert!(shed.expect("pressure is felt").contains("retry-after: 1"));
    let mut new = client(&gateway);
    get(&mut new, "/status/200");
    while value(&gateway.registry().render(), "bulkhead_accept_pauses_total").unwrap_or(0.0) == 0.0
    {
        std::thread::yield_now();
    }
    assert_eq!(
        value(&gateway.registry().render(), "bulkhead_worker_pressure{worker=\"0\"}"),
        Some(3.0)
    );

    gateway.apply(calm).expect("a configuration that holds");
    assert!(read_response(&mut new).0.starts_with("HTTP/1.1 200"), "it waited in the queue");
    get(&mut old, "/status/200");
    assert!(read_response(&mut old).0.starts_with("HTTP/1.1 200"));
    assert_eq!(
        value(&gateway.registry().render(), "bulkhead_worker_pressure{worker=\"0\"}"),
        Some(0.0)
    );
}
