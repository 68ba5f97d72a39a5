//! Certificates of clients, what upstreams and the log hear of them, and ours towards upstreams.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use bulkhead_config::Config;
use bulkhead_config::model::{
    AccessLog, Certificate, ClientCertificates, NameMatch, Protocol, SecretSource, TlsVersion,
};
use bulkhead_gateway::Gateway;
use bulkhead_origin::{Origin, OriginOptions};
use bulkhead_testkit::{Authority, Leaf, Scratch};
use bulkhead_transport::{
    CertificatePem, ClientAuth, ClientAuthOptions, ClientConfig, ClientTls, ClientTlsOptions,
    ServerTls, ServerTlsOptions, Ticketer, TlsPolicy,
};

use crate::secure::{TlsClient, connect, with_tls, with_upstream_tls};
use crate::support::{client, config, origin, read_response, start, wait_for_value};

struct Fixture {
    servers: Authority,
    clients: Authority,
    scratch: Scratch,
    origin: Origin,
}

fn fixture() -> Fixture {
    let (servers, clients) = (Authority::new(), Authority::new());
    Fixture { servers, clients, scratch: Scratch::new(), origin: origin() }
}

impl Fixture {
    fn config(&self, clients: ClientCertificates) -> Config {
        let mut config = config(self.origin.addr(), Protocol::Http1, 1);
        with_tls(&mut config, &self.servers, &self.scratch, &["a.example"]);
        let tls = config.listeners[0].tls.as_mut().expect("TLS");
        tls.client_certificates = Some(clients);
        config
    }

    fn asks(&self) -> ClientCertificates {
        ClientCertificates {
            ca_file: self.scratch.write("clients-ca.pem", self.clients.certificate_pem()),
            required: true,
            matches: vec![],
            crl_file: None,
        }
    }

    /// A client that shows this certificate.
    fn showing(&self, leaf: Option<&Leaf>) -> Arc<ClientConfig> {
        let identity = leaf.map(|leaf| CertificatePem {
            chain_pem: leaf.chain_pem.clone().into_bytes(),
            key_pem: leaf.key_pem.clone().into_bytes(),
        });
        ClientTls::with(&ClientTlsOptions {
            ca_pem: Some(self.servers.certificate_pem().as_bytes()),
            alpn: &[b"http/1.1"],
            identity: identity.as_ref(),
            ..ClientTlsOptions::default()
        })
        .expect("a config")
    }
}

/// The head that the upstream saw, as it echoes it; `None` if the handshake failed.
fn headers(client: &mut TlsClient, extra: &str) -> Option<String> {
    write!(client, "GET /headers HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n{extra}\r\n")
        .ok()?;
    let mut answer = String::new();
    // The origin ends by closing; what counts is what came.
    let _ = client.read_to_string(&mut answer);
    answer.starts_with("HTTP/1.1 200").then_some(answer)
}

fn is_let_in(gateway: &Gateway, tls: &Arc<ClientConfig>) -> bool {
    headers(&mut connect(gateway, tls, "a.example"), "").is_some()
}

#[test]
fn clients_show_certificates_and_upstreams_hear_who_they_are() {
    let fixture = fixture();
    let mut config = fixture.config(fixture.asks());
    let log = fixture.scratch.path().join("access.log");
    config.access_log = Some(AccessLog::File(log.clone()));
    config.access_log_tls = true;
    let gateway = start(config);
    let leaf = fixture.clients.issue(&["ada.test"]);
    let mut client = connect(&gateway, &fixture.showing(Some(&leaf)), "a.example");
    let spoofed = "x-forwarded-client-cert: Hash=00;Subject=\"CN=root\"\r\n";
    let seen = headers(&mut client, spoofed).expect("it is let in");
    assert_eq!(seen.matches("x-forwarded-client-cert").count(), 1, "{seen}");
    assert!(!seen.contains("CN=root"), "{seen}");
    assert!(seen.contains("Subject=") && seen.contains("CN=bulkhead test leaf"), "{seen}");
    assert!(seen.contains(";DNS=ada.test"), "{seen}");
    gateway.drain(std::time::Duration::from_secs(5));
    let log = std::fs::read_to_string(log).expect("the log");
    let line: serde_json::Value = serde_json::from_str(log.trim()).expect("one line");
    assert_eq!(line["tls_version"], "1.3");
    assert_eq!(line["tls_server_name"], "a.example");
    assert_eq!(line["tls_client_subject"], "CN=bulkhead test leaf");
    assert_eq!(line["tls_client_fingerprint"].as_str().map(str::len), Some(64));
}

