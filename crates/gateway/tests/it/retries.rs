//! What is tried again and what is not, and which answers take an endpoint out of service.

use std::io::Write;
use std::net::TcpListener;

use bulkhead_config::model::{
    Balance, Cluster, Config, Ejection, Endpoint, EndpointAddress, Protocol, RetryPolicy,
};
use bulkhead_gateway::Gateway;
use bulkhead_origin::Origin;
use bulkhead_testkit::RawClient;

use crate::support::{PATIENCE, client, config, origin, read_request, read_response, start, value};

/// One route that retries `codes`, to these origins in turn.
fn in_turn(origins: &[&Origin], codes: &[u16], ejection: Option<Ejection>) -> Config {
    let mut config = config(origins[0].addr(), Protocol::Http1, 1);
    let endpoints =
        origins.iter().map(|origin| Endpoint::new(EndpointAddress::Socket(origin.addr())));
    let cluster = Cluster {
        balance: Balance::RoundRobin,
        ejection,
        ..Cluster::new("origin", endpoints.collect(), Protocol::Http1)
    };
    config.clusters.insert("origin".to_owned(), cluster);
    let statuses = codes.to_vec();
    config.routes[0].retry = Some(RetryPolicy { statuses, ..RetryPolicy::default() });
    config
}

fn get(client: &mut RawClient, path: &str) -> String {
    client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
    let (head, body) = read_response(client);
    format!("{} {}", &head["HTTP/1.1 ".len()..][..3], String::from_utf8_lossy(&body))
}

fn count(gateway: &Gateway, name: &str) -> f64 {
    let sample = format!("{name}{{cluster=\"origin\"}}");
    value(&gateway.registry().render(), &sample).unwrap_or(0.0)
}

fn eager() -> Option<Ejection> {
    Some(Ejection { consecutive_failures: 3, ..Ejection::default() })
}

#[test]
fn beyond_the_budget_the_answer_of_the_upstream_is_passed_on() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let origin = origin();
        let mut config = in_turn(&[&origin], &[503], None);
        config.clusters.values_mut().for_each(|cluster| cluster.protocol = protocol);
        let gateway = start(config);
        let mut client = client(&gateway);
        for request in 0..40 {
            assert_eq!(get(&mut client, "/status/503"), "503 status 503\n", "request {request}");
        }
        // The allowance of a quiet cluster: three a second over ten seconds.
        assert_eq!(count(&gateway, "bulkhead_retries_total"), 30.0, "{protocol:?}");
        assert_eq!(count(&gateway, "bulkhead_retries_refused_total"), 25.0, "{protocol:?}");
        assert_eq!(origin.stats().requests_total(), 70, "{protocol:?}");
    }
}

#[test]
fn statuses_that_are_retried_count_for_ejection_as_what_they_are() {
    for (status, ejections) in [(429, 0.0), (503, 1.0)] {
        let (one, other) = (origin(), origin());
        let ejection = Ejection { consecutive_failures: 1, ..Ejection::default() };
        let gateway = start(in_turn(&[&one, &other], &[429, 503], Some(ejection)));
        let mut client = client(&gateway);
        for _ in 0..8 {
            let answer = get(&mut client, &format!("/status/{status}"));
            assert_eq!(answer, format!("{status} status {status}\n"));
        }
        assert_eq!(count(&gateway, "bulkhead_ejections_total"), ejections, "{status}");
    }
}

#[test]
fn gateway_errors_in_a_row_eject_an_endpoint_and_other_answers_do_not() {
    for (status, ejects) in [(404, false), (500, false), (501, false), (502, true), (504, true)] {
        let (one, other) = (origin(), origin());
        let gateway = start(in_turn(&[&one, &other], &[], eager()));
        let mut client = client(&gateway);
        for _ in 0..6 {
            let answer = get(&mut client, &format!("/status/{status}"));
            assert_eq!(answer, format!("{status} status {status}\n"));
        }
        let before = [one.stats().requests_total(), other.stats().requests_total()];
        for _ in 0..10 {
            assert!(get(&mut client, "/api/v1/1/feed").starts_with("200"), "{status}");
        }
        let after = [one.stats().requests_total(), other.stats().requests_total()];
        let mut shares = [after[0] - before[0], after[1] - before[1]];
        shares.sort_unstable();
        assert_eq!(shares, if ejects { [0, 10] } else { [5, 5] }, "{status}");
    }
}

#[test]
fn connections_that_fail_eject_an_endpoint() {
    let (origin, dead) = (origin(), origin());
    let config = in_turn(&[&origin, &dead], &[], eager());
    drop(dead);
    let gateway = start(config);
    let mut client = client(&gateway);
    for _ in 0..20 {
        assert!(get(&mut client, "/api/v1/1/feed").starts_with("200"));
    }
    assert_eq!(count(&gateway, "bulkhead_ejections_total"), 1.0);
    assert_eq!(count(&gateway, "bulkhead_upstream_connect_failures_total"), 3.0);
}

#[test]
fn an_answer_that_is_whole_leaves_its_connection_to_the_next_attempt() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("bind");
    let mut config = config(upstream.local_addr().expect("an address"), Protocol::Http1, 1);
    config.routes[0].retry = Some(RetryPolicy { statuses: vec![503], ..RetryPolicy::default() });
    let gateway = start(config);
    let mut client = client(&gateway);
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let (mut socket, _) = upstream.accept().expect("a connection");
    socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
    for answer in ["503 No\r\ncontent-length: 0\r\n\r\n", "200 OK\r\ncontent-length: 3\r\n\r\nyes"]
    {
        read_request(&mut socket);
        socket.write_all(format!("HTTP/1.1 {answer}").as_bytes()).expect("answer");
    }
    let (head, body) = read_response(&mut client);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body, b"yes");
}
