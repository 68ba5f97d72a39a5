//! Faults of the gateway itself.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use bulkhead_chaos::{FaultRefusal, GatewayFault};
use bulkhead_config::model::AccessLog;
use bulkhead_testkit::Scratch;

use super::*;

fn own(declared: Value) -> FaultRule {
    let fault: GatewayFault = serde_json::from_value(declared).expect("a fault");
    FaultRule::new(Fault::Gateway(fault), MINUTE)
}

#[track_caller]
fn place(gateway: &Gateway, id: &str, declared: Value) -> FaultReport {
    let placed = gateway.put_fault(id, own(declared)).expect("a fault");
    let report = match placed {
        Placed::Created(report) => Some(report),
        Placed::Unchanged(_) => None,
    };
    report.expect("no fault of this name was there")
}

#[test]
fn a_killed_worker_loses_nothing_and_a_crashed_one_all() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let mut patient = client(&gateway);
    patient.send("GET /delay/80 HTTP/1.1\r\nhost: a\r\n\r\n");
    wait_for_value(&gateway, "http_server_active_requests", 1.0);
    let report = place(&gateway, "k", json!({"kill_worker": {"worker": 0}}));
    assert_eq!((report.state, report.hits), (FaultState::Done, 1));
    assert!(read_response(&mut patient).0.starts_with("HTTP/1.1 200"));

    patient.send("GET /delay/60000 HTTP/1.1\r\nhost: a\r\n\r\n");
    wait_for_value(&gateway, "http_server_active_requests", 1.0);
    let report = place(&gateway, "c", json!({"crash_worker": {"worker": 0}}));
    assert!(report.done.expect("what was done").starts_with("1 connection"));
    assert!(patient.read_to_end().is_empty());
    // Each exchange has its record, and the successor serves.
    wait_for_value(&gateway, "http_server_active_requests", 0.0);
    assert_eq!(ask(&gateway, "/api/v1/7/feed").0, 200);
    assert_eq!(gateway.workers()[0].generation, 2);
    assert_eq!(gateway.evacuation_totals().lost_connections, 1);
    // To ask again does nothing; another worker is not there.
    let again = gateway.put_fault("c", own(json!({"crash_worker": {"worker": 0}})));
    assert!(matches!(again, Ok(Placed::Unchanged(_))));
    let other = gateway.put_fault("d", own(json!({"kill_worker": {"worker": 9}})));
    assert!(matches!(other, Err(FaultRefusal::Impossible(_))));
    assert_eq!(gateway.fault("d"), None);
}

/// Its body goes on coming while the delay ends.
#[test]
fn a_head_that_was_held_goes_before_its_body() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("bind");
    let gateway = start(config(upstream.local_addr().expect("an address"), Protocol::Http1, 1));
    let delayed = json!({"delay_ms": 20, "direction": "response"});
    put(&gateway, "d", json!({"delay": delayed, "percent": 100}));
    let mut waiting = client(&gateway);
    waiting.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let (mut upstream, _) = upstream.accept().expect("a connection");
    upstream.set_nodelay(true).expect("a socket");
    assert!(upstream.read(&mut [0; 1_000]).expect("a request") > 0);
    upstream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").expect("a head");
    wait_until("the head is not held", || hits(&gateway, "d") == 1);
    let (held, mut bytes) = (Instant::now(), 0);
    while held.elapsed() < Duration::from_millis(60) {
        upstream.write_all(b"1\r\nx\r\n").expect("a byte");
        bytes += 1;
    }
    upstream.write_all(b"0\r\n\r\n").expect("an end");
    assert!(waiting.read_until(b"\r\n\r\n").starts_with(b"HTTP/1.1 200"));
    let body = waiting.read_until(b"\r\n0\r\n\r\n");
    assert_eq!(body.iter().filter(|byte| **byte == b'x').count(), bytes);
}

#[test]
fn a_worker_hangs_until_the_fault_is_taken_back() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let report = place(&gateway, "s", json!({"stall_worker": {"worker": 0}}));
    assert_eq!(report.state, FaultState::Active);
    wait_until("it does not hang", || hits(&gateway, "s") == 1);
    let mut waiting = client(&gateway);
    waiting.send("GET /api/v1/7/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    let beats = gateway.workers()[0].beats;
    std::thread::sleep(Duration::from_millis(60));
    assert!(waiting.is_silent());
    assert_eq!(gateway.workers()[0].beats, beats);
    let started = Instant::now();
    gateway.remove_fault("s").expect("taken back");
    assert!(started.elapsed() < Duration::from_secs(5), "it waited for the worker");
    assert_eq!(read_response(&mut waiting).1, feed(7));
}

#[test]
fn a_worker_that_hangs_can_be_killed_and_its_time_ends_it() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 2));
    let short = FaultRule { ttl_ms: 300, ..own(json!({"stall_worker": {"worker": 0}})) };
    gateway.put_fault("s", short).expect("a fault");
    wait_until("it does not hang", || hits(&gateway, "s") == 1);
    gateway.kill_worker(0).expect("kill a worker");
    wait_until("it does not end", || {
        gateway.fault("s").is_some_and(|report| report.state == FaultState::Expired)
    });
    for _ in 0..8 {
        assert_eq!(ask(&gateway, "/api/v1/7/feed").0, 200);
    }
}

