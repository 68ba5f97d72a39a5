//! Certificates, tickets and policies of listeners: chosen, renewed, shared.

use std::sync::Arc;

use bulkhead_config::Config;
use bulkhead_config::model::{Protocol, TlsPolicy};
use bulkhead_gateway::{Gateway, GatewayOptions};
use bulkhead_testkit::{Authority, Scratch};
use bulkhead_transport::{CertificatePem, ClientConfig, ClientTls};
use rustls::HandshakeKind;

use crate::secure::{TlsClient, ask, connect, trusting, with_tls};
use crate::support::{
    PATIENCE, client, config, feed, origin, read_response, start, value, wait_for_value,
};

fn serial_of(client: &TlsClient) -> Vec<u8> {
    client.conn.peer_certificates().expect("a certificate")[0].to_vec()
}

/// The certificate that new connections are shown.
fn shown(gateway: &Gateway, authority: &Authority, name: &'static str) -> Option<Vec<u8>> {
    let mut client = connect(gateway, &trusting(authority, &[b"http/1.1"]), name);
    while client.conn.is_handshaking() {
        client.conn.complete_io(&mut client.sock).ok()?;
    }
    Some(serial_of(&client))
}

#[test]
fn a_renewed_certificate_is_shown_to_new_connections_and_old_ones_stay() {
    let (origin, authority, scratch) = (origin(), Authority::new(), Scratch::new());
    let mut config = config(origin.addr(), Protocol::Http1, 2);
    with_tls(&mut config, &authority, &scratch, &["a.example"]);
    let gateway = start(config.clone());
    let tls = trusting(&authority, &[b"http/1.1"]);
    let mut old = connect(&gateway, &tls, "a.example");
    assert_eq!(ask(&mut old, 1), feed(1));
    let before = serial_of(&old);
    // Half of a renewal: the old pair stays, and the fault is told.
    let renewed = authority.issue(&["a.example"]);
    scratch.write("a.example.pem", &renewed.chain_pem);
    gateway.apply(config.clone()).expect("a bad pair is no reason to refuse all");
    assert_eq!(shown(&gateway, &authority, "a.example"), Some(before.clone()));
    let report = gateway.certificates();
    assert!(report.problems[0].kept, "{report:?}");
    let problems = value(&gateway.registry().render(), "bulkhead_certificate_problems");
    assert_eq!(problems, Some(1.0));
    scratch.write("a.example.key", &renewed.key_pem);
    gateway.apply(config).expect("apply");
    // Workers take up new listeners at their next turn.
    let changed =
        (0..500).any(|_| shown(&gateway, &authority, "a.example") != Some(before.clone()));
    assert!(changed, "the renewed certificate is not shown");
    assert_eq!(gateway.certificates().problems, []);
    assert_eq!(ask(&mut old, 2), feed(2));
    gateway.kill_worker(0).expect("kill a worker");
    gateway.kill_worker(1).expect("kill a worker");
    assert_eq!(ask(&mut old, 3), feed(3));
}

#[test]
fn a_directory_serves_all_that_is_in_it() {
    let (origin, authority, scratch) = (origin(), Authority::new(), Scratch::new());
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    with_tls(&mut config, &authority, &scratch, &["a.example"]);
    let directory = scratch.path().join("certificates");
    std::fs::create_dir(&directory).expect("a directory");
    config.listeners[0].tls.as_mut().expect("TLS").certificates_dir = Some(directory);
    let gateway = start(config.clone());
    assert_eq!(shown(&gateway, &authority, "b.example"), None, "no certificate has this name");
    for (name, san) in [("b", "b.example"), ("wild", "*.wild.example")] {
        let leaf = authority.issue(&[san]);
        scratch.write(&format!("certificates/{name}.pem"), leaf.chain_pem);
        scratch.write(&format!("certificates/{name}.key"), leaf.key_pem);
    }
    gateway.apply(config).expect("apply");
    assert!((0..500).any(|_| shown(&gateway, &authority, "b.example").is_some()));
    assert!(shown(&gateway, &authority, "one.wild.example").is_some());
    assert!(shown(&gateway, &authority, "a.example").is_some());
    assert_eq!(gateway.certificates().total, 3);
}

fn ticket_config(
    origin: &bulkhead_origin::Origin,
    authority: &Authority,
    scratch: &Scratch,
    keys: &[u8],
) -> Config {
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    with_tls(&mut config, authority, scratch, &["a.example"]);
    let file = |key: &u8| scratch.write(&format!("ticket-{key}.key"), [*key; 80]);
    let tls = config.listeners[0].tls.as_mut().expect("TLS");
    tls.ticket_key_files = keys.iter().map(file).collect();
    config
}

fn kind(gateway: &Gateway, tls: &Arc<ClientConfig>) -> HandshakeKind {
    let mut client = connect(gateway, tls, "a.example");
    assert_eq!(ask(&mut client, 1), feed(1));
    client.conn.handshake_kind().expect("a handshake")
}

