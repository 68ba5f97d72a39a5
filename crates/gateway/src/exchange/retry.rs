//! Whether a failed attempt is followed by another one.

use bulkhead_message::Failure;
use bulkhead_upstream::{Decision, FailedAttempt, GiveUp};

use crate::arena::Key;
use crate::exchange_state::Phase;
use crate::worker::Worker;

impl Worker {
    /// Decides on another attempt, and starts it or sets its time.
    pub(super) fn try_again(&mut self, key: Key, failure: &Failure) -> bool {
        let Self { exchanges, clusters, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return false };
        let (Some(route), Some(cluster)) = (exchange.route, exchange.cluster) else { return false };
        let Some(cluster) = clusters.get_mut(cluster) else { return false };
        let snapshot = exchange.snapshot.clone();
        let policy = &snapshot.route(route).retry;
        let possible =
            exchange.downstream.is_some() && !exchange.has_responded() && exchange.attempts > 0;
        if !possible {
            return false;
        }
        let attempt = FailedAttempt {
            method: exchange.request.method(),
            retries_so_far: exchange.attempts - 1,
            replayable: exchange.request_body.can_replay(),
            time_left: exchange.deadline.map(|at| at.saturating_duration_since(self.now)),
        };
        let budget = cluster.pool.budget();
        let decision = policy.after_failure(failure, &attempt, budget, self.now, &mut self.rng);
        let pause = match decision {
            Decision::Retry { after } => after,
            Decision::GiveUp(reason) => {
                if reason == GiveUp::BudgetExhausted {
                    self.shard.retry_refused(cluster.entry.series);
                }
                return false;
            }
        };
        exchange.request_body.rewind();
        exchange.phase = Phase::Pausing;
        self.shard.retried(cluster.entry.series);
        if pause.is_zero() {
            if let Err(failure) = self.attempt(key) {
                self.exchange_failed(key, failure);
            }
        } else {
            exchange.retry_at = Some(self.now + pause);
            self.set_exchange_timer(key);
        }
        true
    }
}
