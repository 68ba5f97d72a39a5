//! What a gateway tells: groups that are compared, error budgets, recovery, faults that nothing met.

use super::*;
use crate::call::HttpReply;

const COMPARED: &str = "
method:
- type: action
  name: refuse-some
  provider:
    type: python
    module: chaosbulkhead.actions
    func: inject
    arguments:
      fault: {http: {upstream_failure: {failure: refused, after_ms: 0}, percent: 50, control_group: request}}
      target: {gateway: {admin: '127.0.0.1:1'}}
- {type: action, name: wait, provider: {type: process, path: ok-3000}}
extensions:
- name: bulkhead
  compare: [{fault: refuse-some, error_share: {margin: 2}, latency: {percentile: 90, margin: 50ms}}]
";

const ADMIN: &str = "http://127.0.0.1:1";

fn page(body: &Value) -> Outcome {
    let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned).into_bytes();
    Outcome::Http(HttpReply { status: 200, headers: Vec::new(), body })
}

/// A fault that the lab injects in 5 ms, whatever becomes of it.
fn lab(call: &Call, hits: u64) -> Answer {
    let target = json!({"gateway": {"admin": "127.0.0.1:1"}});
    match call {
        Call::Lab(LabCall::Inject(injection)) => {
            let report = json!({"id": injection.id, "kind": "http.upstream_failure",
                "state": "active", "target": target, "effect": null});
            Some((5, Outcome::Lab(report)))
        }
        Call::Lab(LabCall::Revert(Wanted::These(ids))) => {
            let one = |id: &String| {
                json!({"id": id, "kind": "http.upstream_failure",
                "state": "reverted", "accepted_unix_ms": 7_000, "ended_unix_ms": 10_010,
                "effect": {"hits": hits, "seen": 2 * hits}})
            };
            Some((5, Outcome::Lab(ids.iter().map(one).collect())))
        }
        _ => panic!("{call:?}"),
    }
}

/// Both groups of a fault, of so many requests each.
fn groups(id: &str, requests: u64, failures: u64, slowest_us: u64) -> Value {
    let group = |failures: u64, slowest_us: u64| {
        json!({"requests": requests, "failures": failures, "mean_ms": 1.0,
            "durations_us": [[1_000, requests * 7 / 10], [slowest_us, requests * 3 / 10]]})
    };
    json!({
        "id": id, "state": "active", "rule": null, "hits": requests, "seen": 2 * requests,
        "active": 0, "ttl_left_ms": 1, "in_force": true,
        "groups": {"experiment": group(failures, slowest_us), "control": group(0, 2_000)},
    })
}

#[track_caller]
fn compare(requests: u64, failures: u64, slowest_us: u64, status: u8) -> Value {
    let mut world = World::new(|call, now| match call {
        Call::Http(http) => {
            let id = http.url.strip_prefix(&format!("{ADMIN}/faults/")).unwrap();
            // The gateway has counted a part of them while the method goes on.
            let requests = if now < 3_000 { requests / 2 } else { requests };
            Some((1, page(&groups(id, requests, failures, slowest_us))))
        }
        Call::Lab(_) => lab(call, requests),
        _ => by_path(call, now),
    });
    let ended = world.run(runner(COMPARED, options()));
    assert_eq!(ended.verdict().outcome().exit_status(), status, "{:?}", ended.verdict());
    assert!(world.begun.iter().filter(|call| call.starts_with(ADMIN)).count() > 5);
    let comparison = ended.journal()["bulkhead"]["comparisons"][0].clone();
    assert_eq!(comparison["control_requests"], requests, "{comparison:#}");
    comparison
}

#[test]
fn groups_are_held_or_not_or_too_small() {
    let held = compare(2_000, 10, 3_000, 0);
    assert_eq!(held["answer"], "held");
    assert_eq!(held["measures"][0]["measure"], "error_share");
    assert_eq!(held["measures"][0]["experiment"], 0.005);
    assert_eq!(held["measures"][1]["measure"], json!({"latency": {"quantile": 0.9}}));
    assert_eq!(compare(2_000, 100, 3_000, 1)["answer"], "deviated");
    let slow = compare(2_000, 10, 300_000, 1);
    assert_eq!(slow["measures"][0]["answer"], "held");
    assert_eq!(slow["measures"][1]["answer"], "deviated");
    // Nothing went wrong, and nothing was shown.
    assert_eq!(compare(40, 0, 2_000, 4)["answer"], "too_little_data");
}

#[test]
fn a_gateway_that_tells_of_no_groups_has_shown_nothing() {
    let mut world = World::new(|call, now| match call {
        Call::Http(_) => Some((1, Outcome::Failed("nobody listens".to_owned()))),
        Call::Lab(_) => lab(call, 5),
        _ => by_path(call, now),
    });
    let ended = world.run(runner(COMPARED, options()));
    assert_eq!(ended.verdict().outcome().exit_status(), 4, "{:?}", ended.verdict());
    // One that does not even answer does not hold the run, either.
    let mut world = World::new(|call, now| match call {
        Call::Http(http) if now < 3_000 => {
            let id = http.url.rsplit('/').next().unwrap();
            Some((1, page(&groups(id, 2_000, 0, 2_000))))
        }
        Call::Http(_) => Some((2_000, Outcome::Failed("it took too long".to_owned()))),
        Call::Lab(_) => lab(call, 5),
        _ => by_path(call, now),
    });
    let ended = world.run(runner(COMPARED, options()));
    assert_eq!(ended.verdict().outcome().exit_status(), 0, "what it said last counts");
}

