//! Circuit breakers of routes and clusters, one of each per worker.
//!
//! An exchange holds a pass of its route's from routing to its record, and one of its cluster's for
//! each attempt. Breakers outlive snapshots, by name; passes that come with an evacuated exchange are
//! changed for those of the worker that takes over.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bulkhead_config::model::Protection;
use bulkhead_message::{Failure, FailureKind, Side};
use bulkhead_telemetry::{BreakerScope, BreakerSeries, Registry, Shard};
use bulkhead_upstream::{
    AttemptOutcome, Breaker, BreakerSettings, FailureLimit, Pass, Rejection, Verdict,
};

use crate::exchange_state::Exchange;
use crate::worker::Worker;

/// Stable number of a breaker, the same in all snapshots of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BreakerId(u32);

/// Gives breakers their numbers, and lives as long as the gateway.
#[derive(Debug, Default)]
pub(crate) struct BreakerIds(Mutex<HashMap<(BreakerScope, String), BreakerId>>);

impl BreakerIds {
    fn of(&self, scope: BreakerScope, name: &str) -> BreakerId {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = BreakerId(ids.len() as u32);
        *ids.entry((scope, name.to_owned())).or_insert(next)
    }

    /// What guards a route or a cluster; `None`: nothing does.
    pub(crate) fn guard(
        &self,
        scope: BreakerScope,
        name: &str,
        protection: &Protection,
        registry: &Registry,
    ) -> Option<Guard> {
        if *protection == Protection::default() {
            return None;
        }
        let failures = protection.circuit_breaker.map(|breaker| FailureLimit {
            failure_percent: breaker.failure_percent,
            minimum_requests: breaker.minimum_requests,
            window: breaker.window,
            open_duration: breaker.open_duration,
            half_open_requests: breaker.half_open_requests,
        });
        Some(Guard {
            id: self.of(scope, name),
            settings: BreakerSettings { requests_max: protection.requests_max, failures },
            series: registry.breaker(scope, name),
        })
    }
}

/// What guards a route or a cluster, compiled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guard {
    pub(crate) id: BreakerId,
    settings: BreakerSettings,
    series: BreakerSeries,
}

/// The breakers of a worker, by id.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    places: Vec<Option<(Breaker, BreakerSeries)>>,
    /// Breakers there were so far, so that each has a number of its own.
    made: u64,
}

impl Breakers {
    fn get_mut(&mut self, id: BreakerId) -> Option<&mut Breaker> {
        self.places.get_mut(id.0 as usize)?.as_mut().map(|(breaker, _)| breaker)
    }

    fn put_in_force(&mut self, guard: &Guard) {
        if let Some(breaker) = self.get_mut(guard.id) {
            return breaker.set(guard.settings);
        }
        let index = guard.id.0 as usize;
        if self.places.len() <= index {
            self.places.resize_with(index + 1, || None);
        }
        self.made += 1;
        self.places[index] = Some((Breaker::new(self.made, guard.settings), guard.series));
    }

    /// Ends all breakers but these.
    fn retain(&mut self, keep: impl Fn(BreakerId) -> bool, shard: &Shard) {
        for (id, place) in (0u32..).map(BreakerId).zip(&mut self.places) {
            if !keep(id)
                && let Some((_, series)) = place.take()
            {
                shard.set_breaker(series, false);
            }
        }
    }
}

/// The passes that an exchange holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passes {
    route: Option<(BreakerId, Pass)>,
    cluster: Option<(BreakerId, Pass)>,
    /// After what time the breaker that turned it away lets requests through again.
    pub(crate) retry_after: Option<Duration>,
}

impl Passes {
    /// Takes a pass of the route's breaker, if it has one.
    #[inline]
    pub(crate) fn enter_route(
        &mut self,
        guard: Option<&Guard>,
        gate: Gate<'_>,
    ) -> Result<(), Failure> {
        let Some(guard) = guard else { return Ok(()) };
        self.route = gate.enter(guard, &mut self.retry_after)?;
        Ok(())
    }

    /// Takes a pass of the cluster's breaker, if it has one, for an attempt.
    #[inline]
    pub(crate) fn enter_cluster(
        &mut self,
        guard: Option<&Guard>,
        gate: Gate<'_>,
    ) -> Result<(), Failure> {
        let Some(guard) = guard else { return Ok(()) };
        // An attempt whose endpoint went away while it waited has not ended: it begins anew.
        give_back(self.cluster.take(), Verdict::Neutral, gate.breakers, gate.now);
        self.cluster = gate.enter(guard, &mut self.retry_after)?;
        Ok(())
    }

