//! Bytes to bytes: raw TCP.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use bulkhead_config::Config;
use bulkhead_config::model::{
    Backend, Cluster, Endpoint, EndpointAddress, ListenerProtocol, Protocol, ProxyProtocolVersion,
    RelayRoute,
};
use bulkhead_gateway::{Fault, Gateway};
use bulkhead_testkit::{Authority, RawClient, Scratch};

use crate::secure::{connect, trusting, with_tls};
use crate::support::{PATIENCE, address, client, config, start, value};

pub(crate) fn route(name: &str, cluster: &str) -> RelayRoute {
    RelayRoute {
        name: name.to_owned(),
        listeners: vec!["main".to_owned()],
        hostnames: Vec::new(),
        backends: vec![Backend::new(cluster, 1)],
        idle_timeout: Duration::from_secs(60),
        connect_attempts: 3,
    }
}

pub(crate) fn cluster(name: &str, endpoints: &[SocketAddr]) -> (String, Cluster) {
    let endpoint = |address: &SocketAddr| Endpoint::new(EndpointAddress::Socket(*address));
    let endpoints = endpoints.iter().map(endpoint).collect();
    (name.to_owned(), Cluster::new(name, endpoints, Protocol::Http1))
}

/// One listener of raw TCP, one cluster.
pub(crate) fn raw(endpoints: &[SocketAddr], workers: usize) -> Config {
    let mut config = config(endpoints[0], Protocol::Http1, workers);
    config.routes.clear();
    config.listeners[0].protocol = ListenerProtocol::Tcp;
    config.tcp_routes = vec![route("raw", "raw")];
    config.clusters = [cluster("raw", endpoints)].into();
    config
}

/// Sends back what comes, and ends when its client does.
pub(crate) fn echo() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("listen");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            std::thread::spawn(move || {
                let mut back = socket.try_clone().expect("a clone");
                // The test sees what is missing.
                let _ = std::io::copy(&mut socket, &mut back);
                let _ = back.shutdown(Shutdown::Write);
            });
        }
    });
    address
}

/// An address where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("listen");
    listener.local_addr().expect("an address")
}

#[track_caller]
pub(crate) fn wait_for(gateway: &Gateway, sample: &str, expect: f64) {
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        let metrics = gateway.registry().render();
        if value(&metrics, sample) == Some(expect) {
            return;
        }
        assert!(std::time::Instant::now() < end, "{sample} is not {expect}:\n{metrics}");
        std::thread::yield_now();
    }
}

