//! What one worker counts.

use std::time::Duration;

use bulkhead_message::{ExchangeRecord, Outcome, Side, Version};

use crate::breaker::{BreakerCells, BreakerSeries};
use crate::counter::Counter;
use crate::faults::FaultCells;
use crate::histogram::{FineHistogram, micros};
use crate::reasons::Reasons;
use crate::relay::RelayCells;
use crate::series::{
    ClusterCells, ClusterSeries, ExchangeCells, ExchangeSeries, MirrorOutcome, VERSIONS,
    version_index,
};
use crate::slots::Slots;

/// The metrics of one worker. Exactly one thread may call the methods at a time: concurrent callers
/// lose counts (nothing worse). A worker that takes another's place takes over its shard.
///
/// Gauges are kept as two counters, up and down, so that what began on one worker may end on
/// another after an evacuation.
// Aligned so that two workers never write to one pair of cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Shard {
    exchanges: Slots<ExchangeCells>,
    clusters: Slots<ClusterCells>,
    pub(crate) relays: Slots<RelayCells>,
    breakers: Slots<BreakerCells>,
    pub(crate) latency: FineHistogram,
    pub(crate) exchanges_started: Counter,
    pub(crate) exchanges_finished: Counter,
    pub(crate) exchanges_failed: Counter,
    pub(crate) relays_started: Counter,
    pub(crate) relays_ended: Counter,
    pub(crate) connections: [[ConnectionCells; 2]; VERSIONS.len()],
    pub(crate) accepted: Counter,
    pub(crate) accept_errors: Counter,
    pub(crate) refused: Counter,
    pub(crate) received_bytes: Counter,
    pub(crate) sent_bytes: Counter,
    pub(crate) jwt_hits: Counter,
    pub(crate) jwt_misses: Counter,
    pub(crate) jwt_entries: Counter,
    pub(crate) evacuated_out: Counter,
    pub(crate) evacuated_in: Counter,
    pub(crate) panics: Counter,
    pub(crate) loop_turns: Counter,
    pub(crate) loop_events: Counter,
    pub(crate) cpu_nanos: Counter,
    pub(crate) access_log_dropped: Counter,
    pub(crate) failures: [Reasons; 3],
    pub(crate) protocol_errors: Reasons,
    pub(crate) floods: Reasons,
    /// Downstream, upstream.
    pub(crate) stream_errors: [Reasons; 2],
    pub(crate) timeouts: Reasons,
    pub(crate) tunnels_opened: Reasons,
    pub(crate) tunnels_closed: Reasons,
    pub(crate) retired: Reasons,
    pub(crate) handshakes_failed: Reasons,
    pub(crate) shed: Reasons,
    pub(crate) accept_pauses: Counter,
    pub(crate) faults: FaultCells,
    /// A gauge: step of the pressure, 0 to 3.
    pub(crate) pressure: Counter,
}

/// Connections of one protocol, with or without TLS.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCells {
    pub(crate) opened: Counter,
    pub(crate) closed: Counter,
}

/// Sides in the order of `Shard::failures`, with the names that labels use.
pub(crate) const SIDES: [&str; 3] = ["downstream", "upstream", "gateway"];

pub(crate) const fn side_index(side: Side) -> usize {
    match side {
        Side::Downstream => 0,
        Side::Upstream => 1,
        Side::Gateway => 2,
    }
}

impl Shard {
    /// An exchange began: its request head was decoded. Every one must end in [`Shard::record`].
    #[inline]
    pub fn exchange_started(&self) {
        self.exchanges_started.increment();
    }

    /// An exchange ended. Call exactly once for each.
    #[inline]
    pub fn record(&self, series: &ExchangeSeries, record: &ExchangeRecord<'_>) {
        // How long a tunnel is used says nothing about anybody's speed; its handshake does.
        let micros = micros(record.tunnel.map_or(record.duration, |tunnel| tunnel.handshake));
        if let Some(tunnel) = record.tunnel {
            self.tunnels_closed.count(tunnel.protocol);
        }
        let cells = self.exchanges.get_or_make(series.id as usize);
        cells.statuses.count(record.status);
        cells.duration(record.status, record.version).record(micros);
        cells.request_bytes.add(record.request_bytes);
        cells.response_bytes.add(record.response_bytes);
        self.latency.record(micros);
        self.exchanges_finished.increment();
        if let Outcome::Failed { kind, side } = record.outcome {
            self.exchanges_failed.increment();
            self.failures[side_index(side)].count(kind.as_str());
        }
    }

