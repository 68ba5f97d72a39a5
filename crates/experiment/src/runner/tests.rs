use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{CallId, Event, Note, Options, Runner};
use crate::call::{Call, Outcome, ProcessReply};
use crate::document::Syntax;
use crate::journal::Host;
use crate::model::{Dry, HypothesisStrategy, RollbackStrategy};
use crate::native::{LabCall, Wanted};
use crate::validate::{Environment, parse};
use crate::variables::Given;

struct Anything;

impl Environment for Anything {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn is_executable(&self, _: &str) -> bool {
        true
    }
}

/// What a call brings, and after how many milliseconds; `None`: it never returns.
type Answer = Option<(u64, Outcome)>;

type Answers<'w> = Box<dyn FnMut(&Call, u64) -> Answer + 'w>;

/// A world on simulated time. Programs say what they do by their path.
struct World<'w> {
    answer: Answers<'w>,
    /// What returns, and what interrupts, by time and order.
    due: BTreeMap<(Duration, u64), Event>,
    /// Paths of programs and calls of the lab, with the milliseconds at which they were begun.
    begun: Vec<String>,
    cancelled: usize,
}

const START: Duration = Duration::from_secs(1_000);

fn milliseconds(now: Duration) -> u64 {
    u64::try_from((now - START).as_millis()).unwrap()
}

fn exits(status: i32) -> Outcome {
    Outcome::Process(ProcessReply { status, stdout: b"out\n".to_vec(), stderr: Vec::new() })
}

/// `ok` and `ok-500` succeed, `bad` ends with 1, `fail` cannot be run, `hang` never returns.
fn by_path(call: &Call, _: u64) -> Answer {
    let Call::Process(process) = call else { panic!("{call:?}") };
    let (kind, delay) = process.path.split_once('-').unwrap_or((&process.path, "0"));
    let delay = delay.parse().unwrap();
    match kind {
        "ok" => Some((delay, exits(0))),
        "bad" => Some((delay, exits(1))),
        "hang" => None,
        _ => Some((delay, Outcome::Failed("it cannot be run".to_owned()))),
    }
}

impl<'w> World<'w> {
    fn new(answer: impl FnMut(&Call, u64) -> Answer + 'w) -> Self {
        Self { answer: Box::new(answer), due: BTreeMap::new(), begun: Vec::new(), cancelled: 0 }
    }

    fn interrupt_at(mut self, at: u64) -> Self {
        self.due.insert((START + Duration::from_millis(at), 0), Event::Interrupted);
        self
    }

    fn run(&mut self, mut runner: Runner) -> Runner {
        let (mut now, mut event, mut order) = (START, Event::Tick, 1);
        for _ in 0..10_000 {
            let next = runner.step(now, event);
            for note in &next.notes {
                assert!(!matches!(note, Note::Step(text) | Note::Warning(text) if text.is_empty()));
            }
            self.cancelled += next.cancelled.len();
            self.due.retain(
                |_, event| !matches!(event, Event::Returned(id, _) if next.cancelled.contains(id)),
            );
            for (id, call) in next.calls {
                self.begin(id, &call, now, &mut order);
            }
            if next.finished {
                return runner;
            }
            let due = self.due.first_key_value().map(|(key, _)| *key);
            match (due, next.wake_at) {
                (Some(key), wake_at) if wake_at.is_none_or(|wake_at| key.0 <= wake_at) => {
                    now = key.0;
                    event = self.due.remove(&key).unwrap();
                }
                (_, Some(wake_at)) => {
                    assert!(wake_at > now, "it wants to be woken in the past");
                    (now, event) = (wake_at, Event::Tick);
                }
                _ => panic!("nothing is to come and the run is not over: {:?}", self.begun),
            }
        }
        panic!("the run does not end");
    }

    fn begin(&mut self, id: CallId, call: &Call, now: Duration, order: &mut u64) {
        let name = match call {
            Call::Process(process) => process.path.clone(),
            Call::Http(http) => http.url.clone(),
            Call::Lab(LabCall::Inject(_)) => "inject".to_owned(),
            Call::Lab(LabCall::Revert(Wanted::These(ids))) => format!("revert {}", ids.len()),
            Call::Lab(other) => format!("{other:?}"),
        };
        self.begun.push(format!("{name}@{}", milliseconds(now)));
        if let Some((delay, outcome)) = (self.answer)(call, milliseconds(now)) {
            let at = now + Duration::from_millis(delay);
            self.due.insert((at, *order), Event::Returned(id, outcome));
            *order += 1;
        }
    }
}

