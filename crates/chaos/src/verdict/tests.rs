use super::{Answered, Objective, Outcome, Verdict};
use crate::Proportion;

use Answered::{Deviated, Held, NotAsked, TooLittleData};

#[track_caller]
fn check(answers: [Answered; 4], expected: Outcome, status: u8) {
    let [hypothesis, injection, revert, infrastructure] = answers;
    let verdict = Verdict { hypothesis, injection, revert, infrastructure, reasons: Vec::new() };
    assert_eq!(verdict.outcome(), expected);
    assert_eq!(expected.exit_status(), status);
}

#[test]
fn the_gravest_comes_first() {
    check([Held, Held, Held, Held], Outcome::Held, 0);
    check([Deviated, Held, Held, Held], Outcome::Deviated, 1);
    check([Deviated, Deviated, Held, Held], Outcome::NotEffective, 2);
    check([Held, Deviated, Held, Held], Outcome::NotEffective, 2);
    check([Deviated, Deviated, Deviated, Deviated], Outcome::RevertFailed, 3);
    check([Held, Held, Held, Deviated], Outcome::Infrastructure, 4);
}

#[test]
fn too_little_data_is_never_a_pass() {
    check([TooLittleData, Held, Held, Held], Outcome::Infrastructure, 4);
    check([Held, TooLittleData, Held, Held], Outcome::NotEffective, 2);
    check([Held, Held, TooLittleData, Held], Outcome::RevertFailed, 3);
    check([NotAsked, NotAsked, NotAsked, NotAsked], Outcome::Infrastructure, 4);
    check([NotAsked, Held, Held, Held], Outcome::Held, 0);
}

#[test]
fn an_objective_needs_trials_to_be_kept_but_not_to_be_missed() {
    let objective = Objective { share: 0.99, trials_min: 1_000 };
    let judge = |successes, trials| objective.judge(Proportion { successes, trials });
    assert_eq!(judge(990, 1_000), Held);
    assert_eq!(judge(989, 1_000), Deviated);
    assert_eq!(judge(999, 999), TooLittleData);
    assert_eq!(judge(0, 0), TooLittleData);
    assert_eq!(judge(100, 111), Deviated, "even with the rest all well");
    let any = Objective { share: 0.0, trials_min: 0 };
    assert_eq!(any.judge(Proportion::default()), TooLittleData);
}
