//! The lab's injectors for gateways, against a gateway: each fault is prepared, injected, seen, taken back
//! and seen gone, and each step may be repeated.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bulkhead_chaos::{ChaosId, Fault, Order, Random, Target};
use bulkhead_lab::{GatewayInjector, InjectError, Injector, Surroundings};
use bulkhead_testkit::{Authority, Scratch};
use serde_json::{Value, json};

use crate::running::{PATIENCE, Running, address, get, origin};

fn start(upstream: SocketAddr, more: &[&str]) -> (Running, SocketAddr, SocketAddr) {
    let upstream = format!("http://{upstream}");
    let mut arguments = vec!["--listen", "127.0.0.1:0", "--upstream", &upstream];
    arguments.extend(["--workers", "2", "--admin", "127.0.0.1:0"]);
    arguments.extend(more);
    let mut gateway = Running::start(&arguments);
    let admin = address(&gateway.wait_for("admin server"), "http://");
    let web = address(&gateway.wait_for("ready:"), "on ");
    (gateway, admin, web)
}

fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

fn around() -> Surroundings {
    Surroundings { deadline: Instant::now() + PATIENCE, unix: unix() }
}

fn order(admin: SocketAddr, fault: Value, number: u64) -> Order {
    let fault: Fault = serde_json::from_value(fault).unwrap();
    let expires = unix() + Duration::from_secs(60);
    Order {
        id: ChaosId::new(unix(), &mut Random::new(number)),
        fault,
        target: Target::Gateway { admin },
        seed: 7,
        expires_unix_ms: u64::try_from(expires.as_millis()).unwrap(),
    }
}

