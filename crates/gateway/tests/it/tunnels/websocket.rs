//! WebSockets through all four combinations of protocols.

use std::time::Duration;

use bulkhead_config::model::{Filter, HeaderChanges, Protocol};
use bulkhead_testkit::RawClient;

use super::sides::{ALL_FOUR, Client, KEY, Upstream, Way, echoed, frame, read_head, upgrade};
use crate::support::{PATIENCE, address, origin};

#[test]
fn messages_of_every_size_come_back() {
    for (down, up) in ALL_FOUR {
        let origin = origin();
        let way = Way::to(origin.addr(), up, 2);
        let mut client = Client::websocket(&way.gateway, down, "/ws");
        // The last one is larger than every window and buffer on its way.
        for size in [0, 1, 125, 126, 65_536, 1_500_000] {
            let payload: Vec<u8> = (0..size).map(|n: u32| (n * 7 % 251) as u8).collect();
            client.send(&frame(&payload));
            let expect = echoed(&payload);
            assert!(client.read_exact(expect.len()) == expect, "{down:?} {up:?} {size}");
        }
        // A close frame: the server answers with its own and ends the connection.
        client.send(&[0x88, 0x82, 0, 0, 0, 0, 3, 232]);
        assert_eq!(client.read_exact(4), [0x88, 2, 3, 232], "{down:?} {up:?}");
    }
}

#[test]
fn many_streams_of_one_connection_are_websockets() {
    let origin = origin();
    let way = Way::to(origin.addr(), Protocol::Http2, 1);
    let mut clients: Vec<_> =
        (0..20).map(|_| Client::websocket(&way.gateway, Protocol::Http2, "/ws")).collect();
    for round in 0..3u8 {
        for (index, client) in clients.iter_mut().enumerate() {
            client.send(&frame(&[round, index as u8]));
        }
        for (index, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.read_exact(4), echoed(&[round, index as u8]));
        }
    }
}

#[test]
fn a_handshake_is_filtered_like_any_request() {
    for down in [Protocol::Http1, Protocol::Http2] {
        let upstream = Upstream::new();
        let way = Way::with(upstream.address(), Protocol::Http1, 1, |config| {
            let set = |name: &str| HeaderChanges {
                set: vec![(name.to_owned(), "set".to_owned())],
                ..HeaderChanges::default()
            };
            config.routes[0].filters = vec![
                Filter::RequestHeaders(set("x-request")),
                Filter::ResponseHeaders(set("x-response")),
            ];
            // An extended CONNECT is matched as the GET that it stands for.
            config.routes[0].matches[0].method = Some("GET".to_owned());
        });
        let mut client = Client::ask_websocket(&way.gateway, down, "/chat?x=1");
        let (mut peer, head) = upstream.accept();
        assert!(head.starts_with("GET /chat?x=1 HTTP/1.1\r\nhost: a.example\r\n"), "{head}");
        for field in [
            "connection: upgrade",
            "upgrade: websocket",
            "sec-websocket-version: 13",
            "x-request: set",
            "x-forwarded-for: 127.0.0.1",
        ] {
            assert_eq!(head.lines().filter(|line| *line == field).count(), 1, "{field} {head}");
        }
        assert!(!head.contains("content-length") && !head.contains("transfer-encoding"), "{head}");
        let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: "));
        let key = key.expect("a key");
        assert_eq!(key == KEY, down == Protocol::Http1);
        let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
        peer.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: WebSocket\r\n\
             sec-websocket-accept: {accept}\r\nsec-websocket-protocol: chat\r\n\
             sec-websocket-extensions: permessage-deflate\r\n\r\nat once"
        ));
        let fields = match &mut client {
            Client::Http1(client) => read_head(client),
            Client::Http2(client) => {
                let head = client.head();
                assert_eq!(head.status, 200);
                head.headers
                    .iter()
                    .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().expect("text")))
                    .collect()
            }
        };
        for field in [
            "sec-websocket-protocol: chat",
            "sec-websocket-extensions: permessage-deflate",
            "x-response: set",
        ] {
            assert_eq!(fields.lines().filter(|line| *line == field).count(), 1, "{fields}");
        }
        assert_eq!(client.read_exact(7), b"at once");
        client.send(b"bytes");
        assert_eq!(peer.read_exact(5), b"bytes");
    }
}

