//! Which endpoint the next attempt goes to.
//!
//! Candidates are the endpoints that are available: healthy as far as they are checked, and not
//! ejected. **Panic threshold**: if fewer than `panic_percent` of the endpoints are available, all of
//! them are candidates again: by then the fault is more likely ours or everybody's than theirs, and
//! sending everything to the few that are left would take these down as well.
//!
//! The list is computed when an endpoint comes, goes, changes its share, or becomes
//! available or not; not per request.

mod least_request;
mod round_robin;

use crate::Rng;
use crate::endpoint::{Endpoint, Endpoints};
use round_robin::RoundRobin;

/// How an endpoint is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// Two endpoints are drawn by weight; the one with fewer requests in flight for its weight
    /// gets the request.
    #[default]
    LeastRequest,
    /// In turn, by weight, evenly interleaved.
    RoundRobin,
}

/// The endpoints that may be chosen, with what is needed to draw one in constant time.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// Places in the endpoint table.
    indices: Vec<u32>,
    /// Running sum of the weights, the candidate's own included.
    weight_ends: Vec<u64>,
    /// All weights are equal: no need to look at the sums.
    uniform: bool,
}

impl Candidates {
    fn rebuild(&mut self, endpoints: &Endpoints) {
        self.indices.clear();
        self.weight_ends.clear();
        self.uniform = true;
        let mut sum = 0;
        let mut first_weight = None;
        for (index, endpoint) in endpoints.live() {
            if !endpoint.is_available() && !endpoints.panic {
                continue;
            }
            sum += u64::from(endpoint.weight);
            self.uniform &= *first_weight.get_or_insert(endpoint.weight) == endpoint.weight;
            self.indices.push(index);
            self.weight_ends.push(sum);
        }
    }
}

/// Candidates plus the state of the algorithm.
#[derive(Debug)]
pub(crate) struct Balancer {
    candidates: Candidates,
    round_robin: RoundRobin,
    algorithm: Balance,
}

impl Balancer {
    pub(crate) fn new(algorithm: Balance) -> Self {
        Self { candidates: Candidates::default(), round_robin: RoundRobin::default(), algorithm }
    }

    pub(crate) const fn set_algorithm(&mut self, algorithm: Balance) {
        self.algorithm = algorithm;
    }

    /// To be called when the set of endpoints, a weight or who is available changed.
    pub(crate) fn rebuild(&mut self, endpoints: &Endpoints) {
        self.candidates.rebuild(endpoints);
        self.round_robin.resize(endpoints.places());
    }

    /// The place of the chosen endpoint. `exclude` is chosen only if it is the only candidate.
    pub(crate) fn pick(
        &mut self,
        endpoints: &[Endpoint],
        rng: &mut Rng,
        exclude: Option<u32>,
    ) -> Option<u32> {
        if self.candidates.indices.len() < 2 {
            return self.candidates.indices.first().copied();
        }
        match self.algorithm {
            Balance::LeastRequest => least_request::pick(&self.candidates, endpoints, rng, exclude),
            Balance::RoundRobin => self.round_robin.pick(&self.candidates, endpoints, exclude),
        }
    }
}

#[cfg(test)]
mod tests;
