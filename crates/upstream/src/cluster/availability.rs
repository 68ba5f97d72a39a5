//! Which endpoints of a cluster get requests, and how large their shares are: ejections and their
//! ends, verdicts of active checks, slow starts. All of it is reckoned when something changes or is
//! due, never per request.

use std::hash::Hash;
use std::time::{Duration, Instant};

use bulkhead_message::Address;

use super::Cluster;
use crate::ejection::{may_eject, outliers};
use crate::{AttemptOutcome, EndpointId, ServerErrors};

/// When something is to be reckoned next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Due {
    /// The earliest of all; `None`: nothing is due by time.
    next: Option<Instant>,
    /// End of the interval that rates are counted in.
    interval_ends: Option<Instant>,
}

impl Due {
    #[inline]
    pub(crate) fn is_reached(self, now: Instant) -> bool {
        self.next.is_some_and(|due| due <= now)
    }

    /// Whether an interval for rates has begun.
    pub(crate) const fn has_interval(self) -> bool {
        self.interval_ends.is_some()
    }

    fn by(&mut self, due: Instant) {
        self.next = Some(self.next.map_or(due, |earlier| earlier.min(due)));
    }
}

impl<K: Copy + Eq + Hash> Cluster<K> {
    /// Takes verdicts of active checks, by address; an endpoint without one stays as it is. One that
    /// recovers is not ejected any more, and starts slowly, if it is to.
    pub fn set_health(&mut self, verdict: impl Fn(&Address) -> Option<bool>, now: Instant) {
        let started_at = self.slow_start.map(|_| now);
        let mut changed = false;
        for endpoint in self.endpoints.live_mut() {
            let Some(healthy) = verdict(&endpoint.address) else { continue };
            if endpoint.healthy == healthy {
                continue;
            }
            changed = true;
            endpoint.healthy = healthy;
            if healthy {
                endpoint.health.release();
                endpoint.started_at = started_at;
            }
        }
        if changed {
            self.review(now);
        }
    }

    /// There are no active checks any more: what they said is forgotten.
    pub fn trust_everybody(&mut self, now: Instant) {
        self.endpoints.live_mut().for_each(|endpoint| endpoint.healthy = true);
        self.review(now);
    }

    /// Whether so few endpoints are available that requests go to all of them.
    pub const fn in_panic(&self) -> bool {
        self.endpoints.panic
    }

    /// Endpoints that are ejected.
    pub fn ejected(&self, now: Instant) -> usize {
        let until = self.endpoints.live().filter_map(|(_, e)| e.health.ejected_until());
        until.filter(|&until| until > now).count()
    }

    /// Whether an outcome counts against its endpoint.
    pub fn is_failure(&self, outcome: AttemptOutcome) -> bool {
        outcome.is_failure(self.ejection.map_or(ServerErrors::OF_GATEWAYS, |e| e.codes))
    }

    /// Ejects an endpoint, unless it is ejected already or as many are as may be; gives for how long.
    #[cold]
    pub(super) fn eject(&mut self, id: EndpointId, now: Instant) -> Option<Duration> {
        if self.due.is_reached(now) {
            self.review(now);
        }
        // Where none may be ejected, each further failure ends here, and nothing has changed.
        let length = self.eject_one(id, now)?;
        self.rebalance();
        Some(length)
    }

    fn eject_one(&mut self, id: EndpointId, now: Instant) -> Option<Duration> {
        let settings = self.ejection?;
        let total = self.endpoints.live().count();
        let ejected = self.endpoints.live().filter(|(_, e)| e.health.is_ejected()).count();
        let endpoint = self.endpoints.get_mut(id)?;
        if endpoint.health.is_ejected() || !may_eject(ejected, total, &settings) {
            return None;
        }
        let length = endpoint.health.eject(now, &settings);
        self.due.by(now + length);
        Some(length)
    }

    /// Does what is due by `now`, finds out what is due next, and has the balancer look at the
    /// endpoints anew.
    #[cold]
    pub(super) fn review(&mut self, now: Instant) {
        self.due.next = None;
        self.end_ejections(now);
        self.end_interval(now);
        self.set_shares(now);
        self.rebalance();
    }

    fn end_ejections(&mut self, now: Instant) {
        let started_at = self.slow_start.map(|_| now);
        for endpoint in self.endpoints.live_mut() {
            if endpoint.health.return_at(now) {
                endpoint.started_at = started_at;
            }
            if let Some(until) = endpoint.health.ejected_until() {
                self.due.by(until);
            }
        }
    }

    /// Looks at the rates of an interval that is over.
    fn end_interval(&mut self, now: Instant) {
        let Some(settings) = self.ejection.filter(|settings| settings.counts_rates()) else {
            self.due.interval_ends = None;
            return;
        };
        let next = now + settings.interval;
        let ends = *self.due.interval_ends.get_or_insert(next);
        if ends > now {
            return self.due.by(ends);
        }
        self.due.interval_ends = Some(next);
        self.due.by(next);
        let in_service = self.endpoints.live().filter(|(_, e)| !e.health.is_ejected());
        let tallies: Vec<_> = in_service
            .filter_map(|(index, e)| Some((self.endpoints.id(index)?, e.health.tally)))
            .collect();
        self.endpoints.live_mut().for_each(|e| e.health.tally = Default::default());
        let (rate, share) = (settings.success_rate, settings.failure_percentage);
        for id in outliers(&tallies, rate.as_ref(), share.as_ref()) {
            let ejected = self.eject_one(id, now).is_some();
            self.rate_ejections += u32::from(ejected);
        }
    }

    /// Computes the shares anew of endpoints that start slowly.
    fn set_shares(&mut self, now: Instant) {
        let slow_start = self.slow_start;
        for endpoint in self.endpoints.live_mut() {
            endpoint.started_at =
                endpoint.started_at.filter(|&at| slow_start.is_some_and(|s| !s.is_over(at, now)));
        }
        let anybody = self.endpoints.live().any(|(_, endpoint)| endpoint.started_at.is_some());
        let slow_start = slow_start.filter(|_| anybody);
        for endpoint in self.endpoints.live_mut() {
            let weight = endpoint.configured_weight;
            endpoint.weight = match (slow_start, endpoint.started_at) {
                (None, _) => weight,
                (Some(_), None) => weight.saturating_mul(crate::slow_start::SCALE),
                (Some(slow_start), Some(at)) => slow_start.share(weight, at, now),
            };
        }
        if let Some(slow_start) = slow_start {
            self.due.by(now + slow_start.step());
        }
    }

    /// Has the balancer look at the endpoints anew.
    pub(super) fn rebalance(&mut self) {
        self.endpoints.judge();
        self.balancer.rebuild(&self.endpoints);
    }

    /// Ejections since the last call that no attempt was told of by [`Cluster::finished`]: those that
    /// rates led to.
    pub const fn take_rate_ejections(&mut self) -> u32 {
        std::mem::replace(&mut self.rate_ejections, 0)
    }
}