    /// Takes over the attempt of another exchange for the same request.
    pub(crate) const fn take_cluster(&mut self, other: &mut Self) {
        self.cluster = other.cluster.take();
    }

    /// An attempt ended.
    #[inline]
    pub(crate) fn leave_cluster(
        &mut self,
        outcome: AttemptOutcome,
        breakers: &mut Breakers,
        now: Instant,
    ) {
        let verdict = match outcome {
            AttemptOutcome::Success => Verdict::Success,
            AttemptOutcome::ServerError(_) | AttemptOutcome::Failure => Verdict::Failure,
            AttemptOutcome::Neutral => Verdict::Neutral,
        };
        give_back(self.cluster.take(), verdict, breakers, now);
    }

    /// Changes the passes of another worker for some of this one.
    pub(crate) fn adopt(&mut self, breakers: &mut Breakers) {
        for pass in [&mut self.route, &mut self.cluster] {
            let id = pass.map(|(id, _)| id);
            *pass = id.and_then(|id| Some((id, breakers.get_mut(id)?.adopt())));
        }
    }
}

fn give_back(
    pass: Option<(BreakerId, Pass)>,
    verdict: Verdict,
    breakers: &mut Breakers,
    now: Instant,
) {
    if let Some((id, pass)) = pass
        && let Some(breaker) = breakers.get_mut(id)
    {
        breaker.give_back(pass, verdict, now);
    }
}

/// What it takes to let an exchange through.
#[derive(Debug)]
pub(crate) struct Gate<'a> {
    pub(crate) breakers: &'a mut Breakers,
    pub(crate) shard: &'a Shard,
    pub(crate) now: Instant,
}

impl Gate<'_> {
    fn enter(
        self,
        guard: &Guard,
        retry_after: &mut Option<Duration>,
    ) -> Result<Option<(BreakerId, Pass)>, Failure> {
        // An exchange may be of a configuration before this one, and its breaker gone.
        let Some(breaker) = self.breakers.get_mut(guard.id) else { return Ok(None) };
        match breaker.admit(self.now) {
            Ok(pass) => Ok(Some((guard.id, pass))),
            Err(Rejection::RequestsMax) => {
                self.shard.breaker_full(guard.series);
                let detail = "as many requests as may be are in flight";
                Err(Failure::gateway(FailureKind::Overloaded, detail))
            }
            Err(Rejection::Open { retry_after: after }) => {
                self.shard.breaker_rejected(guard.series);
                *retry_after = Some(after);
                let detail = "the circuit breaker is open";
                Err(Failure::gateway(FailureKind::CircuitOpen, detail))
            }
        }
    }
}

/// What came of a whole exchange. A client may choose the deadline of a gRPC call, so that says nothing.
fn verdict(exchange: &Exchange) -> Verdict {
    if let Some(Failure { kind, side, .. }) = exchange.failure {
        let by_client = exchange.is_grpc && kind == FailureKind::DeadlineExceeded;
        return if side == Side::Upstream && !by_client {
            Verdict::Failure
        } else {
            Verdict::Neutral
        };
    }
    let grpc = exchange.grpc_status.map_or(AttemptOutcome::Success, AttemptOutcome::of_grpc_status);
    match (AttemptOutcome::of_status(exchange.status), grpc) {
        (AttemptOutcome::Success, AttemptOutcome::Success) => Verdict::Success,
        _ => Verdict::Failure,
    }
}

impl Worker {
    /// An exchange is over: it gives back whatever passes it still holds.
    #[inline]
    pub(crate) fn give_back_passes(&mut self, exchange: &Exchange) {
        let Passes { route, cluster, .. } = exchange.passes;
        if route.is_some() || cluster.is_some() {
            give_back(cluster, Verdict::Neutral, &mut self.breakers, self.now);
            give_back(route, verdict(exchange), &mut self.breakers, self.now);
        }
    }

    /// Makes the worker's breakers those of the snapshot. What is the same goes on as it is.
    pub(crate) fn adopt_breakers(&mut self) {
        let snapshot = self.snapshot.clone();
        let kept: HashSet<BreakerId> = snapshot.guards().map(|guard| guard.id).collect();
        self.breakers.retain(|id| kept.contains(&id), &self.shard);
        for guard in snapshot.guards() {
            self.breakers.put_in_force(guard);
        }
    }

    /// Sets what metrics tell of the breakers.
    pub(crate) fn count_breakers(&mut self) {
        for (breaker, series) in self.breakers.places.iter_mut().flatten() {
            self.shard.breaker_opened(*series, breaker.take_opened());
            self.shard.set_breaker(*series, breaker.is_open());
        }
    }
}
