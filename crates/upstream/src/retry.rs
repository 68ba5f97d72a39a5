//! Whether a failed attempt is followed by another one, and after what pause.
//!
//! A request is tried again only where the policy's conditions ask for it ([`RetryCondition`]) and
//! where that is safe: the endpoint did not process it, or the method is one that the policy lets
//! repeat (by default the idempotent ones, RFC 9110 §9.2.2), or it is a gRPC call that was answered
//! with a status which the policy names; and only if all of the request body that was sent is still
//! at hand. Every retry is charged to the cluster's [`Budget`], with one exception: a connection that
//! closed before it processed anything (a pooled connection that the peer closed while it was idle)
//! says nothing about the endpoint or its load, so the request goes out again at once and for free,
//! whatever the conditions are. The number of retries bounds these too.

mod condition;

use std::time::{Duration, Instant};

use bulkhead_message::{Failure, FailureKind, Method, Retry, RetryCondition};

pub use condition::RetryConditions;

use crate::random::doubled;
use crate::{Budget, Rng};

/// Longest pause, before jitter, of a request for which the configuration gives no policy.
const BACKOFF_MAX_DEFAULT: Duration = Duration::from_secs(10);

/// Retries of a request for which the configuration gives no policy.
const RETRIES_DEFAULT: u32 = 2;

/// Pause before the first retry of a request for which the configuration gives no policy.
const BACKOFF_DEFAULT: Duration = Duration::from_millis(25);

/// When and how often to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts beyond the first.
    pub retries: u32,
    /// What is tried again.
    pub on: RetryConditions,
    /// Statuses for [`RetryCondition::RetriableStatus`].
    pub statuses: Vec<u16>,
    /// Upper end of the pause before the first retry; doubled with each, up to `backoff_max`.
    /// The pause is drawn evenly from zero to there.
    pub backoff: Duration,
    /// Upper end of every pause, also of one that the upstream asks for.
    pub backoff_max: Duration,
    /// Which requests may be repeated after they may have been processed.
    pub methods: RetryMethods,
}

/// Requests that may be repeated after they may have been processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryMethods {
    /// None.
    Never,
    /// Those whose repetition has no further effect (RFC 9110 §9.2.2).
    Idempotent,
    /// All: the upstream recognizes a repetition by other means.
    Any,
    /// Those with these methods, in their own case.
    Listed(Vec<String>),
}

impl RetryMethods {
    /// Whether a request with this method may be repeated. `text` is the method's token.
    pub fn allow(&self, method: Method, text: &[u8]) -> bool {
        match self {
            Self::Never => false,
            Self::Idempotent => method.is_idempotent(),
            Self::Any => true,
            Self::Listed(methods) => methods.iter().any(|listed| listed.as_bytes() == text),
        }
    }
}

impl RetryPolicy {
    /// What applies without a policy: only what was surely not processed is sent again.
    pub const fn unprocessed_only() -> Self {
        Self {
            retries: RETRIES_DEFAULT,
            on: RetryConditions::unprocessed(),
            statuses: Vec::new(),
            backoff: BACKOFF_DEFAULT,
            backoff_max: BACKOFF_MAX_DEFAULT,
            methods: RetryMethods::Never,
        }
    }
}

/// What the exchange knows after a failed attempt.
#[derive(Clone, Copy, Debug)]
pub struct FailedAttempt<'a> {
    /// The request's method.
    pub method: Method,
    /// Its token.
    pub method_text: &'a [u8],
    /// Retries made before this attempt: 0 after the first.
    pub retries_so_far: u32,
    /// Whether all of the body that was sent can be sent again (true without a body).
    pub replayable: bool,
    /// Time until the exchange's deadline; `None`: no deadline.
    pub time_left: Option<Duration>,
}

/// An answer that may be thrown away for another attempt. Nothing of it was passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its `grpc-status`, if it is one of gRPC that consists of trailers only.
    pub grpc_status: Option<u8>,
}