fn options() -> Options {
    Options {
        hypothesis_strategy: None,
        rollback_strategy: None,
        hypothesis_frequency: Duration::from_secs(1),
        fail_fast: false,
        dry: None,
        seed: 1,
        host: Host { platform: "Test".to_owned(), node: "node".to_owned() },
        version: "0.0.0".to_owned(),
    }
}

fn runner(text: &str, options: Options) -> Runner {
    let text = format!("title: t\ndescription: d\n{text}");
    let parsed = parse(&text, "e.yaml", Syntax::Yaml, &Anything);
    let (experiment, _) = parsed.unwrap_or_else(|error| panic!("{error}"));
    Runner::new(experiment, &Given::default(), &Anything, options, START).unwrap()
}

fn activity(kind: &str, path: &str, more: &str) -> String {
    format!("{{type: {kind}, name: {path}, provider: {{type: process, path: {path}}}{more}}}")
}

fn action(path: &str) -> String {
    activity("action", path, "")
}

fn hypothesis(probes: &[&str]) -> String {
    let probes: Vec<String> =
        probes.iter().map(|path| activity("probe", path, ", tolerance: 0")).collect();
    format!("steady-state-hypothesis: {{title: h, probes: [{}]}}\n", probes.join(", "))
}

fn lists(method: &[String], rollbacks: &[String]) -> String {
    format!("method: [{}]\nrollbacks: [{}]\n", method.join(", "), rollbacks.join(", "))
}

/// What a run left, and what it called.
fn run(text: &str, options: Options) -> (Value, Vec<String>) {
    let mut world = World::new(by_path);
    let runner = world.run(runner(text, options));
    (runner.journal(), world.begun)
}

fn names(records: &Value) -> Vec<&str> {
    records.as_array().unwrap().iter().map(|r| r["activity"]["name"].as_str().unwrap()).collect()
}

#[test]
fn a_run_that_holds_has_everything_in_its_journal() {
    let text = hypothesis(&["ok"])
        + &lists(&[action("ok-5"), activity("probe", "ok-7", "")], &[action("ok-9")]);
    let (journal, begun) = run(&text, options());
    assert_eq!(begun, ["ok@0", "ok-5@0", "ok-7@5", "ok@12", "ok-9@12"]);
    assert_eq!(journal["status"], "completed");
    assert_eq!(journal["deviated"], false);
    assert_eq!(journal["steady_states"]["before"]["steady_state_met"], true);
    assert_eq!(journal["steady_states"]["after"]["probes"][0]["tolerance_met"], true);
    assert_eq!(journal["steady_states"]["during"], json!([]));
    assert_eq!(journal["start"], "1970-01-01T00:16:40+00:00");
    assert_eq!(journal["experiment"]["dry"], Value::Null);
    let record = &journal["run"][0];
    assert_eq!(record["output"], json!({"status": 0, "stdout": "out\n", "stderr": ""}));
    assert_eq!(record["status"], "succeeded");
    assert_eq!(record["duration"], 0.005);
    assert_eq!(record["activity"]["provider"]["path"], "ok-5");
    assert_eq!(names(&journal["rollbacks"]), ["ok-9"]);
    assert_eq!(journal["bulkhead"]["exit_status"], 0);
    assert_eq!(journal["bulkhead"]["verdict"]["injection"], "held");
}

