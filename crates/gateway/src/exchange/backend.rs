//! The backend of an exchange: chosen once, and the same for all its attempts.

use std::sync::Arc;
use std::time::Instant;

use bulkhead_message::{Failure, FailureKind};
use bulkhead_upstream::{AttemptOutcome, EndpointId, PickHints, Rng, Subset};

use super::Affinity;
use crate::endpoints::{ClusterState, Clusters};
use crate::exchange_state::{Exchange, Role};
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

/// The endpoint for the next attempt: not one that was tried, if there is another.
pub(super) fn pick_endpoint(
    exchange: &Exchange,
    cluster: &mut ClusterState,
    now: Instant,
    rng: &mut Rng,
) -> Option<EndpointId> {
    let hints =
        PickHints { avoid: None, hash: exchange.affinity.hash, subset: subset_of(exchange) };
    match exchange.attempts {
        0 => cluster.pool.pick(now, rng, hints),
        _ => cluster.pool.pick_untried(now, rng, hints, &exchange.tried),
    }
}

/// The part of its cluster that an exchange goes to; that of a mirror is no backend of the route.
pub(super) fn subset_of(exchange: &Exchange) -> Option<&Arc<Subset>> {
    match exchange.role {
        Role::Client | Role::Hedge(_) => backend_of(exchange)?.subset.as_ref(),
        Role::Mirror => None,
    }
}

/// The backend, as the snapshot that the exchange began with has it.
fn backend_of(exchange: &Exchange) -> Option<&BackendEntry> {
    exchange.snapshot.route(exchange.route?).backend(exchange.backend)
}

/// Tells the balancer, if it wants to know, how long the head of an answer took that is no failure.
pub(super) fn observe_latency(exchange: &Exchange, clusters: &mut Clusters, now: Instant) {
    if let (Some(id), Some(endpoint)) = (exchange.cluster, exchange.endpoint)
        && let Some(cluster) = clusters.get_mut(id)
        && cluster.pool.measures_latency()
        && exchange.attempt_outcome != AttemptOutcome::Neutral
        && !cluster.pool.is_failure(exchange.attempt_outcome)
    {
        let latency = now.saturating_duration_since(exchange.attempt_started);
        cluster.pool.observe(endpoint, now, latency);
    }
}
