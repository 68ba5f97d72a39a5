//! What circuit breakers have counted.

use crate::counter::Counter;
use crate::registry::Registry;
use crate::shard::Shard;

/// What a breaker guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BreakerScope {
    /// A route.
    Route,
    /// A cluster.
    Cluster,
}

impl BreakerScope {
    /// As in the label `scope`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Cluster => "cluster",
        }
    }
}

/// Scope and name.
pub(crate) type BreakerName = (&'static str, String);

/// Where a breaker is counted. Made by [`Registry::breaker`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSeries {
    pub(crate) id: u32,
}

/// What one breaker has counted.
#[derive(Debug, Default)]
pub(crate) struct BreakerCells {
    /// 1: open or half-open.
    pub(crate) open: Counter,
    pub(crate) opened: Counter,
    pub(crate) rejected: Counter,
    pub(crate) full: Counter,
}

impl Shard {
    /// A request was turned away because the breaker is open.
    pub fn breaker_rejected(&self, breaker: BreakerSeries) {
        self.breaker(breaker).rejected.increment();
    }

    /// A request was turned away because as many as may be are in flight.
    pub fn breaker_full(&self, breaker: BreakerSeries) {
        self.breaker(breaker).full.increment();
    }

    /// A breaker opened so often since the last call.
    pub fn breaker_opened(&self, breaker: BreakerSeries, times: u64) {
        self.breaker(breaker).opened.add(times);
    }

    /// Sets whether a breaker is open or half-open.
    pub fn set_breaker(&self, breaker: BreakerSeries, open: bool) {
        self.breaker(breaker).open.set(u64::from(open));
    }
}

impl Registry {
    /// The series of the breaker of a route or cluster; otherwise as [`Registry::series`].
    pub fn breaker(&self, scope: BreakerScope, name: &str) -> BreakerSeries {
        BreakerSeries { id: self.breaker_id((scope.as_str(), name.to_owned())) }
    }
}
