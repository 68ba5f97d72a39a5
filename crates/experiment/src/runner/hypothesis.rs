//! One look at the hypothesis: its probes in their order, until one is not within its tolerance.

use serde_json::Value;

use super::activity::Course;
use super::{CallId, Context};
use crate::call::Call;
use crate::journal::SteadyState;
use crate::model::Dry;
use crate::python;
use crate::tolerance::{Judgement, judge};

#[derive(Debug)]
pub(super) struct Look {
    index: usize,
    current: Option<Course>,
    /// A probe that judges.
    asked: Option<CallId>,
    state: SteadyState,
}

impl Look {
    pub(super) fn new() -> Self {
        Self { index: 0, current: None, asked: None, state: SteadyState::default() }
    }

    /// The state, once it is known.
    pub(super) fn advance(&mut self, context: &mut Context) -> Option<SteadyState> {
        loop {
            if let Some(met) = self.state.met {
                if !context.experiment.probes.is_empty() {
                    context.journal.looks.push((context.now, met));
                }
                return Some(std::mem::take(&mut self.state));
            }
            if let Some(asked) = self.asked {
                let outcome = context.returned.remove(&asked)?;
                self.asked = None;
                let output = outcome.output();
                let met = output.as_ref().is_ok_and(python::truthy);
                self.judged(met, || "the probe that judges says no".to_owned(), context);
                continue;
            }
            let Some(step) = context.experiment.probes.get(self.index).cloned() else {
                self.state.met = Some(true);
                continue;
            };
            let course = self.current.get_or_insert_with(|| Course::begin(&step.activity, context));
            course.advance(context);
            if !course.is_done() {
                return None;
            }
            let record = self.current.take().and_then(|course| course.record);
            self.index += 1;
            self.state.probes.extend(record);
            self.judge(step.tolerance.as_ref(), context);
        }
    }

    /// Judges what the last probe returned.
    fn judge(&mut self, tolerance: Option<&Value>, context: &mut Context) {
        let Some(record) = self.state.probes.last_mut() else { return };
        if !record.succeeded() {
            return self.judged(false, || "it did not answer".to_owned(), context);
        }
        record.tolerance_met = Some(true);
        if matches!(context.options.dry, Some(Dry::Probes | Dry::Activities)) {
            return;
        }
        let tolerance = match tolerance {
            Some(text @ Value::String(_)) => context.variables.substitute(text),
            Some(other) => other.clone(),
            None => Value::Null,
        };
        match judge(&tolerance, &record.output, &context.variables) {
            Judgement::Met => {}
            Judgement::Missed(reason) => self.judged(false, || reason, context),
            Judgement::Ask(activity) => {
                let provider = activity.get("provider").cloned().unwrap_or_default();
                let call = Call::of(&provider, &context.variables, &context.experiment.extension);
                match call {
                    Ok(call) => self.asked = Some(context.call(call, "tolerance")),
                    Err(reason) => self.judged(false, || reason, context),
                }
            }
        }
    }

    fn judged(&mut self, met: bool, reason: impl FnOnce() -> String, context: &mut Context) {
        let Some(record) = self.state.probes.last_mut() else { return };
        record.tolerance_met = Some(met);
        if !met {
            self.state.met = Some(false);
            let name = record.activity.get("name").map(python::text).unwrap_or_default();
            context.warn(format!("probe {name} is out of its tolerance: {}", reason()));
        }
    }
}
