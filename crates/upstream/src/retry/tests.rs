//! Decisions as a table, pauses by their bounds.

use std::time::{Duration, Instant};

use bulkhead_message::{Failure, FailureKind, Method, Retry};

use super::{BACKOFF_MAX, Decision, FailedAttempt, GiveUp, RetryPolicy};
use crate::{Budget, Rng};

fn policy() -> RetryPolicy {
    RetryPolicy {
        retries: 2,
        statuses: vec![503],
        backoff: Duration::from_millis(25),
        repeat_idempotent: true,
    }
}

const FIRST: FailedAttempt =
    FailedAttempt { method: Method::Get, retries_so_far: 0, replayable: true, time_left: None };

fn reason(decision: Decision) -> Option<GiveUp> {
    match decision {
        Decision::Retry { .. } => None,
        Decision::GiveUp(reason) => Some(reason),
    }
}

fn check(policy: &RetryPolicy, retry: Retry, attempt: FailedAttempt, expect: Option<GiveUp>) {
    let failure = Failure::upstream(FailureKind::Connect, retry, "");
    let mut budget = Budget::new(20);
    let decision =
        policy.after_failure(&failure, &attempt, &mut budget, Instant::now(), &mut Rng::new(1));
    assert_eq!(reason(decision), expect, "{retry:?} {attempt:?}");
}

#[test]
fn failures() {
    let post = FailedAttempt { method: Method::Post, ..FIRST };
    let second = FailedAttempt { retries_so_far: 1, ..FIRST };
    let third = FailedAttempt { retries_so_far: 2, ..FIRST };
    let streamed = FailedAttempt { replayable: false, ..FIRST };
    let late = FailedAttempt { time_left: Some(Duration::ZERO), ..FIRST };
    let in_time = FailedAttempt { time_left: Some(Duration::from_secs(1)), ..FIRST };
    for (retry, attempt, expect) in [
        (Retry::Always, FIRST, None),
        (Retry::Always, post, None),
        (Retry::Always, second, None),
        (Retry::Always, in_time, None),
        (Retry::IfIdempotent, FIRST, None),
        (Retry::IfIdempotent, post, Some(GiveUp::NotRetryable)),
        (Retry::Never, FIRST, Some(GiveUp::NotRetryable)),
        (Retry::Always, third, Some(GiveUp::AttemptsExhausted)),
        (Retry::Always, streamed, Some(GiveUp::BodyNotReplayable)),
        (Retry::Always, late, Some(GiveUp::DeadlineTooClose)),
    ] {
        check(&policy(), retry, attempt, expect);
    }
    let careful = RetryPolicy::unprocessed_only();
    check(&careful, Retry::Always, post, None);
    check(&careful, Retry::IfIdempotent, FIRST, Some(GiveUp::NotRetryable));
}

#[test]
fn statuses() {
    let post = FailedAttempt { method: Method::Post, ..FIRST };
    for (status, attempt, expect) in [
        (503, FIRST, None),
        (503, post, Some(GiveUp::NotRetryable)),
        (502, FIRST, Some(GiveUp::NotRetryable)),
        (200, FIRST, Some(GiveUp::NotRetryable)),
    ] {
        let decision = policy().after_status(
            status,
            &attempt,
            &mut Budget::new(20),
            Instant::now(),
            &mut Rng::new(1),
        );
        assert_eq!(reason(decision), expect, "{status} {attempt:?}");
    }
}

#[test]
fn the_budget_bounds_retries_but_not_stale_connections() {
    let now = Instant::now();
    let mut rng = Rng::new(1);
    let mut budget = Budget::new(20);
    while budget.take_retry(now) {}
    let refused = Failure::upstream(FailureKind::UpstreamRefused, Retry::Always, "");
    let stale = Failure::upstream(FailureKind::UpstreamClosed, Retry::Always, "");
    let decision = policy().after_failure(&refused, &FIRST, &mut budget, now, &mut rng);
    assert_eq!(decision, Decision::GiveUp(GiveUp::BudgetExhausted));
    let decision = policy().after_failure(&stale, &FIRST, &mut budget, now, &mut rng);
    assert_eq!(decision, Decision::Retry { after: Duration::ZERO });
}

#[test]
fn a_refused_retry_costs_no_budget() {
    let now = Instant::now();
    let mut budget = Budget::new(20);
    let failure = Failure::upstream(FailureKind::Connect, Retry::Always, "");
    let late = FailedAttempt { time_left: Some(Duration::ZERO), ..FIRST };
    for _ in 0..100 {
        let decision = policy().after_failure(&failure, &late, &mut budget, now, &mut Rng::new(1));
        assert_eq!(decision, Decision::GiveUp(GiveUp::DeadlineTooClose));
    }
    assert_eq!((0..100).take_while(|_| budget.take_retry(now)).count(), 30);
}

#[test]
fn pauses_are_spread_and_double() {
    let mut rng = Rng::new(9);
    for (backoff_ms, retries_so_far, most) in [
        (25, 0, Duration::from_millis(25)),
        (25, 1, Duration::from_millis(50)),
        (25, 4, Duration::from_millis(400)),
        (25, 40, BACKOFF_MAX),
        (0, 3, Duration::ZERO),
    ] {
        let policy = RetryPolicy { backoff: Duration::from_millis(backoff_ms), ..policy() };
        let pauses: Vec<_> = (0..2_000).map(|_| policy.pause(retries_so_far, &mut rng)).collect();
        let largest = *pauses.iter().max().unwrap();
        let smallest = *pauses.iter().min().unwrap();
        assert!(largest <= most && largest >= most.mul_f64(0.99), "{largest:?} of {most:?}");
        assert!(smallest <= most.mul_f64(0.01), "{smallest:?} of {most:?}");
    }
}
