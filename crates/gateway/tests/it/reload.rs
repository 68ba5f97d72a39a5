//! Configurations change under load, and only what changed is touched.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bulkhead_config::Config;
use bulkhead_config::model::{Backend, Cluster, Endpoint, EndpointAddress, Filter, FixedResponse};
use bulkhead_config::model::{JwtFilter, PathMatch, Protocol, RetryPolicy, RouteMatch};
use bulkhead_gateway::Gateway;
use bulkhead_testkit::{Authority, RawClient, Scratch};

use crate::secure::{connect, trusting, with_tls};
use crate::support::{
    address, client, config, feed, origin, read_response, start, wait_for_value, wait_until,
};

/// Sets a flag when its thread ends, also in a panic.
struct Finally<'a>(&'a AtomicBool);

impl Drop for Finally<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn requests_do_not_notice_a_hundred_reloads() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http2, 2));
    let done = AtomicBool::new(false);
    let answered = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for user in 0..4u64 {
            let (gateway, done, answered) = (&gateway, &done, &answered);
            scope.spawn(move || {
                let mut client = client(gateway);
                // A failed check must not leave the reloads waiting.
                let _ends_the_test = Finally(done);
                while !done.load(Ordering::Relaxed) {
                    client.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\n\r\n"));
                    assert_eq!(read_response(&mut client).1, feed(user));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let before = address(&gateway);
        for reload in 0..100u32 {
            let mut next = config(origin.addr(), Protocol::Http2, 2);
            // The same port again, so that the listeners are the same.
            next.listeners[0].address = ([127, 0, 0, 1], 0).into();
            next.limits.streams_max = 100 + reload;
            assert_eq!(gateway.apply(next).expect("apply"), u64::from(reload) + 2);
            // At least one answer under each of them.
            let seen = answered.load(Ordering::Relaxed);
            while answered.load(Ordering::Relaxed) == seen && !done.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
        }
        assert_eq!(address(&gateway), before);
        done.store(true, Ordering::Relaxed);
    });
    assert!(answered.load(Ordering::Relaxed) >= 100);
    assert_eq!(gateway.revision(), 101);
}

#[test]
fn a_bad_configuration_leaves_the_old_one_running() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let mut bad = config(origin.addr(), Protocol::Http1, 1);
    bad.routes[0].filters.push(Filter::Jwt(JwtFilter {
        providers: vec!["nobody".to_owned()],
        optional: false,
        claims_to_headers: [].into(),
        forward_token: false,
    }));
    let error = gateway.apply(bad).expect_err("a filter without provider");
    assert!(error.to_string().contains("route `all`"), "{error}");
    assert_eq!(gateway.revision(), 1);
    let mut client = client(&gateway);
    client.send("GET /api/v1/3/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(read_response(&mut client).1, feed(3));
}

#[test]
fn a_new_snapshot_serves_the_next_request_of_a_connection() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    let mut client = client(&gateway);
    client.send("GET /api/v1/3/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(read_response(&mut client).1, feed(3));
    let mut next = config(origin.addr(), Protocol::Http1, 1);
    next.routes[0].backends.clear();
    next.routes[0].filters.push(Filter::Respond(FixedResponse {
        status: 200,
        headers: vec![("x-new".to_owned(), "yes".to_owned())],
        body: "new".to_owned(),
    }));
    next.clusters.clear();
    gateway.apply(next).expect("apply");
    // Workers read their mail at their next turn, not before `apply` comes back.
    for _ in 0..200 {
        client.send("GET /api/v1/3/feed HTTP/1.1\r\nhost: a\r\n\r\n");
        let (head, body) = read_response(&mut client);
        if body == b"new" {
            assert!(head.contains("x-new: yes"), "{head}");
            return;
        }
    }
    panic!("the new configuration never came into force");
}

#[test]
fn a_dead_endpoint_is_passed_over() {
    let origin = origin();
    let dead = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).unwrap();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut config = config(origin.addr(), protocol, 1);
        let endpoints =
            [dead, origin.addr()].map(|address| Endpoint::new(EndpointAddress::Socket(address)));
        config
            .clusters
            .insert("origin".to_owned(), Cluster::new("origin", endpoints.to_vec(), protocol));
        let gateway = start(config);
        let mut client = client(&gateway);
        for user in 0..50 {
            // Not idempotent, but nothing was sent to the dead endpoint.
            client.send(format!(
                "POST /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc"
            ));
            let (head, _) = read_response(&mut client);
            assert!(!head.starts_with("HTTP/1.1 5"), "{protocol:?}: {head}");
        }
    }
}