#[test]
fn so_many_exchanges_panic_and_no_more() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    place(&gateway, "p", json!({"panic_exchanges": {"count": 2}}));
    assert_eq!(ask(&gateway, "/api/v1/7/feed").0, 500);
    assert_eq!(hits(&gateway, "p"), 1);
    assert_eq!(gateway.remove_fault("p").expect("taken back").hits, 1);
    assert_eq!(ask(&gateway, "/api/v1/7/feed").0, 200);
    place(&gateway, "c", json!({"panic_connections": {"count": 1}}));
    let mut victim = client(&gateway);
    victim.send("GET /api/v1/7/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(victim.read_to_end().is_empty());
    assert_eq!(ask(&gateway, "/api/v1/7/feed").0, 200);
    assert_eq!(gateway.registry().totals().panics, 2);
}

#[test]
fn pools_shrink_and_grow_again() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let at_once = |count: usize| {
        let mut clients: Vec<_> = (0..count).map(|_| client(&gateway)).collect();
        for client in &mut clients {
            client.send("GET /delay/40 HTTP/1.1\r\nhost: a\r\n\r\n");
        }
        for client in &mut clients {
            assert!(read_response(client).0.starts_with("HTTP/1.1 200"));
        }
        gateway.endpoints()[0].endpoints[0].connections
    };
    place(&gateway, "p", json!({"shrink_pools": {"cluster": "origin", "connections_max": 1}}));
    wait_until("it is not in force", || gateway.fault("p").is_some_and(|report| report.in_force));
    assert_eq!(at_once(4), 1);
    // A reload does not bring the old limit back, nor does a kill.
    gateway.apply(config(origin.addr(), Protocol::Http1, 1)).expect("a configuration");
    assert_eq!(at_once(4), 1);
    gateway.kill_worker(0).expect("kill a worker");
    assert_eq!(at_once(4), 1);
    gateway.remove_fault("p").expect("taken back");
    wait_until("it is not gone", || at_once(4) > 1);
}

fn null_devices() -> usize {
    let open = std::fs::read_dir("/proc/self/fd").expect("descriptors").flatten();
    open.filter(|entry| {
        std::fs::read_link(entry.path()).is_ok_and(|to| to == std::path::Path::new("/dev/null"))
    })
    .count()
}

#[test]
fn descriptors_are_held_and_given_back() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let report = place(&gateway, "d", json!({"hold_descriptors": {"count": 300}}));
    assert_eq!((report.hits, report.done.as_deref()), (300, Some("holds 300 descriptors")));
    assert!(null_devices() >= 300);
    gateway.remove_fault("d").expect("taken back");
    assert!(null_devices() < 300);
    let short = FaultRule { ttl_ms: 20, ..own(json!({"hold_descriptors": {"count": 300}})) };
    gateway.put_fault("e", short).expect("a fault");
    // A worker gives them back, though nobody asks.
    wait_until("they are held for ever", || null_devices() < 300);
}

#[test]
fn the_time_of_day_is_off_and_right_again() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    put(&gateway, "a", json!({"abort": {"status": 503}, "percent": 100}));
    let year = || {
        let mut client = client(&gateway);
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        let (head, _) = read_response(&mut client);
        let date = head.lines().find_map(|line| line.strip_prefix("date: ")).expect("a date");
        date.split(' ').nth(3).expect("a year").parse::<i64>().expect("a number")
    };
    let now = year();
    place(&gateway, "c", json!({"clock_offset": {"offset_s": 5 * 365 * 24 * 3600}}));
    wait_until("the time is right", || (4..=5).contains(&(year() - now)));
    gateway.remove_fault("c").expect("taken back");
    wait_until("the time is off", || year() == now);
}

#[test]
fn a_slow_log_loses_no_line_that_has_room() {
    let origin = origin();
    let scratch = Scratch::new();
    let log = scratch.path().join("access.log");
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    config.access_log = Some(AccessLog::File(log.clone()));
    let gateway = start(config);
    place(&gateway, "l", json!({"slow_log": {"delay_ms": 60_000}}));
    assert_eq!(ask(&gateway, "/api/v1/7/feed").0, 200);
    wait_until("its line is late", || hits(&gateway, "l") == 1);
    gateway.remove_fault("l").expect("taken back");
    assert!(gateway.drain(PATIENCE));
    assert_eq!(std::fs::read_to_string(&log).expect("the log").lines().count(), 1);
}

#[test]
fn a_bad_configuration_changes_nothing() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let mut kept = client(&gateway);
    for (id, wrong) in [("u", "unreadable_certificate"), ("b", "unbindable_address")] {
        let report = place(&gateway, id, json!({"bad_config": {"wrong": wrong}}));
        assert_eq!(report.state, FaultState::Done);
        assert!(report.done.expect("what was done").starts_with("refused"), "{wrong}");
        assert_eq!(gateway.revision(), 1);
        kept.send("GET /api/v1/7/feed HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(read_response(&mut kept).1, feed(7), "{wrong}");
        assert_eq!(ask(&gateway, "/api/v1/7/feed").0, 200, "{wrong}");
    }
    let metrics = gateway.registry().render();
    assert!(metrics.contains("bulkhead_configs_rejected_total 2"), "{metrics}");
}

#[test]
fn the_keys_of_session_tickets_change_once() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let before = gateway.ticketer().to_bytes();
    place(&gateway, "r", json!({"rotate_ticket_keys": {}}));
    let after = gateway.ticketer().to_bytes();
    assert!(after != before && after.ends_with(&before), "the old key opens still");
    gateway.put_fault("r", own(json!({"rotate_ticket_keys": {}}))).expect("the same");
    assert!(gateway.ticketer().to_bytes() == after);
}
