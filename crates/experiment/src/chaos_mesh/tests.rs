use bulkhead_chaos::Fault;
use serde_json::{Value, json};

use super::{Imported, import};
use crate::document::Syntax;
use crate::validate::{Environment, parse};

struct Anything;

impl Environment for Anything {
    fn variable(&self, _: &str) -> Option<String> {
        Some("1".to_owned())
    }
    fn is_executable(&self, _: &str) -> bool {
        true
    }
}

fn imported(text: &str) -> Imported {
    let imported = import(text, "mesh.yaml").unwrap();
    // What is imported can be checked, as far as this build knows the faults.
    let file = imported.experiment.to_string();
    if let Err(errors) = parse(&file, "imported.json", Syntax::Json, &Anything) {
        assert!(errors.0.iter().all(|error| error.message.contains("no such fault")), "{errors}");
    }
    imported
}

fn faults(imported: &Imported) -> Vec<Value> {
    let steps = imported.experiment["method"].as_array().unwrap().iter();
    steps.map(|step| step["provider"]["arguments"]["fault"].clone()).collect()
}

#[track_caller]
fn leaves_out(imported: &Imported, line: usize, path: &str, reason: &str) {
    let found = imported
        .left_out
        .iter()
        .any(|left| left.line == line && left.path == path && left.reason.contains(reason));
    assert!(found, "{path} in {line}: {:#?}", imported.left_out);
}

fn network(action: &str) -> String {
    format!(
        "apiVersion: chaos-mesh.org/v1alpha1\nkind: NetworkChaos\nmetadata: {{name: n, namespace: x}}\nspec:\n  duration: 30s\n{action}"
    )
}