#[test]
fn another_upgrade_passes_between_http1_connections() {
    let upstream = Upstream::new();
    let way = Way::to(upstream.address(), Protocol::Http1, 1);
    let mut client = RawClient::connect(address(&way.gateway), PATIENCE);
    client.send(
        "POST /x HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: bar, FOO/1\r\n\
         content-length: 0\r\n\r\n",
    );
    let (mut peer, head) = upstream.accept();
    assert!(head.contains("\r\nconnection: upgrade\r\nupgrade: FOO/1\r\n"), "{head}");
    assert!(!head.contains("bar") && !head.contains("sec-websocket"), "{head}");
    peer.send("HTTP/1.1 101 \r\nconnection: upgrade\r\nupgrade: foo/1\r\n\r\n");
    let head = read_head(&mut client);
    assert!(head.contains("upgrade: FOO/1\r\n"), "{head}");
    client.send("ping");
    assert_eq!(peer.read_exact(4), b"ping");
    peer.send("pong");
    assert_eq!(client.read_exact(4), b"pong");
}

#[test]
fn what_comes_too_early_waits_for_the_agreement() {
    for (down, up) in ALL_FOUR {
        let upstream = Upstream::new();
        let way = Way::to(upstream.address(), up, 1);
        let mut client = match down {
            Protocol::Http1 => {
                let mut client = RawClient::connect(address(&way.gateway), PATIENCE);
                client.send(upgrade("/", "") + "early");
                Client::Http1(client)
            }
            Protocol::Http2 => {
                let mut client = Client::ask_websocket(&way.gateway, down, "/");
                client.send(b"early");
                client
            }
        };
        let (mut peer, head) = upstream.accept();
        // The interim head shows that the gateway has read what came before it was asked for.
        peer.send("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n");
        if let Client::Http1(client) = &mut client {
            assert!(read_head(client).starts_with("HTTP/1.1 103 "));
        }
        assert!(peer.is_silent(), "{down:?} {up:?}");
        let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: "));
        let accept = tungstenite::handshake::derive_accept_key(key.expect("a key").as_bytes());
        peer.send(format!(
            "HTTP/1.1 101 \r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: {accept}\r\n\r\n"
        ));
        client.agreed();
        assert_eq!(peer.read_exact(5), b"early");
        client.send(b"late");
        assert_eq!(peer.read_exact(4), b"late", "{down:?} {up:?}");
    }
}

#[test]
fn a_reader_that_stops_stops_the_writer() {
    // What can wait on the way: sockets' buffers, and each gateway's own.
    const ON_ITS_WAY_MAX: usize = 48 << 20;
    for (down, up) in ALL_FOUR {
        let origin = Upstream::new();
        let way = Way::to(origin.address(), up, 1);
        let mut client = Client::ask_websocket(&way.gateway, down, "/");
        let mut peer = origin.agree();
        client.agreed();
        let piece = [7; 65_536];
        let (done, is_done) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..ON_ITS_WAY_MAX / piece.len() {
                    peer.send(piece);
                }
                peer.finish();
                let _nobody_waits = done.send(());
            });
            // However long it is waited for.
            let ended = is_done.recv_timeout(Duration::from_millis(200));
            assert!(ended.is_err(), "{down:?} {up:?}: all went out though nobody reads");
            let all = client.read_to_end().expect("an end in order");
            assert_eq!(all.len(), ON_ITS_WAY_MAX, "{down:?} {up:?}");
        });
    }
}
