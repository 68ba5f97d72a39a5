//! All shards, and the names of the series in them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bulkhead_message::Version;

use crate::breaker::BreakerName;
use crate::certificates::CertificateFacts;
use crate::counter::SharedCounter;
use crate::histogram::{FineSum, LatencySnapshot};
use crate::series::{ClusterSeries, ExchangeSeries, Names, version_index};
use crate::shard::Shard;

/// Route and cluster.
pub(crate) type ExchangeName = (String, String);

/// The metrics of one gateway. One per gateway, not per process: tests run many.
#[derive(Debug)]
pub struct Registry {
    shards: Mutex<BTreeMap<usize, Arc<Shard>>>,
    exchanges: Mutex<Names<ExchangeName>>,
    clusters: Mutex<Names<String>>,
    breakers: Mutex<Names<BreakerName>>,
    endpoints: Mutex<Vec<EndpointCounts>>,
    pub(crate) shared: Shared,
    certificates: Mutex<CertificateFacts>,
}

/// What is counted outside the workers, by the supervisor and the control plane.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) workers_killed: SharedCounter,
    pub(crate) workers_retired: SharedCounter,
    pub(crate) workers_started: SharedCounter,
    pub(crate) workers_panicked: SharedCounter,
    pub(crate) connections_lost: SharedCounter,
    pub(crate) revision: SharedCounter,
    pub(crate) configs_applied: SharedCounter,
    pub(crate) configs_rejected: SharedCounter,
}

/// The endpoints of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointCounts {
    /// Name of the cluster.
    pub cluster: String,
    /// All of them.
    pub endpoints: u64,
    /// Those that active checks call healthy; without checks, all.
    pub healthy: u64,
}

/// Sums over all workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Exchanges begun.
    pub exchanges_started: u64,
    /// Exchanges recorded.
    pub exchanges_finished: u64,
    /// Of those, the ones that did not complete.
    pub exchanges_failed: u64,
    /// Downstream connections opened.
    pub connections_opened: u64,
    /// Downstream connections closed.
    pub connections_closed: u64,
    /// Connections handed over by killed, panicked or drained workers.
    pub evacuated_out: u64,
    /// Connections taken over.
    pub evacuated_in: u64,
    /// Connections that were lost with their worker.
    pub connections_lost: u64,
    /// Workers killed on purpose.
    pub workers_killed: u64,
    /// Workers started, the first ones included.
    pub workers_started: u64,
    /// Workers that ended by a panic.
    pub workers_panicked: u64,
    /// Panics that cost one exchange or connection.
    pub panics: u64,
    /// Attempts beyond the first.
    pub retries: u64,
    /// Tokens found in the cache.
    pub jwt_hits: u64,
    /// Tokens verified.
    pub jwt_misses: u64,
    /// CPU time of the workers' threads, in nanoseconds.
    pub cpu_nanos: u64,
    /// Access log lines dropped.
    pub access_log_dropped: u64,
}

impl Totals {
    /// Exchanges in flight.
    pub fn exchanges_active(&self) -> u64 {
        self.exchanges_started.saturating_sub(self.exchanges_finished)
    }

