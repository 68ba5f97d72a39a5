//! Copies of requests: what they are, and that nobody waits for them.

use std::net::SocketAddr;

use bulkhead_config::model::{
    Cluster, Config, Endpoint, EndpointAddress, Filter, HeaderChanges, Mirror, Protocol,
};
use bulkhead_gateway::{Fault, Gateway};

use crate::scripted::{FINE, Reply, Scripted, UNAVAILABLE, await_until};
use crate::support::{PATIENCE, client, config, read_response, start, value};

const GET: &str = "GET /a HTTP/1.1\r\nhost: a.example\r\n\r\n";

fn all() -> Mirror {
    Mirror {
        cluster: "shadow".to_owned(),
        numerator: 1,
        denominator: 1,
        buffer_bytes_max: 65_536,
        in_flight_max: 256,
    }
}

fn mirrored(primary: SocketAddr, shadow: SocketAddr, mirror: Mirror) -> Config {
    let mut config = config(primary, Protocol::Http1, 1);
    let endpoint = Endpoint::new(EndpointAddress::Socket(shadow));
    let cluster = Cluster::new("shadow", vec![endpoint], Protocol::Http1);
    config.clusters.insert("shadow".to_owned(), cluster);
    config.routes[0].filters = vec![Filter::Mirror(mirror)];
    config
}

fn count(gateway: &Gateway, outcome: &str) -> f64 {
    let sample =
        format!("bulkhead_mirrored_requests_total{{cluster=\"shadow\",outcome=\"{outcome}\"}}");
    value(&gateway.registry().render(), &sample).unwrap_or(0.0)
}

fn finished(gateway: &Gateway) -> u64 {
    let totals = gateway.registry().totals();
    assert_eq!(totals.exchanges_active(), 0);
    totals.exchanges_finished
}

#[test]
fn a_copy_has_the_head_and_body_of_its_request_and_a_mark() {
    let (primary, shadow) = (Scripted::start(|_, _| FINE), Scripted::start(|_, _| UNAVAILABLE));
    let mut config = mirrored(primary.address, shadow.address, all());
    let set = vec![("x-stage".to_owned(), "one".to_owned())];
    config.routes[0]
        .filters
        .push(Filter::RequestHeaders(HeaderChanges { set, ..HeaderChanges::default() }));
    let gateway = start(config);
    let mut client = client(&gateway);
    for request in [
        GET.to_owned(),
        "POST /b HTTP/1.1\r\nhost: a.example\r\ncontent-length: 5\r\n\r\nhello".to_owned(),
    ] {
        client.send(request);
        assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
    }
    await_until(|| count(&gateway, "completed") == 2.0);
    let copies = shadow.seen();
    assert_eq!(copies.len(), 2);
    assert!(copies.iter().all(|copy| copy.contains("x-bulkhead-mirror: true\r\n")), "{copies:?}");
    assert!(copies.iter().all(|copy| copy.contains("x-stage: one\r\n")), "{copies:?}");
    assert!(copies.iter().any(|copy| copy.ends_with("\r\n\r\nhello")), "{copies:?}");
    assert!(primary.seen().iter().all(|request| !request.contains("x-bulkhead-mirror")));
    await_until(|| gateway.registry().totals().exchanges_active() == 0);
    // Only what clients asked for.
    assert_eq!(finished(&gateway), 2);
}

#[test]
fn a_mirror_that_stalls_fails_or_is_not_there_harms_nobody() {
    let primary = Scripted::start(|_, _| FINE);
    let gone = Scripted::start(|_, _| FINE).address;
    let stalls = Scripted::start(|_, _| Reply::Stall);
    let closes = Scripted::start(|_, _| Reply::Close);
    for shadow in [gone, stalls.address, closes.address] {
        let gateway = start(mirrored(primary.address, shadow, all()));
        let mut client = client(&gateway);
        for _ in 0..20 {
            client.send(GET);
            assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
        }
        if shadow != stalls.address {
            await_until(|| count(&gateway, "failed") == 20.0);
        }
        await_until(|| gateway.registry().totals().exchanges_active() == 0);
        assert_eq!(finished(&gateway), 20);
        // Nobody waits for what stalls.
        assert!(gateway.drain(PATIENCE));
    }
}

