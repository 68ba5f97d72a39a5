//! The journal of a storm, in the form of Chaos Toolkit: what was to befall the gateway, what did and
//! when, and the hypothesis before, meanwhile and after.
//!
//! The faults are declared as those of an experiment, so that whoever reads journals knows them. What the
//! hypothesis is about only the storm itself can measure: its probes name the command that does.

use std::time::Duration;

use bulkhead_chaos::{Fault, GatewayFault};
use bulkhead_experiment::{Frame, Journal, LabRecord, Record, Status};
use serde_json::{Value, json};

use super::args::format_duration;
use super::document::Document;
use super::plan::Plan;
use super::profile::TimedFault;

mod steady;

/// Renders the journal. `began` is when the run began, since 1970.
pub(crate) fn render(plan: &Plan, document: &Document, began: Duration) -> Value {
    let steps = steps(plan, document);
    let hypothesis = steady::Hypothesis::new(plan, document);
    let (run, lab) = carried_out(&steps, document);
    let rollbacks: Vec<Record> = taken_back(document).into_iter().collect();
    let after = hypothesis.after();
    let mut journal = Journal::default();
    journal.start = began;
    journal.end = Some(Duration::from_secs(document.ended_unix_s).max(began));
    journal.status = document.partial.then_some(Status::Interrupted);
    journal.deviated = after.met == Some(false);
    journal.before = Some(hypothesis.before(began));
    journal.during = hypothesis.during();
    journal.after = Some(after);
    let kinds: Vec<Value> = lab.iter().map(|record| json!(record.kind)).collect();
    (journal.run, journal.rollbacks, journal.lab) = (run, rollbacks, lab);
    let method: Vec<&Value> = steps.iter().map(|step| &step.activity).collect();
    let experiment = json!({
        "title": format!("bulkhead prove: {}", plan.source),
        "description": match plan.profile.description.as_str() {
            "" => plan.describe(),
            description => format!("{description}; {}", plan.describe()),
        },
        "configuration": { "gateway_admin": "127.0.0.1:9901", "link": "storm" },
        "steady-state-hypothesis": hypothesis.declared(),
        "method": method,
        "rollbacks": journal.rollbacks.iter().map(|record| &record.activity).collect::<Vec<_>>(),
        "extensions": [{ "name": "bulkhead", "seed": plan.seed }],
    });
    let frame = Frame {
        experiment: &experiment,
        host: &crate::chaos::host(),
        version: document.environment.version,
        seed: plan.seed,
        verdict: &document.answers,
    };
    let mut journal = journal.value(&frame);
    let injections = journal["bulkhead"]["injections"].as_array_mut();
    for (injection, kind) in injections.into_iter().flatten().zip(kinds) {
        injection["kind"] = kind;
    }
    journal["bulkhead"]["command"] = json!(document.command);
    journal
}

/// A step of the method, and where it is told what became of it.
struct Step {
    at: Duration,
    what: What,
    /// Family and kind of the fault.
    kind: &'static str,
    activity: Value,
}

/// By place among those of its kind.
#[derive(Clone, Copy)]
enum What {
    Link(usize),
    Kill(usize),
    Fault(usize),
}

/// What was to be done, in the order of time, each with the pause before it.
fn steps(plan: &Plan, document: &Document) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut add = |at, what, fault: &Fault, name: &str, target: &Value, ttl| {
        let activity = inject(name, fault, target, ttl);
        steps.push(Step { at, what, kind: fault.kind(), activity });
    };
    let link = document.link.as_ref();
    for (place, ordered) in link.iter().flat_map(|link| &link.faults).enumerate() {
        let target = json!({ "link": { "name": "${link}" } });
        let ttl = Duration::from_secs_f64(link.map_or(0.0, |link| link.time_to_live_s));
        let name = format!("{} on the {} link", ordered.fault.kind(), place_of(document));
        add(Duration::ZERO, What::Link(place), &ordered.fault, &name, &target, ttl);
    }
    let gateway = json!({ "gateway": { "admin": "${gateway_admin}" } });
    let victims =
        plan.kills.iter().flat_map(|kill| kill.victims.iter().map(|worker| (kill.at, *worker)));
    for (place, (at, worker)) in victims.enumerate() {
        let fault = Fault::Gateway(GatewayFault::KillWorker { worker });
        let name = format!("kill {}: worker {worker}", place + 1);
        add(at, What::Kill(place), &fault, &name, &gateway, KILL_TTL);
    }
    for (place, TimedFault { at, lasts, fault }) in
        plan.profile.faults_in_order().into_iter().enumerate()
    {
        let name = format!("fault {}: {}", place + 1, fault.kind());
        add(*at, What::Fault(place), fault, &name, &gateway, *lasts);
    }
    steps.sort_by_key(|step| step.at);
    let mut before = Duration::ZERO;
    for step in &mut steps {
        let pause = step.at - before;
        if !pause.is_zero() {
            step.activity["pauses"] = json!({ "before": pause.as_secs_f64() });
        }
        before = step.at;
    }
    steps
}

