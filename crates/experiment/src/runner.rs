//! The run of an experiment as a state machine: it is told what time it is and what came of its calls,
//! and says what to call next and when to wake it. So it runs in a test as it runs in the world.
//!
//! The order is Chaos Toolkit's: values that probes bring, hypothesis, method (with its background
//! activities and, if asked for, the hypothesis again and again), hypothesis, roll-backs. Then ours:
//! every fault of the lab that is still in force is taken back, and the hypothesis is looked at once more.

mod activity;
mod hypothesis;
mod judge;
mod line;
mod observe;
mod sequence;
mod summarize;
mod watch;

use std::collections::HashMap;
use std::time::Duration;

use bulkhead_chaos::{ChaosId, Random, State, Verdict};
use serde_json::{Value, json};

use crate::call::{Call, Outcome};
use crate::journal::{Frame, Host, Journal, LabRecord, Status};
use crate::model::{Dry, Experiment, HypothesisStrategy, RollbackStrategy};
use crate::native::{LabCall, Wanted};
use crate::substitution::Variables;
use crate::summary::{Comparison, FaultSummary};
use crate::validate::Environment;
use crate::variables::{Given, VariableError, load};

use line::{Beside, Line};
use observe::Observer;
use watch::{Continuous, Watch};

/// Names a call until it has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(u64);

/// How a run is to go, beside what the experiment says.
#[derive(Clone, Debug)]
pub struct Options {
    /// Goes before the experiment's.
    pub hypothesis_strategy: Option<HypothesisStrategy>,
    /// Goes before the experiment's; [`RollbackStrategy::Always`] if neither says anything.
    pub rollback_strategy: Option<RollbackStrategy>,
    /// Between two looks at the hypothesis during the method.
    pub hypothesis_frequency: Duration,
    /// The first look during the method that finds the hypothesis broken ends it.
    pub fail_fast: bool,
    /// What is not carried out.
    pub dry: Option<Dry>,
    /// Everything random is drawn from it, unless the experiment has a seed.
    pub seed: u64,
    /// Where it runs.
    pub host: Host,
    /// Version of the program that runs it.
    pub version: String,
}

/// What happened since the last step.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Time passed, or the run begins.
    Tick,
    /// A call returned.
    Returned(CallId, Outcome),
    /// Somebody ends the run. Roll-backs are still played; the second time they are not.
    Interrupted,
}

/// What is to be done before the next step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Next {
    /// Calls to begin, at once and side by side.
    pub calls: Vec<(CallId, Call)>,
    /// Calls that nobody waits for any more: to be ended. They do not return.
    pub cancelled: Vec<CallId>,
    /// When to step again if nothing happens before, since 1970.
    pub wake_at: Option<Duration>,
    /// What there is to tell.
    pub notes: Vec<Note>,
    /// The run is over.
    pub finished: bool,
}

/// Something to tell whoever watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A step of the run.
    Step(String),
    /// Something went wrong.
    Warning(String),
}

/// A run.
#[derive(Debug)]
pub struct Runner {
    context: Context,
    line: Line,
    continuous: Option<Continuous>,
    watch: Watch,
    observer: Observer,
}

/// What every part of a run reads and writes.
#[derive(Debug)]
struct Context {
    now: Duration,
    experiment: Experiment,
    variables: Variables,
    options: Options,
    journal: Journal,
    random: Random,
    seed: u64,
    last_call: u64,
    /// Outstanding.
    outstanding: HashMap<CallId, Option<InjectionName>>,
    returned: HashMap<CallId, Outcome>,
    next: Next,
    /// Told once already: the next time ends roll-backs as well.
    interrupts: u32,
    /// The method is to end.
    stop: bool,
    /// Configuration that could not be had, and the like.
    troubles: Vec<String>,
}

/// Id of an injection and the activity that asked for it.
#[derive(Clone, Debug)]
struct InjectionName {
    id: String,
    activity: String,
    begun: Duration,
}

impl Runner {
    /// A run that begins now.
    ///
    /// # Errors
    /// If a value of configuration or secrets cannot be had.
    pub fn new(
        experiment: Experiment,
        given: &Given,
        environment: &dyn Environment,
        options: Options,
        now: Duration,
    ) -> Result<Self, VariableError> {
        let (variables, probes) = load(&experiment, given, environment)?;
        let seed = experiment.extension.seed.unwrap_or(options.seed);
        let watch = Watch::new(&experiment);
        let context = Context {
            now,
            variables,
            options,
            journal: Journal { start: now, ..Journal::default() },
            random: Random::new(seed),
            seed,
            last_call: 0,
            outstanding: HashMap::new(),
            returned: HashMap::new(),
            next: Next::default(),
            interrupts: 0,
            stop: false,
            troubles: Vec::new(),
            experiment,
        };
        let line = Line::new(probes);
        Ok(Self { context, line, continuous: None, watch, observer: Observer::default() })
    }

