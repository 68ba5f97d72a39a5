//! What the lab does to a simulated world, and when: an **experiment**, as `bulkhead chaos run` reads it. It is
//! drawn from the seed or comes from a file, and is checked and carried out by the same code as anybody's.

use std::time::Duration;

use bulkhead_chaos::Fault;
use bulkhead_experiment::{Environment, Options, Runner, Syntax, parse};
use bulkhead_upstream::Rng;
use serde_json::{Value, json};

/// Admin server of the simulated gateway: a name, nothing listens there.
pub(super) const ADMIN: &str = "127.0.0.1:9901";
/// Links to upstreams, and what these are called as processes.
pub(super) const UPSTREAMS: [&str; 2] = ["one", "two"];
/// Longest life of a fault that is drawn.
const LIFE_MS_MAX: u64 = 700;

/// Name of the link of a client.
pub(super) fn client_link(index: usize) -> String {
    format!("client-{index}")
}

/// What faults may be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// Those after which every request of who stays has to succeed.
    Harmless,
    /// All.
    Any,
}

/// What there is to be struck.
#[derive(Clone, Copy, Debug)]
pub(super) struct Victims {
    pub(super) workers: usize,
    pub(super) clients: usize,
}

/// An experiment, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan(pub(super) String);

/// The gateway's own faults. `WORKER` stands for one of them.
const GATEWAY: [&str; 8] = [
    r#"{"kill_worker": {"worker": WORKER}}"#,
    r#"{"kill_worker": {"worker": WORKER}}"#,
    r#"{"kill_worker": {"worker": WORKER}}"#,
    r#"{"stall_worker": {"worker": WORKER}}"#,
    r#"{"shrink_pools": {"connections_max": 4}}"#,
    r#"{"clock_offset": {"offset_s": -86400}}"#,
    r#"{"bad_config": {"wrong": "unbindable_address"}}"#,
    r#"{"bad_config": {"wrong": "unreadable_certificate"}}"#,
];
const GATEWAY_HARMFUL: [&str; 3] = [
    r#"{"crash_worker": {"worker": WORKER}}"#,
    r#"{"panic_exchanges": {"count": 2}}"#,
    r#"{"panic_connections": {"count": 1}}"#,
];
/// What befalls exchanges. Nothing that makes an answer wrong: that would be the fault's doing.
const HTTP: [&str; 4] = [
    r#"{"delay": {"delay_ms": 60, "direction": "request"}, "percent": 30}"#,
    r#"{"delay": {"delay_ms": 90, "direction": "response"}, "percent": 20, "route": "two"}"#,
    r#"{"slow_body": {"bytes_per_s": 50000, "direction": "response"}, "percent": 20}"#,
    r#"{"slow_body": {"bytes_per_s": 90000, "direction": "request"}, "percent": 20}"#,
];
const HTTP_HARMFUL: [&str; 7] = [
    r#"{"abort": {"status": 503}, "percent": 20}"#,
    r#"{"reset": {"after_bytes": 0}, "percent": 10}"#,
    r#"{"reset": {"after_bytes": 5000}, "percent": 30}"#,
    r#"{"upstream_failure": {"failure": "refused", "after_ms": 0}, "percent": 20}"#,
    r#"{"upstream_failure": {"failure": "reset", "after_ms": 20}, "percent": 20, "cluster": "one"}"#,
    r#"{"upstream_failure": {"failure": "timeout", "after_ms": 50}, "percent": 20, "cluster": "two"}"#,
    r#"{"goaway": {}, "percent": 10}"#,
];
/// What befalls packets, such that a stream goes on.
const NETWORK: [&str; 9] = [
    r#"{"loss": {"direction": "both", "per": "direction", "model": {"bernoulli": {"percent": 12}}}}"#,
    r#"{"loss": {"direction": "downstream", "model": {"gilbert_elliott":
        {"to_bad_percent": 5, "to_good_percent": 30}}}}"#,
    r#"{"delay": {"direction": "both", "per": "direction", "base_ms": 40, "jitter_ms": 40,
        "distribution": "uniform", "reorder": "preserve"}}"#,
    r#"{"delay": {"direction": "upstream", "base_ms": 30, "jitter_ms": 20, "distribution": "pareto",
        "reorder": "allow"}}"#,
    r#"{"reorder": {"direction": "both", "percent": 10, "hold_back_ms": 25}}"#,
    r#"{"duplicate": {"direction": "both", "percent": 5}}"#,
    r#"{"corrupt": {"direction": "both", "percent": 5}}"#,
    r#"{"bandwidth": {"direction": "both", "bits_per_second": 4000000, "queue_bytes": 60000}}"#,
    r#"{"partition": {"direction": "both"}}"#,
];
const NETWORK_HARMFUL: [&str; 2] = [
    r#"{"reset": {"direction": "both", "percent": 2}}"#,
    r#"{"reset": {"direction": "downstream", "after_bytes": 20000}}"#,
];

