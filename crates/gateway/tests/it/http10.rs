//! HTTP/1.0 clients: no host, no chunks, and a connection that closes unless both want it otherwise.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use bulkhead_config::model::Protocol;

use crate::support::{address, client, config, feed, origin, read_request, read_response, start};

/// An upstream that gives one answer in chunks.
fn chunked() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("an address");
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("accept");
        read_request(&mut socket);
        socket
            .write_all(
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n\
                  3\r\nabc\r\n2\r\nde\r\n0\r\nx-t: 1\r\n\r\n",
            )
            .expect("write");
    });
    (address, thread)
}

#[test]
fn a_connection_closes_unless_it_is_to_be_kept() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    // No host is needed: the default route takes it.
    let mut plain = client(&gateway);
    plain.send("GET /api/v1/7/feed HTTP/1.0\r\n\r\n");
    let answer = String::from_utf8(plain.read_to_end()).expect("UTF-8");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    let mut keeping = client(&gateway);
    for user in 0..3 {
        keeping.send(format!("GET /api/v1/{user}/feed HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n"));
        let (head, body) = read_response(&mut keeping);
        assert!(head.to_ascii_lowercase().contains("connection: keep-alive"), "{head}");
        assert_eq!(body, feed(user));
    }
    // A body needs a length, and an expectation means nothing to this version.
    keeping.send(
        "POST /echo HTTP/1.0\r\nconnection: keep-alive\r\nexpect: 100-continue\r\n\
         content-length: 3\r\n\r\nabc",
    );
    let (head, body) = read_response(&mut keeping);
    assert!(head.starts_with("HTTP/1.1 200"), "no interim head: {head}");
    assert_eq!(body, b"abc");
    // The upstream is told a host nevertheless: the address that the client found us at.
    let mut asking = client(&gateway);
    asking.send("GET /headers HTTP/1.0\r\n\r\n");
    let told = String::from_utf8(asking.read_to_end()).expect("UTF-8");
    let host = format!("\":authority\":[\"{}\"]", address(&gateway));
    assert!(told.contains(&host), "{told}");
    let mut coded = client(&gateway);
    coded.send("POST /echo HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    assert!(coded.read_to_end().starts_with(b"HTTP/1.1 400"));
}

#[test]
fn chunks_become_a_body_that_ends_with_the_connection() {
    for keep in ["", "connection: keep-alive\r\n"] {
        let (from, upstream) = chunked();
        let gateway = start(config(from, Protocol::Http1, 1));
        let mut client = client(&gateway);
        client.send(format!("GET / HTTP/1.0\r\n{keep}\r\n"));
        let answer = String::from_utf8(client.read_to_end()).expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("connection: close"), "{head}");
        assert!(!head.contains("chunked") && !head.contains("trailer"), "{head}");
        assert_eq!(body, "abcde");
        upstream.join().expect("the upstream");
    }
}

#[test]
fn a_route_with_a_hostname_is_not_for_requests_without() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    config.routes[0].hostnames = vec!["a.example".to_owned()];
    let gateway = start(config);
    for (host, status) in [("", "404"), ("host: a.example\r\n", "200"), ("host: b\r\n", "404")] {
        let mut client = client(&gateway);
        client.send(format!("GET /api/v1/7/feed HTTP/1.0\r\n{host}\r\n"));
        let answer = String::from_utf8(client.read_to_end()).expect("UTF-8");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{host}: {answer}");
    }
}
