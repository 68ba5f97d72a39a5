//! Whether a failed attempt is followed by another one. An answer with a status that the route
//! retries is thrown away only once the other attempt is granted: else it is the client's.

use std::time::Duration;

use bulkhead_codec::ErrorCode;
use bulkhead_message::Failure;
use bulkhead_upstream::{AttemptOutcome, Decision, FailedAttempt, GiveUp};

use crate::arena::Key;
use crate::exchange_state::Phase;
use crate::worker::Worker;

/// Why there might be another attempt.
#[derive(Clone, Copy, Debug)]
enum Cause<'a> {
    /// There is no answer.
    Failure(&'a Failure),
    /// There is one, with this status.
    Status(u16),
}

impl Worker {
    /// Decides on another attempt after a failure, and starts it or sets its time.
    pub(super) fn try_again(&mut self, key: Key, failure: &Failure) -> bool {
        let Some(pause) = self.grant_retry(key, Cause::Failure(failure)) else { return false };
        self.retry_after(key, pause);
        true
    }

    /// Decides on another attempt after an answer, of which nothing was passed on; `end`: the head
    /// is all of it. False: the answer stands.
    pub(super) fn retry_status(&mut self, key: Key, status: u16, end: bool) -> bool {
        let Some(pause) = self.grant_retry(key, Cause::Status(status)) else { return false };
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.attempt_outcome = AttemptOutcome::of_status(status);
            exchange.response_ended = end;
        }
        if end {
            self.upstream_ended(key);
        }
        self.detach_upstream(key, ErrorCode::CANCEL);
        self.retry_after(key, pause);
        true
    }

    /// The pause before another attempt, which is charged to the budget by asking; `None`: there is
    /// to be none.
    fn grant_retry(&mut self, key: Key, cause: Cause<'_>) -> Option<Duration> {
        let Self { exchanges, clusters, .. } = self;
        let exchange = exchanges.get(key)?;
        let (route, cluster) = (exchange.route?, clusters.get_mut(exchange.cluster?)?);
        if exchange.downstream.is_none() || exchange.has_responded() || exchange.attempts == 0 {
            return None;
        }
        let policy = &exchange.snapshot.route(route).retry;
        let attempt = FailedAttempt {
            method: exchange.request.method(),
            retries_so_far: exchange.attempts - 1,
            // Of a tunnel nothing was sent yet.
            replayable: exchange.tunnel.is_some() || exchange.request_body.can_replay(),
            time_left: exchange.deadline.map(|at| at.saturating_duration_since(self.now)),
        };
        let (budget, rng) = (cluster.pool.budget(), &mut self.rng);
        let decision = match cause {
            Cause::Failure(failure) => {
                policy.after_failure(failure, &attempt, budget, self.now, rng)
            }
            Cause::Status(status) => policy.after_status(status, &attempt, budget, self.now, rng),
        };
        match decision {
            Decision::Retry { after } => {
                self.shard.retried(cluster.entry.series);
                Some(after)
            }
            Decision::GiveUp(reason) => {
                if reason == GiveUp::BudgetExhausted {
                    self.shard.retry_refused(cluster.entry.series);
                }
                None
            }
        }
    }

    fn retry_after(&mut self, key: Key, pause: Duration) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        exchange.request_body.rewind();
        exchange.response_ended = false;
        exchange.phase = Phase::Pausing;
        if pause.is_zero() {
            if let Err(failure) = self.attempt(key) {
                self.exchange_failed(key, failure);
            }
        } else {
            exchange.retry_at = Some(self.now + pause);
            self.set_exchange_timer(key);
        }
    }
}
