mod simulation;

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::{Fault, Order, ProcessFault, Target};

const START: Duration = Duration::from_secs(1_795_000_000);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn submission(number: u64) -> Submission {
    Submission {
        id: ChaosId::new(START + ms(number), &mut Random::new(number)),
        fault: Fault::Process(ProcessFault::Stop),
        target: Target::Process { pid: 7, start_time: 9 },
        seed: 1,
        time_to_live: Duration::from_secs(60),
        actor: "somebody".to_owned(),
    }
}

/// An engine whose every command is answered by the test.
struct Bench {
    engine: Engine,
    now: Duration,
    out: Vec<Command>,
    told: Vec<State>,
}

impl Bench {
    fn new(options: EngineOptions) -> Self {
        let engine = Engine::new(options, 1).unwrap();
        Self { engine, now: START, out: Vec::new(), told: Vec::new() }
    }

    fn submit(&mut self, number: u64) -> Result<ChaosId, Rejection> {
        let submission = submission(number);
        let id = submission.id;
        let result = self.engine.submit(self.now, submission);
        self.take();
        result.map(|_| id)
    }

    fn take(&mut self) {
        for command in self.engine.commands() {
            match command {
                Command::Publish(happening) => self.told.push(happening.state),
                command => self.out.push(command),
            }
        }
    }

    /// Answers all writes; the calls that are out.
    fn calls(&mut self) -> Vec<(Number, Call, Duration)> {
        loop {
            let writes: Vec<Number> = self
                .out
                .iter()
                .filter_map(|command| match command {
                    Command::Write { answer, .. } => *answer,
                    _ => None,
                })
                .collect();
            self.out.retain(|command| matches!(command, Command::Call { .. }));
            if writes.is_empty() {
                break;
            }
            for number in writes {
                self.engine.written(self.now, number, Ok(()));
            }
            self.take();
        }
        self.out
            .iter()
            .filter_map(|command| match command {
                Command::Call { number, call, deadline, .. } => Some((*number, *call, *deadline)),
                _ => None,
            })
            .collect()
    }

    /// Answers the one call that is out, which must be this.
    fn answer(&mut self, expected: Call, answer: Answer) {
        let calls = self.calls();
        let [(number, call, _)] = calls[..] else { panic!("{expected:?}, but out are {calls:?}") };
        assert_eq!(call, expected);
        self.out.clear();
        self.engine.returned(self.now, number, answer);
        self.take();
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.engine.tick(self.now);
        self.take();
    }

    fn state(&self, id: ChaosId) -> State {
        self.engine.injection(id).unwrap().state
    }

    fn activate(&mut self, number: u64) -> ChaosId {
        let id = self.submit(number).unwrap();
        self.answer(Call::Prepare, Answer::Prepared(json!({"table": number})));
        self.answer(Call::Inject, Answer::Done);
        self.answer(Call::Verify, seen(true));
        assert_eq!(self.state(id), State::Active);
        id
    }

    fn take_back(&mut self, id: ChaosId, end: State) {
        self.answer(Call::Revert, Answer::Done);
        self.answer(Call::VerifyReverted, seen(true));
        assert_eq!(self.state(id), end);
        assert_eq!(self.calls(), []);
        assert_eq!(self.engine.next_tick(), None);
    }
}

fn seen(holds: bool) -> Answer {
    Answer::Seen { holds, seen: format!("holds: {holds}"), effect: None }
}

#[test]
fn the_default_attempt_is_what_the_overall_time_leaves() {
    assert_eq!(EngineOptions::default().attempt(), Ok(ms(225)));
    let tight = EngineOptions { retries: 10, ..EngineOptions::default() };
    assert_eq!(tight.check(), Err(OptionsError::NoTimeLeft { retries: 10 }));
    let own = EngineOptions { attempt_ms: Some(50), ..tight };
    assert_eq!(own.attempt(), Ok(ms(50)));
    let none = EngineOptions { concurrent_max: 0, ..EngineOptions::default() };
    assert!(matches!(none.check(), Err(OptionsError::Limit { name: "concurrent_max", .. })));
}

