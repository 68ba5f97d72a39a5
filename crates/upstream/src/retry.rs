//! Whether a failed attempt is followed by another one, and after what pause.
//!
//! A request is tried again only where that is safe: the endpoint did not process it, or the method
//! is idempotent (RFC 9110 §9.2.2) and the policy asks for it; and only if all of the request body
//! that was sent is still at hand. Every retry is charged to the cluster's [`Budget`], with one
//! exception: a connection that closed before it processed anything (a pooled connection that the
//! peer closed while it was idle) says nothing about the endpoint's load, so the request goes out
//! again at once and for free. The number of retries bounds these too.

use std::time::{Duration, Instant};

use bulkhead_message::{Failure, FailureKind, Method, Retry};

use crate::{Budget, Rng};

/// Longest pause, before jitter.
pub const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Retries of a request for which the configuration gives no policy.
const RETRIES_DEFAULT: u32 = 2;

/// Pause before the first retry of a request for which the configuration gives no policy.
const BACKOFF_DEFAULT: Duration = Duration::from_millis(25);

/// When and how often to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts beyond the first.
    pub retries: u32,
    /// Statuses of an idempotent request's answer that are tried again.
    pub statuses: Vec<u16>,
    /// Upper end of the pause before the first retry; doubled with each, up to [`BACKOFF_MAX`].
    /// The pause is drawn evenly from zero to there.
    pub backoff: Duration,
    /// Whether an idempotent request may be repeated after it may have been processed.
    pub repeat_idempotent: bool,
}

impl RetryPolicy {
    /// What applies without a policy: only what was surely not processed is sent again.
    pub const fn unprocessed_only() -> Self {
        Self {
            retries: RETRIES_DEFAULT,
            statuses: Vec::new(),
            backoff: BACKOFF_DEFAULT,
            repeat_idempotent: false,
        }
    }
}

/// What the exchange knows after a failed attempt.
#[derive(Clone, Copy, Debug)]
pub struct FailedAttempt {
    /// The request's method.
    pub method: Method,
    /// Retries made before this attempt: 0 after the first.
    pub retries_so_far: u32,
    /// Whether all of the body that was sent can be sent again (true without a body).
    pub replayable: bool,
    /// Time until the exchange's deadline; `None`: no deadline.
    pub time_left: Option<Duration>,
}

/// The decision.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Start another attempt after this pause, which may be zero.
    Retry {
        /// The pause.
        after: Duration,
    },
    /// Answer with what there is.
    GiveUp(GiveUp),
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GiveUp {
    /// The failure, the status or the method does not allow it.
    NotRetryable,
    /// The policy's number of retries is used up.
    AttemptsExhausted,
    /// The body cannot be sent again.
    BodyNotReplayable,
    /// The cluster's budget is used up.
    BudgetExhausted,
    /// The pause would outlast the deadline.
    DeadlineTooClose,
}

impl GiveUp {
    /// A stable name in `snake_case`, for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotRetryable => "not_retryable",
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::BodyNotReplayable => "body_not_replayable",
            Self::BudgetExhausted => "budget_exhausted",
            Self::DeadlineTooClose => "deadline_too_close",
        }
    }
}

impl RetryPolicy {
    /// Decides after an attempt without an answer.
    pub fn after_failure(
        &self,
        failure: &Failure,
        attempt: &FailedAttempt,
        budget: &mut Budget,
        now: Instant,
        rng: &mut Rng,
    ) -> Decision {
        let allowed = match failure.retry {
            Retry::Never => false,
            Retry::Always => true,
            Retry::IfIdempotent => self.repeat_idempotent && attempt.method.is_idempotent(),
        };
        let stale_connection =
            failure.retry == Retry::Always && failure.kind == FailureKind::UpstreamClosed;
        self.decide(allowed, stale_connection, attempt, budget, now, rng)
    }

    /// Decides after an answer with this status. Its head must not have been sent to the client.
    pub fn after_status(
        &self,
        status: u16,
        attempt: &FailedAttempt,
        budget: &mut Budget,
        now: Instant,
        rng: &mut Rng,
    ) -> Decision {
        let allowed = attempt.method.is_idempotent() && self.statuses.contains(&status);
        self.decide(allowed, false, attempt, budget, now, rng)
    }

    fn decide(
        &self,
        allowed: bool,
        free: bool,
        attempt: &FailedAttempt,
        budget: &mut Budget,
        now: Instant,
        rng: &mut Rng,
    ) -> Decision {
        if !allowed {
            return Decision::GiveUp(GiveUp::NotRetryable);
        }
        if attempt.retries_so_far >= self.retries {
            return Decision::GiveUp(GiveUp::AttemptsExhausted);
        }
        if !attempt.replayable {
            return Decision::GiveUp(GiveUp::BodyNotReplayable);
        }
        if free {
            return Decision::Retry { after: Duration::ZERO };
        }
        let after = self.pause(attempt.retries_so_far, rng);
        if attempt.time_left.is_some_and(|left| after >= left) {
            return Decision::GiveUp(GiveUp::DeadlineTooClose);
        }
        if !budget.take_retry(now) {
            return Decision::GiveUp(GiveUp::BudgetExhausted);
        }
        Decision::Retry { after }
    }

    /// Full jitter: clients that failed together do not come back together.
    fn pause(&self, retries_so_far: u32, rng: &mut Rng) -> Duration {
        let factor = 1u32.checked_shl(retries_so_far).unwrap_or(u32::MAX);
        let most = self.backoff.saturating_mul(factor).min(BACKOFF_MAX);
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(rng.below(nanos.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests;
