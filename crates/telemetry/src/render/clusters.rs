//! Metrics of clusters: attempts, connections, endpoints.

use super::{CounterOf, Exposition, Kind, View, histogram, sum};
use crate::histogram::{ExportedHistogram, ExportedSum};
use crate::series::{ClusterCells, MirrorOutcome};

/// Label, and where the histogram is.
type HistogramOf = (&'static str, fn(&ClusterCells) -> &ExportedHistogram);

pub(super) fn attempts(out: &mut Exposition, view: &View<'_>) {
    out.family("http_client_request_duration_seconds", Kind::Histogram, "Attempts at endpoints.");
    let outcomes: [HistogramOf; 2] =
        [("ok", |cells| &cells.attempts_ok), ("failed", |cells| &cells.attempts_failed)];
    for (id, name) in view.clusters.iter().enumerate() {
        for (outcome, attempts) in outcomes {
            let sum = durations(view, id, attempts);
            histogram(out, &[("cluster", name.as_str()), ("outcome", outcome)], &sum);
        }
    }
}

/// A histogram of cluster `id`, summed over the workers.
fn durations(
    view: &View<'_>,
    id: usize,
    histogram: impl Fn(&ClusterCells) -> &ExportedHistogram,
) -> ExportedSum {
    let mut sum = ExportedSum::default();
    view.cluster_cells(id).for_each(|cells| histogram(cells).add_to(&mut sum));
    sum
}

pub(super) fn clusters(out: &mut Exposition, view: &View<'_>) {
    out.family("http_client_open_connections", Kind::Gauge, "Upstream connections open now.");
    each_cluster(out, view, |cells| {
        (cells.connects_ok.get() as i64).saturating_sub(cells.connections_closed.get() as i64)
    });
    let counters: [CounterOf<ClusterCells>; 10] = [
        ("bulkhead_upstream_connects_total", "Upstream connections made.", |cells| {
            &cells.connects_ok
        }),
        ("bulkhead_upstream_connect_failures_total", "Connections that failed.", |cells| {
            &cells.connects_failed
        }),
        ("bulkhead_retries_total", "Attempts beyond the first.", |cells| &cells.retries),
        ("bulkhead_retries_refused_total", "Retries that the budget forbade.", |cells| {
            &cells.retries_refused
        }),
        (
            "bulkhead_hedges_total",
            "Second attempts that were made while the first had no answer.",
            |cells| &cells.hedges,
        ),
        ("bulkhead_hedges_won_total", "Second attempts that were answered first.", |cells| {
            &cells.hedges_won
        }),
        (
            "bulkhead_hedge_connections_closed_total",
            "HTTP/1 connections that were closed because their attempt had lost.",
            |cells| &cells.hedge_connections_closed,
        ),
        ("bulkhead_ejections_total", "Endpoints ejected.", |cells| &cells.ejections),
        ("bulkhead_cluster_overloads_total", "Requests turned away at pending_max.", |cells| {
            &cells.overloads
        }),
        ("bulkhead_cluster_shed_total", "Requests shed at the concurrency limit.", |cells| {
            &cells.shed
        }),
    ];
    for (family, help, counter) in counters {
        out.family(family, Kind::Counter, help);
        each_cluster(out, view, |cells| counter(cells).get() as i64);
    }
    mirrors(out, view);
    out.family(
        "bulkhead_upstream_round_trip_seconds",
        Kind::Histogram,
        "PINGs of HTTP/2 keep-alive until their answer.",
    );
    for (id, name) in view.clusters.iter().enumerate() {
        let round_trips = durations(view, id, |cells| &cells.round_trips);
        histogram(out, &[("cluster", name.as_str())], &round_trips);
    }
    let help = "Concurrency limits that the workers have learnt, summed up; 0: none.";
    out.family("bulkhead_cluster_concurrency_limit", Kind::Gauge, help);
    each_cluster(out, view, |cells| cells.concurrency_limit.get() as i64);
}

/// Nothing of clusters that no request was copied to.
fn mirrors(out: &mut Exposition, view: &View<'_>) {
    out.family(
        "bulkhead_mirrored_requests_total",
        Kind::Counter,
        "Copies of requests to this cluster, which are not among the requests.",
    );
    for (id, name) in view.clusters.iter().enumerate() {
        for (outcome, label) in MirrorOutcome::ALL {
            let counts = view.cluster_cells(id).map(|cells| cells.mirrors[outcome as usize].get());
            let count: u64 = counts.sum();
            if count > 0 {
                out.sample(&[("cluster", name.as_str()), ("outcome", label)], count);
            }
        }
    }
}

/// Endpoints: of the process what active checks say, of the workers what each has found itself.
pub(super) fn endpoints(out: &mut Exposition, view: &View<'_>) {
    let clusters = view.registry.endpoints();
    out.family("bulkhead_cluster_endpoints", Kind::Gauge, "Endpoints of the cluster.");
    for counts in &clusters {
        out.sample(&[("cluster", &counts.cluster)], counts.endpoints);
    }
    out.family(
        "bulkhead_cluster_healthy_endpoints",
        Kind::Gauge,
        "Endpoints that active checks call healthy; without checks, all.",
    );
    for counts in &clusters {
        out.sample(&[("cluster", &counts.cluster)], counts.healthy);
    }
    out.family(
        "bulkhead_cluster_ejected_endpoints",
        Kind::Gauge,
        "Endpoints ejected now, summed over the workers.",
    );
    each_cluster(out, view, |cells| cells.endpoints_ejected.get() as i64);
    out.family(
        "bulkhead_cluster_panic_workers",
        Kind::Gauge,
        "Workers that send to all endpoints because too few are available.",
    );
    each_cluster(out, view, |cells| cells.panics.get() as i64);
}

/// One sample for each cluster that any worker has used. Single workers may be below 0 after an
/// evacuation; the sum is not.
fn each_cluster(out: &mut Exposition, view: &View<'_>, value: impl Fn(&ClusterCells) -> i64) {
    for (id, name) in view.clusters.iter().enumerate() {
        if let Some(sum) = sum(view.cluster_cells(id), &value) {
            out.sample(&[("cluster", name)], sum.max(0));
        }
    }
}
