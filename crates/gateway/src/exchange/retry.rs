//! Whether a failed attempt is followed by another one. An answer with a status that the route
//! retries is thrown away only once the other attempt is granted: else it is the client's.

use std::time::{Duration, Instant};

use bulkhead_codec::ErrorCode;
use bulkhead_message::{Failure, Known, ResponseHead};
use bulkhead_upstream::{Answer, AttemptOutcome, Decision, FailedAttempt, GiveUp, Pushback};

use super::grpc_status;
use super::pushback::pushback;
use crate::arena::Key;
use crate::exchange_state::{Exchange, Phase, Role};
use crate::worker::Worker;

/// Why there might be another attempt.
#[derive(Clone, Copy, Debug)]
enum Cause<'a> {
    /// There is no answer.
    Failure(&'a Failure),
    /// There is one, which also says when the upstream wants to be asked again.
    Answer(Answer, Pushback),
}

/// Tells the upstream which attempt it sees, from 1.
const ATTEMPT_COUNT: &[u8] = b"x-bulkhead-attempt-count";

/// An answer as far as it matters for retries; `end`: the head is all of it.
pub(super) fn answer_of(exchange: &Exchange, head: &ResponseHead, end: bool) -> Answer {
    let trailers_only = end && exchange.is_grpc;
    let grpc_status =
        if trailers_only { grpc_status(head.fields.get(Known::GrpcStatus)) } else { None };
    Answer { status: head.status, grpc_status }
}

/// What the route wants of an attempt that begins: the upstream is told its number, and the first
/// one may be followed by a second before it fails.
pub(super) fn prepare_attempt(exchange: &mut Exchange, now: Instant) {
    let Some(route) = exchange.route else { return };
    let route = exchange.snapshot.route(route);
    let (marks, hedge_delay) = (route.marks_attempts, route.hedge_delay);
    let first = exchange.attempts == 1 && exchange.role == Role::Client;
    exchange.hedge_at = hedge_delay.filter(|_| first).and_then(|delay| now.checked_add(delay));
    if marks {
        mark_attempt(exchange);
    }
}

fn mark_attempt(exchange: &mut Exchange) {
    let number = exchange.attempts.to_string();
    exchange.request.fields.set_named(ATTEMPT_COUNT, number.as_bytes());
}

impl Worker {
    /// Decides on another attempt after a failure, and starts it or sets its time.
    pub(super) fn try_again(&mut self, key: Key, failure: &Failure) -> bool {
        let Some(pause) = self.grant_retry(key, Cause::Failure(failure)) else { return false };
        self.retry_after(key, pause);
        true
    }

    /// Decides on another attempt after the answer in `heads.response`, of which nothing was passed
    /// on; `end`: the head is all of it. False: the answer stands.
    fn retry_answer(&mut self, key: Key, answer: Answer, end: bool) -> bool {
        let is_grpc = self.exchanges.get(key).is_some_and(|exchange| exchange.is_grpc);
        let pushback = pushback(&self.heads.response.fields, is_grpc, self.unix_s);
        let cause = Cause::Answer(answer, pushback);
        let Some(pause) = self.grant_retry(key, cause) else { return false };
        self.discard_answer(key, answer.status, end);
        self.retry_after(key, pause);
        true
    }

    /// Whether the answer in `heads.response`, of which nothing was passed on, is thrown away for that
    /// of another attempt; `end`: the head is all of it.
    pub(super) fn is_replaced(&mut self, key: Key, end: bool) -> bool {
        let Some(exchange) = self.exchanges.get(key) else { return false };
        let Some(route) = exchange.route else { return false };
        let answer = answer_of(exchange, &self.heads.response, end);
        let retried = exchange.snapshot.route(route).retry.names(answer);
        let hedged = exchange.hedge != Key::NONE;
        (hedged && self.wait_for_hedge(key, answer, end))
            || (retried && self.retry_answer(key, answer, end))
    }

    /// Throws an answer away, of which nothing was passed on.
    pub(super) fn discard_answer(&mut self, key: Key, status: u16, end: bool) {
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.attempt_outcome = AttemptOutcome::of_status(status);
            exchange.response_ended = end;
        }
        if end {
            self.upstream_ended(key);
        }
        self.detach_upstream(key, ErrorCode::CANCEL);
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
            method_text: exchange.request.method_text(),
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
            Cause::Answer(answer, pushback) => {
                policy.after_answer(answer, pushback, &attempt, budget, self.now, rng)
            }
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

    /// The exchange is to avoid its endpoint from now on.
    pub(super) fn note_tried(&mut self, key: Key) {
        let Self { exchanges, clusters, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return };
        if let (Some(id), Some(endpoint)) = (exchange.cluster, exchange.endpoint)
            && let Some(address) = clusters.get(id).and_then(|it| it.pool.address(endpoint))
        {
            exchange.tried.add(&address);
        }
    }

    fn retry_after(&mut self, key: Key, pause: Duration) {
        self.note_tried(key);
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