/// Whether a client that says nothing is turned away, maybe before it knows that it is connected.
pub(crate) fn is_refused(gateway: &Gateway) -> bool {
    let Ok(mut socket) = TcpStream::connect(address(gateway)) else { return true };
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    match socket.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[track_caller]
pub(crate) fn say(client: &mut RawClient, text: &str) {
    client.send(text);
    assert_eq!(client.read_exact(text.len()), text.as_bytes());
}

#[test]
fn bytes_go_both_ways_and_each_side_may_end_first() {
    let gateway = start(raw(&[echo()], 2));
    let mut client = client(&gateway);
    say(&mut client, "hello");
    wait_for(&gateway, "bulkhead_relays_active", 1.0);
    client.send("last words");
    client.finish();
    assert_eq!(client.read_to_end(), b"last words");
    let labels = "{route=\"raw\",cluster=\"raw\"";
    wait_for(&gateway, &format!("bulkhead_relays_total{labels},outcome=\"complete\"}}"), 1.0);
    wait_for(&gateway, &format!("bulkhead_relay_received_bytes_total{labels}}}"), 15.0);
    wait_for(&gateway, &format!("bulkhead_relay_sent_bytes_total{labels}}}"), 15.0);
    wait_for(&gateway, "bulkhead_relays_active", 0.0);
    wait_for(&gateway, "http_client_open_connections{cluster=\"raw\"}", 0.0);
}

#[test]
fn a_slow_reader_slows_its_sender_and_loses_nothing() {
    const BYTES: usize = 24 << 20;
    let gateway = start(raw(&[echo()], 1));
    let mut reader = TcpStream::connect(address(&gateway)).expect("connect");
    reader.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut writer = reader.try_clone().expect("a clone");
    let sent: Vec<u8> = (0..BYTES).map(|at| (at / 3) as u8).collect();
    let expect = sent.clone();
    let sending = std::thread::spawn(move || {
        writer.write_all(&sent).expect("send");
        writer.shutdown(Shutdown::Write).expect("end");
    });
    let mut got = Vec::new();
    reader.read_to_end(&mut got).expect("read");
    sending.join().expect("the sender");
    assert!(got == expect, "{} of {BYTES} bytes, or others", got.len());
}

#[test]
fn an_endpoint_that_cannot_be_reached_is_passed_over_before_a_byte_is_sent() {
    let gateway = start(raw(&[nobody(), echo()], 1));
    for round in 0..16 {
        say(&mut client(&gateway), &format!("round {round}"));
    }
    let metrics = gateway.registry().render();
    assert!(value(&metrics, "bulkhead_retries_total{cluster=\"raw\"}") > Some(0.0), "{metrics}");
    assert!(value(&metrics, "bulkhead_ejections_total{cluster=\"raw\"}") >= Some(0.0));

    let gateway = start(raw(&[nobody()], 1));
    assert!(is_refused(&gateway));
    wait_for(&gateway, "bulkhead_failures_total{kind=\"connect\",side=\"upstream\"}", 1.0);
}

#[test]
fn connections_max_bounds_the_connections_to_an_endpoint() {
    let mut config = raw(&[echo()], 1);
    for cluster in config.clusters.values_mut() {
        cluster.connections_max = 1;
    }
    let gateway = start(config);
    let mut first = client(&gateway);
    say(&mut first, "first");
    assert!(is_refused(&gateway));
    say(&mut first, "still there");
    first.finish();
    assert!(first.read_to_end().is_empty());
    wait_for(&gateway, "bulkhead_relays_active", 0.0);
    say(&mut client(&gateway), "third");
    wait_for(&gateway, "bulkhead_cluster_overloads_total{cluster=\"raw\"}", 1.0);
}

#[test]
fn relays_survive_their_workers() {
    for workers in [1, 3] {
        let gateway = start(raw(&[echo()], workers));
        let mut clients: Vec<_> = (0..12).map(|_| client(&gateway)).collect();
        for round in 0..6 {
            for (number, client) in clients.iter_mut().enumerate() {
                client.send(format!("{number} in round {round}"));
            }
            gateway.kill_worker(round % workers).expect("kill a worker");
            for (number, client) in clients.iter_mut().enumerate() {
                let expect = format!("{number} in round {round}");
                assert_eq!(client.read_exact(expect.len()), expect.as_bytes());
            }
        }
        for client in &mut clients {
            client.finish();
            assert!(client.read_to_end().is_empty());
        }
        assert_eq!(gateway.evacuation_totals().lost_connections, 0);
        wait_for(
            &gateway,
            "bulkhead_relays_total{route=\"raw\",cluster=\"raw\",outcome=\"complete\"}",
            12.0,
        );
        wait_for(&gateway, "bulkhead_relays_active", 0.0);
    }
}

#[test]
fn a_panic_costs_one_relay_and_no_other() {
    for fault in [Fault::RelayPanic, Fault::LoopPanic] {
        let gateway = start(raw(&[echo()], 1));
        let (mut bystander, mut victim) = (client(&gateway), client(&gateway));
        say(&mut bystander, "before");
        say(&mut victim, "before");
        gateway.inject(fault, 1);
        let _may_fail = victim.try_send("boom");
        assert!(victim.is_over(), "{fault:?}");
        say(&mut bystander, "after");
        wait_for(&gateway, "bulkhead_failures_total{kind=\"internal\",side=\"gateway\"}", 1.0);
        wait_for(&gateway, "bulkhead_relays_active", 1.0);
    }
}

#[test]
fn a_side_that_is_gone_is_noticed_after_it_has_ended_its_half() {
    let (listener, mut config) = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("listen");
        let address = listener.local_addr().expect("an address");
        (listener, raw(&[address], 1))
    };
    config.tcp_routes[0].idle_timeout = Duration::from_secs(3600);
    let gateway = start(config);
    let client = TcpStream::connect(address(&gateway)).expect("connect");
    client.shutdown(Shutdown::Write).expect("end");
    let (mut endpoint, _) = listener.accept().expect("accept");
    endpoint.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    assert_eq!(endpoint.read(&mut [0]).expect("the end"), 0);
    // Closing with something unread is a reset.
    endpoint.write_all(b"unread").expect("send");
    let mut byte = [0];
    client.peek(&mut byte).expect("something to leave unread");
    drop(client);
    wait_for(&gateway, "bulkhead_failures_total{kind=\"client_aborted\",side=\"downstream\"}", 1.0);
    wait_for(&gateway, "bulkhead_relays_active", 0.0);
}

