use std::collections::HashSet;
use std::time::Duration;

use super::{InjectRequest, RequestError, TimeToLive};
use crate::{ChaosId, Random};

fn id() -> ChaosId {
    ChaosId::new(Duration::from_secs(1_795_000_000), &mut Random::new(4))
}

fn request(json: &str) -> InjectRequest {
    serde_json::from_str(json).unwrap()
}

const MANY: &str = r#"{
    "fault": {"process": "stop"},
    "targets": [
        {"target": {"process": {"pid": 1, "start_time": 1}}},
        {"target": {"process": {"pid": 2, "start_time": 2}}},
        {"target": {"process": {"pid": 3, "start_time": 3}}},
        {"target": {"process": {"pid": 4, "start_time": 4}}}
    ],
    "blast_radius": {"count": 3, "min_survivors": 1},
    "ttl": "90s"
}"#;

#[test]
fn each_victim_gets_an_injection_of_its_own_and_always_the_same() {
    let plan = request(MANY).plan(id(), "ann", |_| false).unwrap();
    assert_eq!(plan, request(MANY).plan(id(), "ann", |_| false).unwrap());
    let ids: HashSet<ChaosId> = plan.submissions.iter().map(|asked| asked.id).collect();
    assert_eq!((plan.submissions.len(), ids.len()), (3, 3));
    assert!(ids.contains(&id()));
    assert!(plan.submissions.iter().all(|asked| asked.time_to_live == Duration::from_secs(90)));
}

#[test]
fn one_target_needs_no_choice() {
    let one = request(r#"{"fault": {"process": "stop"}, "target": "host"}"#);
    assert_eq!(one.plan(id(), "ann", |_| false).unwrap().submissions[0].time_to_live.as_secs(), 60);
    let in_ms = request(r#"{"fault": {"process": "stop"}, "target": "host", "ttl_ms": 1500}"#);
    assert_eq!(in_ms.ttl.0, Duration::from_millis(1_500));
    let none = request(r#"{"fault": {"process": "stop"}}"#);
    assert_eq!(none.plan(id(), "ann", |_| false), Err(RequestError::Targets));
    let mut both = request(MANY);
    both.target = one.target;
    assert_eq!(both.plan(id(), "ann", |_| false), Err(RequestError::Targets));
    let unknown = r#"{"fault": {"process": "stop"}, "target": "host", "duration": "1s"}"#;
    assert!(serde_json::from_str::<InjectRequest>(unknown).is_err());
}

#[test]
fn an_approval_is_for_what_it_was_given_for() {
    let digest = request(MANY).approval_sha256();
    assert_eq!(digest, request(MANY).approval_sha256());
    let mut other = request(MANY);
    other.id = Some(id());
    assert_eq!(digest, other.approval_sha256(), "the id may still be chosen");
    other.targets.pop();
    assert_ne!(digest, other.approval_sha256());
}

#[test]
fn times_to_live_have_units_and_bounds() {
    for (text, ms) in [("1ms", 1), ("60s", 60_000), ("15m", 900_000)] {
        assert_eq!(text.parse::<TimeToLive>().unwrap().0.as_millis(), ms);
    }
    assert_eq!("1500ms".parse::<TimeToLive>().unwrap().to_string(), "1500ms");
    for wrong in ["", "60", "0s", "16m", "-1s", "1h", "99999999999999999999s", "1.5s"] {
        assert!(wrong.parse::<TimeToLive>().is_err(), "{wrong}");
    }
}