#[test]
fn a_fault_that_nothing_met_is_not_effective() {
    for (hits, status) in [(0, 2), (1, 0)] {
        let text = COMPARED.split("extensions:").next().unwrap();
        let mut world = World::new(|call, now| match call {
            Call::Lab(_) => lab(call, hits),
            _ => by_path(call, now),
        });
        let ended = world.run(runner(text, options()));
        let verdict = ended.verdict();
        assert_eq!(verdict.outcome().exit_status(), status, "{verdict:?}");
        let told = verdict.reasons.iter().any(|why| why.contains("nothing met the fault"));
        assert_eq!(told, hits == 0, "{verdict:?}");
        let fault = &ended.journal()["bulkhead"]["injections"][0];
        assert_eq!((&fault["hits"], &fault["seen"]), (&json!(hits), &json!(2 * hits)));
        assert_eq!(fault["kind"], "http.upstream_failure");
    }
}

/// 100 requests a second, of which 10 % fail from 1 s to 1 s after the fault.
fn metrics(now: u64, failing: std::ops::Range<u64>, per_second: u64) -> Value {
    let failing = now.clamp(failing.start, failing.end) - failing.start;
    let (all, failed) = (now * per_second / 1_000, failing * per_second / 10_000);
    let text = format!(
        "# HELP http_server_requests_total Exchanges.\n\
         http_server_requests_total{{http_route=\"a\",http_response_status_code=\"200\"}} {}\n\
         http_server_requests_total{{http_route=\"a\",http_response_status_code=\"503\"}} {}\n\
         http_server_requests_total{{http_route=\"b\",http_response_status_code=\"none\"}} {}\n",
        all - failed,
        failed / 2,
        failed - failed / 2
    );
    json!(text)
}

#[track_caller]
fn spend(budget: &str, failing: std::ops::Range<u64>, per_second: u64, status: u8) -> Value {
    let text = COMPARED.split("  compare:").next().unwrap();
    let text =
        format!("{text}  recovery: 3s\n  error_budget: {{gateway: '127.0.0.1:1', {budget}}}\n");
    let mut world = World::new(|call, now| match call {
        Call::Http(http) => {
            assert_eq!(http.url, format!("{ADMIN}/metrics"));
            Some((0, page(&metrics(now, failing.clone(), per_second))))
        }
        Call::Lab(_) => lab(call, 5),
        _ => by_path(call, now),
    });
    let ended = world.run(runner(&text, options()));
    assert_eq!(ended.verdict().outcome().exit_status(), status, "{:?}", ended.verdict());
    ended.journal()["bulkhead"]["injections"][0].clone()
}

#[test]
fn each_fault_has_its_error_budget_and_its_recovery() {
    let fault = spend("objective: 95", 1_000..2_000, 1_000, 0);
    assert_eq!(fault["error_budget"]["answer"], "held", "{fault:#}");
    assert_eq!(fault["error_budget"]["failures"], 100, "{fault:#}");
    let requests = fault["error_budget"]["requests"].as_u64().unwrap();
    assert!((3_000..4_000).contains(&requests), "{fault:#}");
    assert!(fault["recovery_s"].as_f64().unwrap() <= 0.5, "{fault:#}");
    let burnt = fault["error_budget"]["burnt"].as_f64().unwrap();
    assert!((burnt - 100.0 / (0.05 * requests as f64)).abs() < 1e-9, "{fault:#}");
    // More than may.
    assert_eq!(
        spend("objective: 99.5", 1_000..2_000, 1_000, 1)["error_budget"]["answer"],
        "deviated"
    );
    // The fault is gone after 3.01 s, and what it did after 4 s.
    let late = spend("objective: 92", 2_500..4_000, 1_000, 0);
    let recovery = late["recovery_s"].as_f64().unwrap();
    assert!((0.9..1.6).contains(&recovery), "{late:#}");
    // It never is.
    assert_eq!(spend("objective: 95", 2_500..60_000, 1_000, 1)["recovery_s"], Value::Null);
    // Too few to say anything, and none at all.
    let few = spend("objective: 95", 1_000..1_000, 20, 4);
    assert_eq!(few["error_budget"]["answer"], "too_little_data", "{few:#}");
    assert_eq!(
        spend("objective: 95, requests_min: 50", 1_000..1_000, 20, 0)["error_budget"]["failures"],
        0
    );
    assert_eq!(
        spend("objective: 95, requests_min: 0", 1_000..1_000, 0, 4)["recovery_s"],
        Value::Null
    );
}

#[test]
fn what_is_promised_of_a_gateway_is_checked_before_anything_is_called() {
    let wrong = |from: &str, to: &str, expected: &str| {
        let text = format!("title: t\ndescription: d\n{}", COMPARED.replace(from, to));
        assert!(text.contains(to), "{to}");
        let error = parse(&text, "e.yaml", Syntax::Yaml, &Anything).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    wrong("fault: refuse-some", "fault: refuse-sme", "no action of this name");
    wrong("fault: refuse-some", "fault: wait", "has no control group");
    wrong(", control_group: request", "", "has no control group");
    wrong("margin: 2}", "margin: 0}", "percent points");
    wrong("percentile: 90", "percentile: 100", "below 100");
    wrong(", margin: 50ms", "", "needs a margin");
    wrong(
        "{fault: refuse-some, error_share: {margin: 2}, latency: {percentile: 90, margin: 50ms}}",
        "{fault: refuse-some}",
        "`error_share`, `latency` or both",
    );
    let budget = "error_budget: {objective: 99}\n";
    wrong("  compare:", &format!("  {budget}  compare:"), "names the gateway");
    let budget = "error_budget: {gateway: a, objective: 100}\n";
    wrong("  compare:", &format!("  {budget}  compare:"), "must succeed");
}
