//! Towards the fault: prepare, inject, verify, and the attempts.

use std::time::Duration;

use super::Engine;
use super::command::{Answer, Call};
use super::injection::Ending;
use crate::{ChaosId, Record, State};

impl Engine {
    /// A thread is free for this injection, if it still wants one.
    pub(super) fn call_forward(&mut self, now: Duration, id: ChaosId) {
        let Some(injection) = self.injections.get(&id) else { return };
        if injection.forward.is_some() {
            return;
        }
        let overall = injection.accepted + self.options.overall();
        let mut deadline = now + self.attempt;
        if injection.state == State::Intended {
            // It changes nothing: a slow answer is no reason to fail while an attempt has its time left.
            deadline = deadline.max(overall.saturating_sub(self.attempt));
        }
        let deadline = deadline.min(overall).min(injection.expires());
        if deadline <= now {
            self.tick_forward(now, id);
            return;
        }
        match injection.state {
            State::Intended => self.call(id, Call::Prepare, deadline),
            // A queue may hold an injection twice; only one whose pause is over goes.
            State::Dispatched if injection.retry.is_none_or(|due| due <= now) => {
                if let Some(injection) = self.injections.get_mut(&id) {
                    injection.attempts += 1;
                }
                self.enter(now, id, State::Injecting, None);
                self.call(id, Call::Inject, deadline);
            }
            _ => {}
        }
    }

    pub(super) fn returned_forward(
        &mut self,
        now: Duration,
        id: ChaosId,
        call: Call,
        answer: Answer,
    ) {
        let Some(injection) = self.injections.get(&id) else { return };
        // The deadline of the attempt holds for verify too, which goes on with what is left of it.
        let deadline = injection.call_deadline;
        match (injection.state, call) {
            (State::Intended, Call::Prepare) => self.prepared(now, id, answer),
            (State::Injecting, Call::Inject) => self.injected(now, id, deadline, answer),
            (State::Verifying, Call::Verify) => self.verified(now, id, answer),
            // It answered after its attempt was given up: the next may begin.
            (State::Unknown, _) => self.attempt_failed(
                now,
                id,
                Ending::Failed,
                State::Unknown,
                "an attempt answered too late",
            ),
            (_, Call::Inject) => self.late_inject(now, id),
            _ => {}
        }
    }

    fn prepared(&mut self, now: Duration, id: ChaosId, answer: Answer) {
        match answer {
            Answer::Prepared(handle) => {
                if let Some(injection) = self.injections.get_mut(&id) {
                    injection.handle = Some(handle.clone());
                }
                self.enter(now, id, State::Permitted, None);
                self.write_and_wait(id, Record::Handle { id, handle });
            }
            Answer::Refused(why) => self.enter(now, id, State::Refused, Some(why)),
            Answer::Transient(why) | Answer::Permanent(why) | Answer::Unknown(why) => {
                self.enter(now, id, State::Failed, Some(why));
            }
            Answer::Done | Answer::Seen { .. } => {
                self.enter(now, id, State::Failed, Some("the injector said nothing".to_owned()));
            }
        }
    }

    fn injected(&mut self, now: Duration, id: ChaosId, deadline: Option<Duration>, answer: Answer) {
        match answer {
            Answer::Done => {
                self.enter(now, id, State::Verifying, None);
                match deadline.filter(|deadline| *deadline > now) {
                    // The thread that has just come free goes on.
                    Some(deadline) => self.call(id, Call::Verify, deadline),
                    None => self.attempt_failed(
                        now,
                        id,
                        Ending::Failed,
                        State::Unknown,
                        "no time was left to look",
                    ),
                }
            }
            Answer::Transient(why) => {
                self.attempt_failed(now, id, Ending::Failed, State::Dispatched, &why);
            }
            Answer::Unknown(why) => {
                self.attempt_failed(now, id, Ending::Failed, State::Unknown, &why);
            }
            Answer::Permanent(why) | Answer::Refused(why) => {
                self.leave(now, id, Ending::Failed, &why);
            }
            Answer::Prepared(_) | Answer::Seen { .. } => {
                self.leave(now, id, Ending::Failed, "the injector did not say what it did");
            }
        }
    }