impl Plan {
    /// Faults one after the other, from the begin to `until`.
    pub(super) fn draw(
        severity: Severity,
        victims: Victims,
        until: Duration,
        random: &mut Rng,
    ) -> Self {
        let mean_ms = 15 + random.below(120);
        let (mut method, mut at_ms, mut end_ms) = (Vec::new(), 0, 0);
        loop {
            let pause_ms = 1 + random.below(2 * mean_ms);
            if Duration::from_millis(at_ms + pause_ms) >= until {
                break;
            }
            at_ms += pause_ms;
            let ttl_ms = 1 + random.below(LIFE_MS_MAX);
            end_ms = end_ms.max(at_ms + ttl_ms);
            let (kind, mut arguments) = draw_order(severity, victims, random);
            arguments["ttl"] = json!(format!("{ttl_ms}ms"));
            method.push(json!({
                "type": "action",
                "name": format!("{kind} at {at_ms} ms ({})", method.len()),
                "pauses": {"before": pause_ms as f64 / 1e3},
                "provider": {"type": "python", "module": "chaosbulkhead.actions", "func": "inject",
                    "arguments": arguments},
            }));
        }
        // Without this pause those that are in force are taken back before their time.
        if random.below(2) == 0
            && let Some(last) = method.last_mut()
        {
            last["pauses"]["after"] = json!((end_ms - at_ms + 1) as f64 / 1e3);
        }
        Self::write(&method, random.next() >> 1)
    }

    /// One activity on each line.
    fn write(method: &[Value], seed: u64) -> Self {
        let lines: Vec<String> = method.iter().map(Value::to_string).collect();
        Self(format!(
            "{{\"title\": \"Simulated\", \"description\": \"Drawn for a simulated world.\", \
             \"extensions\": [{{\"name\": \"bulkhead\", \"seed\": {seed}}}], \"method\": [\n{}\n]}}",
            lines.join(",\n")
        ))
    }

    /// The lab's own way to carry it out, from now on.
    pub(super) fn runner(&self) -> Runner {
        let parsed = parse(&self.0, "plan", Syntax::Yaml, &Nowhere);
        let (experiment, _) = parsed.unwrap_or_else(|wrong| panic!("{wrong}"));
        let options = Options {
            hypothesis_strategy: None,
            rollback_strategy: None,
            hypothesis_frequency: Duration::from_secs(1),
            fail_fast: false,
            dry: None,
            seed: 0,
            host: Default::default(),
            version: String::new(),
        };
        let now = super::unix().unwrap();
        Runner::new(experiment, &Default::default(), &Nowhere, options, now).unwrap()
    }
}

/// A fault and its target, and what it is called.
fn draw_order(severity: Severity, victims: Victims, random: &mut Rng) -> (&'static str, Value) {
    let pick = |mild: &[&'static str], harmful: &[&'static str], random: &mut Rng| {
        let count = mild.len() + if severity == Severity::Any { harmful.len() } else { 0 };
        let place = random.below(count as u64) as usize;
        mild.iter().chain(harmful).nth(place).copied().unwrap_or_default()
    };
    let gateway = json!({"gateway": {"admin": ADMIN}});
    let (family, fault, target) = match random.below(10) {
        0..=3 => ("gateway", pick(&GATEWAY, &GATEWAY_HARMFUL, random), gateway),
        4..=5 => ("http", pick(&HTTP, &HTTP_HARMFUL, random), gateway),
        6 => {
            let upstream = UPSTREAMS[random.below(2) as usize];
            ("process", "\"stop\"", json!({"process": {"command": upstream}}))
        }
        _ => ("network", pick(&NETWORK, &NETWORK_HARMFUL, random), Value::Null),
    };
    let worker = random.below(victims.workers as u64).to_string();
    let fault: Value = serde_json::from_str(&fault.replace("WORKER", &worker)).unwrap();
    let fault: Fault = serde_json::from_value(json!({family: fault})).unwrap();
    let mut order = json!({"fault": fault});
    if target.is_null() {
        draw_links(&mut order, victims, random);
    } else {
        order["target"] = target;
    }
    (fault.kind(), order)
}

/// The link of an upstream, of a client, or those of some of them.
fn draw_links(order: &mut Value, victims: Victims, random: &mut Rng) {
    let link = |name: &str| json!({"link": {"name": name}});
    match random.below(4) {
        0 => {
            let clients =
                (0..victims.clients).map(|index| json!({"target": link(&client_link(index))}));
            order["targets"] = clients.collect();
            order["blast_radius"] = json!({"percent": 30, "rounding": "ceil"});
        }
        1 => {
            let index = random.below(victims.clients as u64) as usize;
            order["target"] = link(&client_link(index));
        }
        _ => order["target"] = link(UPSTREAMS[random.below(2) as usize]),
    }
}

/// There is nothing outside of a simulated world.
struct Nowhere;

impl Environment for Nowhere {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn is_executable(&self, _: &str) -> bool {
        false
    }
}