/// A kill is over at once; the lab wants a time all the same.
const KILL_TTL: Duration = Duration::from_secs(60);

fn place_of(document: &Document) -> &'static str {
    document.link.as_ref().map_or("", |link| link.place)
}

fn action(name: &str, function: &str, arguments: &Value) -> Value {
    json!({
        "type": "action",
        "name": name,
        "provider": {
            "type": "python",
            "module": "chaosbulkhead.actions",
            "func": function,
            "arguments": arguments,
        },
    })
}

fn inject(name: &str, fault: &Fault, target: &Value, ttl: Duration) -> Value {
    let arguments = json!({ "fault": fault, "target": target, "ttl": format_duration(ttl) });
    action(name, "inject", &arguments)
}

/// What was done of it, and what the lab would say of each.
fn carried_out(steps: &[Step], document: &Document) -> (Vec<Record>, Vec<LabRecord>) {
    let done = |step: &Step| match step.what {
        What::Link(place) => link(step, document, place),
        What::Kill(place) => kill(step, document, place),
        What::Fault(place) => fault(step, document, place),
    };
    steps.iter().filter_map(done).unzip()
}

fn link(step: &Step, document: &Document, place: usize) -> Option<(Record, LabRecord)> {
    let seen = document.link.as_ref()?;
    let since = Duration::from_millis(seen.in_force_unix_ms);
    let gone = Duration::from_millis(seen.gone_unix_ms);
    let state = match (seen.probes_held, seen.reverted) {
        (Some(false), Some(true)) => "not_effective",
        (_, Some(true)) if seen.lapsed.is_some() => "expired",
        (_, Some(true)) => "reverted",
        (_, Some(false)) => "revert_failed",
        (_, None) => "unknown",
    };
    let imposed = Duration::from_millis(seen.imposed_unix_ms);
    let mut record = Record::new(step.activity.clone(), imposed);
    record.end = Some(since);
    record.output = json!({
        "probes": seen.probes,
        "renewals": seen.renewals,
        "lapsed": seen.lapsed,
    });
    record.failure = (seen.probes_held != Some(true)).then(|| seen.probes.clone());
    let until = (seen.reverted == Some(true)).then_some(gone);
    Some((record, lab(step, &seen.faults.get(place)?.id, state, Some(since), until)))
}

fn kill(step: &Step, document: &Document, place: usize) -> Option<(Record, LabRecord)> {
    let event = document.workers.kills.get(place)?;
    let start = moment(document, event.at_s);
    let mut record = Record::new(step.activity.clone(), start);
    record.end = Some(start + Duration::from_secs_f64(event.evacuation_ms / 1_000.0));
    record.output = json!(event);
    record.failure.clone_from(&event.error);
    let state = match (&event.error, event.came_back) {
        (Some(_), _) => "failed",
        (None, true) => "reverted",
        (None, false) => "revert_failed",
    };
    let since = event.error.is_none().then_some(start);
    let until = event.back_s.map(|back| moment(document, back));
    Some((record, lab(step, &format!("kill-{}", place + 1), state, since, until)))
}

fn fault(step: &Step, document: &Document, place: usize) -> Option<(Record, LabRecord)> {
    let event = document.faults.get(place)?;
    let start = moment(document, event.at_s);
    let mut record = Record::new(step.activity.clone(), start);
    record.end = Some(start);
    record.output = json!(event);
    record.failure = match (&event.error, event.took_hold) {
        (Some(error), _) => Some(error.clone()),
        (None, false) => Some("it was not seen in force".to_owned()),
        (None, true) => None,
    };
    let state = match (&event.error, event.took_hold, event.until_s) {
        (Some(_), ..) => "failed",
        (None, _, None) => "active",
        (None, false, Some(_)) => "not_effective",
        (None, true, Some(_)) => "expired",
    };
    let since = event.took_hold.then_some(start);
    let until = event.until_s.map(|until| moment(document, until));
    Some((record, lab(step, &event.id, state, since, until)))
}

fn lab(
    step: &Step,
    id: &str,
    state: &str,
    since: Option<Duration>,
    until: Option<Duration>,
) -> LabRecord {
    let name = step.activity["name"].as_str().unwrap_or_default();
    let (state, kind) = (state.to_owned(), Some(step.kind.to_owned()));
    LabRecord { state, since, until, kind, ..LabRecord::new(id, name) }
}

/// The end of the link's faults.
fn taken_back(document: &Document) -> Option<Record> {
    let seen = document.link.as_ref()?;
    let activity = action("take the faults of the link back", "revert_all", &json!({}));
    let mut record = Record::new(activity, Duration::from_millis(seen.taken_back_unix_ms));
    record.end = Some(Duration::from_millis(seen.gone_unix_ms));
    record.output = json!({ "probes": seen.reverted_probes });
    record.failure = (seen.reverted != Some(true)).then(|| seen.reverted_probes.clone());
    Some(record)
}

/// Of the measured part, since 1970.
fn moment(document: &Document, second: f64) -> Duration {
    Duration::from_millis(document.began_unix_ms) + Duration::from_secs_f64(second.max(0.0))
}

#[cfg(test)]
mod tests;
