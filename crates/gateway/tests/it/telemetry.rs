//! Every exchange is counted and logged exactly once, however it ends.

use bulkhead_config::model::{AccessLog, Protocol};
use bulkhead_testkit::Scratch;

use crate::smuggling::{frame, http2_request, until_over};
use crate::support::{client, config, origin, read_response, start, value};

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

    assert!(gateway.drain(crate::support::PATIENCE), "nothing is left to be cut off");
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
