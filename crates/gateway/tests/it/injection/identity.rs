//! Faults in what the gateway believes: keys of token issuers, certificates of endpoints.

use bulkhead_chaos::GatewayFault;
use bulkhead_config::model::JwtProvider;
use bulkhead_testkit::{Authority, Scratch, SigningKey};

use super::*;
use crate::secure::{good_token, tls_origin, with_tokens, with_upstream_tls};

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
}
