//! The main line of a run, from the first value to the last look at the hypothesis.

use std::time::Duration;

use serde_json::Value;

use super::hypothesis::Look;
use super::sequence::Sequence;
use super::{CallId, Context, is_over};
use crate::call::{Call, Outcome};
use crate::journal::{Status, SteadyState};
use crate::model::RollbackStrategy;
use crate::native::{LabCall, Wanted};

/// Between two looks at the hypothesis while it is to hold again.
const RECOVERY_INTERVAL: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Line {
    phase: Phase,
    /// Configuration that probes are to bring, in reverse order.
    probes: Vec<(String, Value)>,
}

/// How far it is with what goes on beside the line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside {
    /// The last look at the hypothesis during the method is over.
    pub(super) continuous_done: bool,
    /// What a gateway tells has been heard to its end.
    pub(super) observed: bool,
}

#[derive(Debug)]
enum Phase {
    /// Probes bring values of the configuration.
    Configure(Option<(String, CallId)>),
    Before(Look),
    Method(Sequence),
    /// The last look at the hypothesis during the method ends.
    Settle,
    After(Look),
    Rollbacks(Sequence),
    TakeBack(CallId),
    Recover {
        look: Option<Look>,
        since: Duration,
        next_at: Duration,
    },
    /// The gateway is asked a last time.
    Collect,
    Finished,
}

impl Line {
    pub(super) fn new(mut probes: Vec<(String, Value)>) -> Self {
        probes.reverse();
        Self { phase: Phase::Configure(None), probes }
    }

    pub(super) fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Finished)
    }

    pub(super) fn in_method(&self) -> bool {
        matches!(self.phase, Phase::Method(_))
    }

    /// Whether the method was begun.
    pub(super) fn is_begun(&self) -> bool {
        !matches!(self.phase, Phase::Configure(_) | Phase::Before(_))
    }

    /// Whether it only waits for what a gateway tells at the end.
    pub(super) fn collects(&self) -> bool {
        matches!(self.phase, Phase::Collect)
    }

    pub(super) fn is_past_method(&self) -> bool {
        !matches!(self.phase, Phase::Configure(_) | Phase::Before(_) | Phase::Method(_))
    }

    /// Whether faults are being taken back, which nothing may interrupt.
    pub(super) fn takes_back(&self) -> bool {
        matches!(self.phase, Phase::TakeBack(_))
    }

    pub(super) fn rolls_back(&self) -> bool {
        matches!(self.phase, Phase::Rollbacks(_))
    }

    /// Whether it moved.
    pub(super) fn advance(&mut self, context: &mut Context, beside: Beside) -> bool {
        let next = match &mut self.phase {
            Phase::Configure(asked) => configure(asked, &mut self.probes, context),
            Phase::Before(look) => look.advance(context).map(|state| before(state, context)),
            Phase::Method(sequence) => {
                let stop = context.journal.status.is_some();
                sequence.advance(context, stop).map(|records| {
                    context.journal.run = records;
                    Phase::Settle
                })
            }
            Phase::Settle => beside.continuous_done.then(|| settled(context)),
            Phase::After(look) => look.advance(context).map(|state| after(state, context)),
            Phase::Rollbacks(sequence) => {
                // A second interruption leaves the rest out.
                let stop = context.interrupts > 1;
                sequence.advance(context, stop).map(|records| {
                    context.journal.rollbacks = records;
                    take_back(context)
                })
            }
            Phase::TakeBack(call) => context.returned.remove(call).map(|outcome| {
                if let Outcome::Failed(reason) = outcome {
                    context.warn(format!("faults could not be taken back: {reason}"));
                }
                recover(context)
            }),
            Phase::Recover { look, since, next_at } => again(look, *since, next_at, context),
            Phase::Collect => beside.observed.then_some(Phase::Finished),
            Phase::Finished => None,
        };
        match next {
            Some(next) => self.phase = next,
            None => return false,
        }
        if self.is_finished() {
            context.journal.end = Some(context.now);
            let status = context.journal.ended();
            context.journal.status = Some(status);
        }
        true
    }
}

/// Asks one probe after the other for its value.
fn configure(
    asked: &mut Option<(String, CallId)>,
    probes: &mut Vec<(String, Value)>,
    context: &mut Context,
) -> Option<Phase> {
    if context.stop {
        return Some(rollbacks(context));
    }
    if let Some((name, call)) = asked.take() {
        let Some(outcome) = context.returned.remove(&call) else {
            *asked = Some((name, call));
            return None;
        };
        match configured(outcome) {
            Ok(value) => {
                context.variables.configuration.insert(name, value);
            }
            Err(reason) => {
                trouble(format!("configuration {name} could not be had: {reason}"), context)
            }
        }
    }
    while let Some((name, activity)) = probes.pop() {
        let provider = activity.get("provider").cloned().unwrap_or_default();
        match Call::of(&provider, &context.variables, &context.experiment.extension) {
            Ok(call) => {
                let id = context.call(call, &name);
                *asked = Some((name, id));
                return None;
            }
            Err(reason) => {
                trouble(format!("configuration {name} could not be had: {reason}"), context)
            }
        }
    }
    if context.hypothesis_strategy().before() {
        context.note("hypothesis, before the method");
        return Some(Phase::Before(Look::new()));
    }
    Some(method(context))
}