    /// An exchange became a tunnel. `protocol` as it will be in its record, which ends it.
    pub fn tunnel_opened(&self, protocol: &'static str) {
        self.tunnels_opened.count(protocol);
    }

    /// A connection was accepted; its protocol is not known yet.
    #[inline]
    pub fn accepted(&self) {
        self.accepted.increment();
    }

    /// `accept` failed.
    pub fn accept_failed(&self) {
        self.accept_errors.increment();
    }

    /// A connection was closed unserved because `connections_max` is reached.
    pub fn connection_refused(&self) {
        self.refused.increment();
    }

    /// A TLS handshake with a client failed. `reason` as in [`Shard::protocol_error`].
    pub fn handshake_failed(&self, reason: &'static str) {
        self.handshakes_failed.count(reason);
    }

    /// The protocol of a downstream connection became known.
    #[inline]
    pub fn connection_opened(&self, version: Version, tls: bool) {
        self.connections[version_index(version)][usize::from(tls)].opened.increment();
    }

    /// A downstream connection for which [`Shard::connection_opened`] was called, here or on the
    /// worker that it was evacuated from, is gone.
    #[inline]
    pub fn connection_closed(&self, version: Version, tls: bool) {
        self.connections[version_index(version)][usize::from(tls)].closed.increment();
    }

    /// Bytes read from and written to downstream sockets.
    #[inline]
    pub fn transferred(&self, received_bytes: u64, sent_bytes: u64) {
        self.received_bytes.add(received_bytes);
        self.sent_bytes.add(sent_bytes);
    }

    /// An attempt at an endpoint ended after `duration`. `ok`: it gave a response that was not
    /// counted against the endpoint.
    #[inline]
    pub fn attempt_finished(&self, cluster: ClusterSeries, duration: Duration, ok: bool) {
        let cells = self.cluster(cluster);
        let histogram = if ok { &cells.attempts_ok } else { &cells.attempts_failed };
        histogram.record(micros(duration));
    }

    /// An upstream connection is up.
    pub fn upstream_connected(&self, cluster: ClusterSeries) {
        self.cluster(cluster).connects_ok.increment();
    }

    /// A PING on an upstream connection was answered after so long.
    pub fn upstream_round_trip(&self, cluster: ClusterSeries, round_trip: Duration) {
        self.cluster(cluster).round_trips.record(micros(round_trip));
    }

    /// An upstream connection could not be made.
    pub fn upstream_connect_failed(&self, cluster: ClusterSeries) {
        self.cluster(cluster).connects_failed.increment();
    }

    /// An upstream connection that was up is gone.
    pub fn upstream_closed(&self, cluster: ClusterSeries) {
        self.cluster(cluster).connections_closed.increment();
    }

    /// An exchange is tried again.
    pub fn retried(&self, cluster: ClusterSeries) {
        self.cluster(cluster).retries.increment();
    }

    /// An exchange would be tried again, but the retry budget is spent.
    pub fn retry_refused(&self, cluster: ClusterSeries) {
        self.cluster(cluster).retries_refused.increment();
    }

    /// An exchange got a second attempt while the first went on.
    pub fn hedged(&self, cluster: ClusterSeries) {
        self.cluster(cluster).hedges.increment();
    }

    /// The second attempt of an exchange was answered first.
    pub fn hedge_won(&self, cluster: ClusterSeries) {
        self.cluster(cluster).hedges_won.increment();
    }

    /// The attempt that lost cost its HTTP/1 connection.
    pub fn hedge_closed_connection(&self, cluster: ClusterSeries) {
        self.cluster(cluster).hedge_connections_closed.increment();
    }

    /// The copy of a request to this cluster is over, or was not made.
    pub fn mirrored(&self, cluster: ClusterSeries, outcome: MirrorOutcome) {
        self.cluster(cluster).mirrors[outcome as usize].increment();
    }

    /// An endpoint was ejected.
    pub fn ejected(&self, cluster: ClusterSeries) {
        self.cluster(cluster).ejections.increment();
    }

    /// A request was turned away because `pending_max` of the cluster is reached.
    pub fn cluster_overloaded(&self, cluster: ClusterSeries) {
        self.cluster(cluster).overloads.increment();
    }

    /// Sets how many endpoints of a cluster this worker has ejected, and whether it sends requests to
    /// all of them because too few are available.
    pub fn set_endpoints(&self, cluster: ClusterSeries, ejected: u64, panic: bool) {
        let cells = self.cluster(cluster);
        cells.endpoints_ejected.set(ejected);
        cells.panics.set(u64::from(panic));
    }