    /// Takes the run on. To be called with [`Event::Tick`] first, for every call that returned, and when
    /// it asked to be woken.
    pub fn step(&mut self, now: Duration, event: Event) -> Next {
        self.context.now = now.max(self.context.now);
        match event {
            Event::Tick => {}
            Event::Returned(id, outcome) => self.context.take_in(id, outcome),
            Event::Interrupted => self.interrupt(),
        }
        // Each turn goes on as far as it can; what one part does may let another go on.
        while self.turn() {}
        let mut next = std::mem::take(&mut self.context.next);
        next.finished = self.line.is_finished();
        next
    }

    /// Whether something went on.
    fn turn(&mut self) -> bool {
        let context = &mut self.context;
        context.next.wake_at = None;
        if self.line.in_method() {
            if self.continuous.is_none() && context.hypothesis_strategy().during() {
                self.continuous = Continuous::of(context);
            }
            self.watch.advance(context);
        } else if self.line.is_past_method() {
            self.watch.end(context);
        }
        let mut moved = false;
        if let Some(continuous) = &mut self.continuous {
            let goes_on = self.line.in_method() && context.journal.status.is_none();
            moved |= continuous.advance(context, goes_on);
        }
        if self.line.is_begun() && !self.line.is_finished() {
            self.observer.advance(context, self.line.collects());
        }
        let beside = Beside {
            continuous_done: self.continuous.as_ref().is_none_or(Continuous::is_done),
            observed: context.options.dry.is_some() || self.observer.is_done(),
        };
        moved | self.line.advance(context, beside)
    }

    fn interrupt(&mut self) {
        let context = &mut self.context;
        context.interrupts += 1;
        let first = context.interrupts == 1;
        // Those that are being played are what the first interruption asks for.
        let spared = self.line.takes_back() || (first && self.line.rolls_back());
        context.stop = !(first && self.line.rolls_back());
        context.note(if first {
            "interrupted: roll-backs are played, interrupt again to leave them out"
        } else {
            "interrupted again: the rest of the roll-backs is left out"
        });
        if !self.line.is_finished() {
            context.journal.status = Some(Status::Interrupted);
        }
        if !spared {
            context.cancel_all("the run was interrupted");
        }
    }

    /// A text of the configuration, as far as it is known by now.
    pub fn configured(&self, name: &str) -> Option<&str> {
        self.context.variables.configuration.get(name).and_then(Value::as_str)
    }

    /// How the run ended; means something when it is finished.
    pub fn verdict(&self) -> Verdict {
        judge::verdict(&self.context)
    }

    /// Whether the run completed, as the journal says it.
    pub fn status(&self) -> Status {
        self.context.journal.ended()
    }

    /// Whether the hypothesis did not hold after the method, as the journal says it.
    pub fn deviated(&self) -> bool {
        self.context.journal.deviated
    }

    /// What each fault did and cost.
    pub fn faults(&self) -> Vec<FaultSummary> {
        self.context.faults()
    }

    /// How the groups compare that the experiment wants compared.
    pub fn comparisons(&self) -> Vec<Comparison> {
        self.context.comparisons()
    }

    /// The journal, as Chaos Toolkit writes it, with what is ours under `bulkhead`.
    pub fn journal(&self) -> Value {
        let context = &self.context;
        let mut experiment = context.experiment.raw.clone();
        let title = Value::String(context.experiment.title.clone());
        experiment["title"] = context.variables.substitute(&title);
        experiment["dry"] = context.options.dry.map_or(Value::Null, |dry| dry.name().into());
        let mut journal = context.journal.value(&Frame {
            experiment: &experiment,
            host: &context.options.host,
            version: &context.options.version,
            seed: context.seed,
            verdict: &self.verdict(),
        });
        // What each fault did and cost goes beside what is known of it.
        let injections = journal["bulkhead"]["injections"].as_array_mut();
        for (injection, fault) in injections.into_iter().flatten().zip(self.faults()) {
            injection["kind"] = json!(fault.kind);
            injection["target"] = json!(fault.target);
            injection["hits"] = json!(fault.hits);
            injection["seen"] = json!(fault.seen);
            injection["error_budget"] = json!(fault.error_budget);
            injection["recovery_s"] = json!(fault.recovery_s);
        }
        journal["bulkhead"]["comparisons"] = json!(self.comparisons());
        journal
    }
}

impl Context {
    fn hypothesis_strategy(&self) -> HypothesisStrategy {
        if self.experiment.probes.is_empty() {
            return HypothesisStrategy::Skip;
        }
        let given = self.options.hypothesis_strategy.or(self.experiment.hypothesis_strategy);
        given.unwrap_or_default()
    }

    fn rollback_strategy(&self) -> RollbackStrategy {
        let given = self.options.rollback_strategy.or(self.experiment.rollback_strategy);
        given.unwrap_or_default()
    }

    fn note(&mut self, text: impl Into<String>) {
        self.next.notes.push(Note::Step(text.into()));
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.next.notes.push(Note::Warning(text.into()));
    }

    /// Asks to be woken at a moment, if that is to come.
    fn wait_until(&mut self, moment: Duration) -> bool {
        if moment <= self.now {
            return false;
        }
        let earlier = self.next.wake_at.map_or(moment, |wake_at| wake_at.min(moment));
        self.next.wake_at = Some(earlier);
        true
    }

