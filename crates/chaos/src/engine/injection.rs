//! One injection, as the engine remembers it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::command::{Call, Number};
use crate::{ChaosId, Effect, Fault, Order, State, Target};

/// What is asked of the engine: one fault for one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// Name and idempotency key.
    pub id: ChaosId,
    /// What is to be broken.
    pub fault: Fault,
    /// Where.
    pub target: Target,
    /// Everything random is drawn from it.
    pub seed: u64,
    /// How long it may last, from the acceptance.
    pub time_to_live: Duration,
    /// Who asks.
    pub actor: String,
}

impl Submission {
    /// What the injector is told, if it is accepted now.
    pub fn order(&self, now: Duration) -> Order {
        Order {
            id: self.id,
            fault: self.fault.clone(),
            target: self.target.clone(),
            seed: self.seed,
            expires_unix_ms: (now + self.time_to_live).as_millis() as u64,
        }
    }
}

/// Why it is taken back, and hence where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Somebody or something (an abort condition, the lever) wanted so.
    Stopped,
    /// Its time to live was over.
    Expired,
    /// It could not be injected.
    Failed,
    /// It was injected and not seen.
    NotEffective,
}

impl Ending {
    /// Where it ends once nothing is left of it.
    pub(super) const fn state(self) -> State {
        match self {
            Self::Stopped => State::Reverted,
            Self::Expired => State::Expired,
            Self::Failed => State::Failed,
            Self::NotEffective => State::NotEffective,
        }
    }
}

/// What the engine knows of an injection.
#[derive(Clone, Debug)]
pub struct Injection {
    /// What was ordered.
    pub order: Order,
    /// How long it may last.
    pub time_to_live: Duration,
    /// Who ordered it.
    pub actor: String,
    /// Where it is.
    pub state: State,
    /// Attempts to inject so far.
    pub attempts: u32,
    /// When it was accepted, since 1970.
    pub accepted: Duration,
    /// When it was seen to be in force.
    pub active: Option<Duration>,
    /// When it ended.
    pub ended: Option<Duration>,
    /// When taking back began.
    pub reverting: Option<Duration>,
    /// Why it is taken back.
    pub ending: Option<Ending>,
    /// The same for people: who or what wanted it, such as an abort condition.
    pub ending_reason: Option<String>,
    /// Whether the overall time was over before it was active.
    pub timed_out: bool,
    /// What `prepare` said.
    pub handle: Option<Value>,
    /// The latest reason or evidence.
    pub detail: Option<String>,
    /// What it has done, once it is gone and if that is counted.
    pub effect: Option<Effect>,

    /// A write that must be on disk before anything goes on.
    pub(super) write: Option<Number>,
    /// A call that is out, towards the fault. It may be out for longer than anybody waits for it.
    pub(super) forward: Option<(Number, Call)>,
    /// A call that is out, back.
    pub(super) backward: Option<(Number, Call)>,
    /// Until when the call that is waited for must have answered.
    pub(super) call_deadline: Option<Duration>,
    /// When the next attempt is due, once no call is out.
    pub(super) retry: Option<Duration>,
    /// An inject that nobody waits for has answered while it was taken back: take back once more.
    pub(super) again: bool,
}

impl Injection {
    pub(super) const fn new(
        order: Order,
        time_to_live: Duration,
        actor: String,
        accepted: Duration,
    ) -> Self {
        Self {
            order,
            time_to_live,
            actor,
            state: State::Intended,
            attempts: 0,
            accepted,
            active: None,
            ended: None,
            reverting: None,
            ending: None,
            ending_reason: None,
            timed_out: false,
            handle: None,
            detail: None,
            effect: None,
            write: None,
            forward: None,
            backward: None,
            call_deadline: None,
            retry: None,
            again: false,
        }
    }

    /// When it must be over.
    pub const fn expires(&self) -> Duration {
        Duration::from_millis(self.order.expires_unix_ms)
    }

    /// Whether `submission` asks for the same.
    pub(super) fn is_for(&self, submission: &Submission) -> bool {
        self.order.fault == submission.fault
            && self.order.target == submission.target
            && self.order.seed == submission.seed
            && self.time_to_live == submission.time_to_live
    }

    /// The call that is out in the direction of this one.
    pub(super) const fn out(&mut self, call: Call) -> &mut Option<(Number, Call)> {
        if call.is_backward() { &mut self.backward } else { &mut self.forward }
    }

    /// An inject is out of which nobody knows when it takes hold.
    pub(super) const fn inject_is_out(&self) -> bool {
        matches!(self.forward, Some((_, Call::Inject)))
    }

    /// What people and programs are shown.
    pub fn report(&self) -> InjectionReport {
        let unix_ms = |at: Duration| at.as_millis() as u64;
        let since = |at: Duration, from: Duration| at.saturating_sub(from).as_secs_f64() * 1e3;
        InjectionReport {
            id: self.order.id,
            kind: self.order.fault.kind().to_owned(),
            state: self.state,
            ending: self.ending,
            ending_reason: self.ending_reason.clone(),
            fault: self.order.fault.clone(),
            target: self.order.target.clone(),
            seed: self.order.seed,
            actor: self.actor.clone(),
            attempts: self.attempts,
            timed_out: self.timed_out,
            accepted_unix_ms: unix_ms(self.accepted),
            expires_unix_ms: self.order.expires_unix_ms,
            ended_unix_ms: self.ended.map(unix_ms),
            inject_ms: self.active.map(|at| since(at, self.accepted)),
            revert_ms: self.ended.zip(self.reverting).map(|(end, begin)| since(end, begin)),
            rules: self.handle.clone(),
            detail: self.detail.clone(),
            effect: self.effect,
        }
    }
}

/// What people and programs are shown of an injection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InjectionReport {
    /// Its name.
    pub id: ChaosId,
    /// Family and kind.
    pub kind: String,
    /// Where it is.
    pub state: State,
    /// Why it is or was taken back.
    pub ending: Option<Ending>,
    /// The same for people: who or what wanted it, such as an abort condition. An earlier lab's are not
    /// remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending_reason: Option<String>,
    /// What was ordered.
    pub fault: Fault,
    /// For what.
    pub target: Target,
    /// The seed.
    pub seed: u64,
    /// Who ordered it.
    pub actor: String,
    /// Attempts to inject.
    pub attempts: u32,
    /// Whether the overall time was over before it was active.
    pub timed_out: bool,
    /// When it was accepted, in milliseconds since 1970.
    pub accepted_unix_ms: u64,
    /// When it is over at the latest, in milliseconds since 1970.
    pub expires_unix_ms: u64,
    /// When it ended, in milliseconds since 1970.
    pub ended_unix_ms: Option<u64>,
    /// From the acceptance until it was seen in force, in milliseconds.
    pub inject_ms: Option<f64>,
    /// From the begin of taking back until nothing was seen of it, in milliseconds.
    pub revert_ms: Option<f64>,
    /// What the injector needs to take it back.
    pub rules: Option<Value>,
    /// The latest reason or evidence.
    pub detail: Option<String>,
    /// What it has done, once it is gone and if that is counted.
    pub effect: Option<Effect>,
}