    /// A request was answered at once because not all can be served. `reason` as in
    /// [`Shard::protocol_error`].
    pub fn shed(&self, reason: &'static str) {
        self.shed.count(reason);
    }

    /// A request was shed at the concurrency limit of its cluster.
    pub fn cluster_shed(&self, cluster: ClusterSeries) {
        self.cluster(cluster).shed.increment();
    }

    /// Sets the concurrency limit that this worker has learnt for a cluster.
    pub fn set_concurrency_limit(&self, cluster: ClusterSeries, limit: u64) {
        self.cluster(cluster).concurrency_limit.set(limit);
    }

    /// Connections were left in a listener's queue because memory is short.
    pub fn accept_paused(&self) {
        self.accept_pauses.increment();
    }

    /// Sets the step of the pressure on this worker: 0, none, to 3.
    pub fn set_pressure(&self, step: u64) {
        self.pressure.set(step);
    }

    /// Sets what the token cache has counted since the worker began, and how many tokens it holds.
    pub fn set_jwt_cache(&self, hits: u64, misses: u64, entries: u64) {
        self.jwt_hits.set(hits);
        self.jwt_misses.set(misses);
        self.jwt_entries.set(entries);
    }

    /// Connections, downstream and upstream, were handed to siblings.
    pub fn evacuated_out(&self, connections: u64) {
        self.evacuated_out.add(connections);
    }

    /// Connections were taken over from a sibling.
    pub fn evacuated_in(&self, connections: u64) {
        self.evacuated_in.add(connections);
    }

    /// A panic cost one exchange or one connection.
    pub fn panicked(&self) {
        self.panics.increment();
    }

    /// A peer broke its protocol. `reason` is fixed text in `snake_case`; 48 are told apart.
    pub fn protocol_error(&self, reason: &'static str) {
        self.protocol_errors.count(reason);
    }

    /// A connection was closed because its peer floods. `reason` as in [`Shard::protocol_error`].
    pub fn flood(&self, reason: &'static str) {
        self.floods.count(reason);
    }

    /// So many streams of an HTTP/2 connection ended with an error, or were refused, and the
    /// connection went on. `reason` as in [`Shard::protocol_error`].
    pub fn stream_errors(&self, downstream: bool, reason: &'static str, count: u64) {
        self.stream_errors[usize::from(!downstream)].add(reason, count);
    }

    /// A connection was closed because it was waited for too long. `reason` says for what, as in
    /// [`Shard::protocol_error`].
    pub fn connection_timed_out(&self, reason: &'static str) {
        self.timeouts.count(reason);
    }

    /// A client's connection was told to end in good order: `age` or `requests`.
    pub fn connection_retired(&self, reason: &'static str) {
        self.retired.count(reason);
    }

    /// One turn of the event loop handled so many events.
    #[inline]
    pub fn loop_turned(&self, events: u64) {
        self.loop_turns.increment();
        self.loop_events.add(events);
    }

    /// Sets the CPU time that the worker's thread has used. A successor begins at 0 again, as
    /// Prometheus expects of counters that restart. Any one thread may be the only one to call this.
    pub fn set_cpu(&self, used: Duration) {
        self.cpu_nanos.set(u64::try_from(used.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Sets how many access log lines this worker has dropped.
    pub fn set_access_log_dropped(&self, lines: u64) {
        self.access_log_dropped.set(lines);
    }

    /// CPU time set last.
    pub fn cpu(&self) -> Duration {
        Duration::from_nanos(self.cpu_nanos.get())
    }

    /// Exchanges recorded so far.
    pub fn exchanges(&self) -> u64 {
        self.exchanges_finished.get()
    }

    #[inline]
    fn cluster(&self, series: ClusterSeries) -> &ClusterCells {
        self.clusters.get_or_make(series.id as usize)
    }

    pub(crate) fn breaker(&self, series: BreakerSeries) -> &BreakerCells {
        self.breakers.get_or_make(series.id as usize)
    }

    pub(crate) fn breaker_cells(&self, id: usize) -> Option<&BreakerCells> {
        self.breakers.get(id)
    }

    pub(crate) fn exchange_cells(&self, id: usize) -> Option<&ExchangeCells> {
        self.exchanges.get(id)
    }

    pub(crate) fn cluster_cells(&self, id: usize) -> Option<&ClusterCells> {
        self.clusters.get(id)
    }
}

#[cfg(test)]
mod tests;
