//! What active checks last said of endpoints: kept for all workers, read by each when it has changed.
//!
//! Nothing is sent, so nothing can be lost: a worker is woken, and one that starts, or takes a new
//! snapshot, looks here anyway. The last verdicts stay when nobody makes checks any more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bulkhead_message::Address;

use crate::snapshot::ClusterId;
use crate::worker::Worker;

/// Verdicts on the endpoints of one cluster, by address. As bounded as its endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClusterVerdicts(Vec<(Address, bool)>);

impl ClusterVerdicts {
    pub(crate) fn new(mut verdicts: Vec<(Address, bool)>) -> Self {
        verdicts.sort_unstable();
        verdicts.dedup_by(|(later, _), (first, _)| later == first);
        Self(verdicts)
    }

    /// Whether an endpoint is healthy; `None`: it was not checked yet.
    pub(crate) fn of(&self, address: &Address) -> Option<bool> {
        let position = self.0.binary_search_by(|(known, _)| known.cmp(address)).ok()?;
        self.0.get(position).map(|(_, healthy)| *healthy)
    }
}

type Table = HashMap<ClusterId, Arc<ClusterVerdicts>>;

/// Verdicts on the endpoints of all clusters.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    table: Mutex<Table>,
    /// Counts changes; changed under the lock.
    version: AtomicU64,
}

impl Verdicts {
    /// Makes these the verdicts of a cluster.
    pub(crate) fn set(&self, cluster: ClusterId, verdicts: ClusterVerdicts) {
        let mut table = self.table();
        if table.get(&cluster).is_some_and(|known| **known == verdicts) {
            return;
        }
        table.insert(cluster, Arc::new(verdicts));
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Forgets all clusters but these.
    pub(crate) fn retain(&self, keep: impl Fn(ClusterId) -> bool) {
        self.table().retain(|cluster, _| keep(*cluster));
    }

    pub(crate) fn of(&self, cluster: ClusterId) -> Option<Arc<ClusterVerdicts>> {
        self.table().get(&cluster).cloned()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    /// Takes verdicts that are news. No lock if there are none.
    pub(crate) fn take_verdicts(&mut self) {
        let version = self.shared.verdicts.version.load(Ordering::Acquire);
        if version != self.verdicts_seen {
            self.verdicts_seen = version;
            self.apply_verdicts();
        }
    }

    /// Applies all verdicts: clusters or their endpoints may be new.
    pub(crate) fn apply_verdicts(&mut self) {
        for id in self.clusters.ids() {
            let Some(cluster) = self.clusters.get_mut(id) else { continue };
            if cluster.entry.config.health_check.is_none() {
                continue;
            }
            if let Some(verdicts) = self.shared.verdicts.of(id) {
                cluster.pool.set_health(|address| verdicts.of(address), self.now);
            }
        }
    }

    /// Sets what metrics tell of the clusters' endpoints.
    pub(crate) fn count_endpoints(&mut self) {
        for id in self.clusters.ids() {
            let Some(cluster) = self.clusters.get_mut(id) else { continue };
            let series = cluster.entry.series;
            for _ in 0..cluster.pool.take_rate_ejections() {
                self.shard.ejected(series);
            }
            let ejected = cluster.pool.ejected(self.now) as u64;
            self.shard.set_endpoints(series, ejected, cluster.pool.in_panic());
        }
    }
}