#[test]
fn gateways_that_share_ticket_keys_resume_each_others_sessions() {
    let (origin, authority, scratch) = (origin(), Authority::new(), Scratch::new());
    let config = |keys: &[u8]| ticket_config(&origin, &authority, &scratch, keys);
    let one = start(config(&[1]));
    let two = start(config(&[2, 1]));
    let three = start(config(&[3]));
    let tls = trusting(&authority, &[b"http/1.1"]);
    assert_eq!(kind(&one, &tls), HandshakeKind::Full);
    assert_eq!(kind(&two, &tls), HandshakeKind::Resumed);
    // Its tickets are sealed with key 2, which is not known at the others yet.
    assert_eq!(kind(&three, &tls), HandshakeKind::Full);
    let tls = trusting(&authority, &[b"http/1.1"]);
    assert_eq!(kind(&two, &tls), HandshakeKind::Full);
    one.apply(config(&[2, 1])).expect("rotate");
    let resumed = (0..500).any(|_| kind(&one, &tls) == HandshakeKind::Resumed);
    assert!(resumed, "the rotated keys are not used");
}

#[test]
fn policies_say_which_versions_are_spoken() {
    let (origin, authority, scratch) = (origin(), Authority::new(), Scratch::new());
    let old = Arc::new(
        ClientConfig::builder_with_provider(
            Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
        )
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("TLS 1.2")
        .with_root_certificates(roots(&authority))
        .with_no_client_auth(),
    );
    for (policy, expect) in [(TlsPolicy::Intermediate, true), (TlsPolicy::Modern, false)] {
        let mut config = config(origin.addr(), Protocol::Http1, 1);
        with_tls(&mut config, &authority, &scratch, &["a.example"]);
        config.listeners[0].tls.as_mut().expect("TLS").policy = policy;
        let gateway = start(config);
        let mut client = connect(&gateway, &old, "a.example");
        let shaken = client.conn.complete_io(&mut client.sock).is_ok();
        assert_eq!(shaken, expect, "{policy:?}");
        if !expect {
            let sample = "bulkhead_tls_handshakes_failed_total{reason=\"unsupported_version\"}";
            wait_for_value(&gateway, sample, 1.0);
        }
    }
}

fn roots(authority: &Authority) -> rustls::RootCertStore {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.certificate_der().into()).expect("an anchor");
    roots
}

#[test]
fn secrets_are_logged_where_that_was_asked_for() {
    let (origin, authority, scratch) = (origin(), Authority::new(), Scratch::new());
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    with_tls(&mut config, &authority, &scratch, &["a.example"]);
    let file = scratch.path().join("keys.log");
    let options = GatewayOptions { tls_key_log: Some(file.clone()), ..GatewayOptions::default() };
    let gateway = Gateway::start(config, options).expect("start the gateway");
    let mut client = connect(&gateway, &trusting(&authority, &[b"http/1.1"]), "a.example");
    assert_eq!(ask(&mut client, 1), feed(1));
    let log = std::fs::read_to_string(file).expect("the log");
    assert!(log.lines().any(|line| line.starts_with("CLIENT_TRAFFIC_SECRET_0 ")), "{log}");
}

#[test]
fn challenges_are_answered_before_routing_and_only_the_known_ones() {
    let (origin, authority, scratch) = (origin(), Authority::new(), Scratch::new());
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    // A route that would refuse them.
    config.routes[0].hostnames = vec!["elsewhere.example".to_owned()];
    let mut secure = config.listeners[0].clone();
    secure.name = "secure".to_owned();
    secure.tls = Some(bulkhead_config::model::ListenerTls {
        acme_dir: Some(scratch.path().join("nothing-yet")),
        ..Default::default()
    });
    config.listeners.push(secure);
    let gateway = start(config);
    let status = |path: &str| {
        let mut client = client(&gateway);
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a.example\r\n\r\n"));
        let (head, body) = read_response(&mut client);
        (head.split(' ').nth(1).map(str::to_owned).expect("a status"), body)
    };
    let path = "/.well-known/acme-challenge/token";
    assert_eq!(status(path).0, "404");
    let leaf = authority.issue(&["a.example"]);
    let pem = CertificatePem { chain_pem: leaf.chain_pem.into(), key_pem: leaf.key_pem.into() };
    let http = vec![("token".to_owned(), "token.thumbprint".to_owned())];
    gateway
        .set_acme_challenges(http, vec![("a.example".to_owned(), pem)])
        .expect("a good certificate");
    assert_eq!(status(path), ("200".to_owned(), b"token.thumbprint".to_vec()));
    assert_eq!(status("/.well-known/acme-challenge/other").0, "404");
    assert_eq!(status("/.well-known/acme-challenge/").0, "404");

    let address = gateway.addresses()[1].1.inet().expect("an IP address");
    let shake = |name: &'static str, alpn: &[&[u8]]| {
        let ca = authority.certificate_pem();
        let tls = ClientTls::new(Some(ca.as_bytes()), false, alpn).expect("a config");
        let mut client = crate::secure::connect_to(address, &tls, name);
        client.sock.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        client.conn.complete_io(&mut client.sock).is_ok()
    };
    assert!(shake("a.example", &[b"acme-tls/1"]));
    assert!(!shake("b.example", &[b"acme-tls/1"]));
    assert!(!shake("a.example", &[b"http/1.1"]), "there is no certificate yet");
    gateway.set_acme_challenges(vec![], vec![]).expect("nothing");
    assert_eq!(status(path).0, "404");
    assert!(!shake("a.example", &[b"acme-tls/1"]));
}
