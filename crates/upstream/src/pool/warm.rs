//! Connections that are dialled before a request needs them.

use std::hash::Hash;
use std::time::{Duration, Instant};

use super::Pool;
use crate::Rng;
use crate::random::doubled;

/// Pause after the first dial that failed; doubled with each.
const BACKOFF: Duration = Duration::from_secs(1);

/// Longest pause.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// How dials without a request went at one endpoint.
#[derive(Debug, Default)]
pub(super) struct Warmth {
    /// Dials in a row that failed, of whatever reason.
    failures: u32,
    /// No dial before.
    not_before: Option<Instant>,
}

impl Warmth {
    pub(super) const fn dial_failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    pub(super) const fn dial_succeeded(&mut self) {
        *self = Self { failures: 0, not_before: None };
    }

    /// Between half of the pause and all of it, so that workers do not dial in step.
    fn pause(&self, rng: &mut Rng) -> Duration {
        let half = doubled(BACKOFF, self.failures, BACKOFF_MAX) / 2;
        half + rng.duration_up_to(half)
    }
}

impl<K: Copy + Eq + Hash> Pool<K> {
    /// How many connections of this lane are to be dialled now, so that `preconnect` are open.
    /// The caller dials them: until the pause is over there are no more.
    pub(crate) fn take_warm_dials(&mut self, lane: u32, now: Instant, rng: &mut Rng) -> usize {
        let most = self.limits.preconnect.min(self.connections_of_protocol_max());
        let Some(line) = self.lanes.get_mut(lane) else { return 0 };
        let missing = most.saturating_sub(line.open);
        if missing == 0 || line.warmth.not_before.is_some_and(|at| now < at) {
            return 0;
        }
        line.warmth.not_before = Some(now + line.warmth.pause(rng));
        // One tells whether the endpoint is there again.
        if line.warmth.failures > 0 { 1 } else { missing }
    }
}

#[cfg(test)]
mod tests;
