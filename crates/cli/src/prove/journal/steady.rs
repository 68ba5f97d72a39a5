//! The hypothesis of a storm: its probes, and what they found before, meanwhile and after.

use std::time::Duration;

use bulkhead_experiment::{Record, SteadyState, Variables, within_tolerance};
use serde_json::{Value, json};

use super::moment;
use crate::prove::document::{Document, Second};
use crate::prove::plan::Plan;
use crate::prove::verdict::{Aspect, Check};

/// Looks during the measured part at most.
const LOOKS_MAX: usize = 60;
/// Names of checks that are looked at more than once.
const TOKENS: &str = "tokens_enforced";
const FAILED: &str = "requests_failed";

/// What the checks of the gateway are about.
pub(super) struct Hypothesis<'d> {
    document: &'d Document,
    checks: Vec<&'d Check>,
    failed_percent: f64,
    variables: Variables,
}

impl<'d> Hypothesis<'d> {
    pub(super) fn new(plan: &Plan, document: &'d Document) -> Self {
        let checks = document.checks.iter().filter(|check| check.aspect == Aspect::Hypothesis);
        Self {
            document,
            checks: checks.collect(),
            failed_percent: plan.profile.limits.failed_percent,
            variables: Variables::default(),
        }
    }

    /// As an experiment declares it.
    pub(super) fn declared(&self) -> Value {
        let probes: Vec<Value> = self.checks.iter().map(|check| self.probe(check.name)).collect();
        json!({ "title": "the gateway keeps its word", "probes": probes })
    }

    /// At the rate of the storm, before the first kill.
    pub(super) fn before(&self, began: Duration) -> SteadyState {
        let end = moment(self.document, 0.0);
        let enforced = self.document.preflight.is_right();
        let failed = self.document.before.failed;
        self.state(vec![
            self.look(TOKENS, [began, end], f64::from(u8::from(enforced)), "= 1", enforced),
            self.look(FAILED, [began, end], failed as f64, "= 0", failed == 0),
        ])
    }

    /// Stretch by stretch.
    pub(super) fn during(&self) -> Vec<SteadyState> {
        let timeline = &self.document.timeline;
        let length = timeline.len().div_ceil(LOOKS_MAX).max(1);
        timeline.chunks(length).map(|seconds| self.stretch(seconds)).collect()
    }

    fn stretch(&self, seconds: &[Second]) -> SteadyState {
        let sum = |of: fn(&Second) -> u64| seconds.iter().map(of).sum::<u64>();
        let (scheduled, failed) =
            (sum(|second| second.row.scheduled), sum(|second| second.row.failed));
        let most = (self.failed_percent / 100.0 * scheduled as f64) as u64;
        let edge = |second: Option<&Second>, past: u64| {
            moment(self.document, second.map_or(0, |second| second.row.second + past) as f64)
        };
        let span = [edge(seconds.first(), 0), edge(seconds.last(), 1)];
        let limit = format!("≤ {most}");
        self.state(vec![self.look(FAILED, span, failed as f64, &limit, failed <= most)])
    }

    /// All of it, when the storm was over.
    pub(super) fn after(&self) -> SteadyState {
        let end = moment(self.document, self.document.duration_s);
        let look =
            |check: &&Check| self.look(check.name, [end; 2], check.value, &check.limit, check.pass);
        self.state(self.checks.iter().map(look).collect())
    }

    fn probe(&self, name: &str) -> Value {
        let words: Vec<&str> = self.document.command.split(' ').collect();
        let (program, arguments) = words.split_first().unwrap_or((&"bulkhead", &[]));
        json!({
            "type": "probe",
            "name": name,
            "tolerance": { "type": "regex", "target": "is", "pattern": "^held$" },
            "provider": { "type": "process", "path": program, "arguments": arguments },
        })
    }

    fn look(
        &self,
        name: &str,
        [start, end]: [Duration; 2],
        value: f64,
        limit: &str,
        held: bool,
    ) -> Record {
        let mut record = Record::new(self.probe(name), start);
        record.end = Some(end);
        record.output = json!({
            "value": value,
            "must_be": limit,
            "is": if held { "held" } else { "missed" },
        });
        record.tolerance_met =
            within_tolerance(&record.activity["tolerance"], &record.output, &self.variables);
        record
    }

    fn state(&self, probes: Vec<Record>) -> SteadyState {
        let met = probes.iter().all(|probe| probe.tolerance_met == Some(true));
        SteadyState { met: Some(met), probes }
    }
}
