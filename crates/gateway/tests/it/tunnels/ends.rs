//! How tunnels end: by halves, by a side that gives up, by time.

use std::time::{Duration, Instant};

use bulkhead_config::model::Protocol;

use super::sides::{ALL_FOUR, Client, Upstream, Way, echoed, frame};
use crate::support::{PATIENCE, origin, value};

/// A tunnel under the test's control at both ends.
fn tunnel(way: &Way, upstream: &Upstream, down: Protocol) -> (Client, bulkhead_testkit::RawClient) {
    let mut client = Client::ask_websocket(&way.gateway, down, "/");
    let peer = upstream.agree();
    client.agreed();
    (client, peer)
}

fn sample(way: &Way, name: &str) -> f64 {
    value(&way.gateway.registry().render(), name).unwrap_or_default()
}

/// Waits until no tunnel is left, and gives how many exchanges failed.
#[track_caller]
fn failures(way: &Way) -> f64 {
    let started = Instant::now();
    while sample(way, "http_server_active_requests") > 0.0 && started.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    assert_eq!(sample(way, "http_server_active_requests"), 0.0);
    assert_eq!(sample(way, "bulkhead_tunnels_active{protocol=\"websocket\"}"), 0.0);
    let text = way.gateway.registry().render();
    let failures = text.lines().filter(|line| line.starts_with("bulkhead_failures_total{"));
    failures.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[test]
fn the_client_may_end_its_half_first() {
    for (down, up) in ALL_FOUR {
        let upstream = Upstream::new();
        let way = Way::to(upstream.address(), up, 1);
        let (mut client, mut peer) = tunnel(&way, &upstream, down);
        client.send(b"question");
        client.finish();
        assert_eq!(peer.read_to_end(), b"question", "{down:?} {up:?}");
        peer.send(b"answer");
        assert_eq!(client.read_exact(6), b"answer");
        peer.send(b"!");
        peer.finish();
        assert_eq!(client.read_to_end().as_deref(), Some(&b"!"[..]), "{down:?} {up:?}");
        assert_eq!(failures(&way), 0.0);
    }
}

#[test]
fn the_upstream_may_end_its_half_first() {
    for (down, up) in ALL_FOUR {
        let upstream = Upstream::new();
        let way = Way::to(upstream.address(), up, 1);
        let (mut client, mut peer) = tunnel(&way, &upstream, down);
        peer.send(b"greeting");
        peer.finish();
        assert_eq!(client.read_to_end().as_deref(), Some(&b"greeting"[..]), "{down:?} {up:?}");
        client.send(b"still here");
        assert_eq!(peer.read_exact(10), b"still here");
        client.finish();
        assert_eq!(peer.read_to_end(), b"", "{down:?} {up:?}");
        assert_eq!(failures(&way), 0.0);
    }
}

#[test]
fn a_client_that_ended_before_the_agreement_is_answered() {
    for up in [Protocol::Http1, Protocol::Http2] {
        for down in [Protocol::Http1, Protocol::Http2] {
            let upstream = Upstream::new();
            let way = Way::to(upstream.address(), up, 1);
            let mut client = Client::ask_websocket(&way.gateway, down, "/");
            client.finish();
            let mut peer = upstream.agree();
            client.agreed();
            assert_eq!(peer.read_to_end(), b"", "{down:?} {up:?}");
            peer.send(b"answer");
            peer.finish();
            assert_eq!(client.read_to_end().as_deref(), Some(&b"answer"[..]), "{down:?} {up:?}");
            assert_eq!(failures(&way), 0.0);
        }
    }
}

#[test]
fn a_side_that_is_gone_ends_the_other() {
    for (down, up) in ALL_FOUR {
        let upstream = Upstream::new();
        let way = Way::to(upstream.address(), up, 1);
        let (client, mut peer) = tunnel(&way, &upstream, down);
        match client {
            // Bytes that nobody reads make the kernel reset the connection.
            Client::Http1(client) => {
                peer.send(b"unread");
                while client.is_silent() {
                    std::thread::yield_now();
                }
                drop(client);
            }
            Client::Http2(mut client) => client.reset(),
        }
        peer.read_to_end();
        assert!(failures(&way) <= 1.0, "{down:?} {up:?}");
    }
}

#[test]
fn an_upstream_that_breaks_off_is_a_connect_error_over_http2() {
    let upstream = Upstream::new();
    let way = Way::to(upstream.address(), Protocol::Http1, 1);
    let (mut client, peer) = tunnel(&way, &upstream, Protocol::Http2);
    client.send(b"unread");
    while peer.is_silent() {
        std::thread::yield_now();
    }
    drop(peer);
    let Client::Http2(client) = &mut client else { panic!("HTTP/2 was asked for") };
    assert_eq!(client.reason(), Some(h2::Reason::CONNECT_ERROR));
    assert_eq!(failures(&way), 1.0);
}

#[test]
fn the_request_time_out_ends_with_the_handshake() {
    for (down, up) in ALL_FOUR {
        let origin = origin();
        let limit = Duration::from_millis(400);
        let way = Way::with(origin.addr(), up, 1, |config| {
            config.routes[0].timeouts.request = Some(limit);
        });
        let mut client = Client::websocket(&way.gateway, down, "/ws");
        let started = Instant::now();
        while started.elapsed() < limit * 2 {
            client.send(&frame(b"on"));
            assert_eq!(client.read_exact(4), echoed(b"on"), "{down:?} {up:?}");
        }
    }
}

#[test]
fn a_handshake_that_is_not_answered_runs_into_the_request_time_out() {
    let upstream = Upstream::new();
    let way = Way::with(upstream.address(), Protocol::Http1, 1, |config| {
        config.routes[0].timeouts.request = Some(Duration::from_millis(50));
    });
    let mut client = Client::ask_websocket(&way.gateway, Protocol::Http2, "/");
    let (mut peer, _) = upstream.accept();
    let Client::Http2(client) = &mut client else { panic!("HTTP/2 was asked for") };
    assert_eq!(client.head().status, 504);
    assert_eq!(peer.read_to_end(), b"");
}

#[test]
fn nothing_for_the_idle_time_out_ends_a_tunnel() {
    for (down, up) in ALL_FOUR {
        let upstream = Upstream::new();
        let way = Way::with(upstream.address(), up, 1, |config| {
            config.routes[0].timeouts.tunnel_idle = Some(Duration::from_millis(50));
        });
        let (mut client, mut peer) = tunnel(&way, &upstream, down);
        client.read_to_end();
        peer.read_to_end();
        assert_eq!(failures(&way), 1.0, "{down:?} {up:?}");
        let idle = "bulkhead_failures_total{kind=\"idle_timeout\",side=\"gateway\"}";
        assert_eq!(sample(&way, idle), 1.0);
    }
}

#[test]
fn one_half_alone_has_the_idle_time_out_of_an_exchange() {
    for (down, up) in ALL_FOUR {
        let upstream = Upstream::new();
        let way = Way::with(upstream.address(), up, 1, |config| {
            config.routes[0].timeouts.tunnel_idle = None;
            config.routes[0].timeouts.idle = Duration::from_millis(50);
        });
        let (mut client, mut peer) = tunnel(&way, &upstream, down);
        client.finish();
        assert_eq!(peer.read_to_end(), b"", "{down:?} {up:?}");
        client.read_to_end();
        assert_eq!(failures(&way), 1.0, "{down:?} {up:?}");
    }
}
