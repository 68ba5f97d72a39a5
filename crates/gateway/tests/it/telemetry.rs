//! Every exchange is counted and logged exactly once, however it ends.

use std::time::Duration;

use bulkhead_config::model::{AccessLog, Protocol};
use bulkhead_gateway::Gateway;
use bulkhead_testkit::Scratch;
use bytes::Bytes;

use crate::http2::{get, run};
use crate::smuggling::{frame, http2_request, until_over};
use crate::support::{PATIENCE, address, client, config, origin, read_response, start, value};

#[test]
fn each_exchange_has_one_record_whether_answered_failed_or_given_up() {
    let origin = origin();
    let scratch = Scratch::new();
    let log = scratch.path().join("access.log");
    let mut config = config(origin.addr(), Protocol::Http2, 2);
    config.access_log = Some(AccessLog::File(log.clone()));
    let gateway = start(config);
    let registry = gateway.registry().clone();
    let mut client = client(&gateway);
    for (path, count) in [("/api/v1/7/feed", 5), ("/status/404", 2), ("/status/503", 1)] {
        for _ in 0..count {
            client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
            read_response(&mut client);
        }
    }
    // What the gateway answers itself: the upstream resets the stream.
    client.send("POST /reset HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 502"));
    gateway.kill_worker(0).expect("kill a worker");
    gateway.kill_worker(1).expect("kill a worker");
    // And a client that gives up: CANCEL, then a second request whose answer shows that it was read.
    let fields =
        |path| [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", path)];
    let mut giving_up = crate::support::client(&gateway);
    giving_up.send(http2_request(&fields("/delay/60000"), None));
    giving_up.send(frame(3, 0, 1, &8u32.to_be_bytes()));
    giving_up.send(frame(6, 0, 0, b"8 bytes."));
    while giving_up.read_exact(1) != b"8" {}
    assert_eq!(giving_up.read_exact(7), b" bytes.");
    let mut other = crate::support::client(&gateway);
    until_over(&mut other, &http2_request(&fields("/api/v1/7/feed"), None));

    assert!(gateway.drain(PATIENCE), "nothing is left to be cut off");
    let metrics = registry.render();
    for (status, count) in [("200", 6.0), ("404", 2.0), ("503", 1.0), ("502", 1.0)] {
        let sample = format!(
            "http_server_requests_total{{http_route=\"all\",cluster=\"origin\",\
             http_response_status_code=\"{status}\"}}"
        );
        assert_eq!(value(&metrics, &sample), Some(count), "{status}: {metrics}");
    }
    for (sample, expect) in [
        ("http_server_active_requests", 0.0),
        ("bulkhead_failures_total{kind=\"upstream_reset\",side=\"upstream\"}", 1.0),
        ("bulkhead_failures_total{kind=\"client_aborted\",side=\"downstream\"}", 1.0),
        ("bulkhead_workers_killed_total", 2.0),
        ("bulkhead_workers_started_total", 4.0),
        ("bulkhead_connections_lost_total", 0.0),
    ] {
        assert_eq!(value(&metrics, sample), Some(expect), "{sample}: {metrics}");
    }
    let log = std::fs::read_to_string(log).expect("the log");
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(lines.len(), 11, "{log}");
    assert!(lines.iter().all(serde_json::Value::is_object), "{log}");
}

/// How many failures of this kind are booked on downstream, upstream and gateway, once all is over.
fn sides(gateway: &Gateway, kind: &str) -> [f64; 3] {
    assert!(gateway.drain(PATIENCE), "nothing is left to be cut off");
    let metrics = gateway.registry().render();
    ["downstream", "upstream", "gateway"].map(|side| {
        let sample = format!("bulkhead_failures_total{{kind=\"{kind}\",side=\"{side}\"}}");
        value(&metrics, &sample).unwrap_or(0.0)
    })
}

#[test]
fn who_was_late_is_blamed() {
    // Nobody ever takes a connection from its queue, nor answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let upstream = silent.local_addr().expect("an address");
    for (request, expect) in [
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", [0.0, 1.0, 0.0]),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc", [0.0, 1.0, 0.0]),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc", [1.0, 0.0, 0.0]),
    ] {
        let mut config = config(upstream, Protocol::Http1, 1);
        config.routes[0].timeouts.request = Some(Duration::from_millis(300));
        let gateway = start(config);
        let mut client = client(&gateway);
        client.send(request);
        assert!(read_response(&mut client).0.starts_with("HTTP/1.1 504"), "{request}");
        drop(client);
        assert_eq!(sides(&gateway, "deadline_exceeded"), expect, "{request}");
    }
}

#[test]
fn a_client_that_does_not_take_its_answer_is_blamed() {
    run(async {
        let origin = origin();
        let mut config = config(origin.addr(), Protocol::Http2, 1);
        config.routes[0].timeouts.request = Some(Duration::from_secs(1));
        let gateway = start(config);
        let socket = tokio::net::TcpStream::connect(address(&gateway)).await.expect("connect");
        let (client, connection) = h2::client::Builder::new()
            .initial_window_size(0)
            .handshake::<_, Bytes>(socket)
            .await
            .expect("shake hands");
        tokio::spawn(connection);
        let mut ready = client.ready().await.expect("a ready connection");
        let (answer, _) = ready.send_request(get("/bytes/100"), true).expect("a stream");
        let mut body = answer.await.expect("a head").into_body();
        assert!(body.data().await.expect("an outcome").is_err());
        assert_eq!(sides(&gateway, "deadline_exceeded"), [1.0, 0.0, 0.0]);
    });
}
