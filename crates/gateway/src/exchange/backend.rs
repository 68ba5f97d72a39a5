//! The backend of an exchange: chosen once, and the same for all its attempts.

use std::time::Instant;

use bulkhead_message::{Failure, FailureKind};
use bulkhead_upstream::{AttemptOutcome, Rng};

use super::Affinity;
use crate::endpoints::Clusters;
use crate::exchange_state::Exchange;
use crate::snapshot::{BackendEntry, RouteEntry};

/// Draws a backend by weight, and notes what the request sticks to there.
pub(super) fn choose_backend(
    exchange: &mut Exchange,
    route: &RouteEntry,
    rng: &mut Rng,
) -> Result<(), Failure> {
    let none = Failure::gateway(FailureKind::NoEndpoint, "the route has no backend");
    let number = route.choose(rng.next()).ok_or(none)?;
    let backend = route.backend(number).ok_or(none)?;
    exchange.backend = number;
    exchange.cluster = Some(backend.cluster);
    if !backend.hash_on.is_empty() {
        exchange.affinity = Affinity::of(&backend.hash_on, &exchange.request, exchange.client, rng);
    }
    Ok(())
}

/// The backend, as the snapshot that the exchange began with has it.
pub(super) fn backend_of(exchange: &Exchange) -> Option<&BackendEntry> {
    exchange.snapshot.route(exchange.route?).backend(exchange.backend)
}

/// Tells the balancer, if it wants to know, how long the head of a good answer took.
pub(super) fn observe_latency(exchange: &Exchange, clusters: &mut Clusters, now: Instant) {
    if let (Some(id), Some(endpoint)) = (exchange.cluster, exchange.endpoint)
        && let Some(cluster) = clusters.get_mut(id)
        && cluster.pool.measures_latency()
        && exchange.attempt_outcome == AttemptOutcome::Success
    {
        let latency = now.saturating_duration_since(exchange.attempt_started);
        cluster.pool.observe(endpoint, now, latency);
    }
}