#[test]
fn a_relay_that_cannot_be_moved_is_counted_as_lost() {
    for fault in [Fault::AbsorbPanic, Fault::AbsorbError] {
        let gateway = start(raw(&[echo()], 1));
        let mut client = client(&gateway);
        say(&mut client, "before");
        gateway.inject(fault, 1);
        gateway.kill_worker(0).expect("kill the worker");
        assert!(client.is_over(), "{fault:?}");
        wait_for(&gateway, "bulkhead_connections_lost_total", 1.0);
        wait_for(&gateway, "bulkhead_relays_active", 0.0);
    }
}

#[test]
fn a_reload_moves_new_connections_and_leaves_old_ones() {
    let gateway = start(raw(&[echo()], 1));
    let mut old = client(&gateway);
    say(&mut old, "old");
    let mut next = raw(&[echo()], 1);
    next.tcp_routes = vec![route("other", "other")];
    next.clusters = [cluster("other", &[echo()])].into();
    gateway.apply(next).expect("apply");
    say(&mut client(&gateway), "new");
    say(&mut old, "old still");
    old.finish();
    assert!(old.read_to_end().is_empty());
    for route in ["raw", "other"] {
        let labels = format!("{{route=\"{route}\",cluster=\"{route}\",outcome=\"complete\"}}");
        wait_for(&gateway, &format!("bulkhead_relays_total{labels}"), 1.0);
    }
    // Also that of the cluster which is gone.
    wait_for(&gateway, "http_client_open_connections{cluster=\"raw\"}", 0.0);
}

#[test]
fn a_relay_that_is_not_connected_yet_outlives_its_cluster() {
    let (authority, scratch) = (Authority::new(), Scratch::new());
    let mut config = raw(&[echo()], 1);
    with_tls(&mut config, &authority, &scratch, &["a.example"]);
    let gateway = start(config.clone());
    let trust = trusting(&authority, &[]);
    // It shakes hands with its first byte.
    let mut early = connect(&gateway, &trust, "a.example");
    wait_for(&gateway, "bulkhead_relays_active", 1.0);
    config.tcp_routes = vec![route("other", "other")];
    config.clusters = [cluster("other", &[echo()])].into();
    gateway.apply(config).expect("apply");
    let mut late = connect(&gateway, &trust, "a.example");
    for session in [&mut late, &mut early] {
        session.write_all(b"hello").expect("send");
        let mut got = [0; 5];
        session.read_exact(&mut got).expect("read");
        assert_eq!(&got, b"hello");
    }
}

