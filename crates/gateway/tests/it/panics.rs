//! Panics that cost one connection, and that one only, be it that they end the worker.

use std::time::{Duration, Instant};

use bulkhead_config::model::Protocol;
use bulkhead_gateway::{Fault, Gateway};
use bulkhead_testkit::RawClient;

use crate::support::{PATIENCE, client, config, feed, origin, read_response, start};

fn ask(client: &mut RawClient, user: u64) {
    client.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\n\r\n"));
    assert_eq!(read_response(client).1, feed(user));
}

/// Clients that have been served once.
fn clients(gateway: &Gateway, count: u64) -> Vec<RawClient> {
    (0..count)
        .map(|user| {
            let mut client = client(gateway);
            ask(&mut client, user);
            client
        })
        .collect()
}

#[track_caller]
fn await_until(is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() && started.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    assert!(is_so());
}

#[track_caller]
fn await_open(gateway: &Gateway, connections: u64) {
    await_until(|| gateway.registry().totals().connections_active() == connections);
}

/// How many of these are still served; the others are closed.
fn served(clients: &mut [RawClient]) -> usize {
    clients
        .iter_mut()
        .enumerate()
        .filter_map(|(user, client)| {
            let user = user as u64 + 10;
            client.try_send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\n\r\n")).ok()?;
            (!client.is_over()).then(|| assert_eq!(read_response(client).1, feed(user)))
        })
        .count()
}

#[test]
fn a_panic_in_a_flush_costs_that_connection() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http2, 1);
    config.routes[0].hostnames = vec!["a".to_owned()];
    let gateway = start(config);
    let mut bystanders = clients(&gateway, 3);
    let mut victim = client(&gateway);
    gateway.inject(Fault::FlushPanic, 1);
    // Answered by the gateway, so that the first flush is the client's.
    victim.send("GET / HTTP/1.1\r\nhost: nowhere\r\n\r\n");
    victim.read_to_end();
    assert_eq!(served(&mut bystanders), 3);
    await_open(&gateway, 3);
    assert_eq!(gateway.registry().totals().panics, 1);
    assert_eq!(gateway.evacuation_totals().killed, 0);
}

#[test]
fn a_panic_in_a_connection_timer_costs_that_connection() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    // A connection is looked at this often.
    config.limits.head_timeout = Duration::from_millis(50);
    config.clusters.values_mut().for_each(|cluster| cluster.connections_max = 1);
    let gateway = start(config);
    let mut clients = clients(&gateway, 4);
    gateway.inject(Fault::ConnectionTimerPanic, 2);
    await_until(|| gateway.registry().totals().panics == 2);
    // The pooled connection has a timer as well, and another takes its place.
    let served = served(&mut clients);
    assert!((2..=3).contains(&served), "{served} of 4");
    await_open(&gateway, served as u64);
    assert_eq!(gateway.evacuation_totals().killed, 0);
}

#[test]
fn a_panic_that_ends_the_loop_costs_the_connection_in_hand_and_no_heir() {
    for workers in [1, 3] {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http2, workers));
        let mut bystanders = clients(&gateway, 6);
        for bystander in &mut bystanders {
            bystander.send("GET /delay/200 HTTP/1.1\r\nhost: a\r\n\r\n");
        }
        let mut victim = client(&gateway);
        ask(&mut victim, 1);
        // In flight, so that nothing but the victim speaks.
        while origin.stats().requests_total() < 6 + 6 + 1 {
            std::thread::yield_now();
        }
        gateway.inject(Fault::LoopPanic, 1);
        victim.send("GET /api/v1/1/feed HTTP/1.1\r\nhost: a\r\n\r\n");
        victim.read_to_end();
        for bystander in &mut bystanders {
            assert!(read_response(bystander).0.starts_with("HTTP/1.1 200"));
        }
        assert_eq!(served(&mut bystanders), 6);
        await_open(&gateway, 6);
        let totals = gateway.evacuation_totals();
        assert_eq!((totals.killed, totals.lost_connections), (1, 1), "{workers} workers");
        assert_eq!(gateway.registry().totals().workers_panicked, 1);
    }
}

#[test]
fn what_cannot_be_taken_over_is_counted_as_lost_and_the_rest_goes_on() {
    for (fault, panics) in [(Fault::AbsorbPanic, 1), (Fault::AbsorbError, 0)] {
        for workers in [1, 2] {
            let origin = origin();
            let mut config = config(origin.addr(), Protocol::Http1, workers);
            config.routes.clear();
            let gateway = start(config);
            let mut clients: Vec<_> = (0..8).map(|_| client(&gateway)).collect();
            let ask = |client: &mut RawClient| {
                client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
                assert!(read_response(client).0.starts_with("HTTP/1.1 404"));
            };
            clients.iter_mut().for_each(ask);
            gateway.inject(fault, 1);
            let moved: usize = (0..workers)
                .map(|worker| gateway.kill_worker(worker).expect("kill a worker"))
                .map(|report| report.connections_moved)
                .sum();
            assert!(moved > 0);
            await_until(|| gateway.evacuation_totals().lost_connections == 1);
            await_open(&gateway, 7);
            let metrics = gateway.registry().render();
            assert!(metrics.contains("bulkhead_connections_lost_total 1"), "{metrics}");
            let answered = clients
                .iter_mut()
                .filter_map(|client| {
                    client.try_send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").ok()?;
                    (!client.is_over()).then(|| read_response(client))
                })
                .count();
            assert_eq!(answered, 7, "{fault:?}");
            let totals = gateway.registry().totals();
            assert_eq!((totals.panics, totals.workers_panicked), (panics, 0), "{fault:?}");
        }
    }
}
