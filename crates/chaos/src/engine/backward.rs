//! The way back: revert, verify that nothing is left, and again until it is so.

use std::time::Duration;

use super::Engine;
use super::command::{Answer, Call};
use super::injection::Ending;
use crate::{ChaosId, Effect, State};

impl Engine {
    /// A thread is free for this injection, if it still wants one.
    pub(super) fn call_backward(&mut self, now: Duration, id: ChaosId) {
        let Some(injection) = self.injections.get(&id) else { return };
        if injection.backward.is_some() || injection.state != State::Reverting {
            return;
        }
        self.call(id, Call::Revert, now + self.options.revert());
    }

    pub(super) fn returned_backward(
        &mut self,
        now: Duration,
        id: ChaosId,
        call: Call,
        answer: Answer,
    ) {
        let Some(injection) = self.injections.get(&id) else { return };
        match (injection.state, call, answer) {
            (State::Reverting, Call::Revert, Answer::Done) => {
                self.enter(now, id, State::VerifyingRevert, None);
                self.call(id, Call::VerifyReverted, now + self.options.revert());
            }
            (
                State::VerifyingRevert,
                Call::VerifyReverted,
                Answer::Seen { holds: true, seen, effect },
            ) => {
                self.count(id, effect);
                self.seen_gone(now, id, seen);
            }
            // Something is left, and it is known what did it.
            (State::VerifyingRevert, Call::VerifyReverted, Answer::Seen { seen, .. })
                if injection.again =>
            {
                self.seen_gone(now, id, seen);
            }
            // What answers after it was given up says nothing about now; the next attempt is due.
            (State::RevertFailed, ..) => {}
            (_, _, answer) => self.revert_failed(now, id, why(answer)),
        }
    }

    /// What it has done by now. A target that has forgotten it knows less than before.
    fn count(&mut self, id: ChaosId, effect: Option<Effect>) {
        if let (Some(injection), Some(effect)) = (self.injections.get_mut(&id), effect) {
            injection.effect = Some(effect);
        }
    }

    /// Nothing is left, unless an inject is out that may yet do something; or an inject has answered
    /// meanwhile, so that it is to be taken back once more in any case.
    fn seen_gone(&mut self, now: Duration, id: ChaosId, seen: String) {
        let Some(injection) = self.injections.get_mut(&id) else { return };
        injection.call_deadline = None;
        if injection.again {
            injection.again = false;
            self.enter(now, id, State::Reverting, Some("an inject answered late".to_owned()));
            self.backward_queue.push_back(id);
        } else if !injection.inject_is_out() {
            let ending = injection.ending.unwrap_or(Ending::Stopped);
            self.enter(now, id, ending.state(), Some(seen));
        }
    }

    /// An inject has answered after it was given up, while the fault is taken back.
    pub(super) fn late_inject(&mut self, now: Duration, id: ChaosId) {
        let Some(injection) = self.injections.get_mut(&id) else { return };
        match injection.state {
            // Nothing is out: it was only waited for this answer.
            State::VerifyingRevert if injection.backward.is_none() => {
                self.enter(now, id, State::Reverting, Some("an inject answered late".to_owned()));
                self.backward_queue.push_back(id);
            }
            State::Reverting | State::VerifyingRevert => injection.again = true,
            State::RevertFailed => injection.retry = Some(now),
            _ => {}
        }
    }

    fn revert_failed(&mut self, now: Duration, id: ChaosId, why: String) {
        self.enter(now, id, State::RevertFailed, Some(why));
        if let Some(injection) = self.injections.get_mut(&id) {
            injection.retry = Some(now + self.options.reconcile());
        }
    }

    /// What is due for an injection that is on its way back.
    pub(super) fn tick_backward(&mut self, now: Duration, id: ChaosId) {
        let Some(injection) = self.injections.get_mut(&id) else { return };
        if injection.call_deadline.is_some_and(|deadline| now >= deadline) {
            self.revert_failed(now, id, "no answer in time".to_owned());
            return;
        }
        let due = injection.retry.is_some_and(|due| now >= due) && injection.backward.is_none();
        if injection.state == State::RevertFailed && due {
            injection.retry = None;
            // What an inject did before this revert is covered by it.
            injection.again = false;
            self.enter(now, id, State::Reverting, None);
            self.backward_queue.push_back(id);
        }
    }
}

fn why(answer: Answer) -> String {
    match answer {
        Answer::Seen { seen, .. } => seen,
        Answer::Transient(why)
        | Answer::Permanent(why)
        | Answer::Unknown(why)
        | Answer::Refused(why) => why,
        Answer::Done | Answer::Prepared(_) => "the injector did not say what it saw".to_owned(),
    }
}
