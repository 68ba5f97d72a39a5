//! HTTP/2 keep-alive: who answers lives, who does not is closed.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use bulkhead_config::model::{KeepAlive, Protocol, RetryPolicy};
use bulkhead_gateway::Gateway;
use tokio::io::AsyncWriteExt;

use crate::http2::{connect, exchange, get, run};
use crate::scripted::await_until;
use crate::support::{address, client, config, frame, origin, read_response, start, value};

fn eager(while_idle: bool) -> Option<KeepAlive> {
    let moment = Duration::from_millis(30);
    Some(KeepAlive { interval: moment, timeout: moment, while_idle })
}

fn timed_out(gateway: &Gateway) -> f64 {
    let sample = "bulkhead_connection_timeouts_total{reason=\"keep_alive\"}";
    value(&gateway.registry().render(), sample).unwrap_or(0.0)
}

fn round_trips(gateway: &Gateway) -> f64 {
    let sample = "bulkhead_upstream_round_trip_seconds_count{cluster=\"origin\"}";
    value(&gateway.registry().render(), sample).unwrap_or(0.0)
}

/// An upstream of HTTP/2 that says hello, reads, and never says anything again.
fn mute() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.expect("a connection");
            std::thread::spawn(move || {
                let mut rest = [0; 4096];
                let _ = socket.write_all(&frame(4, 0, 0, b""));
                while socket.read(&mut rest).is_ok_and(|count| count > 0) {}
            });
        }
    });
    address
}

#[test]
fn an_upstream_that_answers_pings_may_take_its_time() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http2, 1);
    config.clusters.values_mut().for_each(|cluster| {
        // Time enough on a busy machine.
        cluster.http2_keep_alive =
            eager(false).map(|it| KeepAlive { timeout: Duration::from_secs(10), ..it });
    });
    let gateway = start(config);
    let mut client = client(&gateway);
    client.send("GET /delay/300 HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
    assert!(round_trips(&gateway) >= 1.0);
    assert_eq!(timed_out(&gateway), 0.0);
}

#[test]
fn an_upstream_that_does_not_is_closed_and_its_requests_fail() {
    let mut config = config(mute(), Protocol::Http2, 1);
    config.clusters.values_mut().for_each(|cluster| cluster.http2_keep_alive = eager(false));
    let gateway = start(config);
    let mut client = client(&gateway);
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 502"));
    assert_eq!(timed_out(&gateway), 1.0);
    assert_eq!(round_trips(&gateway), 0.0);
}

#[test]
fn what_hung_on_a_dead_connection_is_tried_again_on_another() {
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let upstream = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            let (mut mute, _) = listener.accept().await.expect("a connection");
            mute.write_all(&frame(4, 0, 0, b"")).await.expect("an open connection");
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut connection = h2::server::handshake(socket).await.expect("shake hands");
                    while let Some(Ok((_request, mut answer))) = connection.accept().await {
                        answer.send_response(http::Response::new(()), true).expect("a stream");
                    }
                });
            }
            drop(mute);
        });
        let mut config = config(upstream, Protocol::Http2, 1);
        config.clusters.values_mut().for_each(|cluster| {
            cluster.http2_keep_alive =
                eager(false).map(|it| KeepAlive { timeout: Duration::from_millis(500), ..it });
        });
        config.routes[0].retry =
            Some(RetryPolicy { backoff: Duration::ZERO, ..RetryPolicy::default() });
        let gateway = start(config);
        let client = connect(address(&gateway)).await;
        let answers = (0..5).map(|_| exchange(&client, get("/"), None));
        for answer in answers.collect::<Vec<_>>() {
            assert_eq!(answer.await.expect("an answer").0.status(), 200);
        }
    });
}

#[test]
fn a_ping_in_flight_survives_its_worker() {
    let mut config = config(mute(), Protocol::Http2, 1);
    config.clusters.values_mut().for_each(|cluster| {
        cluster.http2_keep_alive =
            eager(false).map(|it| KeepAlive { timeout: Duration::from_millis(200), ..it });
    });
    let gateway = start(config);
    let mut client = client(&gateway);
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
    gateway.kill_worker(0).expect("kill the worker");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 502"));
    assert_eq!(timed_out(&gateway), 1.0);
}

#[test]
fn clients_that_do_not_answer_are_closed() {
    let origin = origin();
    for while_idle in [true, false] {
        let mut config = config(origin.addr(), Protocol::Http1, 1);
        config.limits.http2_keep_alive = eager(while_idle);
        // How soon a new connection is looked at, and how soon an idle one is closed otherwise.
        config.limits.head_timeout = Duration::from_millis(100);
        config.limits.idle_timeout = Duration::from_secs(1);
        let gateway = start(config);
        let mut client =
            bulkhead_testkit::RawClient::connect(address(&gateway), crate::support::PATIENCE);
        let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        hello.extend(frame(4, 0, 0, b""));
        client.send(hello);
        let said = client.read_to_end();
        let ping = frame(6, 0, 0, b"bulkhead");
        let pinged = said.windows(ping.len()).any(|bytes| bytes == ping);
        assert_eq!(pinged, while_idle);
        await_until(|| timed_out(&gateway) == f64::from(u8::from(while_idle)));
    }
}
