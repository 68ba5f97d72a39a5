//! The engine: drives many injections through their life cycle. It touches nothing: it is told what
//! time it is and what came of its commands, and says what is to be done next.
//!
//! Its clock is the time since 1970, but it must run steadily: the owner takes the time of day once
//! and goes on with a monotonic clock.
//!
//! For each injection at most one call towards the fault and one call back are out at a time. An
//! inject that hangs is never followed by another one; it does not delay taking back, and when it
//! answers at last, what it may have done is taken back once more. So the same id is injected by one
//! call at a time, and nothing ends while something may still happen to it.

mod backward;
mod command;
mod forward;
mod injection;
mod options;
mod planning;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::mem;
use std::time::Duration;

pub use command::{Answer, Call, Command, Happening, Number};
pub use injection::{Ending, Injection, InjectionReport, Submission};
pub use options::{CALLS_MAX, CONCURRENT_MAX, EngineOptions, ID_AHEAD_MAX, OptionsError};

use crate::{ChaosId, Random, Record, Remembered, State, TIME_TO_LIVE_MAX};

/// Why a submission was not accepted. Nothing was remembered of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The lever is engaged.
    #[error("the safety lever is engaged; nothing is injected until it is released")]
    LeverEngaged,
    /// The budget is used up.
    #[error("{most} injections are alive, as many as may be; wait for one to end, or revert one")]
    Budget {
        /// How many may be.
        most: usize,
    },
    /// The id is known with another order.
    #[error("injection {0} was ordered before with another fault, target, seed or time to live")]
    Conflict(ChaosId),
    /// The id is so old that it may have been injected and forgotten.
    #[error(
        "{0} is older than what is remembered, so that it may have been injected; make a new id"
    )]
    TooOld(ChaosId),
    /// The id tells no time, or one that is not ours.
    #[error("{0} is no UUID of version 7 of our time; make a new id, or check the clocks")]
    NotOfOurTime(ChaosId),
    /// The time to live is out of bounds.
    #[error("the time to live must be over 0 and at most 15 min")]
    TimeToLive,
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// It is new.
    Accepted,
    /// The same order was accepted before; nothing new happens.
    Known,
}

/// The state machine of all injections.
#[derive(Debug)]
pub struct Engine {
    options: EngineOptions,
    attempt: Duration,
    random: Random,
    lever: bool,
    /// By id, and so by time.
    injections: BTreeMap<ChaosId, Injection>,
    live: BTreeSet<ChaosId>,
    /// Ids up to this time, in milliseconds since 1970, may have been forgotten.
    forgotten_ms: u64,
    writes: HashMap<Number, ChaosId>,
    calls: HashMap<Number, (ChaosId, Call)>,
    /// Who waits for a thread.
    forward_queue: VecDeque<ChaosId>,
    backward_queue: VecDeque<ChaosId>,
    forward_out: usize,
    backward_out: usize,
    next_number: Number,
    sequence: u64,
    commands: Vec<Command>,
}

impl Engine {
    /// An engine that knows nothing. `seed`: of the jitter of its pauses.
    ///
    /// # Errors
    /// If the options cannot be kept.
    pub fn new(options: EngineOptions, seed: u64) -> Result<Self, OptionsError> {
        options.check()?;
        Ok(Self {
            attempt: options.attempt()?,
            options,
            random: Random::new(seed),
            lever: false,
            injections: BTreeMap::new(),
            live: BTreeSet::new(),
            forgotten_ms: 0,
            writes: HashMap::new(),
            calls: HashMap::new(),
            forward_queue: VecDeque::new(),
            backward_queue: VecDeque::new(),
            forward_out: 0,
            backward_out: 0,
            next_number: 0,
            sequence: 0,
            commands: Vec::new(),
        })
    }

