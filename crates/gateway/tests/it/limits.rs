//! Limits and time-outs, each seen from a client that runs into it.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use bulkhead_config::model::Protocol;
use bytes::Bytes;
use http::Request;

use crate::http2::run;
use crate::support::{
    address, client, config, feed, frame, origin, read_response, resident_bytes, start,
};

#[test]
fn heads_beyond_their_limits_are_refused() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    config.limits.head_bytes_max = 4_096;
    config.limits.fields_max = 20;
    let gateway = start(config);
    let many = "x-a: 1\r\n".repeat(30);
    for (request, expect) in [
        (format!("GET / HTTP/1.1\r\nhost: a\r\nx-long: {}\r\n\r\n", "v".repeat(8_000)), "431"),
        (format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"), "431"),
        (format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "p".repeat(20_000)), "4"),
    ] {
        let mut client = client(&gateway);
        client.send(request);
        let answer = String::from_utf8_lossy(&client.read_to_end()).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {expect}")), "{answer}");
    }
}

#[test]
fn who_does_not_go_on_is_closed() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    config.limits.head_timeout = Duration::from_millis(150);
    config.limits.idle_timeout = Duration::from_millis(300);
    let gateway = start(config);
    for beginning in ["", "GET / HT", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nhost: a\r\nx-slow: "]
    {
        let mut client = client(&gateway);
        client.send(beginning);
        assert!(client.read_to_end().is_empty(), "{beginning:?}");
    }
    // A connection that was used is given the idle time-out, and closed in good order.
    let mut client = client(&gateway);
    client.send("GET /api/v1/1/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(read_response(&mut client).1, feed(1));
    assert!(client.read_to_end().is_empty());
}

#[test]
fn an_upstream_that_is_late_is_a_504() {
    let origin = origin();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for whole in [true, false] {
            let mut config = config(origin.addr(), protocol, 1);
            let timeouts = &mut config.routes[0].timeouts;
            *(if whole { &mut timeouts.request } else { &mut timeouts.backend_request }) =
                Some(Duration::from_millis(80));
            let gateway = start(config);
            let mut client = client(&gateway);
            client.send("GET /delay/20000 HTTP/1.1\r\nhost: a\r\n\r\n");
            assert!(read_response(&mut client).0.starts_with("HTTP/1.1 504"));
            client.send("GET /api/v1/1/feed HTTP/1.1\r\nhost: a\r\n\r\n");
            assert_eq!(read_response(&mut client).1, feed(1));
        }
    }
}

#[test]
fn connections_beyond_the_limit_are_refused_and_those_before_it_served() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    config.limits.connections_max = 2;
    let gateway = start(config);
    let mut clients = [client(&gateway), client(&gateway)];
    for client in &mut clients {
        client.send("GET /api/v1/1/feed HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(read_response(client).1, feed(1));
    }
    let mut third = TcpStream::connect(address(&gateway)).expect("the kernel accepts");
    let mut answer = Vec::new();
    // A reset or an end, never an answer.
    let _ = third.read_to_end(&mut answer);
    assert!(answer.is_empty());
    let [mut first, second] = clients;
    drop(second);
    first.send("GET /api/v1/2/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(read_response(&mut first).1, feed(2));
}

#[test]
fn a_client_that_grants_no_window_is_given_up_and_holds_little() {
    run(async {
        let origin = origin();
        let mut config = config(origin.addr(), Protocol::Http2, 1);
        config.routes[0].timeouts.idle = Duration::from_millis(400);
        let gateway = start(config);
        let socket = tokio::net::TcpStream::connect(address(&gateway)).await.expect("connect");
        let (client, connection) = h2::client::Builder::new()
            .initial_window_size(0)
            .handshake::<_, Bytes>(socket)
            .await
            .expect("shake hands");
        tokio::spawn(connection);
        let before = resident_bytes();
        let mut answers = Vec::new();
        for _ in 0..20 {
            let mut client = client.clone().ready().await.expect("ready");
            let request = Request::get("http://a.example/bytes/10000000").body(()).expect("valid");
            answers.push(client.send_request(request, true).expect("a stream").0);
        }
        for answer in answers {
            let mut body = answer.await.expect("a head").into_body();
            // It ends in a reset, not in a clean end.
            assert!(body.data().await.expect("an outcome").is_err());
        }
        // 20 × the stream window (256 KiB), and as much again for the origin, which lives here too.
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < 40 << 20, "{grown} bytes for 20 stalled answers of 10 MB");
    });
}

#[test]
fn a_slow_reader_gets_everything_and_the_gateway_holds_little() {
    let origin = origin();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let gateway = start(config(origin.addr(), protocol, 1));
        let mut client = TcpStream::connect(address(&gateway)).expect("connect");
        std::io::Write::write_all(
            &mut client,
            b"GET /bytes/40000000 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        )
        .expect("write");
        let mut piece = vec![0; 1 << 20];
        let mut total = 0;
        loop {
            let count = client.read(&mut piece).expect("read");
            if count == 0 {
                break;
            }
            total += count;
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(total > 40_000_000, "{protocol:?}: {total}");
    }
}

/// Clients that ask for much and read nothing at all, of either protocol: each is closed, though one of
/// them goes on sending, and the metrics tell why.
#[test]
fn a_client_that_reads_nothing_is_closed_whatever_it_sends() {
    let origin = origin();
    for http2 in [false, true] {
        let mut config = config(origin.addr(), Protocol::Http2, 1);
        config.limits.write_timeout = Duration::from_millis(300);
        let gateway = start(config);
        let mut client = TcpStream::connect(address(&gateway)).expect("connect");
        // Then WINDOW_UPDATE, or another request: input is no excuse for not reading.
        let (request, more) = if http2 {
            (http2_download(), frame(8, 0, 0, &1u32.to_be_bytes()))
        } else {
            let request = b"GET /bytes/100000000 HTTP/1.1\r\nhost: a\r\n\r\n".to_vec();
            (request.clone(), request)
        };
        std::io::Write::write_all(&mut client, &request).expect("write");
        client.set_nonblocking(true).expect("a socket option");
        let expected = "bulkhead_connection_timeouts_total{reason=\"write\"} 1";
        let counted = || gateway.registry().render().lines().any(|line| line == expected);
        let began = std::time::Instant::now();
        while !counted() {
            assert!(began.elapsed() < crate::support::PATIENCE, "HTTP/2: {http2}");
            // Fails once the gateway has closed, which the counter is about to show.
            let _closed = std::io::Write::write(&mut client, &more);
            std::thread::yield_now();
        }
        let open = "http_server_open_connections";
        while gateway
            .registry()
            .render()
            .lines()
            .any(|line| line.starts_with(open) && !line.ends_with(" 0"))
        {
            assert!(began.elapsed() < crate::support::PATIENCE, "still open; HTTP/2: {http2}");
            std::thread::yield_now();
        }
    }
}

/// Asks for 100 MB with windows of a gigabyte.
fn http2_download() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let gigabyte = (1u32 << 30).to_be_bytes();
    // SETTINGS_INITIAL_WINDOW_SIZE.
    bytes.extend(frame(4, 0, 0, &[&[0, 4], &gigabyte[..]].concat()));
    bytes.extend(frame(8, 0, 0, &gigabyte));
    let path = b"/bytes/100000000";
    let head = [&[0x82, 0x86, 0x41, 1, b'a', 0x44, path.len() as u8][..], path].concat();
    bytes.extend(frame(1, 0x1 | 0x4, 1, &head));
    bytes
}
