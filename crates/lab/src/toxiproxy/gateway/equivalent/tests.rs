use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;

fn toxic(declared: &Value) -> Toxic {
    Toxic::create(declared.to_string().as_bytes(), Instant::now(), Duration::from_secs(60)).unwrap()
}

fn declared(declared: &Value) -> Result<Value, ApiError> {
    fault(&toxic(declared), "web").map(|fault| json!(fault))
}

#[test]
fn toxics_become_rules_for_what_comes_through_the_listener() {
    for (toxic, rule) in [
        (
            json!({"type": "latency", "attributes": {"latency": 200}}),
            json!({"delay": {"delay_ms": 200, "direction": "response"}}),
        ),
        (
            json!({"type": "latency", "stream": "upstream", "attributes": {"latency": 1}}),
            json!({"delay": {"delay_ms": 1, "direction": "request"}}),
        ),
        (
            json!({"type": "bandwidth", "attributes": {"rate": 64}}),
            json!({"slow_body": {"bytes_per_s": 64_000, "direction": "response"}}),
        ),
        (
            json!({"type": "bandwidth", "stream": "upstream", "attributes": {"rate": 1}}),
            json!({"slow_body": {"bytes_per_s": 1_000, "direction": "request"}}),
        ),
        (
            json!({"type": "limit_data", "attributes": {"bytes": 9}}),
            json!({"truncate_body": {"after_bytes": 9}}),
        ),
        (json!({"type": "reset_peer"}), json!({"reset": {"after_bytes": 0}})),
        (
            json!({"type": "timeout", "stream": "upstream"}),
            json!({"delay": {"delay_ms": 900_000, "direction": "request"}}),
        ),
    ] {
        let mut expected = rule;
        expected["percent"] = json!(100.0);
        expected["listener"] = json!("web");
        assert_eq!(declared(&toxic), Ok(json!({"http": expected})), "{toxic}");
    }
}

#[test]
fn the_toxicity_is_the_share_of_the_exchanges() {
    for (toxicity, percent) in [(0.1, 10.0), (0.015, 1.5), (1.0, 100.0), (0.3, 30.0)] {
        let toxic = json!({"type": "reset_peer", "toxicity": toxicity});
        assert_eq!(declared(&toxic).unwrap()["http"]["percent"], json!(percent));
    }
}

#[test]
fn what_does_nothing_needs_no_rule() {
    for toxic in [
        json!({"type": "noop"}),
        json!({"type": "latency"}),
        json!({"type": "reset_peer", "toxicity": 0.0}),
    ] {
        assert_eq!(declared(&toxic), Ok(Value::Null), "{toxic}");
    }
}

#[test]
fn what_a_gateway_has_nothing_like_is_refused_with_the_reason() {
    for (toxic, reason) in [
        (json!({"type": "latency", "attributes": {"latency": 9, "jitter": 1}}), "jitter"),
        (json!({"type": "latency", "attributes": {"latency": 900_001}}), "`delay_ms`"),
        (json!({"type": "bandwidth"}), "at least 1"),
        (json!({"type": "limit_data", "stream": "upstream"}), "downstream"),
        (json!({"type": "reset_peer", "stream": "upstream"}), "downstream"),
        (json!({"type": "reset_peer", "attributes": {"timeout": 1}}), "timeout of 0"),
        (json!({"type": "timeout", "attributes": {"timeout": 1}}), "http.upstream_failure"),
        (json!({"type": "slow_close", "attributes": {"delay": 1}}), "slow_close"),
        (json!({"type": "slicer"}), "slicer"),
    ] {
        let refused = declared(&toxic).unwrap_err();
        assert_eq!(refused.status, 400, "{toxic}");
        assert!(refused.message.contains(reason), "{toxic}: {}", refused.message);
    }
}
