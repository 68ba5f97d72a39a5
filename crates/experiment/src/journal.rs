//! The journal of a run, as Chaos Toolkit writes it, with what is ours under `bulkhead`.

mod samples;
mod timestamp;

pub(crate) use samples::Samples;
pub(crate) use timestamp::iso;

use std::collections::BTreeMap;
use std::time::Duration;

use bulkhead_chaos::{Effect, GroupReports, Verdict};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The version of `chaostoolkit-lib` whose journal this is.
const CHAOSLIB_VERSION: &str = "1.44.0";

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It came to its end.
    Completed,
    /// A probe of the hypothesis failed, or failing fast was asked for.
    Failed,
    /// A condition ended it.
    Aborted,
    /// Somebody ended it.
    Interrupted,
}

impl Status {
    /// Its name in the journal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One activity, as it went.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) activity: Value,
    pub(crate) output: Value,
    pub(crate) start: Duration,
    pub(crate) end: Option<Duration>,
    /// Why it failed; `None` while it runs and if it succeeded.
    pub(crate) failure: Option<String>,
    /// Only of the hypothesis.
    pub(crate) tolerance_met: Option<bool>,
}

impl Record {
    pub(crate) fn new(activity: Value, start: Duration) -> Self {
        Self { activity, output: Value::Null, start, end: None, failure: None, tolerance_met: None }
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.end.is_some() && self.failure.is_none()
    }

    fn value(&self) -> Value {
        let mut record = json!({
            "activity": self.activity,
            "output": self.output,
            "start": iso(self.start),
            "status": if self.succeeded() { "succeeded" } else { "failed" },
        });
        if let Some(end) = self.end {
            record["end"] = json!(iso(end));
            record["duration"] = json!(end.saturating_sub(self.start).as_secs_f64());
        }
        if let Some(reason) = &self.failure {
            // As the last line of a traceback, which is what others look for.
            record["exception"] =
                json!([format!("chaoslib.exceptions.ActivityFailed: {reason}\n")]);
        }
        if let Some(met) = self.tolerance_met {
            record["tolerance_met"] = json!(met);
        }
        record
    }
}

/// The hypothesis, as it was found once.
#[derive(Clone, Debug, Default)]
pub(crate) struct SteadyState {
    /// `None` until all probes were looked at.
    pub(crate) met: Option<bool>,
    pub(crate) probes: Vec<Record>,
}

impl SteadyState {
    pub(crate) fn value(&self) -> Value {
        let probes: Vec<Value> = self.probes.iter().map(Record::value).collect();
        json!({ "steady_state_met": self.met, "probes": probes })
    }

    /// Whether a probe did not answer.
    pub(crate) fn probe_failed(&self) -> bool {
        self.probes.iter().any(|record| !record.succeeded())
    }
}

/// A fault of the lab, as it went.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LabRecord {
    pub(crate) id: String,
    pub(crate) activity: String,
    /// As the lab said it last.
    pub(crate) state: String,
    /// When it was asked for, since 1970: it came no earlier.
    pub(crate) since: Option<Duration>,
    /// When it was seen to be gone.
    pub(crate) until: Option<Duration>,
    /// Family and kind, as the lab says.
    pub(crate) kind: Option<String>,
    /// What it struck, as the lab found it.
    pub(crate) target: Option<Value>,
    /// What it has done, if that is counted.
    pub(crate) effect: Option<Effect>,
}

impl LabRecord {
    /// One that was asked for, and of which nothing is known yet.
    pub(crate) fn new(id: impl Into<String>, activity: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            activity: activity.into(),
            state: "unknown".to_owned(),
            since: None,
            until: None,
            kind: None,
            target: None,
            effect: None,
        }
    }

    fn value(&self) -> Value {
        let mut value = json!({ "id": self.id, "activity": self.activity, "state": self.state });
        for (name, moment) in [("since", self.since), ("until", self.until)] {
            if let Some(moment) = moment {
                value[name] = json!(iso(moment));
            }
        }
        value
    }

    /// Takes in what the lab says of it; `over`: whether its state is an end.
    pub(crate) fn take_in(&mut self, answer: &Value, over: bool, now: Duration) {
        let read = |key: &str| answer.get(key).filter(|value| !value.is_null());
        if let Some(state) = read("state").and_then(Value::as_str) {
            state.clone_into(&mut self.state);
        }
        if let Some(kind) = read("kind").and_then(Value::as_str) {
            self.kind = Some(kind.to_owned());
        }
        if let Some(target) = read("target") {
            self.target = Some(target.clone());
        }
        let effect = read("effect").and_then(|effect| Effect::deserialize(effect).ok());
        self.effect = effect.or(self.effect);
        if over && self.until.is_none() {
            // Its clock may not be ours: only how long it took is taken from it.
            let ms = |key: &str| read(key).and_then(Value::as_u64);
            let lasted = ms("ended_unix_ms")
                .zip(ms("accepted_unix_ms"))
                .map(|(end, begin)| Duration::from_millis(end.saturating_sub(begin)));
            let ended = lasted.zip(self.since).map(|(lasted, since)| since.saturating_add(lasted));
            self.until = Some(ended.unwrap_or(now).min(now));
        }
    }

    /// Whether nothing ever met it, as far as is known.
    pub(crate) fn met_nothing(&self) -> bool {
        self.effect.is_some_and(|effect| effect.hits == 0)
    }
}

