//! Verdicts of active checks: whom they keep requests from, and what they outlive.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bulkhead_config::model::{
    Balance, Cluster, Config, Ejection, Endpoint, EndpointAddress, HealthCheck, HealthProbe,
    Protocol, SuccessRate,
};
use bulkhead_gateway::Gateway;
use bulkhead_message::Address;
use bulkhead_origin::Origin;

use crate::support::{PATIENCE, client, config, origin, read_response, start, value};

/// To these origins in turn, with checks that somebody else makes.
fn checked(origins: &[&Origin], workers: usize, panic_threshold_percent: u32) -> Config {
    let mut config = config(origins[0].addr(), Protocol::Http1, workers);
    let endpoints =
        origins.iter().map(|origin| Endpoint::new(EndpointAddress::Socket(origin.addr())));
    let cluster = Cluster {
        balance: Balance::RoundRobin,
        health_check: Some(HealthCheck {
            probe: HealthProbe::Tcp,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(1),
            healthy_threshold: 2,
            unhealthy_threshold: 3,
            jitter_percent: 10,
            port: None,
            initially_healthy: true,
        }),
        panic_threshold_percent,
        ..Cluster::new("origin", endpoints.collect(), Protocol::Http1)
    };
    config.clusters.insert("origin".to_owned(), cluster);
    config
}

/// Statuses of some requests, each on a connection of its own so that every worker has some.
fn statuses(gateway: &Gateway, requests: usize) -> Vec<u16> {
    let one = || {
        let mut client = client(gateway);
        client.send("GET /api/v1/1/feed HTTP/1.1\r\nhost: a\r\n\r\n");
        let (head, _) = read_response(&mut client);
        head["HTTP/1.1 ".len()..][..3].parse().expect("a status")
    };
    (0..requests).map(|_| one()).collect()
}

/// How requests are shared out from now on.
fn shares(gateway: &Gateway, origins: &[&Origin], requests: usize) -> Vec<u64> {
    let counts = || origins.iter().map(|origin| origin.stats().requests_total());
    let before: Vec<u64> = counts().collect();
    assert_eq!(statuses(gateway, requests), vec![200; requests]);
    counts().zip(before).map(|(after, before)| after - before).collect()
}

