//! What is refused, and what the refusal says to do instead.

use bulkhead_chaos::{CarrierChoice, InterfaceTarget};

use super::{Strike, loopback, namespace};
use crate::support::PATIENCE;

const LOSS: &str = r#"{"loss": {"direction": "both", "per": "direction",
    "model": {"bernoulli": {"percent": 12}}}}"#;
const BURSTS: &str = r#"{"loss": {"direction": "both", "per": "direction",
    "model": {"gilbert_elliott": {"to_bad_percent": 5, "to_good_percent": 50}}}}"#;
const DELAY: &str = r#"{"delay": {"direction": "upstream", "base_ms": 5}}"#;

pub(super) fn refused(target: InterfaceTarget, json: &str, expected: &str) {
    let refusal = Strike::prepare(target, json, PATIENCE).err().expect("a refusal").to_string();
    assert!(refusal.contains(expected), "{expected}\n{refusal}");
}

#[test]
fn the_lab_s_own_interfaces_are_struck_within_a_scope_only() {
    let own = InterfaceTarget::new("lo");
    refused(own.clone(), LOSS, "in the lab's own network namespace");
    refused(own, LOSS, "bound the fault by `scope`");
    let mut by_path = InterfaceTarget::new("lo");
    by_path.namespace = Some("/proc/self/ns/net".into());
    refused(by_path, LOSS, "in the lab's own network namespace");
    let mut protocol = InterfaceTarget::new("lo");
    protocol.scope.protocol = Some(bulkhead_chaos::Transport::Tcp);
    refused(protocol, LOSS, "in the lab's own network namespace");
}

#[test]
fn where_the_lab_listens_is_never_struck() {
    use bulkhead_chaos::{ChaosId, Fault, Order, Random, Target, Transport};
    use bulkhead_lab::{Injector as _, InterfaceInjector, Nftables};

    let mut target = InterfaceTarget::new("lo");
    target.scope.protocol = Some(Transport::Tcp);
    target.scope.server_port = Some(8_475);
    let order = Order {
        id: ChaosId::new(PATIENCE, &mut Random::new(1)),
        fault: Fault::Network(crate::support::fault(LOSS)),
        target: Target::Interface(target),
        seed: 1,
        expires_unix_ms: u64::MAX,
    };
    let injector = InterfaceInjector::new(Nftables).sparing(["127.0.0.1:8475".parse().unwrap()]);
    let refusal = injector.prepare(&order, crate::support::around()).unwrap_err().to_string();
    assert!(refusal.contains("127.0.0.1:8475, where the lab is controlled"), "{refusal}");
}

#[test]
fn carriers_say_what_they_cannot_do() {
    let Some(namespace) = namespace() else { return };
    let target = |carrier| loopback(&namespace, carrier, None);
    refused(target(CarrierChoice::Auto), DELAY, "for a delay order a link");
    refused(target(CarrierChoice::Nftables), BURSTS, "remember nothing from packet to packet");
    refused(target(CarrierChoice::Box), LOSS, "carries no faults of interfaces");
    let mut missing = target(CarrierChoice::Auto);
    missing.name = "bulkhead9".to_owned();
    missing.end = Some(bulkhead_chaos::InterfaceEnd::Server);
    let loss = r#"{"partition": {"direction": "upstream"}}"#;
    refused(missing, loss, "there is no interface `bulkhead9` there");
    let mut nowhere = target(CarrierChoice::Auto);
    nowhere.namespace = Some("/nonexistent/namespace".into());
    refused(nowhere, LOSS, "open the namespace `/nonexistent/namespace`");
    let mut file = target(CarrierChoice::Auto);
    file.namespace = Some("/proc/self/stat".into());
    refused(file, LOSS, "enter a network namespace");
}
