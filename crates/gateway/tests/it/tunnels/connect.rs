//! CONNECT, towards a proxy behind the gateway.

use bulkhead_config::model::{PathMatch, Protocol, RouteMatch};
use bulkhead_testkit::RawClient;
use http::{Method, Request};

use super::sides::{ALL_FOUR, Client, Http2Client, Upstream, Way, read_head};
use crate::support::{PATIENCE, address, value};

fn ask(way: &Way, down: Protocol) -> Client {
    match down {
        Protocol::Http1 => {
            let mut client = RawClient::connect(address(&way.gateway), PATIENCE);
            client.send("CONNECT b.example:443 HTTP/1.1\r\nhost: b.example:443\r\n\r\n");
            Client::Http1(client)
        }
        Protocol::Http2 => {
            let request = Request::builder().method(Method::CONNECT).uri("b.example:443");
            let request = request.body(()).expect("a request");
            Client::Http2(Box::new(Http2Client::ask(&way.gateway, request)))
        }
    }
}

fn status(client: &mut Client) -> u16 {
    match client {
        Client::Http1(client) => {
            let head = read_head(client);
            head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status")
        }
        Client::Http2(client) => client.head().status.as_u16(),
    }
}

#[test]
fn a_connect_is_passed_on_to_a_backend() {
    for (down, up) in ALL_FOUR {
        let upstream = Upstream::new();
        let way = Way::to(upstream.address(), up, 1);
        let mut client = ask(&way, down);
        let (mut peer, head) = upstream.accept();
        let start = "CONNECT b.example:443 HTTP/1.1\r\nhost: b.example:443\r\n";
        assert!(head.starts_with(start), "{head}");
        assert!(!head.contains("content-length") && !head.contains("upgrade"), "{head}");
        peer.send("HTTP/1.1 200 Connected\r\ncontent-length: 0\r\n\r\nhello");
        assert_eq!(status(&mut client), 200, "{down:?} {up:?}");
        assert_eq!(client.read_exact(5), b"hello");
        client.send(b"\x16\x03\x01");
        assert_eq!(peer.read_exact(3), b"\x16\x03\x01");
        let active = "bulkhead_tunnels_active{protocol=\"connect\"}";
        assert_eq!(value(&way.gateway.registry().render(), active), Some(1.0));
        client.finish();
        assert_eq!(peer.read_to_end(), b"");
        peer.finish();
        assert_eq!(client.read_to_end().as_deref(), Some(&b""[..]), "{down:?} {up:?}");
    }
}

#[test]
fn a_connect_that_the_backend_refuses_is_answered_and_over() {
    for (down, up) in ALL_FOUR {
        let upstream = Upstream::new();
        let way = Way::to(upstream.address(), up, 1);
        let mut client = ask(&way, down);
        let (mut peer, _) = upstream.accept();
        peer.send(
            "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\
             content-length: 2\r\n\r\nno",
        );
        assert_eq!(status(&mut client), 407, "{down:?} {up:?}");
        assert_eq!(client.read_exact(2), b"no");
        if let Client::Http1(client) = &mut client {
            client.finish();
            assert_eq!(client.read_to_end(), b"", "no other request is read");
        }
    }
}

#[test]
fn a_connect_is_not_offered_by_itself() {
    for down in [Protocol::Http1, Protocol::Http2] {
        let upstream = Upstream::new();
        let way = Way::with(upstream.address(), Protocol::Http1, 1, |config| {
            config.routes[0].tunnels.connect = false;
        });
        let mut client = ask(&way, down);
        assert_eq!(status(&mut client), 501);
    }
    // Nor where a failure would be told with a 200.
    let upstream = Upstream::new();
    let way = Way::with(upstream.address(), Protocol::Http1, 1, |config| {
        config.routes[0].tunnels.connect = false;
    });
    let mut client = RawClient::connect(address(&way.gateway), PATIENCE);
    client.send("CONNECT b:1 HTTP/1.1\r\nhost: b:1\r\ncontent-type: application/grpc\r\n\r\n");
    assert!(read_head(&mut client).starts_with("HTTP/1.1 501 "));
}

#[test]
fn a_route_may_be_for_connect_alone() {
    let upstream = Upstream::new();
    let way = Way::with(upstream.address(), Protocol::Http1, 1, |config| {
        let mut proxy = config.routes[0].clone();
        proxy.name = "proxy".to_owned();
        proxy.matches[0].method = Some("CONNECT".to_owned());
        config.routes[0].tunnels.connect = false;
        config.routes[0].matches =
            vec![RouteMatch { path: PathMatch::Prefix("/a".to_owned()), ..RouteMatch::default() }];
        config.routes.push(proxy);
    });
    let mut client = ask(&way, Protocol::Http1);
    let (mut peer, _) = upstream.accept();
    peer.send("HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(status(&mut client), 200);
}
