//! TLS that is passed on by its server name, beside TLS that is terminated.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bulkhead_config::Config;
use bulkhead_config::model::{ListenerProtocol, Protocol};
use bulkhead_origin::{Origin, OriginOptions};
use bulkhead_testkit::{Authority, Scratch};
use bulkhead_transport::{CertificatePem, ServerTls, Ticketer};
use rustls::ClientConnection;

use crate::layer4::{cluster, route, wait_for};
use crate::secure::{ask, connect, trusting, with_tls, with_upstream_tls};
use crate::support::{PATIENCE, address, client, config, feed, origin, read_response, start};

/// An origin that has the certificate itself.
fn secure_origin(authority: &Authority, names: &[&str]) -> Origin {
    let leaf = authority.issue(names);
    let certificate =
        CertificatePem { chain_pem: leaf.chain_pem.into(), key_pem: leaf.key_pem.into() };
    let ticketer = Ticketer::new().expect("a ticketer");
    let version = bulkhead_transport::TlsVersion::Tls12;
    let tls = ServerTls::new(vec![certificate], version, &[], &ticketer).expect("a configuration");
    Origin::start(OriginOptions { tls: Some(tls), ..OriginOptions::default() }).expect("an origin")
}

/// Passes these names on.
fn passing(origin: &Origin, names: &[&str], workers: usize) -> Config {
    let mut config = config(origin.addr(), Protocol::Http1, workers);
    config.routes.clear();
    config.listeners[0].protocol = ListenerProtocol::Tls;
    let mut route = route("through", "through");
    route.hostnames = names.iter().map(|&name| name.to_owned()).collect();
    config.tls_routes = vec![route];
    config.clusters = [cluster("through", &[origin.addr()])].into();
    config
}

/// What a client says first, when it asks for this name.
fn hello(authority: &Authority, name: &'static str) -> Vec<u8> {
    let name = rustls::pki_types::ServerName::try_from(name).expect("a name");
    let mut session = ClientConnection::new(trusting(authority, &[]), name).expect("a session");
    let mut hello = Vec::new();
    session.write_tls(&mut hello).expect("a hello");
    hello
}

#[test]
fn the_endpoint_shows_its_own_certificate_and_the_relay_survives() {
    let authority = Authority::new();
    let origin = secure_origin(&authority, &["a.example", "b.c.example"]);
    let gateway = start(passing(&origin, &["a.example", "*.c.example"], 2));
    for name in ["a.example", "b.c.example"] {
        let mut tls = connect(&gateway, &trusting(&authority, &[]), name);
        for user in 0..4 {
            assert_eq!(ask(&mut tls, user), feed(user));
            gateway.kill_worker(user as usize % 2).expect("kill a worker");
        }
    }
    assert_eq!(gateway.evacuation_totals().lost_connections, 0);
    let complete = "bulkhead_relays_total{route=\"through\",cluster=\"through\",outcome=";
    // A client that goes without an end is one that broke off, or not: it is recorded either way.
    wait_for(&gateway, "bulkhead_relays_active", 0.0);
    assert!(gateway.registry().render().contains(complete));
}

#[test]
fn names_without_a_route_and_what_is_no_tls_are_refused() {
    let authority = Authority::new();
    let origin = secure_origin(&authority, &["a.example"]);
    let gateway = start(passing(&origin, &["a.example"], 1));
    for opening in [hello(&authority, "x.example"), hello(&authority, "127.0.0.1")] {
        let mut client = client(&gateway);
        client.send(&opening);
        assert!(client.is_over());
    }
    wait_for(&gateway, "bulkhead_failures_total{kind=\"no_route\",side=\"gateway\"}", 2.0);
    let mut plain = client(&gateway);
    plain.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert!(plain.is_over());
    let errors = "bulkhead_protocol_errors_total{reason=\"client_hello_not_tls\"}";
    wait_for(&gateway, errors, 1.0);
    wait_for(&gateway, "bulkhead_relays_active", 0.0);
}

