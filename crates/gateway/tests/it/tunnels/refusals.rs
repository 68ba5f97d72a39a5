//! Requests that ask for a tunnel and get none: HTTP goes on, and nothing of the tunnel is HTTP's.

use std::time::Instant;

use bulkhead_config::model::{Filter, FixedResponse, Protocol, RetryPolicy};
use bulkhead_testkit::RawClient;

use super::sides::{ALL_FOUR, Client, Upstream, Way, read_head, upgrade};
use crate::support::{PATIENCE, address, config, origin, read_response, start, value};

fn raw(way: &Way) -> RawClient {
    RawClient::connect(address(&way.gateway), PATIENCE)
}

fn status(client: &mut Client) -> u16 {
    match client {
        Client::Http1(client) => {
            let (head, _) = read_response(client);
            head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status")
        }
        Client::Http2(client) => client.head().status.as_u16(),
    }
}

#[test]
fn without_the_route_s_leave_an_upgrade_is_an_ordinary_request() {
    let upstream = Upstream::new();
    let gateway = start(config(upstream.address(), Protocol::Http1, 1));
    let mut client = RawClient::connect(address(&gateway), PATIENCE);
    client.send(upgrade("/chat", ""));
    let (mut peer, head) = upstream.accept();
    assert!(!head.contains("upgrade"), "{head}");
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(read_response(&mut client).1, b"ok");
    // A switch that nobody asked the upstream for is none.
    client.send(upgrade("/chat", ""));
    peer.read_until(b"\r\n\r\n");
    peer.send("HTTP/1.1 101 \r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 502 "));
}

#[test]
fn without_any_route_s_leave_http2_clients_are_offered_nothing() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    crate::http2::run(async {
        let client = crate::http2::connect(address(&gateway)).await;
        let (head, _, _) = crate::http2::exchange(&client, crate::http2::get("/bytes/1"), None)
            .await
            .expect("an answer");
        assert_eq!(head.status(), 200);
        // The settings came before that answer.
        assert!(!client.is_extended_connect_protocol_enabled());
    });
}

#[test]
fn an_upstream_s_refusal_is_the_client_s_answer() {
    for (down, up) in ALL_FOUR {
        let upstream = Upstream::new();
        let way = Way::to(upstream.address(), up, 1);
        let mut client = Client::ask_websocket(&way.gateway, down, "/");
        let (mut peer, _) = upstream.accept();
        peer.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
        assert_eq!(status(&mut client), 403, "{down:?} {up:?}");
    }
}