#[test]
fn what_a_client_says_of_its_certificate_is_never_believed() {
    let fixture = fixture();
    let gateway = start(config(fixture.origin.addr(), Protocol::Http1, 1));
    let mut client = client(&gateway);
    client.send("GET /headers HTTP/1.1\r\nhost: a\r\nx-forwarded-client-cert: Hash=00\r\n\r\n");
    let (head, body) = read_response(&mut client);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(!String::from_utf8(body).expect("text").contains("client-cert"));
}

#[test]
fn strangers_and_those_without_a_certificate_are_turned_away_and_counted() {
    let fixture = fixture();
    let gateway = start(fixture.config(fixture.asks()));
    let (own, foreign) = (fixture.clients.issue(&["a.test"]), Authority::new().issue(&["a.test"]));
    assert!(is_let_in(&gateway, &fixture.showing(Some(&own))));
    assert!(!is_let_in(&gateway, &fixture.showing(Some(&foreign))));
    assert!(!is_let_in(&gateway, &fixture.showing(None)));
    // The foreign authority has the same name, and another key.
    for reason in ["certificate_required", "certificate_bad_signature"] {
        let sample = format!("bulkhead_tls_handshakes_failed_total{{reason=\"{reason}\"}}");
        wait_for_value(&gateway, &sample, 1.0);
    }
    let optional = ClientCertificates { required: false, ..fixture.asks() };
    let gateway = start(fixture.config(optional));
    assert!(is_let_in(&gateway, &fixture.showing(None)));
    assert!(is_let_in(&gateway, &fixture.showing(Some(&own))));
    assert!(!is_let_in(&gateway, &fixture.showing(Some(&foreign))));
}

#[test]
fn names_decide_who_is_let_in() {
    let fixture = fixture();
    let by_name = fixture.clients.issue(&["one.partner.test"]);
    let by_id = fixture.clients.issue_for_uris(&["spiffe://a.test/billing/one"]);
    let other_id = fixture.clients.issue_for_uris(&["spiffe://a.test/shop/one"]);
    let two_ids = fixture
        .clients
        .issue_for_uris(&["spiffe://a.test/billing/one", "spiffe://a.test/billing/two"]);
    let matches = vec![
        NameMatch::Dns("*.partner.test".to_owned()),
        NameMatch::Spiffe("spiffe://a.test/billing/*".to_owned()),
    ];
    let gateway = start(fixture.config(ClientCertificates { matches, ..fixture.asks() }));
    for (what, leaf, expect) in [
        ("a name", &by_name, true),
        ("an id", &by_id, true),
        ("another id", &other_id, false),
        ("two ids are none", &two_ids, false),
        ("another name", &fixture.clients.issue(&["partner.test"]), false),
    ] {
        assert_eq!(is_let_in(&gateway, &fixture.showing(Some(leaf))), expect, "{what}");
    }
}

#[test]
fn who_is_revoked_is_not_let_in_again_with_an_old_session() {
    let fixture = fixture();
    let (good, bad) = (fixture.clients.issue(&["good.test"]), fixture.clients.issue(&["bad.test"]));
    let crl_file = fixture.scratch.write("clients.crl", fixture.clients.revoke(&[]));
    let asks = ClientCertificates { crl_file: Some(crl_file), ..fixture.asks() };
    let config = fixture.config(asks);
    let gateway = start(config.clone());
    let (good, bad) = (fixture.showing(Some(&good)), (fixture.showing(Some(&bad)), bad));
    assert!(is_let_in(&gateway, &good) && is_let_in(&gateway, &bad.0));
    fixture.scratch.write("clients.crl", fixture.clients.revoke(&[&bad.1]));
    gateway.apply(config).expect("apply");
    // Workers take up new listeners at their next turn.
    let refused = (0..500).any(|_| !is_let_in(&gateway, &bad.0));
    assert!(refused, "the session is still resumed");
    assert!(!is_let_in(&gateway, &bad.0));
    assert!(is_let_in(&gateway, &good));
}

