//! How long connections live, and clients that are slow on purpose.

use std::time::Duration;

use bulkhead_config::model::{EndpointAddress, Protocol};
use bulkhead_gateway::Gateway;

use crate::http2::{connect, exchange, get, run};
use crate::support::{address, client, config, feed, origin, read_response, start, value};

const REQUEST: &str = "GET /api/v1/7/feed HTTP/1.1\r\nhost: a\r\n\r\n";

fn retired(gateway: &Gateway, reason: &str) -> Option<f64> {
    let sample = format!("bulkhead_connections_retired_total{{reason=\"{reason}\"}}");
    value(&gateway.registry().render(), &sample)
}

#[test]
fn a_connection_serves_its_share_of_requests_and_is_closed_with_the_last() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http1, 2);
    config.limits.connection_requests_max = Some(3);
    let gateway = start(config);
    let mut one = client(&gateway);
    for number in 1..=3 {
        one.send(REQUEST);
        let (head, body) = read_response(&mut one);
        assert_eq!(body, feed(7));
        assert_eq!(head.contains("connection: close"), number == 3, "{number}: {head}");
        // What it has served is not forgotten with its worker.
        gateway.kill_worker(number % 2).expect("kill a worker");
    }
    assert!(one.read_to_end().is_empty());
    // What was sent behind the last request is not served.
    let mut pipelining = client(&gateway);
    pipelining.send(REQUEST.repeat(5));
    let answers = String::from_utf8(pipelining.read_to_end()).expect("UTF-8");
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 3);
    assert_eq!(retired(&gateway, "requests"), Some(2.0));
}

#[test]
fn an_http2_client_is_told_to_go_and_loses_nothing() {
    run(async {
        let origin = origin();
        let mut config = config(origin.addr(), Protocol::Http2, 1);
        config.limits.connection_requests_max = Some(3);
        let gateway = start(config);
        let client = connect(address(&gateway)).await;
        let mut served = 0;
        while let Ok((head, body, _)) = exchange(&client, get("/api/v1/7/feed"), None).await {
            assert_eq!((head.status().as_u16(), body), (200, feed(7)));
            served += 1;
            assert!(served < 1_000, "the client was never told");
        }
        assert!(served >= 3, "{served}");
        assert_eq!(retired(&gateway, "requests"), Some(1.0));
    });
}

#[test]
fn old_connections_end_when_what_is_in_flight_has_ended() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    config.limits.connection_age_max = Some(Duration::from_millis(200));
    let gateway = start(config);
    let (mut idle, mut busy) = (client(&gateway), client(&gateway));
    idle.send(REQUEST);
    assert_eq!(read_response(&mut idle).1, feed(7));
    busy.send("GET /delay/1200 HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(idle.read_to_end().is_empty());
    let (head, _) = read_response(&mut busy);
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("connection: close"), "{head}");
    assert!(busy.read_to_end().is_empty());
    assert_eq!(retired(&gateway, "age"), Some(2.0));
}

#[test]
fn what_outlives_the_grace_is_cut_off() {
    run(async {
        let origin = origin();
        let mut config = config(origin.addr(), Protocol::Http2, 2);
        config.limits.connection_age_max = Some(Duration::from_millis(200));
        config.limits.connection_age_grace = Some(Duration::ZERO);
        let gateway = start(config);
        let client = connect(address(&gateway)).await;
        let (head, _, _) = exchange(&client, get("/delay/60000"), None).await.expect("an answer");
        assert_eq!(head.status(), 504);
        assert!(exchange(&client, get("/"), None).await.is_err(), "the connection is over");
    });
}

#[test]
fn a_body_that_trickles_is_a_408() {
    // Nobody answers there, nor reads.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let silent = silent.local_addr().map(|address| (address, silent)).expect("an address");
    let origin = origin();
    let mut config = config(silent.0, Protocol::Http1, 2);
    config.limits.body_rate_min = Some(1 << 20);
    config.limits.body_rate_window = Duration::from_millis(150);
    let mut answering = config.clone();
    let endpoint = &mut answering.clusters.get_mut("origin").expect("the cluster").endpoints[0];
    endpoint.address = EndpointAddress::Socket(origin.addr());
    let gateway = start(config);
    let mut slow = client(&gateway);
    slow.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nabc");
    gateway.kill_worker(0).expect("kill a worker");
    gateway.kill_worker(1).expect("kill a worker");
    let answer = String::from_utf8(slow.read_to_end()).expect("UTF-8");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let gateway = start(answering);
    // One that comes fast enough, or has come, is let be.
    let mut client = client(&gateway);
    let body = "x".repeat(1 << 20);
    client.send(format!(
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(read_response(&mut client).1, body.as_bytes());
    client.send("GET /delay/600 HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
}

#[test]
fn a_client_is_not_blamed_for_an_upstream_that_takes_nothing() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    config.limits.body_rate_min = Some(1 << 20);
    config.limits.body_rate_window = Duration::from_millis(100);
    config.routes[0].timeouts.request = Some(Duration::from_millis(800));
    config.clusters.get_mut("origin").expect("the cluster").connections_max = 1;
    let gateway = start(config);
    let mut occupant = client(&gateway);
    occupant.send("GET /delay/60000 HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut client = client(&gateway);
    client.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nabc");
    let answer = String::from_utf8(client.read_to_end()).expect("UTF-8");
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
}
