//! An experiment against production: it needs the approval of somebody else, which holds once.

use super::*;

/// Digests of the tokens `ann` and `bob`.
const POLICY: &str = r#"{"actors": [
  {"name": "ann", "role": "approver",
   "token_sha256": "49915e0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1"},
  {"name": "bob", "role": "operator",
   "token_sha256": "81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9"}]}"#;

const SHRINK: &str = r#"{"gateway": {"shrink_pools": {"connections_max": 8}}}"#;

const PRODUCTION: &str = "
title: Pools shrink in production
description: Somebody else has approved it.
configuration:
  gateway: http://127.0.0.1:8080
  admin: 127.0.0.1:9901
  approval: {type: env, key: BULKHEAD_TEST_APPROVAL, default: ''}
steady-state-hypothesis:
  title: The gateway answers
  probes:
  - {type: probe, name: answers, tolerance: 200, provider: {type: http, url: '${gateway}/api/v1/7/feed', timeout: 10}}
method:
- type: action
  name: shrink
  provider:
    type: python
    module: chaosbulkhead.actions
    func: inject
    arguments:
      fault: {gateway: {shrink_pools: {connections_max: 8}}}
      target: {gateway: {admin: '${admin}'}}
      labels: {environment: production}
      approval: '${approval}'
      ttl: 30s
";

#[test]
fn production_is_struck_with_an_approval_and_only_once() {
    let day = GameDay::begin();
    let state = day.scratch.path().join("state");
    let policy = day.scratch.write("policy.json", POLICY);
    let engine = day.scratch.write("engine.json", r#"{"overall_ms": 10000}"#);
    let mut command = bulkhead();
    command.args(["chaos", "serve", "--state"]).arg(&state).arg("--engine").arg(engine);
    let (_lab, line) = first_line(command.arg("--policy").arg(policy));
    let lab = line.trim().strip_prefix("chaos lab on ").unwrap();
    day.scratch.write("experiment.yaml", PRODUCTION);
    let run = |approval: &str| {
        let output = bulkhead()
            .current_dir(day.scratch.path())
            .args(["chaos", "run", "experiment.yaml", "--lab", lab])
            .args(["--var", &format!("gateway=http://{}", day.web)])
            .args(["--var", &format!("admin={}", day.admin)])
            .args(["--var", &format!("approval={approval}")])
            .env("BULKHEAD_LAB_TOKEN", "bob")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let journal = fs::read_to_string(day.scratch.path().join("journal.json")).unwrap();
        (output, serde_json::from_str::<Value>(&journal).unwrap())
    };

    let (refused, journal) = run("");
    assert_eq!(refused.status.code(), Some(4), "{refused:?} {journal:#}");
    let told = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(told.contains("does not permit the fault of shrink"), "{told}");
    assert!(told.contains("somebody else must approve this order first"), "{told}");
    assert_eq!(journal["bulkhead"]["outcome"], "infrastructure");
    assert_eq!(states(&journal), ["refused"]);
    assert!(get(day.admin, "/faults").contains(r#""faults": []"#));

    let token = day.scratch.write("ann", "ann");
    let approved = bulkhead()
        .args(["chaos", "approve", SHRINK, "--gateway", &day.admin.to_string()])
        .args(["--label", "environment=production", "--ttl", "30s", "--json", "--state"])
        .arg(&state)
        .arg("--token-file")
        .arg(token)
        .output()
        .unwrap();
    let approval: Value = serde_json::from_slice(&approved.stdout).unwrap();
    let approval = approval["id"].as_str().unwrap();
    let (held, journal) = run(approval);
    assert_eq!(held.status.code(), Some(0), "{held:?} {journal:#}");
    assert_eq!(states(&journal), ["reverted"]);
    assert_eq!(run(approval).0.status.code(), Some(4), "it was for once");
}