#[test]
fn statuses_are_retried_where_the_route_says_so_within_the_budget() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    config.routes[0].retry =
        Some(RetryPolicy { retries: 2, statuses: vec![503], ..RetryPolicy::default() });
    config.clusters.values_mut().for_each(|cluster| cluster.ejection = None);
    let gateway = start(config);
    let mut client = client(&gateway);
    client.send("GET /status/503 HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 503"));
    assert_eq!(origin.stats().requests_total(), 3);
    client.send("POST /status/503 HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 503"));
    assert_eq!(origin.stats().requests_total(), 4);
}

#[test]
fn weights_split_traffic() {
    let (one, other) = (origin(), origin());
    let mut config = config(one.addr(), Protocol::Http1, 1);
    let endpoint = Endpoint::new(EndpointAddress::Socket(other.addr()));
    let cluster = Cluster::new("other", vec![endpoint], Protocol::Http1);
    config.clusters.insert("other".to_owned(), cluster);
    config.routes[0].backends = vec![Backend::new("origin", 3), Backend::new("other", 1)];
    let mut closed = config.routes[0].clone();
    closed.name = "closed".to_owned();
    closed.matches =
        vec![RouteMatch { path: PathMatch::Exact("/closed".to_owned()), ..RouteMatch::default() }];
    closed.backends.iter_mut().for_each(|backend| {
        backend.weight = u32::from(backend.cluster == "other");
    });
    config.routes.push(closed);
    let gateway = start(config);
    let mut client = client(&gateway);
    for user in 0..400 {
        client.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert_eq!(read_response(&mut client).1, feed(user));
    }
    let share = other.stats().requests_total();
    assert!((60..140).contains(&share), "{share} of 400 at weight 1 of 4");
    client.send("GET /closed HTTP/1.1\r\nhost: a\r\n\r\n");
    read_response(&mut client);
    assert_eq!(other.stats().requests_total(), share + 1);
}

/// Puts the configuration in force with its cluster under another name: the old one is gone.
fn apply_with_another_cluster(gateway: &Gateway, mut config: Config) {
    let mut cluster = config.clusters.remove("origin").expect("the cluster");
    cluster.name = "other".to_owned();
    config.clusters.insert("other".to_owned(), cluster);
    config.routes[0].backends = vec![Backend::new("other", 1)];
    gateway.apply(config).expect("apply");
}

/// Connections of a cluster that is gone are closed, at once or after what they carry, and no longer
/// counted as open.
#[test]
fn a_cluster_that_is_gone_has_no_open_connections() {
    let origin = origin();
    let first = config(origin.addr(), Protocol::Http1, 1);
    let gateway = start(first.clone());
    let (mut idle, mut busy) = (client(&gateway), client(&gateway));
    idle.send("GET /api/v1/1/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    busy.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhel");
    assert_eq!(read_response(&mut idle).1, feed(1));
    let open = "http_client_open_connections{cluster=\"origin\"}";
    wait_for_value(&gateway, open, 2.0);

    apply_with_another_cluster(&gateway, first);
    wait_for_value(&gateway, open, 1.0);
    busy.send("lo");
    assert_eq!(read_response(&mut busy).1, b"hello");
    wait_for_value(&gateway, open, 0.0);
}

/// A gateway whose cluster has one connection per endpoint, which one client keeps busy while another
/// waits for it.
fn with_a_waiting_client(first: &mut Config) -> (Gateway, RawClient, RawClient) {
    first.clusters.get_mut("origin").expect("the cluster").connections_max = 1;
    let gateway = start(first.clone());
    let mut busy = client(&gateway);
    busy.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhel");
    wait_for_value(&gateway, "http_client_open_connections{cluster=\"origin\"}", 1.0);
    let mut waiting = client(&gateway);
    waiting.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nyo");
    wait_for_value(&gateway, "http_server_active_requests", 2.0);
    (gateway, busy, waiting)
}

