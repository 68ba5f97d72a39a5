//! One activity on its way: pause, call, pause.

use std::time::Duration;

use serde_json::Value;

use super::{CallId, Context, is_over};
use crate::call::Call;
use crate::journal::Record;
use crate::model::{Activity, Dry};
use crate::tolerance::show;

/// An activity that was begun.
#[derive(Debug)]
pub(super) struct Course {
    activity: Activity,
    dry: bool,
    silent: bool,
    state: State,
    pause_after: Duration,
    /// Where its record is, once it has one.
    pub(super) record: Option<Record>,
}

#[derive(Debug)]
enum State {
    PauseBefore(Duration),
    Calling(CallId),
    PauseAfter(Duration),
    Done,
}

impl Course {
    pub(super) fn begin(activity: &Activity, context: &mut Context) -> Self {
        let dry_mode = activity.dry.or(context.options.dry);
        let dry = match dry_mode {
            Some(Dry::Activities) => true,
            Some(Dry::Actions) => activity.is_action,
            Some(Dry::Probes) => !activity.is_action,
            Some(Dry::Pause) | None => false,
        };
        let pauses = context.variables.substitute(&activity.pauses);
        let pause = |key: &str| {
            if dry || dry_mode == Some(Dry::Pause) {
                Duration::ZERO
            } else {
                seconds(pauses.get(key))
            }
        };
        let begin_at = context.now.saturating_add(pause("before"));
        Self {
            activity: activity.clone(),
            dry,
            silent: false,
            state: State::PauseBefore(begin_at),
            pause_after: pause("after"),
            record: None,
        }
    }

    /// As [`begin`](Self::begin), for a probe that is asked so often that nobody wants to be told, and
    /// whose pauses would delay what it is to notice.
    pub(super) fn begin_silently(activity: &Activity, context: &mut Context) -> Self {
        let unpaused = Activity { pauses: Value::Null, ..activity.clone() };
        Self { silent: true, ..Self::begin(&unpaused, context) }
    }

    /// The call that it waits for.
    pub(super) fn outstanding(&self) -> Option<CallId> {
        if let State::Calling(id) = self.state { Some(id) } else { None }
    }

    /// Goes on as far as it can; whether it moved at all.
    pub(super) fn advance(&mut self, context: &mut Context) -> bool {
        let mut moved = false;
        while self.move_on(context) {
            moved = true;
        }
        moved
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    fn move_on(&mut self, context: &mut Context) -> bool {
        match self.state {
            State::PauseBefore(until) => {
                // A pause gives way to the end of the method.
                if !context.stop && context.wait_until(until) {
                    return false;
                }
                self.start(context);
            }
            State::Calling(id) => {
                let Some(outcome) = context.returned.remove(&id) else { return false };
                let output = outcome.output();
                self.end(output, context);
            }
            State::PauseAfter(until) => {
                if !context.stop && context.wait_until(until) {
                    return false;
                }
                self.state = State::Done;
            }
            State::Done => return false,
        }
        true
    }

    fn start(&mut self, context: &mut Context) {
        let kind = if self.activity.is_action { "action" } else { "probe" };
        if !self.silent {
            context.note(format!("{kind}: {}", self.activity.name));
        }
        self.record = Some(Record::new(self.activity.raw.clone(), context.now));
        if self.dry {
            return self.end(Ok(Value::Null), context);
        }
        let extension = &context.experiment.extension;
        match Call::of(&self.activity.provider, &context.variables, extension) {
            Ok(call) => self.state = State::Calling(context.call(call, &self.activity.name)),
            Err(reason) => self.end(Err(reason), context),
        }
    }

    fn end(&mut self, output: Result<Value, String>, context: &mut Context) {
        let Some(record) = &mut self.record else { return };
        record.end = Some(context.now);
        match output.and_then(|output| refuse_failed_injection(&self.activity, output)) {
            Ok(output) => record.output = output,
            Err(reason) => {
                if !self.silent {
                    context.warn(format!("{} failed: {reason}", self.activity.name));
                }
                record.failure = Some(reason);
            }
        }
        self.state = State::PauseAfter(context.now.saturating_add(self.pause_after));
    }
}

/// An injection that is not in force, and was not in force for as long as it was to be, has failed.
fn refuse_failed_injection(activity: &Activity, output: Value) -> Result<Value, String> {
    let function = activity.provider.get("func").and_then(Value::as_str);
    let is_lab = activity.provider.get("type").and_then(Value::as_str) == Some("python");
    let wanted: fn(&str) -> bool = match function.filter(|_| is_lab) {
        Some("inject") => |state| matches!(state, "active" | "reverted" | "expired"),
        Some("revert" | "revert_all") => is_over,
        _ => return Ok(output),
    };
    let one = std::slice::from_ref(&output);
    let answers = output.as_array().map_or(one, Vec::as_slice);
    let wrong = answers.iter().find(|answer| !super::state_of(answer).is_some_and(wanted));
    match wrong {
        Some(answer) if super::state_of(answer) == Some("not_effective") => {
            Err(format!("injection not effective: {}", told(answer)))
        }
        Some(answer) => Err(told(answer)),
        None => Ok(output),
    }
}

/// What the lab says of an injection: why, in its own words and as a whole, if it does.
fn told(answer: &Value) -> String {
    let why = ["reason", "error"].iter().find_map(|key| answer.get(key)?.as_str());
    match (super::state_of(answer), why) {
        (Some(state), Some(why)) => format!("the lab says {state}: {why}"),
        _ => format!("the lab says {}", show(answer)),
    }
}

/// A pause in seconds, up to a day.
fn seconds(pause: Option<&Value>) -> Duration {
    const PAUSE_MAX: Duration = Duration::from_secs(86_400);
    let seconds = match pause {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::Bool(truth)) => Some(f64::from(u8::from(*truth))),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    let pause = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    pause.unwrap_or_default().min(PAUSE_MAX)
}
