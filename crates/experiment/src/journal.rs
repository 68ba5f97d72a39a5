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
pub struct Record {
    /// As the experiment declares it.
    pub activity: Value,
    /// What it gave.
    pub output: Value,
    /// Since 1970.
    pub start: Duration,
    /// Since 1970; `None`: it did not end.
    pub end: Option<Duration>,
    /// Why it failed; `None` while it runs and if it succeeded.
    pub failure: Option<String>,
    /// Only of the hypothesis.
    pub tolerance_met: Option<bool>,
}

impl Record {
    /// One that has begun.
    pub fn new(activity: Value, start: Duration) -> Self {
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
pub struct SteadyState {
    /// `None` until all probes were looked at.
    pub met: Option<bool>,
    /// In the order of the hypothesis.
    pub probes: Vec<Record>,
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
pub struct LabRecord {
    /// Its chaos id.
    pub id: String,
    /// Name of the activity that asked for it.
    pub activity: String,
    /// As the lab said it last.
    pub state: String,
    /// When it was asked for, since 1970: it came no earlier.
    pub since: Option<Duration>,
    /// When it was seen to be gone.
    pub until: Option<Duration>,
    /// Family and kind, as the lab says.
    pub kind: Option<String>,
    /// What it struck, as the lab found it.
    pub target: Option<Value>,
    /// What it has done, if that is counted.
    pub effect: Option<Effect>,
}

impl LabRecord {
    /// One that was asked for, and of which nothing is known yet.
    pub fn new(id: impl Into<String>, activity: impl Into<String>) -> Self {
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
pub struct Aborted {
    /// Its probe.
    pub probe: String,
    /// How long it was out of its tolerance.
    pub lasted: Duration,
}

/// What a run has left so far.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Since 1970.
    pub start: Duration,
    /// Since 1970; `None`: it has not ended.
    pub end: Option<Duration>,
    /// `None`: nothing ended it early.
    pub status: Option<Status>,
    /// The hypothesis did not hold afterwards.
    pub deviated: bool,
    /// The hypothesis before the method.
    pub before: Option<SteadyState>,
    /// The hypothesis meanwhile, look by look.
    pub during: Vec<SteadyState>,
    /// The hypothesis after the method.
    pub after: Option<SteadyState>,
    /// The method.
    pub run: Vec<Record>,
    /// What was played to take things back.
    pub rollbacks: Vec<Record>,
    /// The hypothesis after all faults were taken back. Ours, as what follows.
    pub after_revert: Option<SteadyState>,
    /// How long it took until it held then.
    pub recovery: Option<Duration>,
    /// Faults of the lab.
    pub lab: Vec<LabRecord>,
    /// What ended the method.
    pub aborted: Option<Aborted>,
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
#[derive(Clone, Copy, Debug)]
pub struct Frame<'f> {
    /// The experiment, as it was read.
    pub experiment: &'f Value,
    /// Where it ran.
    pub host: &'f Host,
    /// Our version.
    pub version: &'f str,
    /// Everything random was drawn from it.
    pub seed: u64,
    /// The four answers.
    pub verdict: &'f Verdict,
}

impl Journal {
    pub(crate) fn ended(&self) -> Status {
        self.status.unwrap_or(Status::Completed)
    }

    /// The document.
    pub fn value(&self, frame: &Frame<'_>) -> Value {
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
