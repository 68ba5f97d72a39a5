//! Which metrics there are: names, labels and help, and how each is summed over the workers.
//!
//! Names follow OpenTelemetry's semantic conventions in Prometheus' spelling (`http_server_*`,
//! `http_client_*`, `process_*`); what only this gateway has is `bulkhead_*`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::breaker::BreakerCells;
use crate::counter::Counter;
use crate::exposition::{Exposition, Kind, Label};
use crate::histogram::{BOUNDARIES, ExportedHistogram, ExportedSum};
use crate::process::ProcessFacts;
use crate::reasons::Reasons;
use crate::registry::{ExchangeName, Registry};
use crate::series::{ClusterCells, ExchangeCells, MirrorOutcome, STATUS_CLASSES, VERSIONS};
use crate::shard::{SIDES, Shard};

mod relays;

/// Family, help, and where the number is.
type CounterOf<T> = (&'static str, &'static str, fn(&T) -> &Counter);
/// Label, and where the histogram is.
type HistogramOf<T> = (&'static str, fn(&T) -> &ExportedHistogram);

/// What is rendered, gathered so that no lock is held meanwhile.
struct View<'a> {
    registry: &'a Registry,
    shards: Vec<(usize, Arc<Shard>)>,
    exchanges: Vec<Arc<ExchangeName>>,
    clusters: Vec<Arc<String>>,
}

pub(crate) fn render(registry: &Registry) -> String {
    let view = View {
        registry,
        shards: registry.shards(),
        exchanges: registry.exchange_names(),
        clusters: registry.cluster_names(),
    };
    let mut out = Exposition::default();
    exchanges(&mut out, &view);
    durations(&mut out, &view);
    connections(&mut out, &view);
    tunnels(&mut out, &view);
    relays::relays(&mut out, &view);
    failures(&mut out, &view);
    attempts(&mut out, &view);
    clusters(&mut out, &view);
    endpoints(&mut out, &view);
    breakers(&mut out, &view);
    overload(&mut out, &view);
    workers(&mut out, &view);
    gateway(&mut out, &view);
    registry.certificates().render(&mut out);
    process(&mut out);
    out.finish()
}

impl View<'_> {
    fn sum(&self, counter: impl Fn(&Shard) -> &Counter) -> u64 {
        self.shards.iter().map(|(_, shard)| counter(shard).get()).sum()
    }

    fn reasons(&self, reasons: impl Fn(&Shard) -> &Reasons) -> BTreeMap<&'static str, u64> {
        let mut sum = BTreeMap::new();
        for (_, shard) in &self.shards {
            reasons(shard).add_to(&mut sum);
        }
        sum
    }

    /// Cells of series `id` on every worker that has used it.
    fn exchange_cells(&self, id: usize) -> impl Iterator<Item = &ExchangeCells> {
        self.shards.iter().filter_map(move |(_, shard)| shard.exchange_cells(id))
    }

    /// As [`View::exchange_cells`], of a cluster.
    fn cluster_cells(&self, id: usize) -> impl Iterator<Item = &ClusterCells> {
        self.shards.iter().filter_map(move |(_, shard)| shard.cluster_cells(id))
    }
}

fn exchanges(out: &mut Exposition, view: &View<'_>) {
    out.family("http_server_requests_total", Kind::Counter, "Exchanges finished, by exact status.");
    for (id, name) in view.exchanges.iter().enumerate() {
        let mut statuses = BTreeMap::new();
        for cells in view.exchange_cells(id) {
            cells.statuses.add_to(&mut statuses);
        }
        for (status, count) in statuses {
            let code = match status {
                None => "other".to_owned(),
                Some(0) => "none".to_owned(),
                Some(code) => code.to_string(),
            };
            let labels = [
                ("http_route", name.0.as_str()),
                ("cluster", name.1.as_str()),
                ("http_response_status_code", &code),
            ];
            out.sample(&labels, count);
        }
    }
    out.family("http_server_active_requests", Kind::Gauge, "Exchanges in flight.");
    // Finished ones are read first: an exchange that ends meanwhile must not make this negative.
    let finished = view.sum(|shard| &shard.exchanges_finished);
    let started = view.sum(|shard| &shard.exchanges_started);
    out.sample(&[], started.saturating_sub(finished));

    bytes(
        out,
        view,
        "http_server_request_body_bytes_total",
        "Request body bytes received.",
        |cells| &cells.request_bytes,
    );
    bytes(
        out,
        view,
        "http_server_response_body_bytes_total",
        "Response body bytes sent.",
        |cells| &cells.response_bytes,
    );
}

