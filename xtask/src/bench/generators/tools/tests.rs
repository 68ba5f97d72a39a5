use serde_json::json;

use super::{ALL, only_status};
use crate::bench::generators::scenarios;

#[test]
fn one_wrong_answer_is_an_error() {
    assert_eq!(only_status(&json!({ "200": 7 }), "200").unwrap(), 7);
    assert!(only_status(&json!({ "200": 7, "503": 1 }), "200").is_err());
    assert!(only_status(&json!({}), "200").is_err());
}

#[test]
fn every_scenario_has_us_and_a_peer() {
    for case in scenarios::all(true) {
        let can = |tool: &&super::Tool| (tool.fit)(&case.scenario).is_ok();
        let names: Vec<&str> = ALL.iter().filter(can).map(|tool| tool.name).collect();
        assert!(
            names.contains(&"bulkhead") && names.len() > 1,
            "{}: {names:?}",
            case.scenario.name
        );
    }
}
