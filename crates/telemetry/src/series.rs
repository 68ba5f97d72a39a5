//! Series: what one route, or one cluster, has counted in one worker.
//!
//! Labels are resolved when a snapshot is compiled; a request touches a number only.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use bulkhead_message::Version;

use crate::counter::Counter;
use crate::histogram::{ExportedHistogram, ExportedSum};

/// Pairs of route and cluster, and clusters, that are told apart; later ones count as `other`.
pub const SERIES_MAX: usize = 10_000;

/// Where the exchanges of one route with one cluster are counted. Made by
/// [`crate::Registry::series`]; the same names give the same series in every revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeSeries {
    pub(crate) id: u32,
}

impl ExchangeSeries {
    /// For exchanges that no route matched.
    pub const NONE: Self = Self { id: 0 };
}

/// Where the attempts and connections of one cluster are counted. Made by
/// [`crate::Registry::cluster`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterSeries {
    pub(crate) id: u32,
}

/// Names → numbers, at most [`SERIES_MAX`].
#[derive(Debug)]
pub(crate) struct Names<K> {
    ids: HashMap<K, u32>,
    names: Vec<Arc<K>>,
    other: K,
}

impl<K: Clone + Eq + std::hash::Hash> Names<K> {
    /// Number 0 stands for `none`; `other` for everything past the limit.
    pub(crate) fn new(none: K, other: K) -> Self {
        let mut names = Self { ids: HashMap::new(), names: Vec::new(), other };
        names.resolve(none);
        names
    }

    pub(crate) fn resolve(&mut self, name: K) -> u32 {
        if let Some(id) = self.ids.get(&name) {
            return *id;
        }
        // The last number is kept for `other`.
        let name = if self.names.len() + 1 < SERIES_MAX { name } else { self.other.clone() };
        if let Some(id) = self.ids.get(&name) {
            return *id;
        }
        let id = self.names.len() as u32;
        self.names.push(Arc::new(name.clone()));
        self.ids.insert(name, id);
        id
    }

    pub(crate) fn all(&self) -> Vec<Arc<K>> {
        self.names.clone()
    }
}

/// Status codes that one series tells apart.
const STATUSES_MAX: usize = 24;

/// Counts by exact status. The first codes seen take the first places, so the common one is found
/// at once, and a series costs 250 bytes instead of 4 KB.
#[derive(Debug, Default)]
pub(crate) struct StatusCounts {
    /// Status plus 1; 0: free.
    codes: [AtomicU16; STATUSES_MAX],
    counts: [Counter; STATUSES_MAX],
    other: Counter,
}

impl StatusCounts {
    #[inline]
    pub(crate) fn count(&self, status: u16) {
        let wanted = status.saturating_add(1);
        for (code, count) in self.codes.iter().zip(&self.counts) {
            let there = code.load(Relaxed);
            if there == 0 {
                code.store(wanted, Relaxed);
            } else if there != wanted {
                continue;
            }
            count.increment();
            return;
        }
        self.other.increment();
    }

    /// `None` is for the codes that found no place.
    pub(crate) fn add_to(&self, sum: &mut BTreeMap<Option<u16>, u64>) {
        for (code, count) in self.codes.iter().zip(&self.counts) {
            let code = code.load(Relaxed);
            if code == 0 {
                break;
            }
            *sum.entry(Some(code - 1)).or_default() += count.get();
        }
        if self.other.get() > 0 {
            *sum.entry(None).or_default() += self.other.get();
        }
    }
}

/// Names of the status classes, by hundred; the first is for no status at all.
pub(crate) const STATUS_CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
/// HTTP versions, in the order of [`version_index`].
pub(crate) const VERSIONS: [Version; 3] = [Version::Http10, Version::Http11, Version::Http2];

pub(crate) const fn class_index(status: u16) -> usize {
    let class = (status / 100) as usize;
    if class < STATUS_CLASSES.len() { class } else { STATUS_CLASSES.len() - 1 }
}

pub(crate) const fn version_index(version: Version) -> usize {
    match version {
        Version::Http10 => 0,
        Version::Http11 => 1,
        Version::Http2 => 2,
    }
}

/// What one pair of route and cluster has counted.
#[derive(Debug, Default)]
pub(crate) struct ExchangeCells {
    pub(crate) statuses: StatusCounts,
    durations: [OnceLock<Box<ExportedHistogram>>; STATUS_CLASSES.len() * VERSIONS.len()],
    pub(crate) request_bytes: Counter,
    pub(crate) response_bytes: Counter,
}

impl ExchangeCells {
    #[inline]
    pub(crate) fn duration(&self, status: u16, version: Version) -> &ExportedHistogram {
        let index = class_index(status) * VERSIONS.len() + version_index(version);
        self.durations[index].get_or_init(Box::default)
    }

    pub(crate) fn add_duration_to(&self, class: usize, version: usize, sum: &mut ExportedSum) {
        if let Some(histogram) =
            self.durations.get(class * VERSIONS.len() + version).and_then(OnceLock::get)
        {
            histogram.add_to(sum);
        }
    }
}

/// What one cluster has counted.
#[derive(Debug, Default)]
pub(crate) struct ClusterCells {
    pub(crate) attempts_ok: ExportedHistogram,
    pub(crate) attempts_failed: ExportedHistogram,
    pub(crate) connects_ok: Counter,
    pub(crate) connects_failed: Counter,
    pub(crate) connections_closed: Counter,
    pub(crate) retries: Counter,
    pub(crate) retries_refused: Counter,
    pub(crate) ejections: Counter,
    pub(crate) overloads: Counter,
    /// Gauges of this worker's.
    pub(crate) endpoints_ejected: Counter,
    pub(crate) panics: Counter,
    pub(crate) shed: Counter,
    /// A gauge: 0, none.
    pub(crate) concurrency_limit: Counter,
}

#[cfg(test)]
mod tests;