fn bytes(
    out: &mut Exposition,
    view: &View<'_>,
    family: &'static str,
    help: &str,
    counter: impl Fn(&ExchangeCells) -> &Counter,
) {
    out.family(family, Kind::Counter, help);
    for (id, name) in view.exchanges.iter().enumerate() {
        let mut cells = view.exchange_cells(id).peekable();
        if cells.peek().is_some() {
            let sum: u64 = cells.map(|cells| counter(cells).get()).sum();
            out.sample(&[("http_route", &name.0), ("cluster", &name.1)], sum);
        }
    }
}

fn durations(out: &mut Exposition, view: &View<'_>) {
    out.family(
        "http_server_request_duration_seconds",
        Kind::Histogram,
        "From the request head decoded to the end of the exchange.",
    );
    for (id, name) in view.exchanges.iter().enumerate() {
        for (class, class_name) in STATUS_CLASSES.iter().enumerate() {
            for (version, version_name) in VERSIONS.iter().enumerate() {
                let mut sum = ExportedSum::default();
                for cells in view.exchange_cells(id) {
                    cells.add_duration_to(class, version, &mut sum);
                }
                let labels = [
                    ("http_route", name.0.as_str()),
                    ("http_response_status_class", class_name),
                    ("network_protocol_version", version_name.as_str()),
                    ("cluster", name.1.as_str()),
                ];
                histogram(out, &labels, &sum);
            }
        }
    }
}