    /// Takes over what the journal knows. What has not ended is taken back at once: nobody watched it.
    pub fn recover(&mut self, now: Duration, remembered: Vec<Remembered>, forgotten_ms: u64) {
        self.forgotten_ms = self.forgotten_ms.max(forgotten_ms);
        for known in remembered {
            let id = known.order.id;
            let mut injection =
                Injection::new(known.order, known.time_to_live, known.actor, known.accepted);
            injection.handle = known.handle;
            match known.ended {
                Some((state, at)) => {
                    injection.state = state;
                    injection.ended = Some(at);
                    injection.effect = known.effect;
                    self.injections.insert(id, injection);
                }
                None => {
                    // With a handle on disk it may have been injected, any number of times.
                    if injection.handle.is_some() {
                        injection.state = State::Unknown;
                        injection.attempts = 1;
                    }
                    self.injections.insert(id, injection);
                    self.live.insert(id);
                    self.leave(now, id, Ending::Stopped, "the lab ended before it did");
                }
            }
        }
        self.forget();
        self.dispatch(now);
    }

    /// Accepts an order, or finds that it is known.
    ///
    /// # Errors
    /// [`Rejection`]: nothing is remembered of it.
    pub fn submit(
        &mut self,
        now: Duration,
        submission: Submission,
    ) -> Result<Submitted, Rejection> {
        let id = submission.id;
        if let Some(known) = self.injections.get(&id) {
            let same = known.is_for(&submission);
            return if same { Ok(Submitted::Known) } else { Err(Rejection::Conflict(id)) };
        }
        self.admit(now, &submission)?;
        let order = submission.order(now);
        let record = Record::Intent {
            order: Box::new(order.clone()),
            time_to_live_ms: submission.time_to_live.as_millis() as u64,
            actor: submission.actor.clone(),
            unix_ms: now.as_millis() as u64,
        };
        let injection = Injection::new(order, submission.time_to_live, submission.actor, now);
        self.injections.insert(id, injection);
        self.live.insert(id);
        self.write_and_wait(id, record);
        self.publish(now, id, None, None);
        self.forget();
        Ok(Submitted::Accepted)
    }

    /// Accepts all of these, or none.
    ///
    /// # Errors
    /// The first [`Rejection`]; nothing is remembered of any of them, then.
    pub fn submit_all(
        &mut self,
        now: Duration,
        submissions: Vec<Submission>,
    ) -> Result<(), Rejection> {
        let mut new = 0;
        for submission in &submissions {
            match self.injections.get(&submission.id) {
                Some(known) if known.is_for(submission) => {}
                Some(_) => return Err(Rejection::Conflict(submission.id)),
                None => {
                    self.admit(now, submission)?;
                    new += 1;
                }
            }
        }
        if new > self.budget_left() {
            return Err(Rejection::Budget { most: self.options.concurrent_max });
        }
        for submission in submissions {
            self.submit(now, submission)?;
        }
        Ok(())
    }

    /// How many more injections may be accepted now.
    pub fn budget_left(&self) -> usize {
        self.options.concurrent_max.saturating_sub(self.live.len())
    }

    fn admit(&self, now: Duration, submission: &Submission) -> Result<(), Rejection> {
        let id = submission.id;
        if self.lever {
            return Err(Rejection::LeverEngaged);
        }
        let time_to_live = submission.time_to_live;
        if time_to_live < Duration::from_millis(1) || time_to_live > TIME_TO_LIVE_MAX {
            return Err(Rejection::TimeToLive);
        }
        let ahead = (now + ID_AHEAD_MAX).as_millis() as u64;
        if !id.is_version_7() || id.unix_ms() > ahead {
            return Err(Rejection::NotOfOurTime(id));
        }
        if id.unix_ms() <= self.forgotten_ms {
            return Err(Rejection::TooOld(id));
        }
        if self.budget_left() == 0 {
            return Err(Rejection::Budget { most: self.options.concurrent_max });
        }
        Ok(())
    }

    /// Takes an injection back, wherever it is. One that has ended, or that is unknown, is left alone.
    /// Whether it is alive.
    pub fn stop(&mut self, now: Duration, id: ChaosId, why: &str) -> bool {
        let alive = self.live.contains(&id);
        if alive {
            self.leave(now, id, Ending::Stopped, why);
            self.dispatch(now);
        }
        alive
    }