/// A condition that ended the run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aborted {
    pub(crate) probe: String,
    pub(crate) lasted: Duration,
}

/// What a run has left so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    pub(crate) start: Duration,
    pub(crate) end: Option<Duration>,
    pub(crate) status: Option<Status>,
    pub(crate) deviated: bool,
    pub(crate) before: Option<SteadyState>,
    pub(crate) during: Vec<SteadyState>,
    pub(crate) after: Option<SteadyState>,
    pub(crate) run: Vec<Record>,
    pub(crate) rollbacks: Vec<Record>,
    /// Ours.
    pub(crate) after_revert: Option<SteadyState>,
    pub(crate) recovery: Option<Duration>,
    pub(crate) lab: Vec<LabRecord>,
    pub(crate) aborted: Option<Aborted>,
    /// All looks at the hypothesis, and whether it was met.
    pub(crate) looks: Vec<(Duration, bool)>,
    /// Requests that passed the gateway of the error budget.
    pub(crate) samples: Samples,
    /// The latest of each fault that is compared, by its id.
    pub(crate) groups: BTreeMap<String, GroupReports>,
}

/// Where a run took place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// System and processor, for people.
    pub platform: String,
    /// Name of the machine.
    pub node: String,
}

/// What a journal tells beside what happened.
pub(crate) struct Frame<'f> {
    pub(crate) experiment: &'f Value,
    pub(crate) host: &'f Host,
    pub(crate) version: &'f str,
    pub(crate) seed: u64,
    pub(crate) verdict: &'f Verdict,
}

impl Journal {
    pub(crate) fn ended(&self) -> Status {
        self.status.unwrap_or(Status::Completed)
    }

    pub(crate) fn value(&self, frame: &Frame<'_>) -> Value {
        let records = |list: &[Record]| list.iter().map(Record::value).collect::<Vec<_>>();
        let state = |state: &Option<SteadyState>| state.as_ref().map(SteadyState::value);
        let end = self.end.unwrap_or(self.start);
        let mut journal = Map::new();
        for (name, value) in [
            ("chaoslib-version", json!(CHAOSLIB_VERSION)),
            ("platform", json!(frame.host.platform)),
            ("node", json!(frame.host.node)),
            ("experiment", frame.experiment.clone()),
            ("start", json!(iso(self.start))),
            ("status", json!(self.ended().name())),
            ("deviated", json!(self.deviated)),
            (
                "steady_states",
                json!({
                    "before": state(&self.before),
                    "after": state(&self.after),
                    "during": self.during.iter().map(SteadyState::value).collect::<Vec<_>>(),
                }),
            ),
            ("run", json!(records(&self.run))),
            ("rollbacks", json!(records(&self.rollbacks))),
            ("end", json!(iso(end))),
            ("duration", json!(end.saturating_sub(self.start).as_secs_f64())),
            ("bulkhead", self.ours(frame)),
        ] {
            journal.insert(name.to_owned(), value);
        }
        Value::Object(journal)
    }

    fn ours(&self, frame: &Frame<'_>) -> Value {
        let injections: Vec<Value> = self.lab.iter().map(LabRecord::value).collect();
        let aborted = self.aborted.as_ref().map(
            |aborted| json!({ "probe": aborted.probe, "lasted_s": aborted.lasted.as_secs_f64() }),
        );
        json!({
            "version": frame.version,
            "seed": frame.seed,
            "verdict": frame.verdict,
            "outcome": frame.verdict.outcome(),
            "exit_status": frame.verdict.outcome().exit_status(),
            "injections": injections,
            "steady_state_after_revert": self.after_revert.as_ref().map(SteadyState::value),
            "recovery_s": self.recovery.map(|recovery| recovery.as_secs_f64()),
            "aborted_by": aborted,
        })
    }
}
