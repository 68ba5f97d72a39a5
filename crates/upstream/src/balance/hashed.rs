//! What the algorithms by hash share: the table is asked for one place after the other until one may
//! be taken.
//!
//! Tables are built over all endpoints of a tier, ejected ones too, so that an ejection moves the
//! keys of the ejected endpoint and no others, and costs no new table.
//!
//! **Bounded load** (Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2016):
//! an endpoint takes a request only while it has fewer in flight than the bound times its fair share
//! of them, rounded up; else the request goes on to the next place for its key. So one popular key
//! cannot drown its endpoint, and all others stay where they are.

use bulkhead_message::Address;

use super::candidates::Candidates;
use super::maglev::MaglevTable;
use super::ring_hash::Ring;
use super::{Balance, Draw, hash};
use crate::endpoint::Endpoint;

/// Places that are looked at before the least loaded candidate is taken instead.
const PROBES_MAX: u64 = 128;

/// Most of the average load that an endpoint may have, in percent: 125 allows a quarter more than
/// the average; `None`: any load.
pub type HashLoad = Option<u32>;

/// One endpoint that a table is built over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) address: Address,
    pub(super) weight: u32,
    pub(super) place: u32,
}

impl Member {
    pub(super) fn hash(&self) -> u64 {
        hash::of_address(&self.address)
    }
}

#[derive(Debug)]
enum Kind {
    Ring(Ring),
    Maglev(MaglevTable),
}

/// A table with what it was built from.
#[derive(Debug)]
pub(super) struct HashTable {
    algorithm: Balance,
    members: Vec<Member>,
    kind: Kind,
}

impl HashTable {
    /// The table of these members: `before`, if it is of the same ones.
    pub(super) fn of(
        algorithm: Balance,
        mut members: Vec<Member>,
        before: Option<Self>,
    ) -> Option<Self> {
        // The table must not depend on the order in which endpoints came.
        members.sort_unstable_by(|one, other| one.address.cmp(&other.address));
        if let Some(before) = before
            && before.algorithm == algorithm
            && before.members == members
        {
            return Some(before);
        }
        let kind = match algorithm {
            Balance::RingHash(settings) => Kind::Ring(Ring::build(&settings, &members)),
            Balance::Maglev(settings) => Kind::Maglev(MaglevTable::build(&settings, &members)),
            _ => return None,
        };
        Some(Self { algorithm, members, kind })
    }

    /// The place that is the `step`-th choice for a hash.
    pub(super) fn probe(&self, hash: u64, step: u64) -> Option<u32> {
        match &self.kind {
            Kind::Ring(ring) => ring.probe(hash, step),
            Kind::Maglev(table) => table.probe(hash, step),
        }
    }

    const fn load_max(&self) -> HashLoad {
        match self.algorithm {
            Balance::RingHash(settings) => settings.load_max,
            Balance::Maglev(settings) => settings.load_max,
            _ => None,
        }
    }

    /// Chooses among at least two candidates.
    pub(super) fn pick(
        &self,
        candidates: &Candidates,
        endpoints: &[Endpoint],
        draw: &Draw,
        hash: u64,
    ) -> Option<u32> {
        let bound = self.load_max().map(|percent| Bound::new(percent, candidates, endpoints));
        let fits = |place: u32| {
            let endpoint = endpoints.get(place as usize)?;
            bound.is_none_or(|bound| bound.admits(endpoint)).then_some(())
        };
        for step in 0..PROBES_MAX {
            let place = self.probe(hash, step)?;
            let wanted = draw.avoid != Some(place) && candidates.contains(place);
            if wanted && fits(place).is_some() {
                return Some(place);
            }
        }
        least_loaded(candidates, endpoints, draw)
    }
}

/// How much an endpoint may have in flight.
#[derive(Clone, Copy, Debug)]
struct Bound {
    percent: u64,
    /// Requests in flight at all candidates, with the one that looks for a place.
    requests: u64,
    weights: u64,
}

impl Bound {
    fn new(percent: u32, candidates: &Candidates, endpoints: &[Endpoint]) -> Self {
        let in_flight = |place: &u32| endpoints.get(*place as usize).map_or(0, |e| e.in_flight);
        let requests: u64 = candidates.places.iter().map(|place| u64::from(in_flight(place))).sum();
        let (percent, weights) = (u64::from(percent), candidates.weight_total());
        Self { percent, requests: requests + 1, weights }
    }

    fn admits(&self, endpoint: &Endpoint) -> bool {
        let share = self.percent * self.requests * u64::from(endpoint.weight);
        u64::from(endpoint.in_flight) < share.div_ceil(100 * self.weights.max(1))
    }
}

fn least_loaded(candidates: &Candidates, endpoints: &[Endpoint], draw: &Draw) -> Option<u32> {
    let others = candidates.places.iter().copied().filter(|&place| draw.avoid != Some(place));
    others.min_by_key(|&place| {
        let endpoint = endpoints.get(place as usize);
        endpoint.map_or(u64::MAX, |e| u64::from(e.in_flight) * 1_000_000 / u64::from(e.weight))
    })
}