#[test]
fn copies_in_flight_are_bounded() {
    let (primary, shadow) = (Scripted::start(|_, _| FINE), Scripted::start(|_, _| Reply::Stall));
    let mirror = Mirror { in_flight_max: 3, ..all() };
    let gateway = start(mirrored(primary.address, shadow.address, mirror));
    let mut client = client(&gateway);
    for _ in 0..10 {
        client.send(GET);
        assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
    }
    assert_eq!(count(&gateway, "skipped"), 7.0);
    await_until(|| shadow.seen().len() == 3);
}

#[test]
fn a_share_of_the_requests_is_copied() {
    for (numerator, denominator, most) in [(0, 100, 0), (1, 4, 90)] {
        let (primary, shadow) = (Scripted::start(|_, _| FINE), Scripted::start(|_, _| FINE));
        let mirror = Mirror { numerator, denominator, ..all() };
        let gateway = start(mirrored(primary.address, shadow.address, mirror));
        let mut client = client(&gateway);
        for _ in 0..200 {
            client.send(GET);
            assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
        }
        let copies = count(&gateway, "completed") as usize;
        await_until(|| shadow.seen().len() >= copies);
        let seen = shadow.seen().len();
        assert!(seen <= most && (seen > 10 || most == 0), "{seen} of {numerator}/{denominator}");
    }
}

#[test]
fn a_copy_that_falls_behind_its_body_is_cut_off_and_the_request_goes_on() {
    // The mirror's connection is never accepted by anybody who reads.
    let (primary, shadow) = (Scripted::start(|_, _| FINE), Scripted::start(|_, _| Reply::Stall));
    let mirror = Mirror { buffer_bytes_max: 1_000, ..all() };
    let gateway = start(mirrored(primary.address, shadow.address, mirror));
    let mut client = client(&gateway);
    let body = "x".repeat(5_000);
    client
        .send(format!("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
    await_until(|| count(&gateway, "cut_off") == 1.0);
    assert!(primary.seen()[0].ends_with(&body));
}

#[test]
fn expected_bodies_are_not_copied() {
    let (primary, shadow) = (Scripted::start(|_, _| FINE), Scripted::start(|_, _| FINE));
    let gateway = start(mirrored(primary.address, shadow.address, all()));
    let mut client = client(&gateway);
    client.send("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n");
    client.read_until(b"100 Continue\r\n\r\n");
    client.send("hi");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
    client.send(GET);
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
    await_until(|| count(&gateway, "completed") == 1.0);
    assert!(shadow.seen()[0].starts_with("GET"));
}

#[test]
fn copies_survive_their_worker_and_a_panic_over_one_is_its_own() {
    let (primary, shadow) = (Scripted::start(|_, _| FINE), Scripted::start(|_, _| FINE));
    let gateway = start(mirrored(primary.address, shadow.address, all()));
    let mut client = client(&gateway);
    client.send("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nhe");
    await_until(|| primary.opened() == 1 && shadow.opened() == 1);
    gateway.kill_worker(0).expect("kill the worker");
    client.send("ll");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
    await_until(|| count(&gateway, "completed") == 1.0);
    assert!(shadow.seen()[0].ends_with("\r\n\r\nhell"), "{:?}", shadow.seen());

    gateway.inject(Fault::MirrorPanic, 1);
    client.send(GET);
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
    await_until(|| count(&gateway, "failed") == 1.0);
    assert_eq!(gateway.registry().totals().panics, 1);
    client.send(GET);
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
    await_until(|| count(&gateway, "completed") == 2.0);
}