    /// Takes back everything that is alive; how many that are.
    pub fn stop_all(&mut self, now: Duration, why: &str) -> usize {
        let live: Vec<ChaosId> = self.live.iter().copied().collect();
        for id in &live {
            self.leave(now, *id, Ending::Stopped, why);
        }
        self.dispatch(now);
        live.len()
    }

    /// Engages or releases the safety lever: while it is engaged, nothing is injected; engaging it
    /// takes everything back.
    pub fn set_lever(&mut self, now: Duration, engaged: bool, why: &str) {
        self.lever = engaged;
        if engaged {
            self.stop_all(now, why);
        }
    }

    /// Whether the safety lever is engaged.
    pub const fn lever(&self) -> bool {
        self.lever
    }

    /// Everything that is due by now happens.
    pub fn tick(&mut self, now: Duration) {
        let live: Vec<ChaosId> = self.live.iter().copied().collect();
        for id in live {
            let Some(injection) = self.injections.get(&id) else { continue };
            if injection.state.is_reverting() {
                self.tick_backward(now, id);
            } else if now >= injection.expires() {
                self.leave(now, id, Ending::Expired, "its time to live is over");
            } else {
                self.tick_forward(now, id);
            }
        }
        self.dispatch(now);
    }

    /// When [`Engine::tick`] is due next; nothing if only answers are waited for.
    pub fn next_tick(&self) -> Option<Duration> {
        self.live.iter().filter_map(|id| self.next_tick_of(self.injections.get(id)?)).min()
    }

    fn next_tick_of(&self, injection: &Injection) -> Option<Duration> {
        if injection.state.is_reverting() {
            let retry = injection.retry.filter(|_| injection.backward.is_none());
            return injection.call_deadline.into_iter().chain(retry).min();
        }
        let overall = injection.accepted + self.options.overall();
        let overall = injection.state.is_coming().then_some(overall);
        let retry = injection.retry.filter(|_| injection.forward.is_none());
        let due = [Some(injection.expires()), overall, injection.call_deadline, retry];
        due.into_iter().flatten().min()
    }

    /// The journal has the record with this number on disk, or could not write it.
    pub fn written(&mut self, now: Duration, number: Number, result: Result<(), String>) {
        let Some(id) = self.writes.remove(&number) else { return };
        let Some(injection) = self.injections.get_mut(&id) else { return };
        // What was stopped meanwhile waits for nothing.
        if injection.write != Some(number) {
            return;
        }
        injection.write = None;
        match (result, injection.state) {
            (Ok(()), State::Intended) => self.forward_queue.push_back(id),
            (Ok(()), State::Permitted) => {
                self.enter(now, id, State::Dispatched, None);
                self.forward_queue.push_back(id);
            }
            (Ok(()), _) => {}
            (Err(error), _) => {
                self.leave(now, id, Ending::Failed, &format!("the journal: {error}"));
            }
        }
        self.dispatch(now);
    }

    /// What came of a call.
    pub fn returned(&mut self, now: Duration, number: Number, answer: Answer) {
        let Some((id, call)) = self.calls.remove(&number) else { return };
        *self.calls_out(call) -= 1;
        if let Some(injection) = self.injections.get_mut(&id) {
            injection.out(call).take_if(|(out, _)| *out == number);
        }
        if call.is_backward() {
            self.returned_backward(now, id, call, answer);
        } else {
            self.returned_forward(now, id, call, answer);
        }
        self.dispatch(now);
    }

    /// What is to be done, in this order; to be taken after each call of another method.
    pub fn commands(&mut self) -> Vec<Command> {
        mem::take(&mut self.commands)
    }

    /// An injection that is remembered.
    pub fn injection(&self, id: ChaosId) -> Option<&Injection> {
        self.injections.get(&id)
    }

    /// All that are remembered, by time.
    pub fn injections(&self) -> impl DoubleEndedIterator<Item = &Injection> {
        self.injections.values()
    }

    /// Those that have not ended, by time.
    pub fn live(&self) -> impl Iterator<Item = &Injection> {
        self.live.iter().filter_map(|id| self.injections.get(id))
    }

