//! A cluster or a subset of it, in tiers: by priority, and in each priority the own zone first.
//!
//! The shares are Envoy's: a tier's health is its available share times the overprovisioning factor,
//! 100 % at most; each tier takes its health in percent of the requests as far as they are left, and
//! if all tiers together have less than 100 %, in proportion.

use super::hash::nth;
use super::tier::{Locality, Tier};
use super::{Balance, Draw, Subset};
use crate::Rng;
use crate::endpoint::{Endpoint, Endpoints};

/// Hashes of keys are used for the tier and in the tier: the two must not depend on each other.
const TIER_SALT: u64 = 0x7469_6572;

/// What a tier's share is a part of.
const SHARES: u64 = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Group {
    tiers: Vec<Tier>,
    /// Shares up to and including each tier, of [`SHARES`].
    share_ends: Vec<u64>,
}

impl Group {
    pub(super) fn rebuild(
        &mut self,
        endpoints: &Endpoints,
        subset: Option<&Subset>,
        algorithm: Balance,
        locality: Locality,
    ) {
        let mut members: Vec<(u32, &Endpoint)> = endpoints
            .live()
            .filter(|(_, endpoint)| subset.is_none_or(|subset| subset.has(endpoint)))
            .collect();
        // Judged for the subset: what ails the rest of the cluster says nothing of it.
        let panic = endpoints.in_panic(members.iter().map(|(_, endpoint)| *endpoint));
        let nearness = nearness(&members, locality);
        // Stable: in a tier, places stay in ascending order.
        members.sort_by_key(|(_, endpoint)| nearness(endpoint));
        let tiers: Vec<_> = members.chunk_by(|(_, a), (_, b)| nearness(a) == nearness(b)).collect();
        self.tiers.resize_with(tiers.len(), Tier::default);
        let available = |endpoint: &Endpoint| panic || endpoint.is_available();
        let healths: Vec<u64> = tiers
            .iter()
            .zip(&mut self.tiers)
            .map(|(members, tier)| {
                let percent = tier.rebuild(members, available, endpoints.places(), algorithm);
                (percent * u64::from(locality.overprovisioning_percent.max(100)) / 100).min(100)
            })
            .collect();
        self.share_ends = share_ends(&healths);
    }

    pub(super) fn pick(
        &mut self,
        endpoints: &[Endpoint],
        rng: &mut Rng,
        draw: &Draw,
    ) -> Option<u32> {
        let Self { tiers, share_ends } = self;
        if let [tier] = tiers.as_mut_slice() {
            return tier.pick(endpoints, rng, draw);
        }
        let ticket = match draw.hash {
            Some(hash) => nth(hash, TIER_SALT) % SHARES,
            None => rng.below(SHARES),
        };
        let first = share_ends.partition_point(|&end| end <= ticket);
        let picked = tiers.get_mut(first)?.pick(endpoints, rng, draw)?;
        if draw.avoid != Some(picked) && has_room(endpoints, picked, draw) {
            return Some(picked);
        }
        for tier in tiers.iter_mut().skip(first + 1).filter(|tier| !tier.is_empty()) {
            let next = tier.pick(endpoints, rng, draw)?;
            if has_room(endpoints, next, draw) {
                return Some(next);
            }
        }
        Some(picked)
    }
    /// Whether there is nobody to pick.
    pub(super) fn is_empty(&self) -> bool {
        self.tiers.iter().all(Tier::is_empty)
    }

    /// See [`super::Balancer::search`].
    pub(super) fn search(
        &self,
        endpoints: &[Endpoint],
        start: u64,
        suits: impl Fn(&Endpoint) -> bool,
    ) -> Option<u32> {
        let suits = |place: u32| endpoints.get(place as usize).is_some_and(&suits);
        self.tiers.iter().find_map(|tier| tier.search(start, suits))
    }
}

/// The order of tiers: priority, then whether an endpoint is elsewhere.
fn nearness(
    members: &[(u32, &Endpoint)],
    locality: Locality,
) -> impl Fn(&Endpoint) -> (u8, bool) + use<> {
    let local = members.iter().filter(|(_, endpoint)| endpoint.local).count();
    let prefer = locality.prefer_local && local >= locality.local_endpoints_min as usize;
    move |endpoint| (endpoint.priority, prefer && !endpoint.local)
}

fn share_ends(healths: &[u64]) -> Vec<u64> {
    let sum: u64 = healths.iter().sum::<u64>().clamp(1, 100);
    let mut left = SHARES;
    let mut ends: Vec<u64> = healths
        .iter()
        .map(|health| {
            left -= (health * SHARES / sum).min(left);
            SHARES - left
        })
        .collect();
    // What rounding leaves goes to the last tier that takes any.
    if let Some(last) = healths.iter().rposition(|&health| health > 0) {
        ends[last..].fill(SHARES);
    }
    ends
}

fn has_room(endpoints: &[Endpoint], place: u32, draw: &Draw) -> bool {
    let Some(full) = draw.locality.spill_over_requests else { return true };
    endpoints.get(place as usize).is_some_and(|endpoint| endpoint.in_flight < full)
}
