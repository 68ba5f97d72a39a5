//! What each fault of a run did and cost, and how the groups of a gateway compare.

use std::time::Duration;

use bulkhead_chaos::{Answered, ErrorBudget, Objective, State, recovery_time};

use super::Context;
use crate::extension::{Budget, Compare};
use crate::journal::LabRecord;
use crate::summary::{Comparison, FaultSummary, Spent};

impl Context {
    pub(super) fn faults(&self) -> Vec<FaultSummary> {
        self.journal.lab.iter().map(|record| self.fault(record)).collect()
    }

    fn fault(&self, record: &LabRecord) -> FaultSummary {
        let budget = self.experiment.extension.error_budget.as_ref();
        FaultSummary {
            id: record.id.clone(),
            activity: record.activity.clone(),
            state: record.state.clone(),
            kind: record.kind.clone(),
            target: record.target.clone(),
            hits: record.effect.map(|effect| effect.hits),
            seen: record.effect.map(|effect| effect.seen),
            error_budget: budget.and_then(|budget| self.spent(record, budget)),
            recovery_s: self.recovery(record).map(|recovery| recovery.as_secs_f64()),
        }
    }

    /// What ended and failed from the begin of a fault until all was well again; to the end if it never was.
    fn spent(&self, record: &LabRecord, budget: &Budget) -> Option<Spent> {
        let begin = record.since.filter(|_| was_in_force(record))?;
        let end = record.until.zip(self.recovery(record)).map(|(end, recovery)| end + recovery);
        let end = end.or(self.journal.end).unwrap_or(self.now);
        let seen = self.journal.samples.between(begin, end).unwrap_or_default();
        let spent = ErrorBudget::new(budget.objective, seen);
        let objective = Objective { share: budget.objective, trials_min: budget.requests_min };
        Some(Spent {
            requests: seen.trials,
            failures: spent.spent,
            allowed: spent.allowed,
            burnt: spent.burnt(),
            answer: objective.judge(seen),
        })
    }

    /// From the end of a fault until the hypothesis held and the gateway kept the objective.
    pub(super) fn recovery(&self, record: &LabRecord) -> Option<Duration> {
        let ended = record.until.filter(|_| was_in_force(record))?;
        recovery_time(&self.looks_and_samples(), ended, Duration::ZERO)
    }

    /// Whether something was looked at after a fault.
    pub(super) fn looked_after(&self, record: &LabRecord) -> bool {
        record.until.is_some_and(|end| self.looks_and_samples().iter().any(|(at, _)| *at >= end))
    }

    fn looks_and_samples(&self) -> Vec<(Duration, bool)> {
        let mut all = self.journal.looks.clone();
        if let Some(budget) = &self.experiment.extension.error_budget {
            all.extend(self.journal.samples.well(budget.objective));
        }
        all.sort_by_key(|(at, _)| *at);
        all
    }

    /// Whether all was well again after each fault, as far as that is looked at.
    pub(super) fn all_recovered(&self) -> bool {
        let asked = self.experiment.extension.error_budget.is_some();
        let mut faults = self.journal.lab.iter().filter(|record| was_in_force(record));
        !asked || faults.all(|record| self.recovery(record).is_some())
    }

    pub(super) fn comparisons(&self) -> Vec<Comparison> {
        let one = |compare: &Compare| -> Vec<Comparison> {
            let records = self.journal.lab.iter().filter(|one| one.activity == compare.fault);
            let compared: Vec<Comparison> =
                records.map(|record| self.comparison(compare, record)).collect();
            if compared.is_empty() { vec![nothing(compare)] } else { compared }
        };
        self.experiment.extension.compare.iter().flat_map(one).collect()
    }

    fn comparison(&self, compare: &Compare, record: &LabRecord) -> Comparison {
        let id = Some(record.id.clone());
        let Some(groups) = self.journal.groups.get(&record.id) else {
            return Comparison { id, ..nothing(compare) };
        };
        let measures = groups.compare(compare.criteria);
        let answer = measures.iter().fold(Answered::NotAsked, |all, one| all.and(one.answer));
        Comparison {
            fault: compare.fault.clone(),
            id,
            control_requests: groups.control.requests,
            experiment_requests: groups.experiment.requests,
            measures,
            answer,
        }
    }
}

fn nothing(compare: &Compare) -> Comparison {
    Comparison {
        fault: compare.fault.clone(),
        id: None,
        control_requests: 0,
        experiment_requests: 0,
        measures: Vec::new(),
        answer: Answered::TooLittleData,
    }
}

/// Whether a fault was in force, or may have been.
pub(super) fn was_in_force(record: &LabRecord) -> bool {
    let never = [State::Refused, State::Failed, State::NotEffective];
    never.iter().all(|state| state.name() != record.state)
}