#[test]
fn a_client_without_a_name_goes_to_the_route_for_any() {
    let authority = Authority::new();
    let origin = secure_origin(&authority, &["127.0.0.1"]);
    let gateway = start(passing(&origin, &[], 1));
    let mut tls = connect(&gateway, &trusting(&authority, &[]), "127.0.0.1");
    assert_eq!(ask(&mut tls, 3), feed(3));
}

#[test]
fn one_port_passes_some_names_on_and_terminates_the_others() {
    let (theirs, ours) = (Authority::new(), Authority::new());
    let (scratch, plain) = (Scratch::new(), origin());
    let secure = secure_origin(&theirs, &["theirs.example"]);
    let mut config = config(plain.addr(), Protocol::Http1, 1);
    with_tls(&mut config, &ours, &scratch, &["a.example"]);
    let mut through = route("through", "through");
    through.hostnames = vec!["theirs.example".to_owned()];
    config.tls_routes = vec![through];
    config.clusters.extend([cluster("through", &[secure.addr()])]);
    let gateway = start(config);
    let mut passed = connect(&gateway, &trusting(&theirs, &[]), "theirs.example");
    let mut terminated = connect(&gateway, &trusting(&ours, &[]), "a.example");
    for user in 0..3 {
        assert_eq!(ask(&mut passed, user), feed(user));
        assert_eq!(ask(&mut terminated, user), feed(user));
        gateway.kill_worker(0).expect("kill the worker");
    }
    wait_for(&gateway, "bulkhead_relays_active", 1.0);
}

#[test]
fn a_hello_in_pieces_survives_its_worker_and_one_that_never_ends_is_closed() {
    let authority = Authority::new();
    let origin = secure_origin(&authority, &["a.example"]);
    let mut config = passing(&origin, &["a.example"], 1);
    let mut socket = {
        let gateway = start(config.clone());
        let mut socket = TcpStream::connect(address(&gateway)).expect("connect");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let hello = hello(&authority, "a.example");
        let (first, second) = hello.split_at(hello.len() / 2);
        socket.write_all(first).expect("send");
        wait_for(&gateway, "bulkhead_accepted_total", 1.0);
        gateway.kill_worker(0).expect("kill the worker");
        socket.write_all(second).expect("send");
        let mut record = [0; 3];
        socket.read_exact(&mut record).expect("the endpoint's answer");
        assert_eq!(record, [22, 3, 3], "a handshake");
        assert_eq!(gateway.evacuation_totals().lost_connections, 0);
        socket
    };
    // The gateway is gone, and so is the relay.
    let mut rest = Vec::new();
    let _end_or_reset = socket.read_to_end(&mut rest);

    config.limits.head_timeout = Duration::from_millis(100);
    let gateway = start(config);
    let mut slow = client(&gateway);
    slow.send(&hello(&authority, "a.example")[..20]);
    assert!(slow.is_over());
    wait_for(&gateway, "bulkhead_connection_timeouts_total{reason=\"head\"}", 1.0);
}

#[test]
fn tls_is_put_on_towards_the_endpoints_of_a_relay() {
    let (authority, scratch) = (Authority::new(), Scratch::new());
    let origin = secure_origin(&authority, &["up.example"]);
    let mut config = passing(&origin, &[], 1);
    config.listeners[0].protocol = ListenerProtocol::Tcp;
    config.tcp_routes = std::mem::take(&mut config.tls_routes);
    with_upstream_tls(&mut config, &authority, &scratch);
    let gateway = start(config.clone());
    let mut client = client(&gateway);
    for user in 0..3 {
        client.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a.example\r\n\r\n"));
        assert_eq!(read_response(&mut client).1, feed(user));
        gateway.kill_worker(0).expect("kill the worker");
    }
    // Whoever is not trusted gets nothing.
    with_upstream_tls(&mut config, &Authority::new(), &scratch);
    let gateway = start(config);
    let mut client = crate::support::client(&gateway);
    let _may_be_closed = client.try_send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert!(client.is_over());
    wait_for(&gateway, "bulkhead_failures_total{kind=\"upstream_tls\",side=\"upstream\"}", 1.0);
}