/// When the upstream wants to be asked again (`retry-after`, `grpc-retry-pushback-ms`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pushback {
    /// It does not say.
    #[default]
    Unsaid,
    /// Not earlier than after so long.
    After(Duration),
    /// Not at all.
    Never,
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
    /// The upstream asks not to be asked again, or only after more than `backoff_max`.
    PushedBack,
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
            Self::PushedBack => "pushed_back",
        }
    }
}

impl RetryPolicy {
    /// Whether the conditions name this answer, whatever else there is to consider.
    #[inline]
    pub fn names(&self, answer: Answer) -> bool {
        match answer.status {
            200 => answer.grpc_status.is_some_and(|status| self.on.has_grpc_status(status)),
            400.. => self.names_status(answer.status),
            _ => false,
        }
    }

    fn names_status(&self, status: u16) -> bool {
        let on = &self.on;
        (on.has(RetryCondition::RetriableStatus) && self.statuses.contains(&status))
            || (on.has(RetryCondition::GatewayError) && matches!(status, 502..=504))
            || (on.has(RetryCondition::ServerError) && matches!(status, 500..=599))
    }

    /// Decides after an attempt without an answer.
    pub fn after_failure(
        &self,
        failure: &Failure,
        attempt: &FailedAttempt<'_>,
        budget: &mut Budget,
        now: Instant,
        rng: &mut Rng,
    ) -> Decision {
        let stale_connection =
            failure.retry == Retry::Always && failure.kind == FailureKind::UpstreamClosed;
        let named = RetryCondition::of_failure(failure).is_some_and(|named| self.on.has(named));
        let allowed = match failure.retry {
            Retry::Never => false,
            Retry::Always => stale_connection || named,
            Retry::IfIdempotent => named && self.methods.allow(attempt.method, attempt.method_text),
        };
        if let Err(reason) = self.consider(allowed, attempt) {
            return Decision::GiveUp(reason);
        }
        if stale_connection {
            return Decision::Retry { after: Duration::ZERO };
        }
        Self::grant(self.pause(attempt.retries_so_far, rng), attempt, budget, now)
    }

    /// Decides after an answer. Its head must not have been sent to the client.
    pub fn after_answer(
        &self,
        answer: Answer,
        pushback: Pushback,
        attempt: &FailedAttempt<'_>,
        budget: &mut Budget,
        now: Instant,
        rng: &mut Rng,
    ) -> Decision {
        // Whoever names a status of gRPC means calls, and these are all sent by POST.
        let may_repeat =
            answer.status == 200 || self.methods.allow(attempt.method, attempt.method_text);
        if let Err(reason) = self.consider(may_repeat && self.names(answer), attempt) {
            return Decision::GiveUp(reason);
        }
        let pause = self.pause(attempt.retries_so_far, rng);
        match pushback {
            Pushback::Unsaid => Self::grant(pause, attempt, budget, now),
            Pushback::After(least) if least <= self.backoff_max => {
                Self::grant(pause.max(least), attempt, budget, now)
            }
            Pushback::After(_) | Pushback::Never => Decision::GiveUp(GiveUp::PushedBack),
        }
    }

    fn consider(&self, allowed: bool, attempt: &FailedAttempt<'_>) -> Result<(), GiveUp> {
        if !allowed {
            Err(GiveUp::NotRetryable)
        } else if attempt.retries_so_far >= self.retries {
            Err(GiveUp::AttemptsExhausted)
        } else if !attempt.replayable {
            Err(GiveUp::BodyNotReplayable)
        } else {
            Ok(())
        }
    }

    fn grant(
        after: Duration,
        attempt: &FailedAttempt<'_>,
        budget: &mut Budget,
        now: Instant,
    ) -> Decision {
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
        rng.duration_up_to(doubled(self.backoff, retries_so_far, self.backoff_max))
    }
}

#[cfg(test)]
mod tests;