#[test]
fn network_chaos_becomes_faults_of_a_link() {
    for (action, fault) in [
        (
            "  action: loss\n  loss: {loss: '12', correlation: '0'}\n",
            json!({"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 12.0}}}}),
        ),
        (
            "  action: delay\n  direction: both\n  delay: {latency: 40ms, jitter: 40ms}\n",
            json!({"delay": {"direction": "both", "per": "direction", "base_ms": 40.0,
                "jitter_ms": 40.0, "distribution": "uniform", "reorder": "allow"}}),
        ),
        (
            "  action: delay\n  delay: {latency: 10ms}\n",
            json!({"delay": {"direction": "upstream", "base_ms": 10.0, "jitter_ms": 0.0}}),
        ),
        (
            "  action: corrupt\n  direction: from\n  corrupt: {corrupt: 1.5}\n",
            json!({"corrupt": {"direction": "downstream", "percent": 1.5}}),
        ),
        (
            "  action: duplicate\n  duplicate: {duplicate: '40%'}\n",
            json!({"duplicate": {"direction": "upstream", "percent": 40.0}}),
        ),
        (
            "  action: bandwidth\n  bandwidth: {rate: 1mbps, limit: 20000, buffer: 10000}\n",
            json!({"bandwidth": {"direction": "upstream", "bits_per_second": 8_000_000,
                "queue_bytes": 20_000, "burst_bytes": 10_000}}),
        ),
        ("  action: partition\n  direction: both\n", json!({"partition": {"direction": "both"}})),
    ] {
        let imported = imported(&network(action));
        assert_eq!(faults(&imported), [json!({"network": fault})], "{action}");
        let Ok(Fault::Network(network)) = serde_json::from_value(faults(&imported)[0].clone())
        else {
            panic!("{action}: no such fault");
        };
        network.check().unwrap_or_else(|error| panic!("{action}: {error}"));
        assert!(imported.left_out.is_empty(), "{:?}", imported.left_out);
        let step = &imported.experiment["method"][0];
        assert_eq!(step["provider"]["arguments"]["target"], json!({"link": {"name": "${link}"}}));
        assert_eq!(step["provider"]["arguments"]["ttl"], "30000ms");
        assert_eq!(step["pauses"]["after"], 30.0);
    }
    let both = "  action: netem\n  loss: {loss: 5}\n  delay: {latency: 1ms}\n";
    assert_eq!(faults(&imported(&network(both))).len(), 2);
}

#[test]
fn what_has_no_equivalent_is_told_with_its_line() {
    let text = network(
        "  action: delay\n  mode: all\n  selector: {namespaces: [a]}\n  delay:\n    latency: 10ms\n    jitter: 20ms\n    correlation: '25'\n    reorder: {reorder: '1'}\n  unknown: 1\n",
    );
    let imported = imported(&text);
    leaves_out(&imported, 7, "spec.mode", "no pods");
    leaves_out(&imported, 8, "spec.selector", "no pods");
    leaves_out(&imported, 11, "spec.delay.jitter", "cut at 0");
    leaves_out(&imported, 12, "spec.delay.correlation", "Gilbert-Elliott");
    leaves_out(&imported, 13, "spec.delay.reorder", "no equivalent");
    leaves_out(&imported, 14, "spec.unknown", "no equivalent");
    assert_eq!(imported.left_out.len(), 6);
    let long = "kind: PodChaos\nspec: {action: pod-kill, duration: 2h}\n---\nkind: PodChaos\nspec: {action: pod-failure}\n---\nkind: IOChaos\nspec: {action: latency}\n";
    let imported = self::imported(long);
    assert_eq!(faults(&imported), [json!({"process": "kill"}), json!({"process": "stop"})]);
    leaves_out(&imported, 2, "spec.duration", "15m at most");
    leaves_out(&imported, 5, "spec.duration", "60s are taken");
    leaves_out(&imported, 7, "kind", "`IOChaos`");
    assert_eq!(imported.left_out.len(), 3, "a duration of nothing is not missed");
}

#[test]
fn http_and_stress_chaos_are_imported() {
    let text = "kind: HTTPChaos
metadata: {name: h}
spec:
  target: Response
  port: 80
  path: '*'
  abort: true
  delay: 1500ms
  replace: {code: 404, body: abc}
  patch: {headers: [[a, b]]}
  duration: 1m
---
kind: StressChaos
spec:
  duration: 10s
  stressors:
    cpu: {workers: 2, load: 50}
    memory: {workers: 1, size: 256MB}
";
    let imported = imported(text);
    let expected = [
        json!({"http": {"reset": {"after_bytes": 0}, "percent": 100.0}}),
        json!({"http": {"delay": {"delay_ms": 1_500, "direction": "response"}, "percent": 100.0}}),
        json!({"http": {"replace_status": {"status": 404}, "percent": 100.0}}),
        json!({"host": {"cpu": {"threads": 2, "percent": 50.0}}}),
        json!({"host": {"memory": {"bytes": 256_000_000}}}),
    ];
    assert_eq!(faults(&imported), expected);
    assert_eq!(imported.experiment["configuration"]["gateway_admin"], "127.0.0.1:9901");
    // All at once, then the wait.
    let pauses = |step: usize| imported.experiment["method"][step]["pauses"]["after"].as_f64();
    assert_eq!((pauses(0), pauses(1), pauses(2)), (None, None, Some(60.0)));
    leaves_out(&imported, 5, "spec.port", "`route`");
    leaves_out(&imported, 9, "spec.replace.body", "no equivalent");
    leaves_out(&imported, 10, "spec.patch", "no equivalent");
    assert_eq!(imported.left_out.len(), 3, "{:?}", imported.left_out);
    // As there, the load is that of what is selected, not of the whole machine.
    let target = &imported.experiment["method"][4]["provider"]["arguments"]["target"];
    assert_eq!(target, &json!({"process": {"pid": "${pid}"}}));
}

#[test]
fn requests_are_selected_by_their_headers() {
    let text = "kind: HTTPChaos
spec:
  target: Request
  delay: 1s
  request_headers: {x-user: ann, x-number: 7}
  duration: 1m
---
kind: StressChaos
spec: {duration: 1s, stressors: {memory: {size: 25%}}}
---
kind: StressChaos
spec: {duration: 1s, stressors: {memory: {size: much}}}
";
    let imported = imported(text);
    let headers = json!([{"name": "x-user", "value": "ann"}, {"name": "x-number", "value": "7"}]);
    let delay = json!({"delay_ms": 1_000, "direction": "request"});
    let expected = [
        json!({"http": {"delay": delay, "percent": 100.0, "headers": headers}}),
        json!({"host": {"memory": {"percent": 25.0}}}),
    ];
    assert_eq!(faults(&imported), expected);
    leaves_out(&imported, 12, "spec.stressors.memory.size", "no size");
    assert_eq!(imported.left_out.len(), 1, "{:?}", imported.left_out);
}

const WORKFLOW: &str = "kind: Workflow
metadata: {name: w}
spec:
  entry: all
  templates:
  - {name: all, templateType: Serial, deadline: 10m, children: [check, both, rest, kill, other]}
  - name: check
    templateType: StatusCheck
    abortWithStatusCheck: true
    statusCheck:
      mode: Continuous
      type: HTTP
      intervalSeconds: 2
      failureThreshold: 5
      http: {url: 'http://127.0.0.1:8080/', method: GET, criteria: {statusCode: 200-299}}
  - {name: both, templateType: Parallel, children: [loss, cpu, nested]}
  - {name: loss, templateType: NetworkChaos, deadline: 20s, networkChaos: {action: loss, loss: {loss: 5}}}
  - {name: cpu, templateType: StressChaos, deadline: 5s, stressChaos: {stressors: {cpu: {workers: 1}}}}
  - {name: nested, templateType: Serial, children: [kill]}
  - {name: rest, templateType: Suspend, deadline: 3s}
  - {name: kill, templateType: PodChaos, deadline: 1s, podChaos: {action: pod-kill}}
  - {name: other, templateType: Task, task: {}}
";

#[test]
fn a_workflow_is_a_method_and_its_checks_are_the_hypothesis() {
    let imported = imported(WORKFLOW);
    let steps = imported.experiment["method"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["loss", "cpu", "rest", "kill"]);
    // The two go on beside each other, and the longer of them is waited for.
    assert_eq!(steps[0].get("pauses"), None);
    assert_eq!(steps[1]["pauses"]["after"], 20.0);
    assert_eq!(steps[1]["provider"]["arguments"]["ttl"], "5000ms");
    assert_eq!(steps[2]["pauses"]["after"], 3.0);
    let probe = &imported.experiment["steady-state-hypothesis"]["probes"][0];
    assert_eq!(
        probe["tolerance"],
        json!({"type": "range", "target": "status", "range": [200, 299]})
    );
    assert_eq!(
        imported.experiment["extensions"][0]["abort"],
        json!([{"probe": "check", "for": "10s"}])
    );
    leaves_out(&imported, 6, "spec.templates[0].deadline", "of a group");
    leaves_out(&imported, 19, "nested", "run of its own");
    leaves_out(&imported, 22, "spec.templates[8].templateType", "`Task`");
}

#[test]
fn a_schedule_is_one_round_and_a_circle_of_templates_ends() {
    let text = "kind: Schedule
spec:
  schedule: '@every 5m'
  type: PodChaos
  historyLimit: 5
  podChaos: {action: pod-kill, duration: 10s, mode: one}
";
    let scheduled = imported(text);
    assert_eq!(faults(&scheduled), [json!({"process": "kill"})]);
    leaves_out(&scheduled, 3, "spec.schedule", "`@every 5m` from cron");
    leaves_out(&scheduled, 5, "spec.historyLimit", "as files");
    leaves_out(&scheduled, 6, "spec.podChaos.mode", "no pods");
    let circle = "kind: Workflow\nspec:\n  entry: a\n  templates:\n  - {name: a, templateType: Serial, children: [p, a]}\n  - {name: p, templateType: PodChaos, deadline: 1s, podChaos: {action: pod-kill}}\n";
    assert!(faults(&imported(circle)).len() <= 32);
    let doubled = circle.replace("children: [p, a]", "children: [p, a, a]");
    let doubled = imported(&doubled);
    assert!(faults(&doubled).len() <= 1_000);
    let left = doubled.left_out.iter().filter(|left| left.reason.contains("too many templates"));
    assert_eq!(left.count(), 1);
    let error = import("kind: IOChaos\nspec: {duration: 1s}\n", "mesh.yaml").unwrap_err();
    assert!(error.to_string().contains("nothing in this file"), "{error}");
}
