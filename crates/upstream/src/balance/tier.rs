//! Endpoints of equal priority and nearness, and which share of the requests such a tier takes.

use std::mem;

use super::candidates::Candidates;
use super::hashed::{HashTable, Member};
use super::round_robin::RoundRobin;
use super::{Balance, Draw, random, two_choices};
use crate::Rng;
use crate::endpoint::Endpoint;

/// Default of [`Locality::overprovisioning_percent`], Envoy's: a tier takes everything while 72 % of
/// it can serve.
pub const OVERPROVISIONING_PERCENT: u32 = 140;

/// Which zones and priorities are used first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locality {
    /// Endpoints in the gateway's own zone come before others of the same priority.
    pub prefer_local: bool,
    /// Fewer endpoints in the own zone are not preferred: they could not carry it.
    pub local_endpoints_min: u32,
    /// How much more than its share a tier can carry, 100 or more: as long as its available share
    /// times this is 100 %, it takes everything, and below, the next tier takes the rest.
    pub overprovisioning_percent: u32,
    /// Requests in flight at one endpoint, from one worker, with which it is full: further ones go to
    /// the next tier, if that has room. `None`: never.
    pub spill_over_requests: Option<u32>,
}

impl Locality {
    /// No zone is preferred.
    pub const NONE: Self = Self {
        prefer_local: false,
        local_endpoints_min: 1,
        overprovisioning_percent: OVERPROVISIONING_PERCENT,
        spill_over_requests: None,
    };
}

/// One tier.
#[derive(Debug, Default)]
pub(super) struct Tier {
    candidates: Candidates,
    round_robin: RoundRobin,
    table: Option<HashTable>,
}

impl Tier {
    /// Makes these the tier's endpoints; those that are `available` are candidates. Gives how much of
    /// its weight that is, in percent.
    pub(super) fn rebuild(
        &mut self,
        members: &[(u32, &Endpoint)],
        available: impl Fn(&Endpoint) -> bool,
        places: usize,
        algorithm: Balance,
    ) -> u64 {
        let total_before = self.candidates.weight_total();
        let places_before = self.candidates.clear();
        for &(place, endpoint) in members {
            if available(endpoint) {
                self.candidates.push(place, endpoint.weight);
            }
        }
        // Weights that only grow are those of a slow start, which goes on.
        if self.candidates.places != places_before || self.candidates.weight_total() < total_before
        {
            self.round_robin.begin(places);
        }
        let before = mem::take(&mut self.table);
        if matches!(algorithm, Balance::RingHash(_) | Balance::Maglev(_)) {
            let member = |&(place, endpoint): &(u32, &Endpoint)| Member {
                address: endpoint.address.clone(),
                // Not the share of a slow start: keys must not move for that.
                weight: endpoint.configured_weight,
                place,
            };
            self.table = HashTable::of(algorithm, members.iter().map(member).collect(), before);
        }
        let weight = |(_, endpoint): &(u32, &Endpoint)| u64::from(endpoint.configured_weight);
        let total: u64 = members.iter().map(weight).sum();
        let can_serve: u64 =
            members.iter().filter(|(_, endpoint)| available(endpoint)).map(weight).sum();
        let percent = can_serve * 100 / total.max(1);
        // However little it is, it is not nothing: else all tiers together might have nobody.
        percent.max(u64::from(can_serve > 0))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.candidates.len() == 0
    }

    /// The place of a candidate that `suits`, from the `start`-th on.
    pub(super) fn search(&self, start: u64, suits: impl Fn(u32) -> bool) -> Option<u32> {
        let places = &self.candidates.places;
        let start = (start % (places.len() as u64).max(1)) as usize;
        let (before, after) = places.split_at_checked(start)?;
        after.iter().chain(before).copied().find(|&place| suits(place))
    }

    pub(super) fn pick(
        &mut self,
        endpoints: &[Endpoint],
        rng: &mut Rng,
        draw: &Draw,
    ) -> Option<u32> {
        let candidates = &self.candidates;
        if candidates.len() < 2 {
            return candidates.places.first().copied();
        }
        match (draw.algorithm, &self.table, draw.hash) {
            (Balance::LeastRequest, ..) => {
                let load = |of: &Endpoint, times| u64::from(of.in_flight) * u64::from(times);
                two_choices::pick(candidates, endpoints, rng, draw, load)
            }
            (Balance::RoundRobin, ..) => self.round_robin.pick(candidates, endpoints, draw),
            (Balance::PeakEwma, ..) => {
                let load = |of: &Endpoint, times| {
                    of.latency.load(draw.now, of.in_flight) * f64::from(times)
                };
                two_choices::pick(candidates, endpoints, rng, draw, load)
            }
            (_, Some(table), Some(hash)) => table.pick(candidates, endpoints, draw, hash),
            _ => random::pick(candidates, rng, draw),
        }
    }
}