    fn verified(&mut self, now: Duration, id: ChaosId, answer: Answer) {
        match answer {
            Answer::Seen { holds: true, seen, .. } => {
                self.enter(now, id, State::Active, Some(seen));
            }
            Answer::Seen { holds: false, seen, .. } => {
                self.attempt_failed(now, id, Ending::NotEffective, State::Dispatched, &seen);
            }
            Answer::Transient(why) | Answer::Unknown(why) => {
                self.attempt_failed(now, id, Ending::Failed, State::Unknown, &why);
            }
            Answer::Permanent(why) | Answer::Refused(why) => {
                self.leave(now, id, Ending::Failed, &why);
            }
            Answer::Done | Answer::Prepared(_) => {
                self.leave(now, id, Ending::Failed, "the injector did not say what it saw");
            }
        }
    }

    /// The next attempt, if there is one left and time for it; else it is taken back.
    fn attempt_failed(&mut self, now: Duration, id: ChaosId, ending: Ending, to: State, why: &str) {
        let jitter = 1.0 + self.options.back_off_jitter * self.random.unit();
        let due = now + self.options.back_off().mul_f64(jitter);
        let Some(injection) = self.injections.get_mut(&id) else { return };
        let overall = injection.accepted + self.options.overall();
        if injection.attempts > self.options.retries || due >= overall.min(injection.expires()) {
            injection.timed_out = to == State::Unknown;
            self.leave(now, id, ending, why);
            return;
        }
        injection.retry = Some(due);
        if injection.state != to {
            self.enter(now, id, to, Some(why.to_owned()));
        }
    }

    /// What is due for an injection that is on its way to being active, or is so.
    pub(super) fn tick_forward(&mut self, now: Duration, id: ChaosId) {
        let Some(injection) = self.injections.get_mut(&id) else { return };
        if !injection.state.is_coming() {
            return;
        }
        if now >= injection.accepted + self.options.overall() {
            injection.timed_out = true;
            self.leave(now, id, Ending::Failed, "the overall time was over before it was active");
            return;
        }
        let late = injection.call_deadline.is_some_and(|deadline| now >= deadline);
        if late && matches!(injection.state, State::Injecting | State::Verifying) {
            self.enter(now, id, State::Unknown, Some("the attempt's time is over".to_owned()));
            return;
        }
        if late && injection.state == State::Intended {
            // Nothing was changed; the call that hangs changes nothing either.
            injection.timed_out = true;
            self.leave(now, id, Ending::Failed, "the target was asked and did not answer in time");
            return;
        }
        let due = injection.retry.is_some_and(|due| now >= due) && injection.forward.is_none();
        if due {
            injection.retry = None;
            if injection.state == State::Unknown {
                self.enter(now, id, State::Dispatched, None);
            }
            self.forward_queue.push_back(id);
        }
    }

    /// The way out, from wherever it is: at once if nothing was injected, else by taking it back. One
    /// that is already on its way out stays on it, but waits no longer.
    pub(super) fn leave(&mut self, now: Duration, id: ChaosId, ending: Ending, why: &str) {
        let Some(injection) = self.injections.get_mut(&id) else { return };
        if injection.state.is_terminal() {
            return;
        }
        if injection.state.is_reverting() {
            if injection.state == State::RevertFailed && injection.backward.is_none() {
                injection.retry = Some(now);
                self.tick_backward(now, id);
            }
            return;
        }
        injection.write = None;
        injection.retry = None;
        injection.ending = Some(ending);
        injection.ending_reason = Some(why.to_owned());
        // Otherwise the queue would grow while all threads hang.
        self.forward_queue.retain(|waiting| *waiting != id);
        if injection.attempts > 0 {
            self.enter(now, id, State::Reverting, Some(why.to_owned()));
            self.backward_queue.push_back(id);
            return;
        }
        let end = if ending == Ending::Stopped { State::Refused } else { ending.state() };
        self.enter(now, id, end, Some(format!("{why}; nothing was injected")));
    }
}
