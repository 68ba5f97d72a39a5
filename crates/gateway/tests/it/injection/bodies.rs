//! Bodies that are cut, altered or slowed down, and statuses that are replaced.

use super::*;

/// What a client of HTTP/1.1 reads until the connection ends; `None`: it was reset.
fn read_rest(gateway: &Gateway, path: &str) -> (Vec<u8>, bool) {
    use std::io::{Read, Write};
    let mut socket = std::net::TcpStream::connect(address(gateway)).expect("connect");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    write!(socket, "GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").expect("send");
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return (all, false),
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
                return (all, true);
            }
        }
    }
}

fn body_of(message: &[u8]) -> &[u8] {
    let at = message.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    &message[at + 4..]
}

/// The requests end well for their endpoint: it is not blamed.
#[track_caller]
fn nobody_is_blamed(gateway: &Gateway) {
    let metrics = gateway.registry().render();
    let sample =
        "http_client_request_duration_seconds_count{cluster=\"origin\",outcome=\"failed\"}";
    assert!(value(&metrics, sample).unwrap_or(0.0) == 0.0, "{metrics}");
    assert!(!metrics.contains("side=\"upstream\"} 1"), "{metrics}");
}

#[test]
fn a_status_is_replaced_and_the_body_stays() {
    run(async {
        for protocol in PROTOCOLS {
            let origin = origin();
            let gateway = start(config(origin.addr(), protocol, 1));
            put(&gateway, "s", json!({"replace_status": {"status": 500}, "percent": 100}));
            assert_eq!(ask(&gateway, "/api/v1/7/feed"), (500, feed(7)));
            let client = connect(address(&gateway)).await;
            let (head, body, _) =
                exchange(&client, get("/api/v1/7/feed"), None).await.expect("an answer");
            assert_eq!((head.status().as_u16(), body), (500, feed(7)));
            nobody_is_blamed(&gateway);
        }
    });
}

#[test]
fn a_truncated_body_ends_early() {
    run(async {
        for protocol in PROTOCOLS {
            let origin = origin();
            let gateway = start(config(origin.addr(), protocol, 1));
            put(&gateway, "t", json!({"truncate_body": {"after_bytes": 10}, "percent": 100}));
            let (message, reset) = read_rest(&gateway, "/api/v1/7/feed");
            assert_eq!((body_of(&message), reset), (&feed(7)[..10], false));
            // What is not longer is left as it is.
            assert_eq!(ask(&gateway, "/bytes/10").1.len(), 10);
            let client = connect(address(&gateway)).await;
            // The promised length is not kept, which this client notices.
            assert!(exchange(&client, get("/api/v1/7/feed"), None).await.is_err());
            if protocol == Protocol::Http2 {
                let mut message = Vec::new();
                bulkhead_origin::feed::push_grpc_request(7, &mut message);
                let call = exchange(&client, grpc("/feed.v1.Feed/Get"), Some(message.into()));
                let (_, body, trailers) = call.await.expect("an end in good order");
                assert_eq!((body.len(), trailers), (10, None));
            }
            nobody_is_blamed(&gateway);
            wait_for_value(&gateway, "http_server_active_requests", 0.0);
        }
    });
}

#[test]
fn a_reset_comes_behind_so_many_bytes() {
    run(async {
        for protocol in PROTOCOLS {
            let origin = origin();
            let gateway = start(config(origin.addr(), protocol, 1));
            put(&gateway, "r", json!({"reset": {"after_bytes": 10}, "percent": 100}));
            let (message, reset) = read_rest(&gateway, "/api/v1/7/feed");
            assert!(reset, "{}", String::from_utf8_lossy(&message));
            let client = connect(address(&gateway)).await;
            let failed = exchange(&client, get("/bytes/100000"), None).await.expect_err("a reset");
            assert!(failed.is_reset() && failed.is_remote(), "{failed}");
            // The connection goes on.
            assert!(exchange(&client, get("/bytes/10"), None).await.is_ok());
            nobody_is_blamed(&gateway);
            wait_for_value(&gateway, "http_server_active_requests", 0.0);
            let metrics = gateway.registry().render();
            let sample = "bulkhead_failures_total{kind=\"injected\",side=\"gateway\"}";
            assert_eq!(value(&metrics, sample), Some(2.0), "{metrics}");
        }
    });
}

#[test]
fn one_bit_of_a_body_is_turned_over() {
    run(async {
        for protocol in PROTOCOLS {
            for direction in ["request", "response"] {
                let origin = origin();
                let gateway = start(config(origin.addr(), protocol, 1));
                let corrupt = json!({"offset": 50_000, "direction": direction});
                put(&gateway, "c", json!({"corrupt_body": corrupt, "percent": 100}));
                let client = connect(address(&gateway)).await;
                let request =
                    http::Request::post("http://a.example/echo").body(()).expect("a request");
                let sent = vec![7; 100_000];
                let echo = exchange(&client, request, Some(sent.clone().into()));
                let (_, body, _) = echo.await.expect("an answer");
                let different: Vec<_> =
                    (0..sent.len()).filter(|at| body[*at] != sent[*at]).collect();
                assert_eq!((body.len(), different), (100_000, vec![50_000]), "{direction}");
                assert_eq!(body[50_000], 6);
                nobody_is_blamed(&gateway);
            }
        }
    });
}

#[test]
fn a_slow_body_takes_its_time_and_comes_whole() {
    run(async {
        for protocol in PROTOCOLS {
            for direction in ["request", "response"] {
                let origin = origin();
                let gateway = start(config(origin.addr(), protocol, 2));
                let slow = json!({"bytes_per_s": 100_000, "direction": direction});
                put(&gateway, "s", json!({"slow_body": slow, "percent": 100}));
                let client = connect(address(&gateway)).await;
                let request =
                    http::Request::post("http://a.example/echo").body(()).expect("a request");
                let (sent, started) = (vec![7; 30_000], Instant::now());
                let echo = exchange(&client, request, Some(sent.clone().into()));
                let (_, body, _) = echo.await.expect("an answer");
                assert!(body == sent, "{direction}");
                assert!(started.elapsed() >= Duration::from_millis(290), "{direction}");
                nobody_is_blamed(&gateway);
            }
        }
    });
}

#[test]
fn a_slow_body_outlives_its_worker() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http2, 2));
    let slow = json!({"bytes_per_s": 100_000, "direction": "response"});
    put(&gateway, "s", json!({"slow_body": slow, "percent": 100}));
    let mut clients: Vec<_> = (0..4).map(|_| client(&gateway)).collect();
    let started = Instant::now();
    for client in &mut clients {
        client.send("GET /bytes/50000 HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    for client in &mut clients {
        client.read_until(b"\r\n\r\n");
    }
    gateway.kill_worker(0).expect("kill a worker");
    gateway.kill_worker(1).expect("kill a worker");
    for client in &mut clients {
        assert_eq!(client.read_exact(50_000).len(), 50_000);
    }
    assert!(started.elapsed() >= Duration::from_millis(490));
    assert_eq!(gateway.evacuation_totals().lost_connections, 0);
    wait_for_value(&gateway, "http_server_active_requests", 0.0);
    assert_eq!(gateway.fault("s").expect("a report").active, 0);
}
