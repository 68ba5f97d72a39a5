//! What goes on beside the method: the hypothesis again and again, and conditions that end the method.

use std::time::Duration;

use super::activity::Course;
use super::hypothesis::Look;
use super::{CallId, Context};
use crate::call::Call;
use crate::extension::Abort;
use crate::journal::{Aborted, Status};
use crate::model::{Experiment, Step};
use crate::python;
use crate::tolerance::{Judgement, judge};

/// Between two looks at a condition.
const CONDITION_INTERVAL: Duration = Duration::from_millis(250);

/// The hypothesis during the method.
#[derive(Debug)]
pub(super) struct Continuous {
    look: Option<Look>,
    next_at: Duration,
    done: bool,
    looks: u32,
    missed: u32,
}

impl Continuous {
    pub(super) fn of(context: &mut Context) -> Option<Self> {
        context.note("hypothesis, during the method");
        Some(Self {
            look: Some(Look::new()),
            next_at: context.now,
            done: false,
            looks: 0,
            missed: 0,
        })
    }

    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// Whether it moved. Without `goes_on`, the look that was begun is the last.
    pub(super) fn advance(&mut self, context: &mut Context, goes_on: bool) -> bool {
        if self.done {
            return false;
        }
        let Some(look) = &mut self.look else {
            if !goes_on {
                self.done = true;
                return true;
            }
            if context.wait_until(self.next_at) {
                return false;
            }
            self.look = Some(Look::new());
            return true;
        };
        let Some(state) = look.advance(context) else { return false };
        let met = state.met == Some(true);
        self.look = None;
        self.looks += 1;
        self.missed += u32::from(!met);
        self.next_at = context.now.saturating_add(context.options.hypothesis_frequency);
        context.journal.during.push(state);
        if !met && context.options.fail_fast && context.journal.status.is_none() {
            let (missed, looks) = (self.missed, self.looks);
            context.warn(format!("the hypothesis was broken {missed} times of {looks}: ending"));
            context.journal.status = Some(Status::Failed);
        }
        true
    }
}

/// Conditions that end the method.
#[derive(Debug)]
pub(super) struct Watch(Vec<Condition>);

#[derive(Debug)]
struct Condition {
    abort: Abort,
    step: Step,
    current: Option<Course>,
    asked: Option<CallId>,
    next_at: Duration,
    /// Since when the probe is out of its tolerance.
    broken_since: Option<Duration>,
    looked_at: Duration,
}

impl Watch {
    pub(super) fn new(experiment: &Experiment) -> Self {
        let condition = |abort: &Abort| {
            let mut probes = experiment.probes.iter();
            let step = probes.find(|step| step.activity.name == abort.probe)?.clone();
            Some(Condition {
                abort: abort.clone(),
                step,
                current: None,
                asked: None,
                next_at: Duration::ZERO,
                broken_since: None,
                looked_at: Duration::ZERO,
            })
        };
        Self(experiment.extension.abort.iter().filter_map(condition).collect())
    }

    pub(super) fn advance(&mut self, context: &mut Context) {
        if context.stop || context.options.dry.is_some() {
            return;
        }
        for condition in &mut self.0 {
            while condition.advance(context) {}
            if let Some(lasted) = condition.is_broken() {
                let probe = condition.abort.probe.clone();
                context.warn(format!("aborting: probe {probe} was out of its tolerance too long"));
                context.journal.status = Some(Status::Aborted);
                context.journal.aborted = Some(Aborted { probe, lasted });
                context.stop = true;
                context.cancel_all("the run was aborted");
                return;
            }
        }
    }

    /// Looks at nothing any more.
    pub(super) fn end(&mut self, context: &mut Context) {
        for condition in self.0.drain(..) {
            let asked = condition.current.as_ref().and_then(Course::outstanding);
            for id in [asked, condition.asked].into_iter().flatten() {
                if context.outstanding.remove(&id).is_some() {
                    context.next.cancelled.push(id);
                }
                context.returned.remove(&id);
            }
        }
    }
}

impl Condition {
    /// Time from the first look that found it broken to the last, if that is too long. Between looks
    /// nothing is known.
    fn is_broken(&self) -> Option<Duration> {
        let lasted = self.looked_at.saturating_sub(self.broken_since?);
        (lasted >= self.abort.lasting).then_some(lasted)
    }

    /// Whether it moved.
    fn advance(&mut self, context: &mut Context) -> bool {
        if let Some(asked) = self.asked {
            let Some(outcome) = context.returned.remove(&asked) else { return false };
            self.asked = None;
            self.found(outcome.output().as_ref().is_ok_and(python::truthy), context);
            return true;
        }
        let Some(course) = &mut self.current else {
            if context.wait_until(self.next_at) {
                return false;
            }
            self.current = Some(Course::begin_silently(&self.step.activity, context));
            return true;
        };
        course.advance(context);
        if !course.is_done() {
            return false;
        }
        let record = self.current.take().and_then(|course| course.record);
        let output = record.filter(crate::journal::Record::succeeded).map(|record| record.output);
        let tolerance = self.step.tolerance.clone().unwrap_or_default();
        let tolerance = match &tolerance {
            text if text.is_string() => context.variables.substitute(text),
            _ => tolerance,
        };
        match output.map(|output| judge(&tolerance, &output, &context.variables)) {
            Some(Judgement::Met) => self.found(true, context),
            Some(Judgement::Ask(activity)) => {
                let provider = activity.get("provider").cloned().unwrap_or_default();
                match Call::of(&provider, &context.variables, &context.experiment.extension) {
                    Ok(call) => self.asked = Some(context.call(call, "tolerance")),
                    Err(_) => self.found(false, context),
                }
            }
            Some(Judgement::Missed(_)) | None => self.found(false, context),
        }
        true
    }

    fn found(&mut self, within: bool, context: &Context) {
        self.looked_at = context.now;
        self.next_at = context.now.saturating_add(CONDITION_INTERVAL);
        self.broken_since = if within { None } else { self.broken_since.or(Some(context.now)) };
    }
}