    /// Begins a call on behalf of an activity.
    fn call(&mut self, mut call: Call, activity: &str) -> CallId {
        let injection = match &mut call {
            Call::Lab(call) => self.name_injections(call, activity),
            _ => None,
        };
        self.last_call += 1;
        let id = CallId(self.last_call);
        self.outstanding.insert(id, injection);
        self.next.calls.push((id, call));
        id
    }

    /// Gives an injection its id before it happens, so that it can be taken back whatever comes of it.
    fn name_injections(&mut self, call: &mut LabCall, activity: &str) -> Option<InjectionName> {
        match call {
            LabCall::Inject(injection) => {
                let id = match &injection.id {
                    Some(id) => id.clone(),
                    None => ChaosId::new(self.now, &mut self.random).to_string(),
                };
                injection.id = Some(id.clone());
                self.record(&id, activity, self.now);
                Some(InjectionName { id, activity: activity.to_owned(), begun: self.now })
            }
            LabCall::Revert(wanted) | LabCall::InForce(wanted) => {
                if *wanted == Wanted::OfThisRun {
                    *wanted = Wanted::These(self.injected());
                }
                None
            }
            LabCall::State(_) => None,
        }
    }

    /// A fault was asked for.
    fn record(&mut self, id: &str, activity: &str, now: Duration) {
        let record = LabRecord { since: Some(now), ..LabRecord::new(id, activity) };
        self.journal.lab.push(record);
    }

    /// What the lab may know of. What it turned away it does not remember, and there is nothing to take
    /// back.
    fn injected(&self) -> Vec<String> {
        let known = self.journal.lab.iter().filter(|record| record.state != "refused");
        known.map(|record| record.id.clone()).collect()
    }

    fn take_in(&mut self, id: CallId, outcome: Outcome) {
        // Of a call that was cancelled nobody wants to know.
        let Some(injection) = self.outstanding.remove(&id) else { return };
        if let Outcome::Lab(answer) = &outcome {
            self.note_states(answer);
            if let Some(injection) = injection {
                // That says nothing of what was to be broken, but of who may break it.
                if answer.get("forbidden").and_then(Value::as_bool) == Some(true) {
                    let activity = &injection.activity;
                    self.troubles.push(format!("the lab does not permit the fault of {activity}"));
                }
                self.note_victims(&injection, answer);
            }
        }
        self.returned.insert(id, outcome);
    }

    /// Takes in what the lab says of injections of this run.
    fn note_states(&mut self, answer: &Value) {
        let one = std::slice::from_ref(answer);
        for item in answer.as_array().map_or(one, Vec::as_slice) {
            if let Some(id) = item.get("id").and_then(Value::as_str) {
                self.hear_of(id, item);
            }
        }
    }

    /// Takes in what came of an order: of each of its victims, if it had several.
    fn note_victims(&mut self, injection: &InjectionName, answer: &Value) {
        let victims = answer.get("injections").and_then(Value::as_array);
        for victim in victims.into_iter().flatten() {
            let Some(id) = victim.get("id").and_then(Value::as_str) else { continue };
            if !self.journal.lab.iter().any(|record| record.id == id) {
                self.record(id, &injection.activity, injection.begun);
            }
            self.hear_of(id, victim);
        }
        if victims.is_none_or(Vec::is_empty) {
            self.hear_of(&injection.id, answer);
        }
        // Of several victims each has an id of its own, and the order's is nobody's.
        let is_victim = |id: &str| {
            let mut ids = victims.into_iter().flatten().filter_map(|one| one.get("id")?.as_str());
            ids.any(|one| one == id)
        };
        if victims.is_some_and(|victims| !victims.is_empty()) && !is_victim(&injection.id) {
            self.journal.lab.retain(|record| record.id != injection.id);
        }
    }

    /// What the lab says of one injection.
    fn hear_of(&mut self, id: &str, answer: &Value) {
        let state = state_of(answer);
        let over = state.is_some_and(is_over);
        // That another order of its id was turned away says nothing of one that is in force.
        let is_other = |record: &LabRecord| state == Some("refused") && record.state == "active";
        let records = self.journal.lab.iter_mut().filter(|record| record.id == id);
        for record in records.filter(|record| !is_other(record)) {
            record.take_in(answer, over, self.now);
        }
    }

    /// Ends all calls that are outstanding; they fail for this reason.
    fn cancel_all(&mut self, reason: &str) {
        let mut ids: Vec<CallId> = self.outstanding.drain().map(|(id, _)| id).collect();
        ids.sort_unstable();
        for id in ids {
            self.next.cancelled.push(id);
            self.returned.insert(id, Outcome::Failed(reason.to_owned()));
        }
    }
}

/// The state of an injection, as the lab says it.
fn state_of(answer: &Value) -> Option<&str> {
    answer.get("state").and_then(Value::as_str)
}

/// Whether an injection of this state has ended, and nothing of it is left.
fn is_over(state: &str) -> bool {
    State::ALL.iter().any(|known| known.is_terminal() && known.name() == state)
}

#[cfg(test)]
mod tests;
