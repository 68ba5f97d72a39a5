//! The verdict on a run.

use bulkhead_chaos::{Answered, Verdict};

use super::summarize::was_in_force;
use super::{Context, is_over};
use crate::journal::{Record, Status, SteadyState};
use crate::model::Dry;

pub(super) fn verdict(context: &Context) -> Verdict {
    let mut reasons = Vec::new();
    let infrastructure = infrastructure(context, &mut reasons);
    let injection = injection(context, &mut reasons);
    let hypothesis = hypothesis(context, &mut reasons);
    let revert = revert(context, &mut reasons);
    Verdict { hypothesis, injection, revert, infrastructure, reasons }
}

fn name(record: &Record) -> &str {
    record.activity.get("name").and_then(serde_json::Value::as_str).unwrap_or("unnamed")
}

fn is_action(record: &Record) -> bool {
    record.activity.get("type").and_then(serde_json::Value::as_str) == Some("action")
}

fn answer(held: bool) -> Answered {
    if held { Answered::Held } else { Answered::Deviated }
}

fn infrastructure(context: &Context, reasons: &mut Vec<String>) -> Answered {
    let first = reasons.len();
    reasons.extend(context.troubles.iter().cloned());
    if context.journal.status == Some(Status::Interrupted) {
        reasons.push("the run was interrupted".to_owned());
    }
    let probes = context.journal.run.iter().filter(|record| !is_action(record));
    for record in probes.filter(|record| !record.succeeded()) {
        reasons.push(format!("probe {} did not answer", name(record)));
    }
    answer(reasons.len() == first)
}

fn injection(context: &Context, reasons: &mut Vec<String>) -> Answered {
    let actions: Vec<&Record> =
        context.journal.run.iter().filter(|record| is_action(record)).collect();
    if matches!(context.options.dry, Some(Dry::Actions | Dry::Activities)) || actions.is_empty() {
        return Answered::NotAsked;
    }
    let aborted = context.journal.status == Some(Status::Aborted);
    let failed: Vec<&&Record> = actions.iter().filter(|record| !record.succeeded()).collect();
    for record in &failed {
        let reason = record.failure.as_deref().unwrap_or("it did not end");
        reasons.push(format!("action {}: {reason}", name(record)));
    }
    let unmet: Vec<_> = context.journal.lab.iter().filter(|record| record.met_nothing()).collect();
    for record in &unmet {
        let (id, activity) = (&record.id, &record.activity);
        reasons.push(format!(
            "action {activity}: injection not effective: nothing met the fault {id}"
        ));
    }
    // An action that was cut short by what the faults did was effective enough.
    answer((failed.is_empty() && unmet.is_empty()) || aborted)
}

/// What the experiment says stays steady: the hypothesis, the groups of a gateway, its error budget.
fn hypothesis(context: &Context, reasons: &mut Vec<String>) -> Answered {
    let looks = looks(context, reasons);
    // Without a method there is nothing that could have been compared.
    if context.options.dry.is_some() || !context.begun_method() {
        return looks;
    }
    looks.and(groups(context, reasons)).and(budget(context, reasons))
}

fn groups(context: &Context, reasons: &mut Vec<String>) -> Answered {
    let mut all = Answered::NotAsked;
    for one in context.comparisons() {
        let (fault, control, experiment) =
            (&one.fault, one.control_requests, one.experiment_requests);
        match one.answer {
            Answered::Deviated => {
                reasons.push(format!("{fault}: the experiment group did worse than the control group"))
            }
            Answered::TooLittleData => reasons.push(format!(
                "{fault}: {experiment} requests in the experiment group and {control} in the control \
                 group are too few to compare them"
            )),
            Answered::Held | Answered::NotAsked => {}
        }
        all = all.and(one.answer);
    }
    all
}