/// Workers read verdicts between two turns: asks until these origins alone get requests.
#[track_caller]
fn wait_for(gateway: &Gateway, origins: &[&Origin], expect: &[bool]) {
    let begun = Instant::now();
    loop {
        let used: Vec<_> = shares(gateway, origins, 16).iter().map(|&share| share > 0).collect();
        if used == expect {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{used:?} instead of {expect:?}");
    }
}

fn metric(gateway: &Gateway, name: &str) -> f64 {
    let sample = format!("{name}{{cluster=\"origin\"}}");
    value(&gateway.registry().render(), &sample).unwrap_or(0.0)
}

#[track_caller]
fn wait_for_metric(gateway: &Gateway, name: &str, expect: f64) {
    let begun = Instant::now();
    while metric(gateway, name) != expect {
        assert!(begun.elapsed() < PATIENCE, "{name} is {}", metric(gateway, name));
        std::thread::yield_now();
    }
}

#[test]
fn unhealthy_endpoints_get_nothing_whatever_happens_to_workers_and_configuration() {
    let (one, other) = (origin(), origin());
    let origins = [&one, &other];
    let config = checked(&origins, 2, 50);
    let gateway = start(config.clone());
    assert!(shares(&gateway, &origins, 32).iter().all(|&share| share > 0));
    gateway.set_health("origin", vec![(one.addr().into(), false), (other.addr().into(), true)]);
    wait_for(&gateway, &origins, &[false, true]);
    for worker in 0..2 {
        gateway.kill_worker(worker).expect("kill");
    }
    assert_eq!(shares(&gateway, &origins, 32)[0], 0, "successors know");
    gateway.apply(config.clone()).expect("apply");
    assert_eq!(shares(&gateway, &origins, 32)[0], 0, "the verdict outlives the configuration");
    // Other connections, so another pool.
    let mut http2 = config.clone();
    http2.clusters.values_mut().for_each(|cluster| cluster.protocol = Protocol::Http2);
    gateway.apply(http2).expect("apply");
    assert_eq!(shares(&gateway, &origins, 32)[0], 0, "and the pool");
    gateway.set_health("origin", vec![(one.addr().into(), true), (other.addr().into(), true)]);
    wait_for(&gateway, &origins, &[true, true]);
    gateway.set_health("origin", vec![(one.addr().into(), false)]);
    wait_for(&gateway, &origins, &[false, true]);
    let mut unchecked = config;
    unchecked.clusters.values_mut().for_each(|cluster| cluster.health_check = None);
    gateway.apply(unchecked).expect("apply");
    wait_for(&gateway, &origins, &[true, true]);
}

#[test]
fn panic_sends_to_all_unless_it_is_off() {
    let (one, other) = (origin(), origin());
    let origins = [&one, &other];
    let gateway = start(checked(&origins, 1, 60));
    gateway.set_health("origin", vec![(one.addr().into(), false), (other.addr().into(), true)]);
    wait_for_metric(&gateway, "bulkhead_cluster_panic_workers", 1.0);
    assert_eq!(shares(&gateway, &origins, 10), [5, 5]);
    gateway.set_health("origin", vec![(one.addr().into(), true), (other.addr().into(), true)]);
    wait_for_metric(&gateway, "bulkhead_cluster_panic_workers", 0.0);
    drop(gateway);

    let gateway = start(checked(&origins, 1, 0));
    gateway.set_health("origin", vec![(one.addr().into(), false), (other.addr().into(), false)]);
    let begun = Instant::now();
    while statuses(&gateway, 4) != [503; 4] {
        assert!(begun.elapsed() < PATIENCE, "requests are still sent");
    }
}

#[test]
fn what_is_known_of_endpoints_is_told() {
    let (one, other) = (origin(), origin());
    let gateway = start(checked(&[&one, &other], 2, 50));
    let sorted = |mut addresses: Vec<Address>| {
        addresses.sort_unstable();
        addresses
    };
    let all = sorted(vec![one.addr().into(), other.addr().into()]);
    let to_check = gateway.checked_endpoints().into_iter().map(|endpoint| endpoint.address);
    assert_eq!(sorted(to_check.collect()), all);
    let healthy = |gateway: &Gateway| {
        let availability = gateway.availability();
        assert_eq!((availability.len(), availability[0].endpoints), (1, 2));
        availability[0].healthy
    };
    assert_eq!(healthy(&gateway), 2);
    let unknown: Address = ([127, 0, 0, 1], 1).into();
    gateway.set_health("origin", vec![(one.addr().into(), false), (unknown, false)]);
    gateway.set_health("nobody", vec![(other.addr().into(), false)]);
    assert_eq!(healthy(&gateway), 1);
    let clusters = gateway.endpoints();
    assert_eq!((clusters.len(), clusters[0].cluster.as_str()), (1, "origin"));
    let endpoints = &clusters[0].endpoints;
    assert_eq!(endpoints.iter().map(|endpoint| endpoint.address.clone()).collect::<Vec<_>>(), all);
    for endpoint in endpoints {
        let expect = (endpoint.address == one.addr().into()).then_some(false);
        assert_eq!(endpoint.healthy, expect, "{endpoint:?}");
        assert_eq!((endpoint.in_flight, endpoint.ejected_by), (0, 0), "{endpoint:?}");
    }
}

#[test]
fn an_endpoint_that_answers_500_is_ejected_by_its_rate_or_if_500_counts() {
    let rates = Ejection {
        interval: Duration::from_millis(50),
        success_rate: Some(SuccessRate {
            minimum_endpoints: 3,
            minimum_requests: 5,
            stdev_factor: 1.0,
        }),
        ..Ejection::default()
    };
    let codes = Ejection { codes: vec![500], ..Ejection::default() };
    for ejection in [rates, codes] {
        let good: Vec<Origin> = (0..5).map(|_| origin()).collect();
        let bad = failing();
        let mut config = checked(&good.iter().collect::<Vec<_>>(), 1, 50);
        let cluster = config.clusters.get_mut("origin").expect("the cluster");
        cluster.endpoints.push(Endpoint::new(EndpointAddress::Socket(bad)));
        cluster.ejection = Some(ejection);
        let gateway = start(config);
        let begun = Instant::now();
        while statuses(&gateway, 12).contains(&500) {
            assert!(begun.elapsed() < PATIENCE, "it still gets requests");
        }
        wait_for_metric(&gateway, "bulkhead_ejections_total", 1.0);
        wait_for_metric(&gateway, "bulkhead_cluster_ejected_endpoints", 1.0);
        let clusters = gateway.endpoints();
        let ejected = clusters[0].endpoints.iter().filter(|endpoint| endpoint.ejected_by > 0);
        assert_eq!(
            ejected.map(|endpoint| endpoint.address.clone()).collect::<Vec<_>>(),
            [bad.into()]
        );
    }
}

/// An endpoint that answers 500 to everything. Its thread ends with the process: it is blocked in
/// `accept`, and owns nothing else.
fn failing() -> SocketAddr {
    use std::io::Write;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            crate::support::read_request(&mut socket);
            let answer = b"HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            // The gateway may have gone.
            let _ = socket.write_all(answer);
        }
    });
    address
}
