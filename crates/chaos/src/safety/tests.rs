use std::time::Duration;

use super::*;
use crate::ProcessFault;

/// 2026-11-24 04:24 UTC, a Tuesday.
const TUESDAY_0424: u64 = 1_795_494_240_000;
const HOUR_MS: u64 = 3_600_000;

fn policy(json: &str) -> Policy {
    serde_json::from_str(json).unwrap()
}

#[test]
fn windows_are_in_utc_and_may_pass_midnight() {
    let check = |window: &str, hours: u64, expected: bool| {
        let window: Window = serde_json::from_str(window).unwrap();
        assert_eq!(
            window.contains(TUESDAY_0424 + hours * HOUR_MS),
            expected,
            "{window:?} +{hours}"
        );
    };
    let day = r#"{"days": ["tuesday"], "from": "04:24", "to": "05:24"}"#;
    check(day, 0, true);
    check(day, 1, false);
    check(day, 24, false);
    check(day, 7 * 24, true);
    let night = r#"{"days": ["monday"], "from": "22:00", "to": "06:00"}"#;
    check(night, 0, true);
    check(night, 2, false);
    check(night, 18, false);
    check(night, 24, false);
    check(r#"{"from": "00:00", "to": "24:00"}"#, 3, true);
    for wrong in ["9:00", "24:01", "12:60", "", "12", "ab:cd", "-1:00"] {
        let text = format!(r#"{{"from": "{wrong}", "to": "06:00"}}"#);
        assert!(serde_json::from_str::<Window>(&text).is_err(), "{wrong}");
    }
}

#[test]
fn roles_are_kept_and_tokens_are_known_by_their_digest() {
    let digest = hex_digest(b"secret");
    let rules = policy(&format!(
        r#"{{"actors": [{{"name": "ann", "token_sha256": "{digest}", "role": "operator"}}]}}"#
    ));
    let ann = rules.caller(Some("secret"), "local").unwrap();
    assert_eq!((ann.name.as_str(), ann.role), ("ann", Role::Operator));
    assert!(ann.require(Role::Viewer).is_ok() && ann.require(Role::Operator).is_ok());
    assert!(matches!(ann.require(Role::Approver), Err(Forbidden::Role { .. })));
    for stranger in [None, Some(""), Some("secre"), Some(digest.as_str())] {
        assert_eq!(rules.caller(stranger, "local"), Err(Forbidden::Stranger));
    }
    assert_eq!(Policy::default().caller(None, "local").unwrap().role, Role::Approver);
}

#[test]
fn kinds_and_windows_bound_what_may_be_injected() {
    let rules =
        policy(r#"{"kinds": ["process.stop"], "windows": [{"from": "04:00", "to": "05:00"}]}"#);
    let stop = Fault::Process(ProcessFault::Stop);
    assert_eq!(rules.permits(&stop, TUESDAY_0424), Ok(()));
    assert_eq!(rules.permits(&stop, TUESDAY_0424 + HOUR_MS), Err(Forbidden::Window));
    let other = Fault::Host(crate::HostFault::Cpu { threads: 1, percent: 100.0 });
    assert!(matches!(rules.permits(&other, TUESDAY_0424), Err(Forbidden::Kind(_))));
}

#[test]
fn production_needs_somebody_else_once_and_in_time() {
    let id = ChaosId::new(Duration::from_secs(1), &mut crate::Random::new(1));
    let order = order_sha256(&"an order");
    let approval =
        Approval { id, by: "bob".into(), order_sha256: order.clone(), expires_unix_ms: 100 };
    let mut approvals = Approvals::default();
    approvals.add(approval);
    assert_eq!(approvals.check(Some(id), "ann", &order, 99), Ok(()));
    for (id, caller, order, at) in [
        (None, "ann", order.clone(), 99),
        (Some(id.part(1)), "ann", order.clone(), 99),
        (Some(id), "bob", order.clone(), 99),
        (Some(id), "ann", order_sha256(&"another"), 99),
        (Some(id), "ann", order.clone(), 100),
    ] {
        assert_eq!(approvals.check(id, caller, &order, at), Err(Forbidden::Unapproved));
    }
    approvals.spend(id);
    assert_eq!(approvals.check(Some(id), "ann", &order, 99), Err(Forbidden::Unapproved));
}

#[test]
fn a_target_is_production_by_its_label_or_by_the_policy() {
    let rules = policy(r#"{"production": ["host"]}"#);
    let mut candidate = Candidate { target: Target::Host, labels: Default::default() };
    assert!(rules.is_production(&candidate));
    candidate.target = Target::Link { name: "client".into() };
    assert!(!rules.is_production(&candidate));
    candidate.labels.insert(ENVIRONMENT_LABEL.into(), "production".into());
    assert!(rules.is_production(&candidate));
}

#[test]
fn an_interface_is_production_whatever_its_scope() {
    let rules = policy(
        r#"{"production": [{"interface": {"name": "eth0"}},
            {"interface": {"name": "eth1", "namespace": "/run/netns/a"}}]}"#,
    );
    let asked = |json: &str| {
        let target = serde_json::from_str(&format!(r#"{{"interface": {json}}}"#)).unwrap();
        rules.is_production(&Candidate { target, labels: Default::default() })
    };
    assert!(asked(r#"{"name": "eth0", "end": "server", "carrier": "bpf"}"#));
    assert!(asked(r#"{"name": "eth0", "namespace": "/proc/1/ns/net"}"#));
    assert!(asked(r#"{"name": "eth1", "namespace": "/run/netns/a", "end": "client"}"#));
    assert!(!asked(r#"{"name": "eth1"}"#) && !asked(r#"{"name": "lo"}"#));
}

fn watch(json: &str) -> AbortWatch {
    let mut condition: serde_json::Value = serde_json::from_str(json).unwrap();
    condition["admin"] = "127.0.0.1:9901".into();
    AbortWatch::new(serde_json::from_value(condition).unwrap())
}

fn at(quarter: u32) -> Duration {
    ABORT_SAMPLE_INTERVAL * quarter
}

const fn value(value: f64) -> Sample {
    Sample { value: Some(value), over: None }
}

#[test]
fn a_breach_must_last() {
    let mut watch = watch(r#"{"metric": "ok", "is": "below", "threshold": 0.95, "for_ms": 500}"#);
    assert_eq!(watch.observe(at(0), value(0.9)), None);
    assert_eq!(watch.observe(at(1), value(0.95)), None, "the limit itself is no breach");
    assert_eq!(watch.observe(at(2), value(0.9)), None);
    assert_eq!(watch.observe(at(3), value(0.9)), None);
    assert!(watch.observe(at(4), value(0.9)).unwrap().contains("0.95"));
}

#[test]
fn blind_is_not_well() {
    let mut watch = watch(r#"{"metric": "ok", "is": "below", "threshold": 1}"#);
    for quarter in 0..4 {
        assert_eq!(watch.observe(at(quarter), Sample::default()), None);
    }
    assert!(watch.observe(at(4), Sample::default()).unwrap().contains("could not be read"));
    assert_eq!(watch.observe(at(5), value(2.0)), None);
    assert_eq!(watch.observe(at(6), Sample::default()), None, "patience begins anew");
}

#[test]
fn ratios_and_rates_are_of_increments() {
    let mut ratio = watch(r#"{"metric": "bad", "over": "all", "is": "above", "threshold": 0.1}"#);
    let sample = |value: f64, over: f64| Sample { value: Some(value), over: Some(over) };
    assert_eq!(ratio.observe(at(0), sample(500.0, 1_000.0)), None, "nothing to compare with");
    assert_eq!(ratio.observe(at(1), sample(510.0, 1_100.0)), None);
    assert_eq!(ratio.observe(at(2), sample(510.0, 1_100.0)), None, "no traffic");
    assert_eq!(ratio.observe(at(3), sample(0.0, 10.0)), None, "the gateway began anew");
    assert!(ratio.observe(at(4), sample(2.0, 20.0)).is_some());
    let mut rate = watch(r#"{"metric": "bad", "per_second": true, "is": "above", "threshold": 9}"#);
    assert_eq!(rate.observe(at(0), value(0.0)), None);
    assert_eq!(rate.observe(at(1), value(2.0)), None);
    assert!(rate.observe(at(2), value(5.0)).unwrap().contains("12"));
}