#[test]
fn a_drain_waits_for_relays_and_then_cuts_them_off() {
    let gateway = start(raw(&[echo()], 1));
    let mut client = client(&gateway);
    say(&mut client, "hello");
    let registry = gateway.registry().clone();
    assert!(!gateway.drain(Duration::from_millis(300)));
    assert!(client.is_over());
    let metrics = registry.render();
    let failures = "bulkhead_failures_total{kind=\"deadline_exceeded\",side=\"gateway\"}";
    assert_eq!(value(&metrics, failures), Some(1.0), "{metrics}");
    assert_eq!(value(&metrics, "bulkhead_relays_active"), Some(0.0));

    let gateway = start(raw(&[echo()], 1));
    let mut client = crate::support::client(&gateway);
    say(&mut client, "hello");
    std::thread::scope(|scope| {
        let draining = scope.spawn(|| gateway.drain(PATIENCE));
        say(&mut client, "still served");
        client.finish();
        assert!(client.read_to_end().is_empty());
        assert!(draining.join().expect("the drain"));
    });
}

#[test]
fn a_connection_without_bytes_is_closed_in_time() {
    let mut config = raw(&[echo()], 1);
    config.tcp_routes[0].idle_timeout = Duration::from_millis(100);
    let gateway = start(config);
    let mut client = client(&gateway);
    say(&mut client, "hello");
    assert!(client.is_over());
    wait_for(&gateway, "bulkhead_failures_total{kind=\"idle_timeout\",side=\"gateway\"}", 1.0);
}

#[test]
fn endpoints_are_told_who_the_client_is() {
    for version in [ProxyProtocolVersion::V1, ProxyProtocolVersion::V2] {
        let mut config = raw(&[echo()], 1);
        for cluster in config.clusters.values_mut() {
            cluster.proxy_protocol = Some(version);
        }
        let gateway = start(config);
        let mut client = TcpStream::connect(address(&gateway)).expect("connect");
        client.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let (from, to) = (client.local_addr().expect("ours"), client.peer_addr().expect("its"));
        client.write_all(b"hello").expect("send");
        client.shutdown(Shutdown::Write).expect("end");
        let mut got = Vec::new();
        client.read_to_end(&mut got).expect("read");
        let expect = match version {
            ProxyProtocolVersion::V1 => {
                let (ip, port, at) = (from.ip(), from.port(), to.port());
                format!("PROXY TCP4 {ip} {} {port} {at}\r\nhello", to.ip()).into_bytes()
            }
            ProxyProtocolVersion::V2 => {
                let mut bytes =
                    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01".to_vec();
                bytes.extend(from.port().to_be_bytes());
                bytes.extend(to.port().to_be_bytes());
                bytes.extend(b"hello");
                bytes
            }
        };
        assert_eq!(got, expect, "{}", got.escape_ascii());
        // The header is the gateway's word, not the client's.
        let sample = "bulkhead_relay_received_bytes_total{route=\"raw\",cluster=\"raw\"}";
        wait_for(&gateway, sample, 5.0);
    }
}

#[test]
fn tls_is_taken_off_in_front_of_raw_bytes() {
    let (authority, scratch) = (Authority::new(), Scratch::new());
    let mut config = raw(&[echo()], 1);
    with_tls(&mut config, &authority, &scratch, &["a.example"]);
    config.limits.head_timeout = Duration::from_millis(500);
    let gateway = start(config);
    let mut tls = connect(&gateway, &trusting(&authority, &[]), "a.example");
    for round in 0..3 {
        let text = format!("round {round}");
        tls.write_all(text.as_bytes()).expect("send");
        let mut got = vec![0; text.len()];
        tls.read_exact(&mut got).expect("read");
        assert_eq!(got, text.as_bytes());
        gateway.kill_worker(0).expect("kill the worker");
    }
    tls.conn.send_close_notify();
    tls.flush().expect("flush");
    let mut rest = Vec::new();
    tls.read_to_end(&mut rest).expect("an orderly end");
    assert!(rest.is_empty());
    // Whoever does not shake hands does not hold an endpoint.
    assert!(client(&gateway).is_over());
    wait_for(
        &gateway,
        "bulkhead_failures_total{kind=\"request_timeout\",side=\"downstream\"}",
        1.0,
    );
}