#[test]
fn a_session_of_an_open_listener_is_no_way_into_a_closed_one() {
    let fixture = fixture();
    let mut config = fixture.config(fixture.asks());
    let mut open = config.listeners[0].clone();
    open.name = "open".to_owned();
    open.tls.as_mut().expect("TLS").client_certificates = None;
    config.listeners.push(open);
    let gateway = start(config);
    // One client, one store of sessions, the same name at both.
    let tls = fixture.showing(None);
    let address = gateway.addresses()[1].1.inet().expect("an IP address");
    let mut first = crate::secure::connect_to(address, &tls, "a.example");
    assert!(headers(&mut first, "").is_some(), "the open listener lets everybody in");
    let mut again = crate::secure::connect_to(address, &tls, "a.example");
    assert!(headers(&mut again, "").is_some());
    assert_eq!(again.conn.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
    assert!(!is_let_in(&gateway, &tls));
}

/// An upstream that lets in only who shows a certificate of `clients`.
fn asking_origin(clients: &Authority, leaf: &Leaf) -> Origin {
    let pem = CertificatePem {
        chain_pem: leaf.chain_pem.clone().into_bytes(),
        key_pem: leaf.key_pem.clone().into_bytes(),
    };
    let certificate = bulkhead_transport::Certificate::parse(&pem).expect("a certificate");
    let ca_pem = clients.certificate_pem();
    let auth = ClientAuth::new(&ClientAuthOptions {
        ca_pem: ca_pem.as_bytes(),
        required: true,
        ..ClientAuthOptions::default()
    })
    .expect("anchors");
    let tls = ServerTls::with(&ServerTlsOptions {
        certificates: &[certificate],
        policy: TlsPolicy::Intermediate,
        min_version: bulkhead_transport::TlsVersion::Tls12,
        alpn: &[b"http/1.1"],
        ticketer: &Ticketer::new().expect("keys"),
        client_auth: Some(&auth),
        challenges: None,
        key_log: None,
        expiry: None,
    })
    .expect("a config");
    Origin::start(OriginOptions { tls: Some(tls), ..OriginOptions::default() })
        .expect("start the origin")
}

fn certificate(scratch: &Scratch, name: &str, leaf: &Leaf) -> Certificate {
    let key: PathBuf = scratch.write(&format!("{name}.key"), &leaf.key_pem);
    Certificate {
        certificate_file: scratch.write(&format!("{name}.pem"), &leaf.chain_pem),
        private_key: SecretSource::File(key),
        ocsp_file: None,
    }
}

/// Status of one request.
fn status(gateway: &Gateway) -> String {
    let mut client = client(gateway);
    client.send("GET /headers HTTP/1.1\r\nhost: a\r\n\r\n");
    read_response(&mut client).0.split(' ').nth(1).map(str::to_owned).expect("a status")
}

#[test]
fn the_gateway_shows_a_certificate_and_takes_up_a_new_one() {
    let (servers, clients, scratch) = (Authority::new(), Authority::new(), Scratch::new());
    let origin = asking_origin(&clients, &servers.issue(&["up.example"]));
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    with_upstream_tls(&mut config, &servers, &scratch);
    assert_eq!(status(&start(config.clone())), "502");
    let stranger = Authority::new().issue(&["gateway.test"]);
    config.clusters.values_mut().for_each(|cluster| {
        let tls = cluster.tls.as_mut().expect("TLS");
        tls.client_certificate = Some(certificate(&scratch, "gateway", &stranger));
        tls.min_version = TlsVersion::Tls13;
    });
    let gateway = start(config.clone());
    assert_eq!(status(&gateway), "502");
    // The same file names with another content.
    certificate(&scratch, "gateway", &clients.issue(&["gateway.test"]));
    gateway.apply(config).expect("apply");
    assert!((0..500).any(|_| status(&gateway) == "200"), "the new certificate is not shown");
}

#[test]
fn names_of_upstreams_are_checked_in_place_of_the_one_asked_for() {
    let (servers, scratch) = (Authority::new(), Scratch::new());
    let leaf = servers.issue_for_uris(&["spiffe://a.test/feed"]);
    let tls = crate::secure::server_tls_of(&leaf, &[b"http/1.1"]);
    let origin = Origin::start(OriginOptions { tls: Some(tls), ..OriginOptions::default() })
        .expect("start the origin");
    for (names, expect) in [
        (vec![], "502"),
        (vec![NameMatch::Dns("up.example".to_owned())], "502"),
        (vec![NameMatch::Spiffe("spiffe://a.test/shop".to_owned())], "502"),
        (vec![NameMatch::Spiffe("spiffe://a.test/*".to_owned())], "200"),
    ] {
        let mut config = config(origin.addr(), Protocol::Http1, 1);
        with_upstream_tls(&mut config, &servers, &scratch);
        config.clusters.values_mut().for_each(|cluster| {
            cluster.tls.as_mut().expect("TLS").subject_alt_names.clone_from(&names);
        });
        assert_eq!(status(&start(config)), expect, "{names:?}");
    }
}
