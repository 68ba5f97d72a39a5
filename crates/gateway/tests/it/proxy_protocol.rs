//! PROXY protocol in front of what clients say.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use bulkhead_config::Config;
use bulkhead_config::model::{ListenerProtocol, Protocol, ProxyProtocol, ProxyProtocolVersion};
use bulkhead_testkit::{Authority, Scratch};
use bulkhead_transport::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::layer4::{cluster, echo, route, wait_for};
use crate::secure::{ask, trusting, with_tls};
use crate::support::{PATIENCE, address, client, config, feed, origin, read_response, start};

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n";
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10\xc0\0\x02\x07\xc6\x33\x64\x01\x13\x88\x01\xbb\x04\0\x01\0";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const REQUEST: &[u8] = b"GET /api/v1/1/feed HTTP/1.1\r\nhost: a.example\r\n\r\n";

fn with_proxy_protocol(config: &mut Config, required: bool, trusted: &str) {
    let trusted_sources = vec![trusted.parse().expect("a network")];
    config.listeners[0].proxy_protocol = Some(ProxyProtocol { required, trusted_sources });
}

/// The `x-forwarded-for` that an upstream sees of a client that begins so.
fn forwarded_for(opening: &[u8], required: bool, trusted: &str) -> Option<String> {
    let upstream = TcpListener::bind(("127.0.0.1", 0)).expect("listen");
    let mut config = config(upstream.local_addr().expect("an address"), Protocol::Http1, 1);
    with_proxy_protocol(&mut config, required, trusted);
    let gateway = start(config);
    let mut client = client(&gateway);
    client.send([opening, REQUEST].concat());
    let (mut socket, _) = upstream.accept().expect("accept");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).expect("a request");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text");
    head.lines().find_map(|line| line.strip_prefix("x-forwarded-for: ").map(str::to_owned))
}

#[test]
fn the_client_is_whom_a_trusted_peer_tells_of() {
    let told = Some("192.0.2.7".to_owned());
    let peer = Some("127.0.0.1".to_owned());
    for required in [true, false] {
        assert_eq!(forwarded_for(V1, required, "127.0.0.0/8"), told);
        assert_eq!(forwarded_for(V2, required, "127.0.0.1"), told);
        assert_eq!(forwarded_for(LOCAL, required, "127.0.0.1"), peer);
        assert_eq!(forwarded_for(b"PROXY UNKNOWN\r\n", required, "127.0.0.1"), peer);
    }
    assert_eq!(forwarded_for(b"", false, "127.0.0.1"), peer);
    // Whoever is not trusted is a client like any other.
    assert_eq!(forwarded_for(b"", false, "10.0.0.0/8"), peer);
}

#[test]
fn everything_else_is_closed() {
    let origin = origin();
    for (opening, required, trusted, reason) in [
        (V1, true, "10.0.0.0/8", "proxy_source_not_trusted"),
        (b"".as_slice(), true, "127.0.0.1", "proxy_header_missing"),
        (b"PROXY TCP4 192.0.2.7\r\n", true, "127.0.0.1", "proxy_header_malformed"),
        (b"\r\n\r\n\0\r\nQUIT\n\x31\0\0\0", true, "127.0.0.1", "proxy_header_unsupported"),
        (b"PROXY TCP4 192.0.2.7\r\n", false, "127.0.0.1", "proxy_header_malformed"),
    ] {
        let mut config = config(origin.addr(), Protocol::Http1, 1);
        with_proxy_protocol(&mut config, required, trusted);
        let gateway = start(config);
        let mut client = client(&gateway);
        let _may_be_closed = client.try_send([opening, REQUEST].concat());
        assert!(client.is_over(), "{reason}");
        wait_for(&gateway, &format!("bulkhead_protocol_errors_total{{reason=\"{reason}\"}}"), 1.0);
    }
    // What a peer says that is not trusted is no request, and nothing else.
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    with_proxy_protocol(&mut config, false, "10.0.0.0/8");
    let gateway = start(config);
    let mut client = client(&gateway);
    client.send([V1, REQUEST].concat());
    assert!(client.is_over());
    assert_eq!(origin.stats().requests_total(), 0);
}

#[test]
fn it_stands_in_front_of_tls_and_survives_its_worker() {
    let (origin, authority, scratch) = (origin(), Authority::new(), Scratch::new());
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    with_tls(&mut config, &authority, &scratch, &["a.example"]);
    with_proxy_protocol(&mut config, true, "127.0.0.1");
    let gateway = start(config);
    for header in [V1, V2] {
        let mut socket = TcpStream::connect(address(&gateway)).expect("connect");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let (first, second) = header.split_at(9);
        socket.write_all(first).expect("send");
        gateway.kill_worker(0).expect("kill the worker");
        socket.write_all(second).expect("send");
        let name = ServerName::try_from("a.example").expect("a name");
        let session = ClientConnection::new(trusting(&authority, &[]), name).expect("a session");
        let mut tls = StreamOwned::new(session, socket);
        assert_eq!(ask(&mut tls, 5), feed(5));
    }
    assert_eq!(gateway.evacuation_totals().lost_connections, 0);
}

#[test]
fn a_header_byte_by_byte_is_read_and_bytes_behind_it_are_not_lost() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    with_proxy_protocol(&mut config, true, "127.0.0.1");
    let gateway = start(config);
    let mut client = client(&gateway);
    for byte in [V2, REQUEST].concat() {
        client.send([byte]);
    }
    assert_eq!(read_response(&mut client).1, feed(1));
}

#[test]
fn what_is_told_is_told_on_to_the_endpoint_of_a_relay() {
    let mut config = config(origin().addr(), Protocol::Http1, 1);
    config.routes.clear();
    config.listeners[0].protocol = ListenerProtocol::Tcp;
    config.tcp_routes = vec![route("raw", "raw")];
    let (name, mut raw) = cluster("raw", &[echo()]);
    raw.proxy_protocol = Some(ProxyProtocolVersion::V1);
    config.clusters = [(name, raw)].into();
    with_proxy_protocol(&mut config, true, "127.0.0.1");
    let gateway = start(config);
    let mut client = client(&gateway);
    client.send([V2, b"hello"].concat());
    let expect = [V1, b"hello"].concat();
    assert_eq!(client.read_exact(expect.len()), expect);
}