#[test]
fn connections_are_good_for_other_requests_after_a_refusal() {
    let upstream = Upstream::new();
    let way = Way::to(upstream.address(), Protocol::Http1, 1);
    let mut client = raw(&way);
    client.send(upgrade("/1", ""));
    let (mut peer, _) = upstream.accept();
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1");
    assert_eq!(read_response(&mut client).1, b"1");
    client.send("GET /2 HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(read_head(&mut peer).starts_with("GET /2 "));
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n2");
    assert_eq!(read_response(&mut client).1, b"2");
}

#[test]
fn what_was_sent_for_the_tunnel_is_http_after_a_refusal() {
    let upstream = Upstream::new();
    let way = Way::with(upstream.address(), Protocol::Http1, 1, |config| {
        config.routes[0].matches[0].path =
            bulkhead_config::model::PathMatch::Prefix("/public".to_owned());
    });
    // As CVE-2026-2833 has it: the second request was to reach the upstream past the routes.
    let mut client = raw(&way);
    client.send(upgrade("/public", "") + "GET /private HTTP/1.1\r\nhost: a\r\n\r\n");
    let (mut peer, _) = upstream.accept();
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(read_response(&mut client).1, b"ok");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 404 "));
    assert!(peer.is_silent());
    // And what is no request ends the connection.
    client.send(upgrade("/public", "") + "\x01\x02");
    read_head(&mut peer);
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(read_response(&mut client).1, b"ok");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 400 "));
    client.finish();
    assert_eq!(client.read_to_end(), b"");
}

#[test]
fn success_without_a_switch_is_no_agreement_for_an_http2_client() {
    let upstream = Upstream::new();
    let way = Way::with(upstream.address(), Protocol::Http1, 1, |config| {
        config.clusters.get_mut("origin").expect("there").ejection =
            Some(bulkhead_config::model::Ejection {
                consecutive_failures: 1,
                ..bulkhead_config::model::Ejection::default()
            });
    });
    for _ in 0..3 {
        let mut client = Client::ask_websocket(&way.gateway, Protocol::Http2, "/");
        let (mut peer, _) = upstream.accept();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        // Nobody could eject an endpoint with it.
        assert_eq!(status(&mut client), 502);
    }
}

#[test]
fn a_wrong_accept_is_not_passed_on_as_an_agreement() {
    let upstream = Upstream::new();
    let way = Way::to(upstream.address(), Protocol::Http1, 1);
    let mut client = Client::ask_websocket(&way.gateway, Protocol::Http2, "/");
    let (mut peer, _) = upstream.accept();
    peer.send(
        "HTTP/1.1 101 \r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
    assert_eq!(status(&mut client), 502);
    assert_eq!(peer.read_to_end(), b"");
}

#[test]
fn an_upstream_without_extended_connect_is_not_asked() {
    for down in [Protocol::Http1, Protocol::Http2] {
        let origin = origin();
        // Straight to the origin, which does not offer it.
        let gateway = start(super::sides::open_config(origin.addr(), Protocol::Http2, 1));
        for _ in 0..3 {
            let mut client = Client::ask_websocket(&gateway, down, "/ws");
            assert_eq!(status(&mut client), 503, "{down:?}");
        }
        let mut client = RawClient::connect(address(&gateway), PATIENCE);
        client.send("GET /bytes/3 HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(read_response(&mut client).1.len(), 3, "the endpoint is as good as before");
    }
}

#[test]
fn handshakes_are_tried_again_where_requests_are() {
    for (down, up) in ALL_FOUR {
        let upstream = Upstream::new();
        let way = Way::with(upstream.address(), up, 1, |config| {
            config.routes[0].retry =
                Some(RetryPolicy { statuses: vec![502, 503], ..RetryPolicy::default() });
        });
        let mut client = Client::ask_websocket(&way.gateway, down, "/");
        let (peer, _) = upstream.accept();
        drop(peer);
        let mut peer = upstream.agree();
        client.agreed();
        client.send(b"x");
        assert_eq!(peer.read_exact(1), b"x", "{down:?} {up:?}");
    }
}

#[test]
fn a_filter_s_own_success_is_no_agreement() {
    let origin = origin();
    let way = Way::with(origin.addr(), Protocol::Http1, 1, |config| {
        config.routes[0].filters = vec![Filter::Respond(FixedResponse {
            status: 200,
            headers: vec![],
            body: "hello".to_owned(),
        })];
    });
    for down in [Protocol::Http1, Protocol::Http2] {
        let mut client = Client::ask_websocket(&way.gateway, down, "/ws");
        assert_eq!(status(&mut client), 501);
    }
    let mut client = raw(&way);
    client.send("CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n");
    assert!(read_head(&mut client).starts_with("HTTP/1.1 501 "));
    let refused = "bulkhead_failures_total{kind=\"tunnel_refused\",side=\"downstream\"}";
    // An answer may be read before it is recorded.
    let started = Instant::now();
    let counted = || value(&way.gateway.registry().render(), refused) == Some(3.0);
    while !counted() && started.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    assert!(counted());
}

#[test]
fn a_malformed_key_is_refused() {
    let origin = origin();
    let way = Way::to(origin.addr(), Protocol::Http2, 1);
    let mut client = raw(&way);
    client.send(upgrade("/ws", "").replace("dGhlIHNhbXBsZSBub25jZQ==", "short"));
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 400 "));
}
