//! Decisions as a table, pauses by their bounds.

use std::time::{Duration, Instant};

use bulkhead_message::{Failure, FailureKind, Method, Retry, RetryCondition};

use super::{
    Answer, Decision, FailedAttempt, GiveUp, Pushback, RetryConditions, RetryMethods, RetryPolicy,
};
use crate::{Budget, Rng};

fn policy() -> RetryPolicy {
    RetryPolicy {
        retries: 2,
        on: on(&[
            RetryCondition::ConnectFailure,
            RetryCondition::RefusedStream,
            RetryCondition::Reset,
            RetryCondition::PerTryTimeout,
            RetryCondition::RetriableStatus,
        ]),
        statuses: vec![503],
        backoff: Duration::from_millis(25),
        backoff_max: Duration::from_secs(10),
        methods: RetryMethods::Idempotent,
    }
}

fn on(conditions: &[RetryCondition]) -> RetryConditions {
    conditions.iter().copied().collect()
}

const FIRST: FailedAttempt<'static> = FailedAttempt {
    method: Method::Get,
    method_text: b"GET",
    retries_so_far: 0,
    replayable: true,
    time_left: None,
};
const POST: FailedAttempt<'static> =
    FailedAttempt { method: Method::Post, method_text: b"POST", ..FIRST };

fn reason(decision: Decision) -> Option<GiveUp> {
    match decision {
        Decision::Retry { .. } => None,
        Decision::GiveUp(reason) => Some(reason),
    }
}

fn check(policy: &RetryPolicy, retry: Retry, attempt: FailedAttempt<'_>, expect: Option<GiveUp>) {
    let kind = match retry {
        Retry::IfIdempotent => FailureKind::UpstreamReset,
        Retry::Always | Retry::Never => FailureKind::Connect,
    };
    let failure = Failure::upstream(kind, retry, "");
    let mut budget = Budget::new(20);
    let decision =
        policy.after_failure(&failure, &attempt, &mut budget, Instant::now(), &mut Rng::new(1));
    assert_eq!(reason(decision), expect, "{retry:?} {attempt:?}");
}

#[test]
fn failures() {
    let second = FailedAttempt { retries_so_far: 1, ..FIRST };
    let third = FailedAttempt { retries_so_far: 2, ..FIRST };
    let streamed = FailedAttempt { replayable: false, ..FIRST };
    let late = FailedAttempt { time_left: Some(Duration::ZERO), ..FIRST };
    let in_time = FailedAttempt { time_left: Some(Duration::from_secs(1)), ..FIRST };
    for (retry, attempt, expect) in [
        (Retry::Always, FIRST, None),
        (Retry::Always, POST, None),
        (Retry::Always, second, None),
        (Retry::Always, in_time, None),
        (Retry::IfIdempotent, FIRST, None),
        (Retry::IfIdempotent, POST, Some(GiveUp::NotRetryable)),
        (Retry::Never, FIRST, Some(GiveUp::NotRetryable)),
        (Retry::Always, third, Some(GiveUp::AttemptsExhausted)),
        (Retry::Always, streamed, Some(GiveUp::BodyNotReplayable)),
        (Retry::Always, late, Some(GiveUp::DeadlineTooClose)),
    ] {
        check(&policy(), retry, attempt, expect);
    }
    let careful = RetryPolicy::unprocessed_only();
    check(&careful, Retry::Always, POST, None);
    check(&careful, Retry::IfIdempotent, FIRST, Some(GiveUp::NotRetryable));
}

#[test]
fn statuses() {
    for (status, attempt, expect) in [
        (503, FIRST, None),
        (503, POST, Some(GiveUp::NotRetryable)),
        (502, FIRST, Some(GiveUp::NotRetryable)),
        (200, FIRST, Some(GiveUp::NotRetryable)),
    ] {
        let decision = answered(&policy(), http(status), Pushback::Unsaid, attempt);
        assert_eq!(reason(decision), expect, "{status} {attempt:?}");
    }
}

fn http(status: u16) -> Answer {
    Answer { status, grpc_status: None }
}

fn answered(
    policy: &RetryPolicy,
    answer: Answer,
    pushback: Pushback,
    attempt: FailedAttempt<'_>,
) -> Decision {
    let mut budget = Budget::new(20);
    policy.after_answer(answer, pushback, &attempt, &mut budget, Instant::now(), &mut Rng::new(1))
}