#[test]
fn a_life_from_the_intent_to_the_end() {
    let mut bench = Bench::new(EngineOptions::default());
    let id = bench.activate(1);
    assert!(bench.engine.stop(bench.now, id, "enough"));
    bench.take();
    bench.take_back(id, State::Reverted);
    let lived = [
        State::Intended,
        State::Permitted,
        State::Dispatched,
        State::Injecting,
        State::Verifying,
        State::Active,
        State::Reverting,
        State::VerifyingRevert,
        State::Reverted,
    ];
    assert_eq!(bench.told, lived);
    assert!(!bench.engine.stop(bench.now, id, "again"), "an end is an end");
}

#[test]
fn the_same_order_is_the_same_injection_and_another_is_a_conflict() {
    let mut bench = Bench::new(EngineOptions::default());
    let id = bench.activate(1);
    let again = bench.engine.submit(bench.now, submission(1));
    assert_eq!(again, Ok(Submitted::Known));
    for other in [
        Submission { seed: 2, ..submission(1) },
        Submission { time_to_live: ms(1), ..submission(1) },
        Submission { target: Target::Host, ..submission(1) },
    ] {
        assert_eq!(bench.engine.submit(bench.now, other), Err(Rejection::Conflict(id)));
    }
    assert_eq!(bench.calls(), []);
}

#[test]
fn attempts_are_apart_by_the_back_off_and_end_with_the_retries() {
    let mut bench = Bench::new(EngineOptions::default());
    let id = bench.submit(1).unwrap();
    bench.answer(Call::Prepare, Answer::Prepared(json!({})));
    for attempt in 1..=4 {
        bench.answer(Call::Inject, Answer::Transient("busy".to_owned()));
        assert_eq!(bench.engine.injection(id).unwrap().attempts, attempt);
        if attempt < 4 {
            bench.pass(ms(199));
            assert_eq!(bench.calls(), []);
            bench.pass(ms(1));
        }
    }
    bench.take_back(id, State::Failed);
    assert!(!bench.engine.injection(id).unwrap().timed_out);
}

#[test]
fn each_attempt_has_a_deadline_and_a_late_answer_is_unknown_not_failed() {
    let mut bench = Bench::new(EngineOptions::default());
    let id = bench.submit(1).unwrap();
    bench.answer(Call::Prepare, Answer::Prepared(json!({})));
    let calls = bench.calls();
    assert_eq!(calls[0].2, bench.now + ms(225));
    bench.pass(ms(225));
    assert_eq!(bench.state(id), State::Unknown);
    // While the call is out there is no other one.
    bench.pass(ms(300));
    assert_eq!(bench.calls().len(), 1);
    bench.answer(Call::Inject, Answer::Done);
    bench.pass(ms(200));
    bench.answer(Call::Inject, Answer::Done);
    bench.answer(Call::Verify, seen(true));
    assert_eq!(bench.state(id), State::Active);
    assert_eq!(bench.engine.injection(id).unwrap().attempts, 2);
}

#[test]
fn a_slow_permission_leaves_time_for_an_attempt() {
    let mut bench = Bench::new(EngineOptions::default());
    let id = bench.submit(1).unwrap();
    assert_eq!(bench.calls()[0].2, bench.now + ms(1_500 - 225));
    bench.pass(ms(1_200));
    bench.answer(Call::Prepare, Answer::Prepared(json!({})));
    bench.answer(Call::Inject, Answer::Done);
    bench.answer(Call::Verify, seen(true));
    assert_eq!(bench.state(id), State::Active);

    let id = bench.submit(2).unwrap();
    assert_eq!(bench.calls().len(), 1);
    bench.pass(ms(1_275));
    assert_eq!(bench.state(id), State::Failed);
    assert!(bench.engine.injection(id).unwrap().timed_out);
}

