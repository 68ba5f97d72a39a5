//! The backends of a route: which cluster, which part of it, and what ties a request to an endpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_config::model::{self, HashSource};
use bulkhead_telemetry::ExchangeSeries;
use bulkhead_upstream::{Balance, Locality, Maglev, RingHash, Subset, SubsetFallback};

use super::{ClusterId, Compiler};

/// A compiled backend.
#[derive(Debug)]
pub(crate) struct BackendEntry {
    pub(crate) cluster: ClusterId,
    /// Weights of the route's backends up to and including this one.
    pub(super) weight_end: u64,
    pub(super) series: ExchangeSeries,
    /// What of a request is hashed; empty if the cluster does not go by hash.
    pub(crate) hash_on: Vec<HashSource>,
    /// The part of the cluster; `None`: all of it.
    pub(crate) subset: Option<Arc<Subset>>,
}

pub(super) fn entries(
    route: &model::Route,
    clusters: &BTreeMap<String, model::Cluster>,
    compiler: &Compiler,
) -> Vec<BackendEntry> {
    let mut weight_end = 0;
    let entry = |backend: &model::Backend| {
        weight_end += u64::from(backend.weight);
        BackendEntry {
            cluster: compiler.ids.of(&backend.cluster),
            weight_end,
            series: compiler.registry.series(&route.name, &backend.cluster),
            hash_on: hash_on(route, clusters.get(&backend.cluster)),
            subset: backend.subset.as_ref().map(subset),
        }
    };
    route.backends.iter().map(entry).collect()
}

fn hash_on(route: &model::Route, cluster: Option<&model::Cluster>) -> Vec<HashSource> {
    match cluster.filter(|cluster| cluster.balance.by_hash()) {
        None => Vec::new(),
        Some(cluster) if route.hash_on.is_empty() => cluster.hash_on.clone(),
        Some(_) => route.hash_on.clone(),
    }
}

pub(super) fn subset(subset: &model::Subset) -> Arc<Subset> {
    let fallback = if subset.fall_back { SubsetFallback::Any } else { SubsetFallback::None };
    Arc::new(Subset::new(subset.labels.clone(), fallback))
}

pub(super) const fn balance(balance: model::Balance) -> Balance {
    match balance {
        model::Balance::LeastRequest => Balance::LeastRequest,
        model::Balance::RoundRobin => Balance::RoundRobin,
        model::Balance::Random => Balance::Random,
        model::Balance::PeakEwma => Balance::PeakEwma,
        model::Balance::RingHash(ring) => Balance::RingHash(RingHash {
            size_min: ring.size_min,
            size_max: ring.size_max,
            load_max: ring.load_max_percent,
        }),
        model::Balance::Maglev(maglev) => Balance::Maglev(Maglev {
            table_size: maglev.table_size,
            load_max: maglev.load_max_percent,
        }),
    }
}

pub(super) const fn locality(locality: model::Locality) -> Locality {
    Locality {
        prefer_local: locality.prefer_local,
        local_endpoints_min: locality.local_endpoints_min,
        overprovisioning_percent: locality.overprovisioning_percent,
        spill_over_requests: locality.spill_over_requests,
    }
}
