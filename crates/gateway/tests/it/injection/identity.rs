//! Faults in what the gateway believes, and in who it shows itself to be: keys of token issuers,
//! certificates of endpoints, its own certificates.

use std::sync::Arc;

use bulkhead_chaos::GatewayFault;
use bulkhead_config::model::JwtProvider;
use bulkhead_gateway::GatewayOptions;
use bulkhead_testkit::{Authority, Scratch, SigningKey};
use rustls::HandshakeKind;

use super::*;
use crate::secure::{
    self, connect, good_token, tls_origin, trusting, with_tls, with_tokens, with_upstream_tls,
};

fn place(gateway: &Gateway, id: &str, declared: Value, ttl: Duration) {
    let fault: GatewayFault = serde_json::from_value(declared).expect("a fault");
    let rule = FaultRule::new(Fault::Gateway(fault), ttl);
    let placed = gateway.put_fault(id, rule).expect("a fault");
    assert!(matches!(placed, Placed::Created(_)));
    wait_until("all workers have it", || gateway.fault(id).is_some_and(|fault| fault.took_hold()));
}

#[test]
fn rotated_keys_refuse_old_tokens_through_kills_and_reloads_until_they_are_back() {
    let (origin, scratch, key) = (origin(), Scratch::new(), SigningKey::es256());
    let mut configured = with_tokens(origin.addr(), &key, &scratch);
    let other =
        JwtProvider { name: "other".to_owned(), ..configured.jwt_providers["accounts"].clone() };
    configured.jwt_providers.insert("other".to_owned(), other);
    let gateway = start(configured.clone());
    let token = good_token(&key);
    let mut kept = client(&gateway);
    let mut ask = || {
        kept.send(format!(
            "GET /api/v1/7/feed HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n"
        ));
        read_response(&mut kept).0
    };
    assert!(ask().starts_with("HTTP/1.1 200"));
    place(&gateway, "r", json!({"rotate_jwt_keys": {"provider": "accounts"}}), MINUTE);
    let refused = ask();
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    assert!(refused.contains("token's key is not known"), "{refused}");
    gateway.kill_worker(0).expect("killed");
    assert!(ask().starts_with("HTTP/1.1 401"), "the successor has the fault too");
    gateway.apply(configured).expect("applied");
    assert!(ask().starts_with("HTTP/1.1 401"), "so has the next configuration");
    assert_eq!(hits(&gateway, "r"), 3, "each token counts once");
    gateway.remove_fault("r").expect("taken back");
    assert!(ask().starts_with("HTTP/1.1 200"), "the old keys are back");
    // Another issuer's keys are another matter, and what nobody takes back ends by itself.
    place(&gateway, "o", json!({"rotate_jwt_keys": {"provider": "other"}}), MINUTE);
    assert!(ask().starts_with("HTTP/1.1 200"));
    place(&gateway, "s", json!({"rotate_jwt_keys": {}}), Duration::from_millis(300));
    wait_until("it ends", || gateway.fault("s").is_some_and(|fault| fault.is_over()));
    assert!(ask().starts_with("HTTP/1.1 200"));
}

#[test]
fn expired_certificates_fail_new_handshakes_alone_until_they_are_taken_back() {
    let (authority, scratch) = (Authority::new(), Scratch::new());
    let origin = tls_origin(&authority, &[b"http/1.1"]);
    let mut configured = config(origin.addr(), Protocol::Http1, 1);
    with_upstream_tls(&mut configured, &authority, &scratch);
    let another = Cluster { name: "another".to_owned(), ..configured.clusters["origin"].clone() };
    configured.clusters.insert("another".to_owned(), another);
    let gateway = start(configured.clone());
    let status = || ask(&gateway, "/api/v1/7/feed").0;
    place(&gateway, "a", json!({"expire_certificates": {}}), MINUTE);
    assert_eq!(status(), 502);
    let failures = "bulkhead_failures_total{kind=\"upstream_tls\",side=\"upstream\"}";
    assert!(value(&gateway.registry().render(), failures) > Some(0.0));
    gateway.kill_worker(0).expect("killed");
    gateway.apply(configured).expect("applied");
    assert_eq!(status(), 502, "neither kills nor reloads end it");
    assert!(hits(&gateway, "a") >= 2, "each handshake counts");
    gateway.remove_fault("a").expect("taken back");
    assert_eq!(status(), 200);
    // Connections that are there stay.
    place(&gateway, "b", json!({"expire_certificates": {}}), MINUTE);
    assert_eq!(status(), 200);
    // One more has to be made. A session that could be resumed is no way around the certificate.
    let mut patient = client(&gateway);
    patient.send("GET /delay/60000 HTTP/1.1\r\nhost: a\r\n\r\n");
    wait_for_value(&gateway, "http_server_active_requests", 1.0);
    assert_eq!(status(), 502);
    gateway.remove_fault("b").expect("taken back");
    place(&gateway, "o", json!({"expire_certificates": {"cluster": "another"}}), MINUTE);
    assert_eq!(status(), 200, "it is another cluster's");
    assert_eq!(hits(&gateway, "o"), 0);
}