fn budget(context: &Context, reasons: &mut Vec<String>) -> Answered {
    let Some(budget) = &context.experiment.extension.error_budget else {
        return Answered::NotAsked;
    };
    let mut all = Answered::NotAsked;
    for fault in context.faults() {
        let Some(spent) = fault.error_budget else { continue };
        let (activity, requests, failures) = (&fault.activity, spent.requests, spent.failures);
        match spent.answer {
            Answered::Deviated => reasons.push(format!(
                "{activity}: {failures} of {requests} requests failed, and {:.1} may",
                spent.allowed
            )),
            Answered::TooLittleData => reasons.push(format!(
                "{activity}: {requests} requests are too few to judge the error budget: at least {} \
                 are needed",
                budget.requests_min
            )),
            Answered::Held | Answered::NotAsked => {}
        }
        all = all.and(spent.answer);
    }
    all.and(recovery(context, reasons))
}

/// If the experiment says how long recovery may take.
fn recovery(context: &Context, reasons: &mut Vec<String>) -> Answered {
    let mut all = Answered::NotAsked;
    let asked = !context.experiment.extension.recovery.is_zero();
    let faults = context.journal.lab.iter().filter(|record| asked && was_in_force(record));
    for record in faults.filter(|record| context.recovery(record).is_none()) {
        let seen = context.looked_after(record);
        let what = if seen { "all was not well again in time" } else { "nothing was seen" };
        reasons.push(format!("{}: after the fault, {what}", record.activity));
        all = all.and(if seen { Answered::Deviated } else { Answered::TooLittleData });
    }
    all
}

fn looks(context: &Context, reasons: &mut Vec<String>) -> Answered {
    let journal = &context.journal;
    if !context.hypothesis_asked() {
        return Answered::NotAsked;
    }
    let broken = |state: &SteadyState| state.met == Some(false);
    let first = reasons.len();
    if journal.before.as_ref().is_some_and(broken) {
        reasons.push("the hypothesis did not hold before the method".to_owned());
    }
    let missed = journal.during.iter().filter(|state| broken(state)).count();
    if missed > 0 {
        let looks = journal.during.len();
        reasons.push(format!(
            "the hypothesis did not hold {missed} of {looks} times during the method"
        ));
    }
    if let Some(aborted) = &journal.aborted {
        reasons.push(format!("probe {} ended the method", aborted.probe));
    }
    if journal.after.as_ref().is_some_and(broken) {
        reasons.push("the hypothesis did not hold after the method".to_owned());
    }
    if journal.after_revert.as_ref().is_some_and(broken) {
        reasons
            .push("the hypothesis did not hold again after everything was taken back".to_owned());
    }
    if reasons.len() > first {
        return Answered::Deviated;
    }
    let seen = [&journal.before, &journal.after, &journal.after_revert];
    if seen.iter().all(|state| state.is_none()) && journal.during.is_empty() {
        return Answered::TooLittleData;
    }
    Answered::Held
}

fn revert(context: &Context, reasons: &mut Vec<String>) -> Answered {
    let journal = &context.journal;
    if journal.rollbacks.is_empty() && journal.lab.is_empty() {
        return Answered::NotAsked;
    }
    let first = reasons.len();
    for record in journal.rollbacks.iter().filter(|record| !record.succeeded()) {
        let reason = record.failure.as_deref().unwrap_or("it did not end");
        reasons.push(format!("roll-back {}: {reason}", name(record)));
    }
    for record in journal.lab.iter().filter(|record| !is_over(&record.state)) {
        reasons.push(format!(
            "the fault {} of {} may be in force: it is {}",
            record.id, record.activity, record.state
        ));
    }
    answer(reasons.len() == first)
}

impl Context {
    /// Whether the hypothesis let the method begin.
    fn begun_method(&self) -> bool {
        self.journal.before.as_ref().is_none_or(|state| state.met == Some(true))
    }

    /// Whether the hypothesis was to be looked at, and not in vain.
    fn hypothesis_asked(&self) -> bool {
        let strategy = self.hypothesis_strategy();
        let dry = matches!(self.options.dry, Some(Dry::Probes | Dry::Activities));
        !dry && (strategy.before() || strategy.during() || strategy.after())
    }
}
