//! Endpoints that are named: by a name that the system resolves, and by one that never resolves
//! there, whose addresses the test tells as the control plane would.

use std::net::SocketAddr;

use bulkhead_config::model::{
    Balance, Cluster, Config, Endpoint, EndpointAddress, Filter, FixedResponse, PathMatch,
    Protocol, RouteMatch,
};
use bulkhead_gateway::Gateway;
use bulkhead_testkit::RawClient;

use crate::support::{client, config, feed, origin, read_response, start};

/// A label that is longer than DNS allows: no lookup of it leaves the machine, and all fail.
fn unresolvable() -> String {
    format!("{}.invalid", "x".repeat(64))
}

fn named(host: &str, address: SocketAddr, weight: u32) -> Endpoint {
    let address = EndpointAddress::Name { host: host.to_owned(), port: address.port() };
    Endpoint { weight, ..Endpoint::new(address) }
}

/// These endpoints in turn, and `mark` at `/mark`, to see which configuration is in force.
fn in_turn(endpoints: &[Endpoint], workers: usize, mark: &str) -> Config {
    let mut config = config(([127, 0, 0, 1], 1).into(), Protocol::Http1, workers);
    let cluster = Cluster {
        balance: Balance::RoundRobin,
        ..Cluster::new("origin", endpoints.to_vec(), Protocol::Http1)
    };
    config.clusters.insert("origin".to_owned(), cluster);
    let mut route = config.routes[0].clone();
    route.name = "mark".to_owned();
    route.matches =
        vec![RouteMatch { path: PathMatch::Exact("/mark".to_owned()), ..RouteMatch::default() }];
    route.backends.clear();
    route.filters.push(Filter::Respond(FixedResponse {
        status: 200,
        headers: vec![],
        body: mark.to_owned(),
    }));
    config.routes.push(route);
    config
}

fn get(client: &mut RawClient, path: &str) -> (String, Vec<u8>) {
    client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
    read_response(client)
}

/// Asks until the answer is this: workers hear of changes at their next turn.
fn await_body(gateway: &Gateway, path: &str, expect: &[u8]) {
    let mut client = client(gateway);
    let answered = (0..10_000).any(|_| get(&mut client, path).1 == expect);
    assert!(answered, "{path} never answered {:?}", String::from_utf8_lossy(expect));
}

#[test]
fn a_name_that_the_system_knows_is_ready_from_the_start() {
    let origin = origin();
    let gateway = start(in_turn(&[named("localhost", origin.addr(), 1)], 1, ""));
    let mut client = client(&gateway);
    for user in 0..10 {
        assert_eq!(get(&mut client, &format!("/api/v1/{user}/feed")).1, feed(user));
    }
}

#[test]
fn the_last_addresses_of_a_name_outlive_a_reload_and_a_worker() {
    let origin = origin();
    let endpoints = [named(&unresolvable(), origin.addr(), 1)];
    let gateway = start(in_turn(&endpoints, 1, "one"));
    assert!(get(&mut client(&gateway), "/api/v1/1/feed").0.starts_with("HTTP/1.1 503"));
    gateway.set_addresses(&unresolvable(), origin.addr().port(), vec![origin.addr()]);
    await_body(&gateway, "/api/v1/1/feed", &feed(1));
    // The name does not resolve, now as ever, and neither configuration changes the cluster.
    for mark in ["two", "three"] {
        gateway.apply(in_turn(&endpoints, 1, mark)).expect("apply");
        await_body(&gateway, "/mark", mark.as_bytes());
        assert_eq!(get(&mut client(&gateway), "/api/v1/2/feed").1, feed(2), "{mark}");
    }
    gateway.kill_worker(0).expect("kill a worker");
    assert_eq!(get(&mut client(&gateway), "/api/v1/3/feed").1, feed(3));
}

#[test]
fn each_name_has_its_weight() {
    let (fixed, one, other) = (origin(), origin(), origin());
    let endpoints = [
        Endpoint::new(EndpointAddress::Socket(fixed.addr())),
        named(&unresolvable(), one.addr(), 4),
        named(&unresolvable(), other.addr(), 5),
    ];
    let gateway = start(in_turn(&endpoints, 1, "one"));
    for origin in [&one, &other] {
        gateway.set_addresses(&unresolvable(), origin.addr().port(), vec![origin.addr()]);
    }
    // Mail is read in order: this configuration comes after the addresses.
    gateway.apply(in_turn(&endpoints, 1, "two")).expect("apply");
    await_body(&gateway, "/mark", b"two");
    let mut client = client(&gateway);
    for user in 0..200 {
        assert_eq!(get(&mut client, &format!("/api/v1/{user}/feed")).1, feed(user));
    }
    let shares = [&fixed, &one, &other].map(|origin| origin.stats().requests_total());
    assert_eq!(shares, [20, 80, 100]);
}

#[test]
fn news_of_one_name_leave_the_others_alone() {
    let (one, other) = (origin(), origin());
    let endpoints = [named("localhost", one.addr(), 1), named(&unresolvable(), other.addr(), 1)];
    let gateway = start(in_turn(&endpoints, 1, "one"));
    assert_eq!(get(&mut client(&gateway), "/api/v1/1/feed").1, feed(1));
    let before = one.stats().requests_total();
    gateway.set_addresses(&unresolvable(), other.addr().port(), vec![other.addr()]);
    let mut client = client(&gateway);
    while other.stats().requests_total() < 5 {
        assert_eq!(get(&mut client, "/api/v1/1/feed").1, feed(1));
    }
    assert!(one.stats().requests_total() >= before + 4, "both are asked in turn");
}
