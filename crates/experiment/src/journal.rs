//! The journal of a run, as Chaos Toolkit writes it, with what is ours under `bulkhead`.

mod timestamp;

pub(crate) use timestamp::iso;

use std::time::Duration;

use bulkhead_chaos::Verdict;
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

    /// Whether it ended, and well.
    pub fn succeeded(&self) -> bool {
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
    /// When it came into force, since 1970, as far as that is known.
    pub since: Option<Duration>,
    /// When it was seen to be gone.
    pub until: Option<Duration>,
}

impl LabRecord {
    /// One that was asked for, and of which nothing is known yet.
    pub fn new(id: impl Into<String>, activity: impl Into<String>) -> Self {
        let (id, activity) = (id.into(), activity.into());
        Self { id, activity, state: "unknown".to_owned(), since: None, until: None }
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
