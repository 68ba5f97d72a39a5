//! The circuit breaker of a cluster holds for the relays to it as for requests.

use std::net::SocketAddr;
use std::time::Duration;

use bulkhead_config::Config;
use bulkhead_config::model::{CircuitBreaker, Protection};
use bulkhead_gateway::Gateway;

use crate::layer4::{echo, is_refused, nobody, raw, say, wait_for};
use crate::support::{client, start, value};

fn guarded(endpoints: &[SocketAddr], workers: usize, protection: Protection) -> Config {
    let mut config = raw(endpoints, workers);
    config.clusters.values_mut().for_each(|cluster| cluster.protection = protection);
    config
}

fn rejections(gateway: &Gateway, reason: &str, expect: f64) {
    let name = "bulkhead_circuit_breaker_rejections_total";
    wait_for(
        gateway,
        &format!("{name}{{scope=\"cluster\",name=\"raw\",reason=\"{reason}\"}}"),
        expect,
    );
}

#[test]
fn requests_max_bounds_relays_also_after_they_have_moved() {
    let limit = Protection { requests_max: Some(2), circuit_breaker: None };
    let gateway = start(guarded(&[echo()], 1, limit));
    let mut relays = [client(&gateway), client(&gateway)];
    for relay in &mut relays {
        say(relay, "before");
    }
    assert!(is_refused(&gateway));
    rejections(&gateway, "requests_max", 1.0);
    gateway.kill_worker(0).expect("kill the worker");
    for relay in &mut relays {
        say(relay, "after");
    }
    assert!(is_refused(&gateway));
    rejections(&gateway, "requests_max", 2.0);
    let [first, second] = relays;
    drop(first);
    wait_for(&gateway, "bulkhead_relays_active", 1.0);
    let mut third = client(&gateway);
    say(&mut third, "in its place");
    drop((second, third));
}

#[test]
fn an_open_breaker_turns_relays_away_without_a_dial() {
    let breaker = CircuitBreaker {
        failure_percent: 50,
        minimum_requests: 2,
        window: Duration::from_secs(600),
        open_duration: Duration::from_secs(600),
        half_open_requests: 1,
    };
    let limit = Protection { requests_max: None, circuit_breaker: Some(breaker) };
    let gateway = start(guarded(&[nobody()], 1, limit));
    let dials = || {
        let metrics = gateway.registry().render();
        value(&metrics, "bulkhead_upstream_connect_failures_total{cluster=\"raw\"}")
    };
    // Each has up to three attempts, and the second failure opens the breaker.
    assert!(is_refused(&gateway));
    let opened = dials();
    for _ in 0..5 {
        assert!(is_refused(&gateway));
    }
    assert_eq!((dials(), opened), (Some(2.0), Some(2.0)));
    rejections(&gateway, "open", 6.0);
}