/// How a handshake of a new client went, or why it refused the certificate.
fn shake(
    gateway: &Gateway,
    tls: &Arc<bulkhead_transport::ClientConfig>,
    name: &'static str,
) -> Result<HandshakeKind, String> {
    let mut client = connect(gateway, tls, name);
    while client.conn.is_handshaking() {
        client.conn.complete_io(&mut client.sock).map_err(|error| error.to_string())?;
    }
    assert_eq!(secure::ask(&mut client, 7), feed(7));
    client.conn.handshake_kind().ok_or_else(|| "no handshake".to_owned())
}

#[test]
fn clients_see_an_expired_certificate_through_kills_and_reloads_until_it_is_taken_back() {
    let (origin, authority, scratch) = (origin(), Authority::new(), Scratch::new());
    let mut configured = config(origin.addr(), Protocol::Http1, 2);
    with_tls(&mut configured, &authority, &scratch, &["a.example", "b.example"]);
    let gateway = start(configured.clone());
    let tls = trusting(&authority, &[b"http/1.1"]);
    let ask = |name| shake(&gateway, &tls, name);
    let mut kept = connect(&gateway, &tls, "a.example");
    assert_eq!(secure::ask(&mut kept, 1), feed(1));
    assert_eq!(ask("a.example"), Ok(HandshakeKind::Resumed));
    place(&gateway, "a", json!({"expire_certificates": {"side": "client"}}), MINUTE);
    let mut refused = 0;
    let mut is_refused = |what: &str| {
        for name in ["a.example", "b.example"] {
            let why = ask(name).expect_err(what);
            assert!(why.contains("certificate expired"), "{what}: {why}");
            refused += 1;
        }
        assert_eq!(hits(&gateway, "a"), refused);
    };
    is_refused("a session that could be resumed is no way around it");
    gateway.kill_worker(0).expect("killed");
    gateway.kill_worker(1).expect("killed");
    is_refused("killed workers do not end it");
    // Certificates are read anew, and other ones are there too.
    with_tls(&mut configured, &authority, &scratch, &["a.example", "b.example"]);
    gateway.apply(configured).expect("applied");
    is_refused("nor does another configuration with new certificates");
    assert_eq!(secure::ask(&mut kept, 2), feed(2), "connections that are there stay");
    gateway.remove_fault("a").expect("taken back");
    // The client has used its tickets up in vain.
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        assert_eq!(ask("a.example"), Ok(kind));
        assert_eq!(ask("b.example"), Ok(kind));
    }
    // One host alone.
    let one = json!({"expire_certificates": {"side": "client", "host": "B.example"}});
    place(&gateway, "b", one.clone(), MINUTE);
    assert_eq!(ask("a.example"), Ok(HandshakeKind::Full), "no session is resumed meanwhile");
    gateway.remove_fault("b").expect("taken back");
    // Its time ends it as well.
    let fault: GatewayFault = serde_json::from_value(one).expect("a fault");
    let short = FaultRule::new(Fault::Gateway(fault), Duration::from_millis(100));
    gateway.put_fault("c", short).expect("a fault");
    wait_until("it ends", || gateway.fault("c").is_some_and(|fault| fault.is_over()));
    assert!(ask("b.example").is_ok());
}

#[test]
fn a_gateway_that_drains_or_goes_on_shows_what_it_has() {
    let (origin, authority, scratch) = (origin(), Authority::new(), Scratch::new());
    let mut configured = config(origin.addr(), Protocol::Http1, 1);
    with_tls(&mut configured, &authority, &scratch, &["a.example"]);
    let old = start(configured.clone());
    let tls = trusting(&authority, &[b"http/1.1"]);
    place(&old, "a", json!({"expire_certificates": {"side": "client"}}), MINUTE);
    let socket = std::net::TcpStream::connect(address(&old)).expect("connect");
    // Accepted before the drain, and asks only then.
    wait_for_value(&old, "bulkhead_accepted_total", 1.0);
    let options = GatewayOptions { sockets: old.hand_over(), ..GatewayOptions::default() };
    let new = Gateway::start(configured, options).expect("start");
    std::thread::scope(|scope| {
        let drain = scope.spawn(|| old.drain_handed_over(PATIENCE));
        let name = bulkhead_transport::ServerName::try_from("a.example").expect("a name");
        let mut session = rustls::ClientConnection::new(tls.clone(), name).expect("a session");
        let mut socket = socket;
        let why = loop {
            match session.complete_io(&mut socket) {
                Ok(_) if session.is_handshaking() => {}
                Ok(_) => panic!("the certificate was accepted"),
                Err(error) => break error.to_string(),
            }
        };
        assert!(why.contains("certificate expired"), "{why}");
        drop(socket);
        drain.join().expect("drained");
    });
    assert!(shake(&new, &tls, "a.example").is_ok(), "faults do not go from process to process");
}
