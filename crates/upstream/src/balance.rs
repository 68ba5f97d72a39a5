//! Which endpoint the next attempt goes to.
//!
//! Candidates are the endpoints that are available: healthy as far as they are checked, and not
//! ejected. **Panic threshold**: if fewer than `panic_percent` of the endpoints are available, all of
//! them are candidates again: by then the fault is more likely ours or everybody's than theirs, and
//! sending everything to the few that are left would take these down as well.
//!
//! A choice has three steps: the **subset** that the route asks for ([`Subset`]; mostly there is
//! none, and it is the whole cluster), in it a **tier** of equal priority and nearness
//! ([`Locality`]), and in that an endpoint by the algorithm ([`Balance`]), one per file. What each
//! step needs is computed when an endpoint comes, goes, changes its share, or becomes available or
//! not; not per request.

mod candidates;
mod group;
mod hash;
mod hashed;
mod maglev;
mod peak_ewma;
mod random;
mod ring_hash;
mod round_robin;
mod subset;
mod tier;
mod two_choices;

use std::sync::Arc;
use std::time::Instant;

pub use hash::stable_hash;
pub use hashed::HashLoad;
pub use maglev::{MAGLEV_TABLE_SIZE, Maglev};
pub(crate) use peak_ewma::Latency;
pub use peak_ewma::{EWMA_DECAY, FAILURE_LATENCY};
pub use ring_hash::{RING_SIZE_MAX, RING_SIZE_MIN, RingHash};
pub use subset::{Subset, SubsetFallback};
pub use tier::{Locality, OVERPROVISIONING_PERCENT};

use crate::endpoint::{Endpoint, Endpoints};
use crate::{EndpointId, Rng};
use group::Group;

/// Subsets of a cluster for which a worker keeps what picking needs; beyond, the oldest is computed
/// anew when it is asked for.
pub const SUBSETS_MAX: usize = 64;

/// How an endpoint is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// Two endpoints are drawn by weight; the one with fewer requests in flight for its weight
    /// gets the request.
    #[default]
    LeastRequest,
    /// In turn, by weight, evenly interleaved.
    RoundRobin,
    /// Drawn by weight.
    Random,
    /// Two endpoints are drawn by weight; the one that answers sooner, as far as can be told from
    /// its latency and its requests in flight, gets the request.
    PeakEwma,
    /// By hash, on a ring (ketama); without a hash at random.
    RingHash(RingHash),
    /// By hash, in a Maglev table; without a hash at random.
    Maglev(Maglev),
}

/// What an attempt asks of a pick.
#[derive(Clone, Copy, Debug, Default)]
pub struct PickHints<'a> {
    /// Chosen only if there is no other: the endpoint that was just tried.
    pub avoid: Option<EndpointId>,
    /// What the request is to stick to, for the algorithms that go by hash.
    pub hash: Option<u64>,
    /// Only endpoints of this subset.
    pub subset: Option<&'a Arc<Subset>>,
}

impl PickHints<'_> {
    /// Any endpoint will do.
    pub const NONE: Self = Self { avoid: None, hash: None, subset: None };
}

/// One choice: what the hints come to here.
#[derive(Clone, Copy, Debug)]
struct Draw {
    avoid: Option<u32>,
    hash: Option<u64>,
    algorithm: Balance,
    locality: Locality,
    now: Instant,
}

/// The subsets of a cluster, and how one of their endpoints is chosen.
#[derive(Debug)]
pub(crate) struct Balancer {
    algorithm: Balance,
    locality: Locality,
    /// The whole cluster.
    whole: Group,
    /// Subsets that were asked for, each with its group.
    subsets: Vec<(Arc<Subset>, Group)>,
}

impl Balancer {
    pub(crate) fn new(algorithm: Balance, locality: Locality) -> Self {
        Self { algorithm, locality, whole: Group::default(), subsets: Vec::new() }
    }

    pub(crate) const fn algorithm(&self) -> Balance {
        self.algorithm
    }

    /// Puts new settings in force; [`Balancer::rebuild`] is to follow.
    pub(crate) fn configure(&mut self, algorithm: Balance, locality: Locality) {
        self.algorithm = algorithm;
        self.locality = locality;
        // Routes may name other subsets now.
        self.subsets.clear();
    }

    /// To be called when the set of endpoints, a weight, a label or who is available changed.
    pub(crate) fn rebuild(&mut self, endpoints: &Endpoints) {
        self.whole.rebuild(endpoints, None, self.algorithm, self.locality);
        for (subset, group) in &mut self.subsets {
            group.rebuild(endpoints, Some(subset), self.algorithm, self.locality);
        }
    }

    /// The place of the chosen endpoint.
    pub(crate) fn pick(
        &mut self,
        endpoints: &Endpoints,
        now: Instant,
        rng: &mut Rng,
        hints: PickHints<'_>,
    ) -> Option<u32> {
        let avoid = hints.avoid.filter(|&id| endpoints.get(id).is_some()).map(|id| id.index);
        let (algorithm, locality) = (self.algorithm, self.locality);
        let draw = Draw { avoid, hash: hints.hash, algorithm, locality, now };
        self.group(hints.subset, endpoints).pick(endpoints.as_slice(), rng, &draw)
    }

    /// The place of an endpoint that may be picked and `suits`: of the first tier that has one, looked
    /// for from the `start`-th of the tier on. Linear in the number of endpoints.
    pub(crate) fn search(
        &mut self,
        endpoints: &Endpoints,
        subset: Option<&Arc<Subset>>,
        start: u64,
        suits: impl Fn(&Endpoint) -> bool,
    ) -> Option<u32> {
        self.group(subset, endpoints).search(endpoints.as_slice(), start, suits)
    }

    /// What is picked from: the subset, or the whole cluster if there is none, or nobody of it to pick.
    fn group(&mut self, subset: Option<&Arc<Subset>>, endpoints: &Endpoints) -> &mut Group {
        let Some(subset) = subset else { return &mut self.whole };
        let position = self.position(subset, endpoints);
        let group = &mut self.subsets[position].1;
        let falls_back = subset.fallback == SubsetFallback::Any && group.is_empty();
        if falls_back { &mut self.whole } else { group }
    }

    /// Where the subset's group is; it is made if it is not there.
    fn position(&mut self, subset: &Arc<Subset>, endpoints: &Endpoints) -> usize {
        let is_it = |known: &Arc<Subset>| Arc::ptr_eq(known, subset) || known.is(subset);
        let known = self.subsets.iter().position(|(known, _)| is_it(known));
        known.unwrap_or_else(|| {
            if self.subsets.len() >= SUBSETS_MAX {
                self.subsets.remove(0);
            }
            let mut group = Group::default();
            group.rebuild(endpoints, Some(subset), self.algorithm, self.locality);
            self.subsets.push((Arc::clone(subset), group));
            self.subsets.len() - 1
        })
    }
}

#[cfg(test)]
mod tests;