/// Takes a fault through its life; `during` is called while it is in force.
#[track_caller]
fn live(order: &Order, during: impl FnOnce()) {
    let injector = GatewayInjector;
    assert!(injector.takes(&order.fault));
    let handle = injector.prepare(order, around()).unwrap();
    // Prepared is not injected: an injector that does nothing would be found out.
    assert!(!injector.verify(order, &handle, around()).unwrap().holds, "{order:?}");
    for _ in 0..2 {
        injector.inject(order, &handle, around()).unwrap();
    }
    let started = Instant::now();
    loop {
        let evidence = injector.verify(order, &handle, around()).unwrap();
        if evidence.holds {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{order:?}: {}", evidence.seen);
    }
    during();
    for _ in 0..2 {
        injector.revert(order, &handle, around()).unwrap();
        let gone = injector.verify_reverted(order, &handle, around()).unwrap();
        assert!(gone.holds, "{order:?}: {}", gone.seen);
    }
}

#[test]
fn each_fault_is_injected_seen_taken_back_and_seen_gone() {
    let origin = origin();
    let (_gateway, admin, web) = start(origin.addr(), &["--allow-faults"]);
    let aborted = json!({"http": {"abort": {"status": 418}, "percent": 100.0}});
    live(&order(admin, aborted, 1), || {
        assert!(get(web, "/api/v1/7/feed").starts_with("HTTP/1.1 418 "));
    });
    assert!(get(web, "/api/v1/7/feed").starts_with("HTTP/1.1 200 "));
    let faults = [
        json!({"http": {"delay": {"delay_ms": 5, "direction": "request"}, "percent": 1.0}}),
        json!({"http": {"reset": {"after_bytes": 3}, "percent": 1.0, "endpoint": "10.0.0.1:80"}}),
        json!({"http": {"goaway": {}, "percent": 20.0, "control_group": "connection"}}),
        json!({"gateway": {"stall_worker": {"worker": 1}}}),
        json!({"gateway": {"panic_exchanges": {"count": 3}}}),
        json!({"gateway": {"shrink_pools": {"connections_max": 1}}}),
        json!({"gateway": {"hold_descriptors": {"count": 20}}}),
        json!({"gateway": {"clock_offset": {"offset_s": -60}}}),
        json!({"gateway": {"kill_worker": {"worker": 0}}}),
        json!({"gateway": {"crash_worker": {"worker": 1}}}),
        json!({"gateway": {"bad_config": {"wrong": "unbindable_address"}}}),
        json!({"gateway": {"rotate_jwt_keys": {}}}),
        json!({"gateway": {"expire_certificates": {}}}),
        json!({"gateway": {"rotate_ticket_keys": {}}}),
    ];
    for (number, fault) in (2..).zip(faults) {
        live(&order(admin, fault, number), || ());
    }
    let faults = get(admin, "/faults");
    assert!(!faults.contains("\"active\": true") && !faults.contains("\"state\": \"active\""));
    assert!(get(web, "/api/v1/7/feed").starts_with("HTTP/1.1 200 "));
}

#[test]
fn what_cannot_be_injected_says_why() {
    let origin = origin();
    let (gateway, admin, _) = start(origin.addr(), &[]);
    let (injector, abort) = (GatewayInjector, json!({"http": {"goaway": {}, "percent": 1.0}}));
    let refusal = injector.prepare(&order(admin, abort.clone(), 1), around()).unwrap_err();
    assert!(refusal.remedy.contains("--allow-faults"), "{refusal}");
    let here = Order { target: Target::Host, ..order(admin, abort.clone(), 2) };
    assert!(injector.prepare(&here, around()).is_err());
    drop(gateway);
    let late = order(admin, abort, 3);
    assert!(injector.prepare(&late, around()).is_err());
    let unsent = injector.inject(&late, &Value::Null, around());
    assert!(matches!(unsent, Err(InjectError::Transient(_))), "{unsent:?}");
    // It may come back with the fault, as long as that may live; later there is nothing to take back.
    assert!(injector.revert(&late, &Value::Null, around()).is_err());
    assert!(injector.verify_reverted(&late, &Value::Null, around()).is_err());
    let over = Order { expires_unix_ms: 1, ..late.clone() };
    injector.revert(&over, &Value::Null, around()).unwrap();
    assert!(injector.verify_reverted(&over, &Value::Null, around()).unwrap().holds);
    let expired = Order { expires_unix_ms: 1, ..late };
    let refused = injector.inject(&expired, &Value::Null, around());
    assert!(matches!(refused, Err(InjectError::Permanent(_))), "{refused:?}");
}

#[test]
fn what_was_taken_back_first_does_not_come() {
    let origin = origin();
    let (_gateway, admin, web) = start(origin.addr(), &["--allow-faults"]);
    let abort = json!({"http": {"abort": {"status": 418}, "percent": 100.0}});
    let (injector, order) = (GatewayInjector, order(admin, abort, 1));
    let handle = injector.prepare(&order, around()).unwrap();
    injector.revert(&order, &handle, around()).unwrap();
    let late = injector.inject(&order, &handle, around());
    assert!(matches!(late, Err(InjectError::Permanent(_))), "{late:?}");
    assert!(get(web, "/api/v1/7/feed").starts_with("HTTP/1.1 200 "));
}

#[test]
fn certificates_towards_clients_are_looked_at_by_handshakes_that_nobody_counts() {
    let (origin, scratch) = (origin(), Scratch::new());
    let leaf = Authority::new().issue(&["a.test"]);
    scratch.write("a.pem", leaf.chain_pem);
    scratch.write("a.key", leaf.key_pem);
    let upstream = origin.addr();
    let text = format!(
        "listeners:\n- name: web\n  address: 127.0.0.1:0\n  tls:\n    certificates:\n\
         \x20   - certificate_file: a.pem\n      private_key_file: a.key\n\
         routes:\n- backends: [{{ cluster: up }}]\n\
         clusters:\n  up: {{ endpoints: [{upstream}] }}\n"
    );
    let file = scratch.write("gateway.yaml", text);
    let (config, more) = (file.to_str().unwrap(), ["--allow-faults", "--admin", "127.0.0.1:0"]);
    let mut gateway = Running::start(&[&["--config", config], &more[..]].concat());
    let admin = address(&gateway.wait_for("admin server"), "http://");
    for (number, host) in [(1, None), (2, Some("a.test"))] {
        let fault = json!({"gateway": {"expire_certificates": {"side": "client", "host": host}}});
        let order = order(admin, fault, number);
        live(&order, || ());
        let effect = GatewayInjector.effect(&order, &Value::Null, around()).unwrap();
        assert_eq!(effect.hits, 0, "the lab's looks are no clients");
    }
    // One that another fault keeps expired is not what is left of this one.
    let fault = json!({"gateway": {"expire_certificates": {"side": "client"}}});
    let [one, two] = [3, 4].map(|number| order(admin, fault.clone(), number));
    let handles = [&one, &two].map(|order| GatewayInjector.prepare(order, around()).unwrap());
    for (order, handle) in [&one, &two].into_iter().zip(&handles) {
        GatewayInjector.inject(order, handle, around()).unwrap();
    }
    let again = GatewayInjector.prepare(&order(admin, fault, 5), around()).unwrap_err();
    assert!(again.reason.contains("expired already"), "{again}");
    for (order, handle) in [&one, &two].into_iter().zip(&handles) {
        GatewayInjector.revert(order, handle, around()).unwrap();
        let gone = GatewayInjector.verify_reverted(order, handle, around()).unwrap();
        assert!(gone.holds, "{}", gone.seen);
        assert_eq!(gone.seen.contains("another fault"), order.id == one.id, "{}", gone.seen);
    }
}