#[test]
fn an_inject_that_hangs_does_not_delay_taking_back_and_is_taken_back_once_more() {
    let mut bench = Bench::new(EngineOptions::default());
    let id = bench.submit(1).unwrap();
    bench.answer(Call::Prepare, Answer::Prepared(json!({})));
    let (hanging, ..) = bench.calls()[0];
    bench.out.clear();
    bench.pass(ms(1_500));
    assert!(bench.engine.injection(id).unwrap().timed_out);
    bench.answer(Call::Revert, Answer::Done);
    bench.answer(Call::VerifyReverted, seen(true));
    assert_eq!(bench.state(id), State::VerifyingRevert, "the inject may yet do something");
    bench.engine.returned(bench.now, hanging, Answer::Done);
    bench.take();
    bench.take_back(id, State::Failed);
}

#[test]
fn an_injector_that_does_nothing_is_not_effective() {
    let options = EngineOptions { retries: 0, ..EngineOptions::default() };
    let mut bench = Bench::new(options);
    let id = bench.submit(1).unwrap();
    bench.answer(Call::Prepare, Answer::Prepared(json!({})));
    bench.answer(Call::Inject, Answer::Done);
    bench.answer(Call::Verify, seen(false));
    bench.take_back(id, State::NotEffective);
}

#[test]
fn a_refusal_ends_it_and_nothing_is_called_any_more() {
    let mut bench = Bench::new(EngineOptions::default());
    let id = bench.submit(1).unwrap();
    bench.answer(Call::Prepare, Answer::Refused("no such process".to_owned()));
    assert_eq!(bench.state(id), State::Refused);
    assert_eq!(bench.calls(), []);
}

#[test]
fn it_expires_by_itself() {
    let mut bench = Bench::new(EngineOptions::default());
    let id = bench.activate(1);
    assert_eq!(bench.engine.next_tick(), Some(START + ms(60_000)));
    bench.pass(ms(59_999));
    assert_eq!(bench.calls(), []);
    bench.pass(ms(1));
    bench.take_back(id, State::Expired);
}

#[test]
fn taking_back_is_tried_until_nothing_is_seen() {
    let mut bench = Bench::new(EngineOptions::default());
    let id = bench.activate(1);
    bench.engine.stop(bench.now, id, "enough");
    bench.take();
    for _ in 0..5 {
        bench.answer(Call::Revert, Answer::Done);
        bench.answer(Call::VerifyReverted, seen(false));
        assert_eq!(bench.state(id), State::RevertFailed);
        bench.pass(ms(1_000));
    }
    bench.answer(Call::Revert, Answer::Permanent("no right".to_owned()));
    // Somebody who asks once more does not wait for the reconciler.
    bench.engine.stop(bench.now, id, "now");
    bench.take();
    bench.take_back(id, State::Reverted);
}

#[test]
fn a_revert_that_hangs_is_told() {
    let mut bench = Bench::new(EngineOptions::default());
    let id = bench.activate(1);
    bench.engine.stop(bench.now, id, "enough");
    bench.take();
    assert_eq!(bench.calls().len(), 1);
    bench.pass(ms(1_000));
    assert_eq!(bench.state(id), State::RevertFailed);
    bench.pass(ms(5_000));
    assert_eq!(bench.calls().len(), 1, "one call back at a time");
    bench.answer(Call::Revert, Answer::Done);
    bench.pass(ms(1));
    bench.take_back(id, State::Reverted);
}

#[test]
fn the_lever_stops_everything_and_refuses_what_is_new() {
    let mut bench = Bench::new(EngineOptions::default());
    let active = bench.activate(1);
    let waiting = bench.submit(2).unwrap();
    bench.engine.set_lever(bench.now, true, "the lever");
    bench.take();
    assert_eq!(bench.state(waiting), State::Refused);
    assert_eq!(bench.submit(3), Err(Rejection::LeverEngaged));
    bench.take_back(active, State::Reverted);
    bench.engine.set_lever(bench.now, false, "");
    assert!(bench.submit(3).is_ok());
}

