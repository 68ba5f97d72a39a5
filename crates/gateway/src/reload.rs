//! A new snapshot arrives at a worker: what did not change keeps its state.

use std::sync::Arc;

use bulkhead_upstream::{Cluster, ConnectionState, EndpointSpec, Removed};

use crate::arena::Key;
use crate::endpoints::ClusterState;
use crate::exchange_state::Exchange;
use crate::snapshot::{ClusterEntry, ClusterId, Snapshot};
use crate::worker::Worker;

impl Worker {
    /// Puts a snapshot in force. Exchanges that began under the old one end under it.
    pub(crate) fn install(&mut self, snapshot: Arc<Snapshot>) {
        self.table = snapshot.table.clone();
        self.snapshot = snapshot;
        // They hold the snapshot of their last exchange, with all its routes and keys.
        self.spare.clear();
        self.adopt_clusters();
        if !self.injected.pools.is_empty() {
            self.limit_pools();
        }
        self.apply_verdicts();
        self.relieve();
    }

    /// Makes the worker's clusters and breakers those of the snapshot.
    pub(crate) fn adopt_clusters(&mut self) {
        self.adopt_breakers();
        let snapshot = self.snapshot.clone();
        self.retire_clusters();
        for entry in &snapshot.clusters {
            self.adopt_cluster(entry);
        }
    }

    /// Retires clusters that the configuration has no more, each once no exchange or relay may need it for an
    /// attempt: those that wait for a connection, or for their next attempt, go on as they began.
    fn retire_clusters(&mut self) {
        let snapshot = self.snapshot.clone();
        for id in self.clusters.ids() {
            let stays = snapshot.clusters.iter().any(|entry| entry.id == id);
            if !stays && !self.is_needed(id) {
                self.retire_cluster(id);
            }
        }
    }

    /// Retires those that were needed before.
    pub(crate) fn retire_leftovers(&mut self) {
        if self.clusters.ids().len() > self.snapshot.clusters.len() {
            self.retire_clusters();
        }
    }

    fn is_needed(&self, id: ClusterId) -> bool {
        let mut exchanges = self.exchanges.values();
        let mut relays = self.relays.values();
        exchanges.any(|exchange| exchange.cluster == Some(id) && !exchange.has_responded())
            || relays.any(|relay| relay.seeks(id))
    }

    /// An exchange comes from a sibling that kept its cluster for it: this worker has it again, as the
    /// exchange's own snapshot describes it.
    pub(crate) fn revive_cluster(&mut self, exchange: &Exchange) {
        let Some(id) = exchange.cluster else { return };
        if self.clusters.get(id).is_some() || exchange.has_responded() {
            return;
        }
        if let Some(entry) = exchange.snapshot.clusters.iter().find(|entry| entry.id == id) {
            let pool = Cluster::new(&entry.settings, &entry.endpoints);
            self.clusters.set(id, ClusterState { entry: entry.clone(), pool });
        }
    }

    fn adopt_cluster(&mut self, entry: &Arc<ClusterEntry>) {
        let id = entry.id;
        let Some(state) = self.clusters.get_mut(id) else {
            let pool = Cluster::new(&entry.settings, &entry.endpoints);
            return self.clusters.set(id, ClusterState { entry: entry.clone(), pool });
        };
        let same_wire =
            state.entry.config.protocol == entry.config.protocol && state.entry.same_tls(entry);
        if !same_wire {
            // Connections of the old kind finish what they carry and take nothing new.
            let pool = Cluster::new(&entry.settings, &entry.endpoints);
            let mut old = std::mem::replace(state, ClusterState { entry: entry.clone(), pool });
            self.drain_pool(id, &old);
            return self.drop_removed(old.pool.update_endpoints(&[], self.now));
        }
        let was_checked = state.entry.config.health_check.is_some();
        state.entry = entry.clone();
        state.pool.update_settings(&entry.settings, self.now);
        let removed = state.pool.update_endpoints(&entry.endpoints, self.now);
        if was_checked && entry.config.health_check.is_none() {
            state.pool.trust_everybody(self.now);
        }
        self.drop_removed(removed);
    }

    /// The names of a cluster resolve to other addresses.
    pub(crate) fn set_endpoints(&mut self, id: ClusterId, endpoints: &[EndpointSpec]) {
        let Some(state) = self.clusters.get_mut(id) else { return };
        let removed = state.pool.update_endpoints(endpoints, self.now);
        self.drop_removed(removed);
        self.apply_verdicts();
    }

    /// A cluster is gone from the configuration: answers that have begun go on.
    fn retire_cluster(&mut self, id: ClusterId) {
        let Some(mut old) = self.clusters.remove(id) else { return };
        self.shard.set_endpoints(old.entry.series, 0, false);
        let removed = old.pool.update_endpoints(&[], self.now);
        self.drop_removed(removed);
    }

    fn drain_pool(&mut self, id: ClusterId, old: &ClusterState) {
        let moved: Vec<_> = old.pool.connections().collect();
        for (key, mut facts) in moved {
            facts.state = ConnectionState::Draining;
            let Some(address) =
                self.connections.get(key).and_then(|c| c.upstream()).map(|u| u.address.clone())
            else {
                continue;
            };
            if let Some(state) = self.clusters.get_mut(id) {
                state.pool.adopt(address, key, facts, self.now);
            }
            self.close_idle(vec![key]);
        }
    }

    fn drop_removed(&mut self, removed: Removed<Key>) {
        for waiter in removed.waiters {
            self.requeue(Key::from_tag(waiter));
        }
        self.close_idle(removed.connections);
    }

    /// An exchange that waited for an endpoint which is gone picks another.
    fn requeue(&mut self, key: Key) {
        self.guarded(key, |worker| worker.attempt(key));
    }

    fn close_idle(&mut self, keys: Vec<Key>) {
        for key in keys {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if connection.streams() == 0 {
                self.guard_connection(key, |worker| worker.connection_lost(key));
            }
        }
    }
}

#[cfg(test)]
mod tests;