fn trouble(text: String, context: &mut Context) {
    context.warn(text.clone());
    context.troubles.push(text);
}

/// Of a process its standard output, of a server the body.
fn configured(outcome: Outcome) -> Result<Value, String> {
    let is_process = matches!(outcome, Outcome::Process(_));
    let is_http = matches!(outcome, Outcome::Http(_));
    let mut output = outcome.output()?;
    if is_http {
        return Ok(output["body"].take());
    }
    if !is_process {
        return Ok(output);
    }
    if output["status"] != 0 {
        return Err(format!("exit status {}", output["status"]));
    }
    Ok(Value::from(output["stdout"].as_str().unwrap_or_default().trim()))
}

/// The method is only begun if the hypothesis holds.
fn before(state: SteadyState, context: &mut Context) -> Phase {
    let met = state.met == Some(true);
    let failed = state.probe_failed();
    context.journal.before = Some(state);
    if context.stop {
        return rollbacks(context);
    }
    if !met {
        context.journal.status = Some(if failed { Status::Failed } else { Status::Completed });
        context.warn("the hypothesis does not hold before the method: it is not begun");
        return rollbacks(context);
    }
    method(context)
}

fn method(context: &mut Context) -> Phase {
    context.note("method");
    Phase::Method(Sequence::new(context.experiment.method.clone()))
}

fn settled(context: &mut Context) -> Phase {
    let ended = matches!(context.journal.status, Some(Status::Interrupted | Status::Aborted));
    if !ended && context.hypothesis_strategy().after() {
        context.note("hypothesis, after the method");
        return Phase::After(Look::new());
    }
    rollbacks(context)
}

fn after(state: SteadyState, context: &mut Context) -> Phase {
    let met = state.met == Some(true);
    let failed = state.probe_failed();
    context.journal.after = Some(state);
    if !met && !context.stop {
        context.journal.deviated = true;
        context.journal.status = Some(if failed { Status::Failed } else { Status::Completed });
    }
    rollbacks(context)
}

fn rollbacks(context: &mut Context) -> Phase {
    let failed = matches!(context.journal.status, Some(Status::Failed | Status::Interrupted));
    let play = match context.rollback_strategy() {
        RollbackStrategy::Always => true,
        RollbackStrategy::Never => false,
        RollbackStrategy::UnlessFailed => !failed,
        RollbackStrategy::Deviated => context.journal.deviated,
    };
    // Pauses and calls of roll-backs are not what was to be stopped.
    context.stop = false;
    if !play || context.experiment.rollbacks.is_empty() || context.interrupts > 1 {
        return take_back(context);
    }
    context.note("roll-backs");
    Phase::Rollbacks(Sequence::new(context.experiment.rollbacks.clone()))
}

/// Whatever the strategy of roll-backs is, no fault of the lab outlives the run.
fn take_back(context: &mut Context) -> Phase {
    let left: Vec<String> = context
        .journal
        .lab
        .iter()
        .filter(|record| !is_over(&record.state))
        .map(|record| record.id.clone())
        .collect();
    if left.is_empty() {
        return recover(context);
    }
    context.note("taking back the faults that are still in force");
    Phase::TakeBack(context.call(Call::Lab(LabCall::Revert(Wanted::These(left))), "take back"))
}

/// Looks once more, if the experiment is one of ours and got as far as its method.
fn recover(context: &mut Context) -> Phase {
    let extension = &context.experiment.extension;
    let asked = extension.given
        && (context.hypothesis_strategy().after() || extension.error_budget.is_some())
        && context.options.dry.is_none()
        && context.interrupts == 0
        && context.journal.before.as_ref().is_none_or(|state| state.met == Some(true));
    if !asked {
        return Phase::Collect;
    }
    context.note("hypothesis, after everything was taken back");
    Phase::Recover { look: Some(Look::new()), since: context.now, next_at: context.now }
}

/// Again until the hypothesis holds or its time is over.
fn again(
    look: &mut Option<Look>,
    since: Duration,
    next_at: &mut Duration,
    context: &mut Context,
) -> Option<Phase> {
    loop {
        let Some(current) = look else {
            if context.wait_until(*next_at) && context.interrupts == 0 {
                return None;
            }
            *look = Some(Look::new());
            continue;
        };
        let state = current.advance(context)?;
        let met = state.met == Some(true);
        let lasted = context.now.saturating_sub(since);
        if context.hypothesis_strategy().after() {
            context.journal.after_revert = Some(state);
            if met && context.journal.recovery.is_none() {
                context.journal.recovery = Some(lasted);
            }
        }
        if (met && context.all_recovered())
            || lasted >= context.experiment.extension.recovery
            || context.interrupts > 0
        {
            return Some(Phase::Collect);
        }
        *look = None;
        *next_at = context.now.saturating_add(RECOVERY_INTERVAL);
    }
}
