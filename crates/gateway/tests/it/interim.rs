//! Interim responses (RFC 9110 §15.2) on their way through both protocols.

use bulkhead_config::model::Protocol;
use bulkhead_gateway::Gateway;
use bulkhead_testkit::RawClient;
use bytes::Bytes;

use crate::http2::{connect, get, run};
use crate::support::{PATIENCE, address, client, config, start};

/// An HTTP/1.1 upstream of the test's own, and the gateways before it: with `Http2` there is a second
/// one between, which passes on what the upstream says.
fn way(protocol: Protocol) -> (std::net::TcpListener, Gateway, Option<Gateway>) {
    let upstream = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let place = upstream.local_addr().expect("an address");
    let between = (protocol == Protocol::Http2).then(|| start(config(place, Protocol::Http1, 1)));
    let next = between.as_ref().map_or(place, address);
    (upstream, start(config(next, protocol, 1)), between)
}

fn accept(upstream: &std::net::TcpListener) -> RawClient {
    RawClient::over(upstream.accept().expect("a connection").0, PATIENCE)
}

const ANSWER: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n\
                      HTTP/1.1 102 Processing\r\n\r\n\
                      HTTP/1.1 100 Continue\r\n\r\n\
                      HTTP/1.1 103 Early Hints\r\nlink: </b>; rel=preload\r\n\r\n\
                      HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[test]
fn an_http1_client_gets_them_all_but_100() {
    for up in [Protocol::Http1, Protocol::Http2] {
        let (upstream, gateway, _between) = way(up);
        let mut client = client(&gateway);
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        let mut peer = accept(&upstream);
        peer.read_until(b"\r\n\r\n");
        peer.send(ANSWER);
        for (start, field) in [
            ("HTTP/1.1 103 ", "link: </a>; rel=preload\r\n"),
            ("HTTP/1.1 102 ", ""),
            ("HTTP/1.1 103 ", "link: </b>; rel=preload\r\n"),
            ("HTTP/1.1 200 ", "content-length: 2\r\n"),
        ] {
            let head = String::from_utf8(client.read_until(b"\r\n\r\n")).expect("text");
            assert!(head.starts_with(start) && head.contains(field), "{up:?} {head}");
        }
        assert_eq!(client.read_exact(2), b"ok");

        // To HTTP/1.0 they are unknown.
        client.send("GET / HTTP/1.0\r\nhost: a\r\n\r\n");
        peer.read_until(b"\r\n\r\n");
        peer.send(ANSWER);
        let answer = String::from_utf8(client.read_to_end()).expect("text");
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok"), "{answer}");
    }
}

#[test]
fn an_http2_client_gets_them_all_but_100() {
    for up in [Protocol::Http1, Protocol::Http2] {
        let (upstream, gateway, _between) = way(up);
        let place = address(&gateway);
        let answering = std::thread::spawn(move || {
            let mut peer = accept(&upstream);
            peer.read_until(b"\r\n\r\n");
            peer.send(ANSWER);
            peer
        });
        run(async move {
            let client = connect(place).await;
            let mut client = client.ready().await.expect("a connection");
            let (mut answer, _) = client.send_request(get("/"), true).expect("a stream");
            for (status, link) in
                [(103, Some("</a>; rel=preload")), (102, None), (103, Some("</b>; rel=preload"))]
            {
                let head = std::future::poll_fn(|context| answer.poll_informational(context)).await;
                let head = head.expect("another one").expect("an interim head");
                assert_eq!(head.status(), status, "{up:?}");
                assert_eq!(head.headers().get("link").and_then(|it| it.to_str().ok()), link);
            }
            let (head, mut body) = answer.await.expect("an answer").into_parts();
            assert_eq!(head.status, 200);
            let piece = body.data().await.expect("a body").expect("a piece");
            assert_eq!(piece, Bytes::from_static(b"ok"));
        });
        answering.join().expect("an upstream");
    }
}

#[test]
fn an_expectation_is_met_by_the_gateway() {
    for up in [Protocol::Http1, Protocol::Http2] {
        let (upstream, gateway, _between) = way(up);
        let mut client = client(&gateway);
        client.send(
            "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n",
        );
        assert_eq!(client.read_until(b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n");
        let mut peer = accept(&upstream);
        let head = String::from_utf8(peer.read_until(b"\r\n\r\n")).expect("text");
        assert!(!head.contains("expect"), "{head}");
        client.send("body");
        assert_eq!(peer.read_exact(4), b"body");
        peer.send("HTTP/1.1 204 No Content\r\n\r\n");
        let head = String::from_utf8(client.read_until(b"\r\n\r\n")).expect("text");
        assert!(head.starts_with("HTTP/1.1 204 "), "{up:?} {head}");
    }
}
