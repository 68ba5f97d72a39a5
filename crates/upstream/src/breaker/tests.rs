//! Scripts of requests: what opens a breaker, what closes it, what says nothing.

use std::time::{Duration, Instant};

use super::{Breaker, BreakerSettings, FailureLimit, Pass, Rejection, Verdict};

const SECOND: Duration = Duration::from_secs(1);

const LIMIT: FailureLimit = FailureLimit {
    failure_percent: 50,
    minimum_requests: 4,
    window: Duration::from_secs(10),
    open_duration: Duration::from_secs(5),
    half_open_requests: 2,
};

fn breaker(failures: FailureLimit) -> Breaker {
    let settings = BreakerSettings { requests_max: None, failures: Some(failures) };
    Breaker::new(1, settings)
}

/// Runs a script: `+` a success, `-` a failure, `n` neither, each at once; `.` a second passes; `x` a
/// request is turned away. Then says whether the breaker is open.
#[track_caller]
fn run(limit: FailureLimit, script: &str) -> bool {
    let mut now = Instant::now();
    let mut breaker = breaker(limit);
    for (index, step) in script.chars().enumerate() {
        let verdict = match step {
            '.' => {
                now += SECOND;
                continue;
            }
            'x' => {
                assert!(breaker.admit(now).is_err(), "{script}: step {index} is let through");
                continue;
            }
            '+' => Verdict::Success,
            '-' => Verdict::Failure,
            _ => Verdict::Neutral,
        };
        let pass = breaker.admit(now);
        let pass = pass.unwrap_or_else(|_| panic!("{script}: step {index} is turned away"));
        breaker.give_back(pass, verdict, now);
    }
    assert_eq!(breaker.in_flight(), 0);
    breaker.is_open()
}

#[test]
fn scripts() {
    for (script, open) in [
        ("", false),
        // Too few, then enough.
        ("---", false),
        ("----", true),
        ("++++--", false),
        ("++++----", true),
        ("+++---", true),
        ("nnnn", false),
        ("nnn---", false),
        // Old ones are forgotten, a slice at a time.
        ("--..........--", false),
        ("--.........--", true),
        ("--....................................--", false),
        ("--.....--", true),
        // Open for five seconds, then two are tried.
        ("----x....x", true),
        ("----.....++", false),
        ("----.....++---", false),
        ("----.....+-x", true),
        ("----.....-x....x.+", true),
        ("----.....-x....x.++", false),
        ("----.....n++", false),
        ("----.....+n+", false),
    ] {
        assert_eq!(run(LIMIT, script), open, "{script}");
    }
    let strict = FailureLimit { failure_percent: 100, minimum_requests: 0, ..LIMIT };
    assert!(run(strict, "-"), "a minimum of 0 counts as 1");
    assert!(run(FailureLimit { half_open_requests: 0, ..LIMIT }, "----"));
    assert!(!run(FailureLimit { half_open_requests: 0, ..LIMIT }, "----.....+"));
}

/// Opens the breaker and lets its time pass; gives when.
fn half_open(breaker: &mut Breaker, now: Instant) -> Instant {
    for _ in 0..4 {
        let pass = breaker.admit(now).unwrap();
        breaker.give_back(pass, Verdict::Failure, now);
    }
    assert!(breaker.is_open());
    now + LIMIT.open_duration
}

#[test]
fn a_request_from_before_says_nothing_about_the_state_after() {
    let now = Instant::now();
    let mut breaker = breaker(LIMIT);
    let early: Vec<Pass> = (0..2).map(|_| breaker.admit(now).unwrap()).collect();
    let later = half_open(&mut breaker, now);
    let tried = breaker.admit(later).unwrap();
    early.into_iter().for_each(|pass| breaker.give_back(pass, Verdict::Success, later));
    assert!(breaker.is_open(), "two successes, but of requests that were not tried");
    breaker.give_back(tried, Verdict::Failure, later);
    assert_eq!((breaker.take_opened(), breaker.take_opened()), (2, 0));
    assert_eq!(breaker.in_flight(), 0);
}

#[test]
fn half_open_lets_no_more_through_than_are_to_succeed() {
    let now = Instant::now();
    let mut breaker = breaker(LIMIT);
    let later = half_open(&mut breaker, now);
    let _never_heard_of: Vec<Pass> = (0..2).map(|_| breaker.admit(later).unwrap()).collect();
    let rejected = breaker.admit(later + SECOND);
    assert_eq!(rejected, Err(Rejection::Open { retry_after: SECOND * 4 }));
    let much_later = later + LIMIT.open_duration;
    for _ in 0..2 {
        let pass = breaker.admit(much_later).unwrap();
        breaker.give_back(pass, Verdict::Success, much_later);
    }
    assert!(!breaker.is_open());
}

#[test]
fn requests_in_flight_are_limited() {
    let now = Instant::now();
    let settings = BreakerSettings { requests_max: Some(2), failures: None };
    let mut breaker = Breaker::new(1, settings);
    let one = breaker.admit(now).unwrap();
    let other = breaker.admit(now).unwrap();
    assert_eq!(breaker.admit(now), Err(Rejection::RequestsMax));
    // From another worker: counted, also beyond the limit.
    let adopted = breaker.adopt();
    assert_eq!(breaker.in_flight(), 3);
    let foreign = Breaker::new(2, settings).admit(now).unwrap();
    breaker.give_back(foreign, Verdict::Success, now);
    assert_eq!(breaker.in_flight(), 3, "a pass of another breaker is nothing here");
    for pass in [one, other, adopted] {
        assert!(breaker.admit(now).is_err());
        breaker.give_back(pass, Verdict::Failure, now);
        if breaker.in_flight() == 1 {
            break;
        }
    }
    assert!(breaker.admit(now).is_ok());
}

#[test]
fn an_adopted_request_neither_opens_nor_closes() {
    let now = Instant::now();
    let strict = FailureLimit { minimum_requests: 1, half_open_requests: 1, ..LIMIT };
    let mut breaker = breaker(strict);
    let adopted = breaker.adopt();
    breaker.give_back(adopted, Verdict::Failure, now);
    assert!(!breaker.is_open());
}

#[test]
fn other_limits_begin_closed_and_the_same_go_on() {
    let now = Instant::now();
    let mut breaker = breaker(LIMIT);
    half_open(&mut breaker, now);
    let more = BreakerSettings { requests_max: Some(9), failures: Some(LIMIT) };
    breaker.set(more);
    assert!(breaker.is_open());
    let other = FailureLimit { failure_percent: 60, ..LIMIT };
    breaker.set(BreakerSettings { failures: Some(other), ..more });
    assert!(!breaker.is_open());
    breaker.set(BreakerSettings::default());
    for _ in 0..10 {
        let pass = breaker.admit(now).unwrap();
        breaker.give_back(pass, Verdict::Failure, now);
    }
    assert!(!breaker.is_open(), "without a limit it never opens");
}
