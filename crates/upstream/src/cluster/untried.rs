//! Another endpoint than those that were tried already.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Instant;

use bulkhead_message::Address;

use super::Cluster;
use crate::endpoint::Endpoint;
use crate::{EndpointId, PickHints, Rng, Subset};

/// Endpoints that one request remembers having tried; from then on it forgets the first.
pub const TRIED_MAX: usize = 8;

/// How often the balancer is asked before the table is searched.
const DRAWS: usize = 4;

/// The endpoints that a request was sent to in vain. By address, which means the same to every
/// worker and outlives a reload.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// Small while it is empty, as it is for most requests.
    addresses: Vec<Address>,
    /// Which one gives way to the next when there are [`TRIED_MAX`].
    oldest: usize,
}

impl Tried {
    /// Notes an endpoint; of more than [`TRIED_MAX`] the last ones.
    pub fn add(&mut self, address: &Address) {
        if self.has(address) {
            return;
        }
        if self.addresses.len() < TRIED_MAX {
            self.addresses.push(address.clone());
        } else if let Some(place) = self.addresses.get_mut(self.oldest) {
            *place = address.clone();
            self.oldest = (self.oldest + 1) % TRIED_MAX;
        }
    }

    /// Whether the endpoint at this address was tried.
    pub fn has(&self, address: &Address) -> bool {
        self.addresses.contains(address)
    }

    /// Forgets all of them.
    #[inline]
    pub fn clear(&mut self) {
        self.addresses.clear();
        self.oldest = 0;
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
        Some(self.search_untried(rng, hints, tried).unwrap_or(picked))
    }

    /// Whether an endpoint that [`Cluster::pick_untried`] may choose was not tried. Linear in the number
    /// of endpoints.
    pub fn has_untried(&mut self, subset: Option<&Arc<Subset>>, tried: &Tried) -> bool {
        let is_untried = |endpoint: &Endpoint| !tried.has(&endpoint.address);
        self.balancer.search(&self.endpoints, subset, 0, is_untried).is_some()
    }

    fn is_tried(&self, endpoint: EndpointId, tried: &Tried) -> bool {
        self.endpoints.get(endpoint).is_some_and(|endpoint| tried.has(&endpoint.address))
    }

    /// From a random place on, so that retries do not pile up on the first.
    fn search_untried(
        &mut self,
        rng: &mut Rng,
        hints: PickHints<'_>,
        tried: &Tried,
    ) -> Option<EndpointId> {
        let is_untried = |endpoint: &Endpoint| !tried.has(&endpoint.address);
        let found = self.balancer.search(&self.endpoints, hints.subset, rng.next(), is_untried)?;
        self.endpoints.id(found)
    }
}

#[cfg(test)]
mod tests;
