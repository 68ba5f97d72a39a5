//! Tunnels outlive their workers, their configuration, and a drain as long as it may last.

use std::time::{Duration, Instant};

use bulkhead_config::model::{AccessLog, Protocol};
use bulkhead_gateway::{Fault, Gateway};
use bulkhead_testkit::Scratch;

use super::sides::{ALL_FOUR, Client, Upstream, Way, echoed, frame};
use crate::support::{PATIENCE, config, origin, value};

fn ping(client: &mut Client, payload: &[u8]) {
    client.send(&frame(payload));
    let expect = echoed(payload);
    assert_eq!(client.read_exact(expect.len()), expect);
}

fn active(gateway: &Gateway) -> f64 {
    let sample = "bulkhead_tunnels_active{protocol=\"websocket\"}";
    value(&gateway.registry().render(), sample).unwrap_or_default()
}

#[test]
fn tunnels_survive_their_workers() {
    for (down, up) in ALL_FOUR {
        let origin = origin();
        let way = Way::to(origin.addr(), up, 3);
        let mut clients: Vec<_> =
            (0..12).map(|_| Client::websocket(&way.gateway, down, "/ws")).collect();
        // Large enough to be on its way, in all buffers, when the worker dies.
        let large: Vec<u8> = (0..150_000u32).map(|n| (n * 11 % 251) as u8).collect();
        for round in 0..4u8 {
            for client in &mut clients {
                client.send(&frame(&[round]));
                client.send(&frame(&large));
            }
            way.gateway.kill_worker(usize::from(round) % 3).expect("kill a worker");
            for client in &mut clients {
                let mut expect = echoed(&[round]);
                expect.extend_from_slice(&echoed(&large));
                assert!(client.read_exact(expect.len()) == expect, "{down:?} {up:?}");
            }
        }
        let totals = way.gateway.evacuation_totals();
        assert_eq!((totals.killed, totals.lost_connections), (4, 0));
        assert_eq!(active(&way.gateway), 12.0);
    }
}

#[test]
fn handshakes_and_half_closed_tunnels_survive_their_workers() {
    for (down, up) in ALL_FOUR {
        let upstream = Upstream::new();
        let way = Way::to(upstream.address(), up, 2);
        let kill = || {
            for worker in 0..2 {
                way.gateway.kill_worker(worker).expect("kill a worker");
            }
        };
        let mut client = Client::ask_websocket(&way.gateway, down, "/");
        if down == Protocol::Http2 {
            client.send(b"early");
        }
        kill();
        let mut peer = upstream.agree();
        client.agreed();
        if down == Protocol::Http2 {
            assert_eq!(peer.read_exact(5), b"early");
        }
        kill();
        client.finish();
        assert_eq!(peer.read_to_end(), b"", "{down:?} {up:?}");
        kill();
        peer.send(b"last");
        peer.finish();
        assert_eq!(client.read_to_end().as_deref(), Some(&b"last"[..]), "{down:?} {up:?}");
        assert_eq!(way.gateway.evacuation_totals().lost_connections, 0);
    }
}

#[test]
fn tunnels_survive_a_configuration_without_them() {
    for (down, up) in ALL_FOUR {
        let origin = origin();
        let way = Way::to(origin.addr(), up, 2);
        let mut client = Client::websocket(&way.gateway, down, "/ws");
        let mut next = config(origin.addr(), Protocol::Http1, 2);
        next.clusters.remove("origin");
        next.routes.clear();
        way.gateway.apply(next).expect("apply");
        ping(&mut client, b"still here");
        for worker in 0..2 {
            way.gateway.kill_worker(worker).expect("kill a worker");
        }
        ping(&mut client, b"and here");
    }
}

#[test]
fn a_drain_waits_for_tunnels_until_its_time_is_over() {
    for (down, up) in ALL_FOUR {
        let origin = origin();
        let scratch = Scratch::new();
        let log = scratch.path().join("access.log");
        let way = Way::with(origin.addr(), up, 1, |config| {
            config.access_log = Some(AccessLog::File(log.clone()));
        });
        let mut client = Client::websocket(&way.gateway, down, "/ws");
        let mut lasting = Client::websocket(&way.gateway, down, "/ws");
        ping(&mut client, b"x");
        let gateway = &way.gateway;
        std::thread::scope(|scope| {
            let drain = scope.spawn(move || gateway.drain(Duration::from_millis(600)));
            let draining = Instant::now();
            // It ends what is left, and nothing before.
            while draining.elapsed() < Duration::from_millis(300) {
                ping(&mut client, b"draining");
            }
            client.finish();
            client.read_to_end();
            assert!(!drain.join().expect("a drain"), "one tunnel was left");
        });
        lasting.read_to_end();
        assert_eq!(active(gateway), 0.0, "{down:?} {up:?}");
        let log = std::fs::read_to_string(&log).expect("a log");
        let lines: Vec<serde_json::Value> =
            log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 2, "{log}");
        let status = if down == Protocol::Http1 { 101 } else { 200 };
        for line in &lines {
            assert_eq!(line["tunnel"], "websocket");
            assert_eq!((&line["method"], &line["path"]), (&"GET".into(), &"/ws".into()));
            assert_eq!(line["status"], status);
        }
        assert_eq!(lines[0]["outcome"], "complete");
        assert!(lines[0]["request_bytes"].as_u64() > Some(7), "{log}");
        assert!(lines[0]["response_bytes"].as_u64() > Some(3), "{log}");
        assert_eq!(lines[1]["failure"], "deadline_exceeded");
    }
}

#[test]
fn a_panic_costs_one_tunnel() {
    for (down, up) in ALL_FOUR {
        let origin = origin();
        let way = Way::to(origin.addr(), up, 1);
        let mut bystander = Client::websocket(&way.gateway, down, "/ws");
        let mut victim = Client::websocket(&way.gateway, down, "/ws");
        ping(&mut victim, b"x");
        way.gateway.inject(Fault::PipePanic, 1);
        victim.send(&frame(b"y"));
        victim.read_to_end();
        ping(&mut bystander, b"z");
        let started = Instant::now();
        while active(&way.gateway) > 1.0 && started.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        assert_eq!(active(&way.gateway), 1.0, "{down:?} {up:?}");
    }
}