    /// Downstream connections open, those whose protocol is not known yet left out.
    pub fn connections_active(&self) -> u64 {
        self.connections_opened.saturating_sub(self.connections_closed)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// A registry without shards.
    pub fn new() -> Self {
        let pair = |name: &str| (name.to_owned(), name.to_owned());
        Self {
            shards: Mutex::default(),
            exchanges: Mutex::new(Names::new(pair(""), pair("other"))),
            clusters: Mutex::new(Names::new(String::new(), "other".to_owned())),
            breakers: Mutex::new(Names::new(("", String::new()), ("other", "other".to_owned()))),
            endpoints: Mutex::default(),
            shared: Shared::default(),
            certificates: Mutex::default(),
        }
    }

    /// The shard of worker `worker`, made if it is not there. A worker that takes the place of
    /// another gets its shard, and may use it once the other has stopped.
    pub fn shard(&self, worker: usize) -> Arc<Shard> {
        Arc::clone(lock(&self.shards).entry(worker).or_default())
    }

    /// The series of exchanges of `route` with `cluster` (empty: none). Takes a lock: for the
    /// compilation of a snapshot, not for requests. Past [`crate::SERIES_MAX`] all is `other`.
    pub fn series(&self, route: &str, cluster: &str) -> ExchangeSeries {
        let id = lock(&self.exchanges).resolve((route.to_owned(), cluster.to_owned()));
        ExchangeSeries { id }
    }

    /// The series of attempts at `cluster`; otherwise as [`Registry::series`].
    pub fn cluster(&self, cluster: &str) -> ClusterSeries {
        ClusterSeries { id: lock(&self.clusters).resolve(cluster.to_owned()) }
    }

    pub(crate) fn breaker_id(&self, name: BreakerName) -> u32 {
        lock(&self.breakers).resolve(name)
    }

    pub(crate) fn breaker_names(&self) -> Vec<Arc<BreakerName>> {
        lock(&self.breakers).all()
    }

    /// Sets the endpoints of all clusters in force, in place of what was set before. Clusters past
    /// [`crate::SERIES_MAX`] are left out.
    pub fn set_endpoints(&self, mut clusters: Vec<EndpointCounts>) {
        clusters.truncate(crate::SERIES_MAX);
        *lock(&self.endpoints) = clusters;
    }

    pub(crate) fn endpoints(&self) -> Vec<EndpointCounts> {
        lock(&self.endpoints).clone()
    }

    /// A worker was killed on purpose.
    pub fn worker_killed(&self) {
        self.shared.workers_killed.add(1);
    }

    /// A worker was started, the first ones included.
    pub fn worker_started(&self) {
        self.shared.workers_started.add(1);
    }

    /// A worker ended because the pool has shrunk.
    pub fn worker_retired(&self) {
        self.shared.workers_retired.add(1);
    }

    /// A worker's thread ended by a panic.
    pub fn worker_panicked(&self) {
        self.shared.workers_panicked.add(1);
    }

    /// Connections were lost with their worker: they could not be evacuated.
    pub fn connections_lost(&self, connections: u64) {
        self.shared.connections_lost.add(connections);
    }

    /// A configuration was applied and is now the one in force.
    pub fn config_applied(&self, revision: u64) {
        self.shared.revision.set(revision);
        self.shared.configs_applied.add(1);
    }

    /// Replaces what is told of the certificates in force.
    pub fn set_certificates(&self, facts: CertificateFacts) {
        *lock(&self.certificates) = facts;
    }

    pub(crate) fn certificates(&self) -> CertificateFacts {
        lock(&self.certificates).clone()
    }

    /// A configuration was refused; the old one stays in force.
    pub fn config_rejected(&self) {
        self.shared.configs_rejected.add(1);
    }

    /// All metrics in the Prometheus text exposition format, version 0.0.4.
    pub fn render(&self) -> String {
        crate::render::render(self)
    }

    /// Sums over all workers.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            connections_lost: self.shared.connections_lost.get(),
            workers_killed: self.shared.workers_killed.get(),
            workers_started: self.shared.workers_started.get(),
            workers_panicked: self.shared.workers_panicked.get(),
            ..Totals::default()
        };
        let clusters = lock(&self.clusters).all().len();
        for (_, shard) in self.shards() {
            totals.exchanges_finished += shard.exchanges_finished.get();
            totals.exchanges_started += shard.exchanges_started.get();
            totals.exchanges_failed += shard.exchanges_failed.get();
            for cells in shard.connections.iter().flatten() {
                totals.connections_opened += cells.opened.get();
                totals.connections_closed += cells.closed.get();
            }
            totals.evacuated_out += shard.evacuated_out.get();
            totals.evacuated_in += shard.evacuated_in.get();
            totals.panics += shard.panics.get();
            totals.retries += (0..clusters)
                .filter_map(|id| shard.cluster_cells(id))
                .map(|cells| cells.retries.get())
                .sum::<u64>();
            totals.jwt_hits += shard.jwt_hits.get();
            totals.jwt_misses += shard.jwt_misses.get();
            totals.cpu_nanos += shard.cpu_nanos.get();
            totals.access_log_dropped += shard.access_log_dropped.get();
        }
        totals
    }

    /// Latencies of all exchanges recorded so far.
    pub fn latency(&self) -> LatencySnapshot {
        let mut sum = FineSum::default();
        for (_, shard) in self.shards() {
            shard.latency.add_to(&mut sum);
        }
        sum.snapshot()
    }

    /// Downstream connections open now with `version`.
    pub fn connections_active(&self, version: Version) -> u64 {
        let (mut opened, mut closed) = (0, 0);
        for (_, shard) in self.shards() {
            for cells in &shard.connections[version_index(version)] {
                opened += cells.opened.get();
                closed += cells.closed.get();
            }
        }
        u64::saturating_sub(opened, closed)
    }

    pub(crate) fn shards(&self) -> Vec<(usize, Arc<Shard>)> {
        lock(&self.shards).iter().map(|(worker, shard)| (*worker, Arc::clone(shard))).collect()
    }

    pub(crate) fn exchange_names(&self) -> Vec<Arc<ExchangeName>> {
        lock(&self.exchanges).all()
    }

    pub(crate) fn cluster_names(&self) -> Vec<Arc<String>> {
        lock(&self.clusters).all()
    }
}

/// Whoever panicked while holding one of these locks left a whole value behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
