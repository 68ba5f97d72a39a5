//! Another endpoint than those that were tried already.

use std::hash::Hash;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::Cluster;
use crate::{EndpointId, PickHints, Rng, Subset};

/// Endpoints that one request remembers having tried; from then on it forgets the first.
pub const TRIED_MAX: usize = 8;

/// How often the balancer is asked before the table is searched.
const DRAWS: usize = 4;

/// The endpoints that a request was sent to in vain. By address, which means the same to every
/// worker and outlives a reload.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    addresses: [Option<SocketAddr>; TRIED_MAX],
    /// Where the next one is noted.
    next: usize,
}

impl Tried {
    /// Notes an endpoint; of more than [`TRIED_MAX`] the last ones.
    pub fn add(&mut self, address: SocketAddr) {
        if !self.has(address) {
            self.addresses[self.next % TRIED_MAX] = Some(address);
            self.next = (self.next + 1) % TRIED_MAX;
        }
    }

    /// Whether the endpoint at this address was tried.
    pub fn has(&self, address: SocketAddr) -> bool {
        self.addresses.contains(&Some(address))
    }

    /// Forgets all of them.
    #[inline]
    pub const fn clear(&mut self) {
        if self.addresses[0].is_some() {
            *self = Self { addresses: [None; TRIED_MAX], next: 0 };
        }
    }
}

impl<K: Copy + Eq + Hash> Cluster<K> {
    /// As [`Cluster::pick`], but not one of `tried` if there is another in service. The balancer
    /// has the first say; linear in the number of endpoints where it keeps proposing what was tried.
    pub fn pick_untried(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        hints: PickHints<'_>,
        tried: &Tried,
    ) -> Option<EndpointId> {
        let mut picked = self.pick(now, rng, hints)?;
        for _ in 0..DRAWS {
            if !self.is_tried(picked, tried) {
                return Some(picked);
            }
            picked = self.pick(now, rng, PickHints { avoid: Some(picked), ..hints })?;
        }
        if !self.is_tried(picked, tried) {
            return Some(picked);
        }
        Some(self.search_untried(rng, hints.subset, tried).unwrap_or(picked))
    }

    /// Whether an endpoint in service, of `subset` if there is one, was not tried. Linear in the
    /// number of endpoints.
    pub fn has_untried(&self, tried: &Tried, subset: Option<&Arc<Subset>>) -> bool {
        let panic = self.endpoints.panic;
        let mut live = self.endpoints.live();
        live.any(|(_, it)| {
            let serves = (it.is_available() || panic) && subset.is_none_or(|subset| subset.has(it));
            serves && !tried.has(it.address)
        })
    }

    fn is_tried(&self, endpoint: EndpointId, tried: &Tried) -> bool {
        self.address(endpoint).is_some_and(|address| tried.has(address))
    }

    /// From a random place on, so that retries do not pile up on the first.
    fn search_untried(
        &self,
        rng: &mut Rng,
        subset: Option<&Arc<Subset>>,
        tried: &Tried,
    ) -> Option<EndpointId> {
        let places = self.endpoints.places();
        let start = rng.below(places as u64) as usize;
        let in_turn = (start..places).chain(0..start);
        let (places, panic) = (self.endpoints.as_slice(), self.endpoints.panic);
        let found = in_turn.into_iter().find(|&index| {
            places.get(index).is_some_and(|endpoint| {
                let serves = endpoint.live && (endpoint.is_available() || panic);
                let wanted = subset.is_none_or(|subset| subset.has(endpoint));
                serves && wanted && !tried.has(endpoint.address)
            })
        })?;
        self.endpoints.id(found as u32)
    }
}

#[cfg(test)]
mod tests;