    /// Ids up to this time, in milliseconds since 1970, are not accepted: they may have been forgotten.
    pub const fn forgotten_ms(&self) -> u64 {
        self.forgotten_ms
    }

    /// Its limits and times.
    pub const fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// Gives threads to those that wait for them.
    fn dispatch(&mut self, now: Duration) {
        while self.backward_out < self.options.backward_calls_max {
            let Some(id) = self.backward_queue.pop_front() else { break };
            self.call_backward(now, id);
        }
        while self.forward_out < self.options.forward_calls_max {
            let Some(id) = self.forward_queue.pop_front() else { break };
            self.call_forward(now, id);
        }
    }

    fn call(&mut self, id: ChaosId, call: Call, deadline: Duration) {
        let number = self.number();
        let Some(injection) = self.injections.get_mut(&id) else { return };
        injection.call_deadline = Some(deadline);
        injection.retry = None;
        *injection.out(call) = Some((number, call));
        self.calls.insert(number, (id, call));
        self.commands.push(Command::Call {
            number,
            call,
            order: Box::new(injection.order.clone()),
            handle: injection.handle.clone().unwrap_or_default(),
            deadline,
        });
        *self.calls_out(call) += 1;
    }

    /// How many calls of this direction are out.
    const fn calls_out(&mut self, call: Call) -> &mut usize {
        if call.is_backward() { &mut self.backward_out } else { &mut self.forward_out }
    }

    fn write_and_wait(&mut self, id: ChaosId, record: Record) {
        let number = self.number();
        if let Some(injection) = self.injections.get_mut(&id) {
            injection.write = Some(number);
        }
        self.writes.insert(number, id);
        self.commands.push(Command::Write { record, answer: Some(number) });
    }

    const fn number(&mut self) -> Number {
        self.next_number += 1;
        self.next_number
    }

    /// One step of a life, told to the bus. An end is told to the journal too.
    fn enter(&mut self, now: Duration, id: ChaosId, to: State, detail: Option<String>) {
        let Some(injection) = self.injections.get_mut(&id) else { return };
        let from = injection.state;
        let step = from.advance(to);
        debug_assert!(step.is_ok(), "{step:?}");
        let Ok(state) = step else { return };
        injection.state = state;
        injection.call_deadline = None;
        if detail.is_some() {
            injection.detail.clone_from(&detail);
        }
        match state {
            State::Active => injection.active = Some(now),
            State::Reverting if injection.reverting.is_none() => injection.reverting = Some(now),
            _ if state.is_terminal() => {
                injection.ended = Some(now);
                injection.retry = None;
                self.live.remove(&id);
                let unix_ms = now.as_millis() as u64;
                let (detail, effect) = (detail.clone(), injection.effect);
                let record = Record::End { id, state, unix_ms, detail, effect };
                self.commands.push(Command::Write { record, answer: None });
            }
            _ => {}
        }
        self.publish(now, id, Some(from), detail);
    }

    fn publish(&mut self, now: Duration, id: ChaosId, from: Option<State>, detail: Option<String>) {
        let Some(injection) = self.injections.get(&id) else { return };
        self.sequence += 1;
        self.commands.push(Command::Publish(Happening {
            sequence: self.sequence,
            unix_ms: now.as_millis() as u64,
            id,
            kind: injection.order.fault.kind().to_owned(),
            target: injection.order.target.clone(),
            actor: injection.actor.clone(),
            from,
            state: injection.state,
            attempts: injection.attempts,
            detail,
            effect: injection.effect,
        }));
    }

    /// Forgets the oldest that have ended, beyond what may be remembered.
    fn forget(&mut self) {
        while self.injections.len() > self.options.remembered_max {
            let ended = self.injections.keys().find(|id| !self.live.contains(*id)).copied();
            let Some(id) = ended else { break };
            self.injections.remove(&id);
            self.forgotten_ms = self.forgotten_ms.max(id.unix_ms());
        }
    }
}

#[cfg(test)]
mod tests;