#[test]
fn each_condition_names_its_failures_and_no_others() {
    use RetryCondition as C;
    let kinds = [
        (FailureKind::Connect, Some(C::ConnectFailure)),
        (FailureKind::UpstreamTls, Some(C::ConnectFailure)),
        (FailureKind::UpstreamRefused, Some(C::RefusedStream)),
        (FailureKind::UpstreamReset, Some(C::Reset)),
        (FailureKind::UpstreamClosed, Some(C::Reset)),
        (FailureKind::UpstreamProtocol, Some(C::Reset)),
        (FailureKind::HeadTimeout, Some(C::PerTryTimeout)),
        (FailureKind::DeadlineExceeded, None),
        (FailureKind::ClientAborted, None),
    ];
    for condition in [C::ConnectFailure, C::RefusedStream, C::Reset, C::PerTryTimeout] {
        let policy = RetryPolicy { on: on(&[condition]), ..policy() };
        for (kind, expect) in kinds {
            let failure = Failure::upstream(kind, Retry::IfIdempotent, "");
            let mut budget = Budget::new(20);
            let mut rng = Rng::new(1);
            let decision =
                policy.after_failure(&failure, &FIRST, &mut budget, Instant::now(), &mut rng);
            let retried = reason(decision).is_none();
            assert_eq!(retried, expect == Some(condition), "{condition:?} {kind:?}");
        }
    }
}

#[test]
fn answers_by_condition() {
    use RetryCondition as C;
    let grpc = |status| Answer { status: 200, grpc_status: Some(status) };
    for (condition, named, others) in [
        (C::GatewayError, vec![http(502), http(503), http(504)], vec![http(500), http(429)]),
        (C::ServerError, vec![http(500), http(599)], vec![http(499), http(200), grpc(14)]),
        (C::RetriableStatus, vec![http(503)], vec![http(502), http(200)]),
        (C::GrpcCancelled, vec![grpc(1)], vec![grpc(0), http(200)]),
        (C::GrpcDeadlineExceeded, vec![grpc(4)], vec![grpc(14), http(504)]),
        (C::GrpcResourceExhausted, vec![grpc(8)], vec![grpc(14)]),
        (C::GrpcInternal, vec![grpc(13)], vec![grpc(2), http(500)]),
        (C::GrpcUnavailable, vec![grpc(14)], vec![grpc(13), http(503)]),
    ] {
        let policy = RetryPolicy { on: on(&[condition]), ..policy() };
        for answer in named {
            assert_eq!(reason(answered(&policy, answer, Pushback::Unsaid, FIRST)), None);
        }
        for answer in others {
            let decision = answered(&policy, answer, Pushback::Unsaid, FIRST);
            assert_eq!(reason(decision), Some(GiveUp::NotRetryable), "{condition:?} {answer:?}");
        }
    }
}

#[test]
fn who_may_be_repeated() {
    let unavailable = Answer { status: 200, grpc_status: Some(14) };
    let on = on(&[RetryCondition::GatewayError, RetryCondition::GrpcUnavailable]);
    for (methods, get, post) in [
        (RetryMethods::Never, false, false),
        (RetryMethods::Idempotent, true, false),
        (RetryMethods::Any, true, true),
        (RetryMethods::Listed(vec!["POST".to_owned()]), false, true),
    ] {
        let policy = RetryPolicy { on, methods, ..policy() };
        let may =
            |attempt| reason(answered(&policy, http(503), Pushback::Unsaid, attempt)).is_none();
        assert_eq!((may(FIRST), may(POST)), (get, post), "{:?}", policy.methods);
        assert_eq!(reason(answered(&policy, unavailable, Pushback::Unsaid, POST)), None);
    }
}

#[test]
fn the_upstream_says_when() {
    let seconds = Duration::from_secs;
    let pause = |pushback| answered(&policy(), http(503), pushback, FIRST);
    assert_eq!(pause(Pushback::After(seconds(3))), Decision::Retry { after: seconds(3) });
    assert_eq!(pause(Pushback::After(seconds(10))), Decision::Retry { after: seconds(10) });
    assert_eq!(pause(Pushback::After(seconds(11))), Decision::GiveUp(GiveUp::PushedBack));
    assert_eq!(pause(Pushback::Never), Decision::GiveUp(GiveUp::PushedBack));
    let hasty = FailedAttempt { time_left: Some(seconds(2)), ..FIRST };
    let decision = answered(&policy(), http(503), Pushback::After(seconds(3)), hasty);
    assert_eq!(decision, Decision::GiveUp(GiveUp::DeadlineTooClose));
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
        (25, 40, Duration::from_secs(10)),
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