#[test]
fn budgets_and_ids_are_kept() {
    let options =
        EngineOptions { concurrent_max: 2, remembered_max: 2, ..EngineOptions::default() };
    let mut bench = Bench::new(options);
    let first = bench.activate(1);
    bench.activate(2);
    assert_eq!(bench.submit(3), Err(Rejection::Budget { most: 2 }));
    bench.engine.stop(bench.now, first, "enough");
    bench.take();
    bench.take_back_only(first);
    bench.activate(3);
    assert!(bench.engine.injection(first).is_none(), "forgotten");
    assert_eq!(bench.submit(1), Err(Rejection::TooOld(first)));
    let ahead = submission(100_000);
    assert_eq!(bench.engine.submit(START, ahead.clone()), Err(Rejection::NotOfOurTime(ahead.id)));
    let endless = Submission { time_to_live: ms(900_001), ..submission(9) };
    assert_eq!(bench.engine.submit(START, endless), Err(Rejection::TimeToLive));
}

impl Bench {
    fn take_back_only(&mut self, id: ChaosId) {
        self.answer(Call::Revert, Answer::Done);
        self.answer(Call::VerifyReverted, seen(true));
        assert_eq!(self.state(id), State::Reverted);
    }
}

#[test]
fn many_are_accepted_together_or_not_at_all() {
    let options = EngineOptions { concurrent_max: 3, ..EngineOptions::default() };
    let mut bench = Bench::new(options);
    bench.activate(1);
    let many = |numbers: [u64; 3]| numbers.into_iter().map(submission).collect::<Vec<_>>();
    let budget = Rejection::Budget { most: 3 };
    assert_eq!(bench.engine.submit_all(START, many([2, 3, 4])), Err(budget));
    assert_eq!(bench.engine.live().count(), 1);
    assert_eq!(bench.engine.submit_all(START, many([1, 2, 3])), Ok(()), "one is known");
    assert_eq!(bench.engine.live().count(), 3);
}

#[test]
fn a_journal_that_cannot_be_written_means_no_injection() {
    let mut bench = Bench::new(EngineOptions::default());
    let id = bench.submit(1).unwrap();
    let Some(Command::Write { answer: Some(number), .. }) = bench.out.pop() else {
        panic!("an intent is written first");
    };
    bench.engine.written(bench.now, number, Err("no space left".to_owned()));
    bench.take();
    assert_eq!(bench.state(id), State::Failed);
    assert_eq!(bench.calls(), []);
}

#[test]
fn what_a_journal_knows_is_taken_back() {
    let remembered = |number: u64, handle: bool, ended: bool| Remembered {
        order: Order {
            id: submission(number).id,
            fault: submission(number).fault,
            target: submission(number).target,
            seed: 1,
            expires_unix_ms: 0,
        },
        time_to_live: ms(60_000),
        actor: "somebody".to_owned(),
        accepted: START,
        handle: handle.then(|| json!({"table": number})),
        ended: ended.then_some((State::Reverted, START)),
        effect: None,
    };
    let mut bench = Bench::new(EngineOptions::default());
    let known =
        vec![remembered(1, true, true), remembered(2, true, false), remembered(3, false, false)];
    bench.engine.recover(bench.now, known, START.as_millis() as u64);
    bench.take();
    assert_eq!(bench.state(submission(3).id), State::Refused);
    bench.take_back(submission(2).id, State::Reverted);
    assert_eq!(bench.engine.submit(START, submission(1)), Ok(Submitted::Known));
    assert_eq!(bench.submit(0), Err(Rejection::TooOld(submission(0).id)));
}