#[test]
fn who_waits_for_a_connection_is_served_though_the_cluster_is_gone() {
    let origin = origin();
    let mut first = config(origin.addr(), Protocol::Http1, 1);
    let (gateway, mut busy, mut waiting) = with_a_waiting_client(&mut first);
    apply_with_another_cluster(&gateway, first);
    // The new configuration is in force on the one worker: the other client did not wait for it in vain.
    let mut next = client(&gateway);
    next.send("GET /api/v1/3/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(read_response(&mut next).1, feed(3));
    busy.send("lo");
    assert_eq!(read_response(&mut busy).1, b"hello");
    assert_eq!(read_response(&mut waiting).1, b"yo");
    wait_for_value(&gateway, "http_client_open_connections{cluster=\"origin\"}", 0.0);
}

/// Also where it is a sibling that goes on, which has removed the cluster.
#[test]
fn who_waits_for_a_connection_of_a_removed_cluster_outlives_the_worker() {
    let origin = origin();
    let mut first = config(origin.addr(), Protocol::Http1, 1);
    let (gateway, mut busy, mut waiting) = with_a_waiting_client(&mut first);
    apply_with_another_cluster(&gateway, first);
    for _ in 0..3 {
        gateway.kill_worker(0).expect("kill");
    }
    busy.send("lo");
    assert_eq!(read_response(&mut busy).1, b"hello");
    assert_eq!(read_response(&mut waiting).1, b"yo");
}

#[test]
fn who_waits_for_a_connection_gets_one_of_the_new_protocol() {
    let origin = origin();
    let mut first = config(origin.addr(), Protocol::Http1, 1);
    let (gateway, mut busy, mut waiting) = with_a_waiting_client(&mut first);
    first.clusters.get_mut("origin").expect("the cluster").protocol = Protocol::Http2;
    gateway.apply(first).expect("apply");
    // The old connection counts until it has finished what it carries.
    busy.send("lo");
    assert_eq!(read_response(&mut busy).1, b"hello");
    assert_eq!(read_response(&mut waiting).1, b"yo");
}

/// Connections of a port whose handshakes are over, whether they were accepted or wait for it.
fn connected_to(port: u16) -> usize {
    let sockets = std::fs::read_to_string("/proc/net/tcp").expect("sockets");
    let own = format!(":{port:04X}");
    let is_connected = |line: &&str| {
        let mut columns = line.split_whitespace().skip(1);
        let (local, state) = (columns.next(), columns.nth(1));
        local.is_some_and(|local| local.ends_with(&own)) && state == Some("01")
    };
    sockets.lines().filter(is_connected).count()
}

/// Listeners come, change and go: who is connected, or waits to be, is served.
#[test]
fn listeners_change_without_a_connection_being_dropped() {
    let (origin, authority, scratch) = (origin(), Authority::new(), Scratch::new());
    let mut first = config(origin.addr(), Protocol::Http1, 2);
    let gateway = start(first.clone());
    let old_address = address(&gateway);
    let mut connected = client(&gateway);
    connected.send("GET /api/v1/1/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(read_response(&mut connected).1, feed(1));

    // Another listener: the first one's socket stays, and its connections.
    let mut second = first.listeners[0].clone();
    second.name = "second".to_owned();
    first.listeners.push(second);
    gateway.apply(first.clone()).expect("apply");
    assert_eq!(address(&gateway), old_address);
    let second = gateway.addresses()[1].1.inet().expect("an IP address");

    // TLS on the first: its socket stays; who is connected goes on in cleartext.
    with_tls(&mut first, &authority, &scratch, &["a.example"]);
    gateway.apply(first.clone()).expect("apply");
    assert_eq!(address(&gateway), old_address);
    let tls = trusting(&authority, &[b"http/1.1"]);
    let ready = || {
        let mut session = connect(&gateway, &tls, "a.example");
        std::io::Write::flush(&mut session).is_ok()
    };
    // A worker that has not read its mail yet may still take one or the other as it was.
    assert!((0..1_000).any(|_| ready()));

    // The first goes: whoever waits is accepted, whoever is connected goes on.
    let mut waiting: Vec<_> =
        (0..40).map(|_| RawClient::connect(second, crate::support::PATIENCE)).collect();
    // A handshake that the kernel has not finished when the last socket closes is reset, whoever closes it.
    wait_until("they are not connected", || connected_to(second.port()) == waiting.len());
    first.listeners.remove(1);
    gateway.apply(first).expect("apply");
    for client in waiting.iter_mut().chain([&mut connected]) {
        client.send("GET /api/v1/2/feed HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(read_response(client).1, feed(2));
    }
    let closed = || std::net::TcpStream::connect(second).is_err();
    while !closed() {
        std::thread::yield_now();
    }
}