/// Buckets, sum and count; nothing at all of a histogram that is empty.
fn histogram(out: &mut Exposition, labels: &[Label<'_>], sum: &ExportedSum) {
    if sum.count() == 0 {
        return;
    }
    let mut up_to = 0;
    let mut with_boundary = labels.to_vec();
    with_boundary.push(("le", ""));
    let boundaries = BOUNDARIES.iter().map(|(_, text)| *text).chain(["+Inf"]);
    for (boundary, bucket) in boundaries.zip(sum.buckets) {
        up_to += bucket;
        if let Some(last) = with_boundary.last_mut() {
            last.1 = boundary;
        }
        out.suffixed("_bucket", &with_boundary, up_to);
    }
    out.suffixed("_sum", labels, sum.sum_micros as f64 / 1e6);
    out.suffixed("_count", labels, up_to);
}

fn connections(out: &mut Exposition, view: &View<'_>) {
    let mut opened = Vec::new();
    for (version, name) in VERSIONS.iter().enumerate() {
        for (tls, tls_name) in ["false", "true"].into_iter().enumerate() {
            let closed = view.sum(|shard| &shard.connections[version][tls].closed);
            let total = view.sum(|shard| &shard.connections[version][tls].opened);
            opened.push((name.as_str(), tls_name, total, total.saturating_sub(closed)));
        }
    }
    out.family("bulkhead_connections_total", Kind::Counter, "Downstream connections opened.");
    for (version, tls, total, _) in &opened {
        out.sample(&[("network_protocol_version", version), ("tls", tls)], total);
    }
    out.family("http_server_open_connections", Kind::Gauge, "Downstream connections open now.");
    for (version, tls, _, open) in &opened {
        out.sample(&[("network_protocol_version", version), ("tls", tls)], open);
    }
    single(out, view, "bulkhead_accepted_total", "Connections accepted.", |shard| &shard.accepted);
    single(out, view, "bulkhead_accept_errors_total", "Failed accepts.", |shard| {
        &shard.accept_errors
    });
    single(
        out,
        view,
        "bulkhead_connections_refused_total",
        "Turned away at connections_max.",
        |shard| &shard.refused,
    );
    out.family(
        "bulkhead_tls_handshakes_failed_total",
        Kind::Counter,
        "TLS handshakes with clients that failed, by reason.",
    );
    for (reason, count) in view.reasons(|shard| &shard.handshakes_failed) {
        out.sample(&[("reason", reason)], count);
    }
    single(out, view, "bulkhead_received_bytes_total", "Bytes read from clients.", |shard| {
        &shard.received_bytes
    });
    single(out, view, "bulkhead_sent_bytes_total", "Bytes written to clients.", |shard| {
        &shard.sent_bytes
    });
}

/// A counter without labels.
fn single(
    out: &mut Exposition,
    view: &View<'_>,
    family: &'static str,
    help: &str,
    counter: impl Fn(&Shard) -> &Counter,
) {
    out.family(family, Kind::Counter, help);
    out.sample(&[], view.sum(counter));
}

fn failures(out: &mut Exposition, view: &View<'_>) {
    out.family(
        "bulkhead_failures_total",
        Kind::Counter,
        "Exchanges and relays that failed, by kind and side.",
    );
    for (index, side) in SIDES.into_iter().enumerate() {
        for (kind, count) in view.reasons(|shard| &shard.failures[index]) {
            out.sample(&[("kind", kind), ("side", side)], count);
        }
    }
    out.family("bulkhead_protocol_errors_total", Kind::Counter, "Peers that broke their protocol.");
    for (reason, count) in view.reasons(|shard| &shard.protocol_errors) {
        out.sample(&[("reason", reason)], count);
    }
    out.family(
        "bulkhead_stream_errors_total",
        Kind::Counter,
        "HTTP/2 streams that ended with an error or were refused while their connection went on.",
    );
    for (index, side) in SIDES.into_iter().take(2).enumerate() {
        for (reason, count) in view.reasons(|shard| &shard.stream_errors[index]) {
            out.sample(&[("reason", reason), ("side", side)], count);
        }
    }
    out.family(
        "bulkhead_connection_timeouts_total",
        Kind::Counter,
        "Connections closed because they were waited for too long, by what for.",
    );
    for (reason, count) in view.reasons(|shard| &shard.timeouts) {
        out.sample(&[("reason", reason)], count);
    }
    out.family(
        "bulkhead_connections_retired_total",
        Kind::Counter,
        "Client connections told to end in good order, by why.",
    );
    for (reason, count) in view.reasons(|shard| &shard.retired) {
        out.sample(&[("reason", reason)], count);
    }
    out.family("bulkhead_floods_total", Kind::Counter, "Connections closed for flooding.");
    for (reason, count) in view.reasons(|shard| &shard.floods) {
        out.sample(&[("reason", reason)], count);
    }
}

fn tunnels(out: &mut Exposition, view: &View<'_>) {
    // Closed ones are read first: a tunnel that ends meanwhile must not make this negative.
    let closed = view.reasons(|shard| &shard.tunnels_closed);
    let opened = view.reasons(|shard| &shard.tunnels_opened);
    let help = "Exchanges that became a tunnel, by protocol.";
    out.family("bulkhead_tunnels_total", Kind::Counter, help);
    for (protocol, count) in &opened {
        out.sample(&[("protocol", protocol)], count);
    }
    out.family("bulkhead_tunnels_active", Kind::Gauge, "Tunnels in use, by protocol.");
    for (protocol, count) in &opened {
        let closed = closed.get(protocol).copied().unwrap_or_default();
        out.sample(&[("protocol", protocol)], count.saturating_sub(closed));
    }
}

fn attempts(out: &mut Exposition, view: &View<'_>) {
    out.family("http_client_request_duration_seconds", Kind::Histogram, "Attempts at endpoints.");
    let outcomes: [HistogramOf<ClusterCells>; 2] =
        [("ok", |cells| &cells.attempts_ok), ("failed", |cells| &cells.attempts_failed)];
    for (id, name) in view.clusters.iter().enumerate() {
        for (outcome, attempts) in outcomes {
            let mut sum = ExportedSum::default();
            for cells in view.cluster_cells(id) {
                attempts(cells).add_to(&mut sum);
            }
            histogram(out, &[("cluster", name.as_str()), ("outcome", outcome)], &sum);
        }
    }
}

fn clusters(out: &mut Exposition, view: &View<'_>) {
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
        let mut sum = ExportedSum::default();
        for cells in view.cluster_cells(id) {
            cells.round_trips.add_to(&mut sum);
        }
        histogram(out, &[("cluster", name.as_str())], &sum);
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
fn endpoints(out: &mut Exposition, view: &View<'_>) {
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

/// Circuit breakers that any worker has.
fn breakers(out: &mut Exposition, view: &View<'_>) {
    let open = "Workers whose circuit breaker is open or half-open.";
    out.family("bulkhead_circuit_breaker_open_workers", Kind::Gauge, open);
    each_breaker(out, view, None, |cells| &cells.open);
    let opened = "How often circuit breakers opened.";
    out.family("bulkhead_circuit_breaker_opened_total", Kind::Counter, opened);
    each_breaker(out, view, None, |cells| &cells.opened);
    let rejections = "Requests turned away: the breaker is open, or requests_max are in flight.";
    out.family("bulkhead_circuit_breaker_rejections_total", Kind::Counter, rejections);
    each_breaker(out, view, Some("open"), |cells| &cells.rejected);
    each_breaker(out, view, Some("requests_max"), |cells| &cells.full);
}

fn each_breaker(
    out: &mut Exposition,
    view: &View<'_>,
    reason: Option<&str>,
    counter: fn(&BreakerCells) -> &Counter,
) {
    for (id, name) in view.registry.breaker_names().iter().enumerate() {
        let cells = view.shards.iter().filter_map(|(_, shard)| shard.breaker_cells(id));
        let mut cells = cells.peekable();
        if cells.peek().is_some() {
            let mut labels = vec![("scope", name.0), ("name", name.1.as_str())];
            labels.extend(reason.map(|reason| ("reason", reason)));
            out.sample(&labels, cells.map(|cells| counter(cells).get()).sum::<u64>());
        }
    }
}

/// One sample for each cluster that any worker has used. Single workers may be below 0 after an
/// evacuation; the sum is not.
fn each_cluster(out: &mut Exposition, view: &View<'_>, value: impl Fn(&ClusterCells) -> i64) {
    for (id, name) in view.clusters.iter().enumerate() {
        let mut cells = view.cluster_cells(id).peekable();
        if cells.peek().is_some() {
            out.sample(&[("cluster", name)], cells.map(&value).sum::<i64>().max(0));
        }
    }
}

fn overload(out: &mut Exposition, view: &View<'_>) {
    out.family(
        "bulkhead_requests_shed_total",
        Kind::Counter,
        "Requests answered at once because not all can be served, by what was short.",
    );
    for (reason, count) in view.reasons(|shard| &shard.shed) {
        out.sample(&[("reason", reason)], count);
    }
    single(
        out,
        view,
        "bulkhead_accept_pauses_total",
        "Times that connections were left in a listener's queue for want of memory.",
        |shard| &shard.accept_pauses,
    );
    let help = "Step of the pressure on a worker: 0 none, 1 sheds sheddable, 2 default, 3 all.";
    out.family("bulkhead_worker_pressure", Kind::Gauge, help);
    for (worker, shard) in &view.shards {
        out.sample(&[("worker", &worker.to_string())], shard.pressure.get());
    }
}

fn workers(out: &mut Exposition, view: &View<'_>) {
    let counters: [CounterOf<Shard>; 6] = [
        ("bulkhead_worker_exchanges_total", "Exchanges finished, by worker.", |shard| {
            &shard.exchanges_finished
        }),
        ("bulkhead_worker_loop_turns_total", "Turns of the event loop.", |shard| &shard.loop_turns),
        ("bulkhead_worker_loop_events_total", "Events handled.", |shard| &shard.loop_events),
        ("bulkhead_worker_evacuated_out_total", "Connections handed over.", |shard| {
            &shard.evacuated_out
        }),
        ("bulkhead_worker_evacuated_in_total", "Connections taken over.", |shard| {
            &shard.evacuated_in
        }),
        ("bulkhead_worker_panics_total", "Panics that cost one exchange or connection.", |shard| {
            &shard.panics
        }),
    ];
    for (family, help, counter) in counters {
        out.family(family, Kind::Counter, help);
        for (worker, shard) in &view.shards {
            out.sample(&[("worker", &worker.to_string())], counter(shard).get());
        }
    }
    out.family("bulkhead_worker_cpu_seconds_total", Kind::Counter, "CPU time of the thread.");
    for (worker, shard) in &view.shards {
        out.sample(&[("worker", &worker.to_string())], shard.cpu().as_secs_f64());
    }
    single(out, view, "bulkhead_jwt_cache_hits_total", "Tokens found in the cache.", |shard| {
        &shard.jwt_hits
    });
    single(out, view, "bulkhead_jwt_cache_misses_total", "Tokens verified.", |shard| {
        &shard.jwt_misses
    });
    out.family("bulkhead_jwt_cache_entries", Kind::Gauge, "Tokens in the caches.");
    out.sample(&[], view.sum(|shard| &shard.jwt_entries));
    single(out, view, "bulkhead_access_log_dropped_total", "Access log lines dropped.", |shard| {
        &shard.access_log_dropped
    });
}

fn gateway(out: &mut Exposition, view: &View<'_>) {
    let shared = &view.registry.shared;
    for (family, help, value) in [
        (
            "bulkhead_workers_killed_total",
            "Workers killed on purpose.",
            shared.workers_killed.get(),
        ),
        (
            "bulkhead_workers_retired_total",
            "Workers ended because the pool has shrunk.",
            shared.workers_retired.get(),
        ),
        ("bulkhead_workers_started_total", "Workers started.", shared.workers_started.get()),
        (
            "bulkhead_workers_panicked_total",
            "Workers ended by a panic.",
            shared.workers_panicked.get(),
        ),
        (
            "bulkhead_connections_lost_total",
            "Connections that could not be evacuated.",
            shared.connections_lost.get(),
        ),
        ("bulkhead_configs_applied_total", "Configurations applied.", shared.configs_applied.get()),
        (
            "bulkhead_configs_rejected_total",
            "Configurations refused.",
            shared.configs_rejected.get(),
        ),
    ] {
        out.family(family, Kind::Counter, help);
        out.sample(&[], value);
    }
    out.family("bulkhead_config_revision", Kind::Gauge, "Revision in force.");
    out.sample(&[], shared.revision.get());
    out.family(
        "bulkhead_build_info",
        Kind::Gauge,
        "Version of the gateway; the value is always 1.",
    );
    out.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
}

fn process(out: &mut Exposition) {
    let facts = ProcessFacts::read();
    if let Some(seconds) = facts.cpu_seconds {
        out.family("process_cpu_seconds_total", Kind::Counter, "User and system CPU time.");
        out.sample(&[], seconds);
    }
    for (family, help, value) in [
        ("process_resident_memory_bytes", "Resident memory.", facts.resident_bytes),
        ("process_virtual_memory_bytes", "Virtual memory.", facts.virtual_bytes),
        ("process_threads", "Threads.", facts.threads),
        ("process_open_fds", "Open file descriptors.", facts.open_files),
        ("process_max_fds", "Limit of open file descriptors.", facts.open_files_max),
    ] {
        if let Some(value) = value {
            out.family(family, Kind::Gauge, help);
            out.sample(&[], value);
        }
    }
}