#[test]
fn a_hypothesis_that_does_not_hold_before_ends_the_run_and_roll_backs_are_played() {
    let text = hypothesis(&["ok", "bad", "ok"]) + &lists(&[action("ok-5")], &[action("ok-9")]);
    let (journal, begun) = run(&text, options());
    assert_eq!(begun, ["ok@0", "bad@0", "ok-9@0"]);
    assert_eq!((&journal["status"], &journal["deviated"]), (&json!("completed"), &json!(false)));
    let before = &journal["steady_states"]["before"];
    assert_eq!(before["steady_state_met"], false);
    assert_eq!(before["probes"][1]["tolerance_met"], false);
    assert_eq!(before["probes"].as_array().unwrap().len(), 2);
    assert_eq!(journal["bulkhead"]["exit_status"], 1);
    // A probe that does not answer is a failure to Chaos Toolkit.
    let text = hypothesis(&["fail"]) + &lists(&[], &[action("ok-9")]);
    let chaos_toolkit =
        Options { rollback_strategy: Some(RollbackStrategy::UnlessFailed), ..options() };
    let (journal, begun) = run(&text, chaos_toolkit);
    assert_eq!(journal["status"], "failed");
    assert_eq!(begun, ["fail@0"]);
    let exception = &journal["steady_states"]["before"]["probes"][0]["exception"][0];
    assert_eq!(exception, "chaoslib.exceptions.ActivityFailed: it cannot be run\n");
}

#[test]
fn a_hypothesis_that_is_broken_by_the_method_is_a_deviation() {
    let text = hypothesis(&["ok"]) + &lists(&[action("ok-5")], &[action("ok-9")]);
    for (strategy, played) in [
        (RollbackStrategy::Always, true),
        (RollbackStrategy::Never, false),
        (RollbackStrategy::Deviated, true),
        (RollbackStrategy::UnlessFailed, true),
    ] {
        // The probe is well only at the beginning.
        let mut world = World::new(|call, now| {
            let answer = by_path(call, now);
            let late = matches!(call, Call::Process(p) if p.path == "ok") && now > 0;
            if late { Some((0, exits(1))) } else { answer }
        });
        let options = Options { rollback_strategy: Some(strategy), ..options() };
        let runner = world.run(runner(&text, options));
        let journal = runner.journal();
        assert_eq!((&journal["status"], &journal["deviated"]), (&json!("completed"), &json!(true)));
        assert_eq!(runner.verdict().outcome().exit_status(), 1);
        assert_eq!(names(&journal["rollbacks"]).len(), usize::from(played), "{strategy:?}");
    }
}

#[test]
fn an_action_that_fails_leaves_the_rest_to_run_and_is_no_injection() {
    let text = lists(&[action("fail"), action("ok")], &[]);
    let (journal, _) = run(&text, options());
    assert_eq!(journal["status"], "completed");
    assert_eq!(journal["run"][0]["status"], "failed");
    assert_eq!(journal["run"][1]["status"], "succeeded");
    assert_eq!(journal["bulkhead"]["exit_status"], 2);
    let text = lists(&[action("ok")], &[action("fail"), action("ok")]);
    let (journal, _) = run(&text, options());
    assert_eq!(names(&journal["rollbacks"]), ["fail", "ok"]);
    assert_eq!(journal["bulkhead"]["exit_status"], 3);
}

#[test]
fn background_activities_run_beside_the_others_and_are_waited_for() {
    let background = activity("action", "ok-900", ", background: true, pauses: {before: 1}");
    let paused = activity("action", "ok-5", ", pauses: {before: 0.25, after: 0.5}");
    let text = lists(&[background, paused, action("ok-100")], &[]);
    let (journal, begun) = run(&text, options());
    assert_eq!(begun, ["ok-5@250", "ok-100@755", "ok-900@1000"]);
    assert_eq!(names(&journal["run"]), ["ok-5", "ok-100", "ok-900"]);
    assert_eq!(journal["duration"], 1.9);
    assert_eq!(journal["run"][0]["duration"], 0.005);
}

#[test]
fn the_hypothesis_is_looked_at_during_the_method() {
    let text = hypothesis(&["ok"]) + &lists(&[action("ok-2500")], &[]);
    let continuously = |fail_fast| Options {
        hypothesis_strategy: Some(HypothesisStrategy::DuringMethodOnly),
        fail_fast,
        ..options()
    };
    let (journal, _) = run(&text, continuously(false));
    assert_eq!(journal["steady_states"]["during"].as_array().unwrap().len(), 3);
    assert_eq!(journal["steady_states"]["before"], Value::Null);
    assert_eq!(journal["bulkhead"]["exit_status"], 0);
    let text = hypothesis(&["bad"]) + &lists(&[action("ok-2500"), action("ok")], &[]);
    let (journal, _) = run(&text, continuously(false));
    // Chaos Toolkit calls that no deviation; the verdict does.
    assert_eq!((&journal["status"], &journal["deviated"]), (&json!("completed"), &json!(false)));
    assert_eq!(journal["bulkhead"]["exit_status"], 1);
    let (journal, _) = run(&text, continuously(true));
    assert_eq!(journal["status"], "failed");
    assert_eq!(names(&journal["run"]), ["ok-2500"]);
}

#[test]
fn what_is_dry_is_not_carried_out() {
    let text = hypothesis(&["bad"])
        + &lists(&[action("ok-5"), activity("probe", "ok-7", ", pauses: {before: 1}")], &[]);
    for (dry, calls) in [
        (Dry::Activities, vec![]),
        (Dry::Probes, vec!["ok-5@0"]),
        (Dry::Pause, vec!["bad@0"]),
        (Dry::Actions, vec!["bad@0"]),
    ] {
        let (journal, begun) = run(&text, Options { dry: Some(dry), ..options() });
        assert_eq!(begun, calls, "{dry:?}");
        assert_eq!(journal["experiment"]["dry"], dry.name());
    }
    // What was not tried is no pass.
    let (journal, _) = run(&text, Options { dry: Some(Dry::Activities), ..options() });
    assert_eq!(journal["bulkhead"]["exit_status"], 4);
}

#[test]
fn probes_bring_values_and_references_are_followed() {
    let text = "
configuration:
  value: {type: probe, name: p, provider: {type: process, path: ok}}
  lost: {type: probe, name: p, provider: {type: process, path: bad}}
method:
- {type: action, name: a, provider: {type: http, url: 'http://${value}/${lost}'}}
- {ref: a, background: true}
";
    let mut world = World::new(|call, now| match call {
        Call::Http(_) => Some((0, Outcome::Failed("no".to_owned()))),
        _ => by_path(call, now),
    });
    let runner = world.run(runner(text, options()));
    assert_eq!(world.begun[2..], ["http://out/${lost}@0", "http://out/${lost}@0"]);
    assert_eq!(names(&runner.journal()["run"]), ["a", "a"]);
    assert_eq!(runner.verdict().outcome().exit_status(), 4);
}

#[test]
fn an_interruption_ends_what_runs_and_plays_the_roll_backs() {
    let text = hypothesis(&["ok"])
        + &lists(&[action("hang"), action("ok-5")], &[action("ok-1000"), action("ok-2000")]);
    let mut world = World::new(by_path).interrupt_at(300);
    let ended = world.run(runner(&text, options()));
    let journal = ended.journal();
    assert_eq!(journal["status"], "interrupted");
    assert_eq!(world.begun, ["ok@0", "hang@0", "ok-1000@300", "ok-2000@1300"]);
    assert_eq!(world.cancelled, 1);
    assert_eq!(journal["run"][0]["status"], "failed");
    assert_eq!(ended.verdict().outcome().exit_status(), 4);
    let mut world = World::new(by_path).interrupt_at(300).interrupt_at(400);
    let ended = world.run(runner(&text, options()));
    assert_eq!(world.begun, ["ok@0", "hang@0", "ok-1000@300"]);
    assert_eq!(ended.verdict().outcome().exit_status(), 3);
}

#[test]
fn the_first_interruption_lets_roll_backs_end_that_are_being_played() {
    let text =
        hypothesis(&["ok"]) + &lists(&[action("ok")], &[action("ok-1000"), action("ok-2000")]);
    let mut world = World::new(by_path).interrupt_at(300);
    let journal = world.run(runner(&text, options())).journal();
    assert_eq!(world.begun[2..], ["ok@0", "ok-1000@0", "ok-2000@1000"]);
    assert_eq!((world.cancelled, &journal["status"]), (0, &json!("interrupted")));
    assert_eq!(journal["rollbacks"][0]["status"], "succeeded");
    let mut world = World::new(by_path).interrupt_at(300).interrupt_at(400);
    world.run(runner(&text, options()));
    assert_eq!(world.begun[2..], ["ok@0", "ok-1000@0"]);
    assert_eq!(world.cancelled, 1);
}

mod faults;
mod groups;
