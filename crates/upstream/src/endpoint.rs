//! The endpoints of a cluster: a table whose places are reused, and ids that notice it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bulkhead_message::Address;

use crate::balance::Latency;
use crate::ejection::Health;

/// What an endpoint is, by name: `version` → `v2`.
pub type Labels = BTreeMap<String, String>;

/// Names an endpoint of one cluster in one worker. An id outlives its endpoint safely: when the
/// place is given to another endpoint the generation differs, and the old id means nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// What the configuration or discovery says of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointSpec {
    /// Where it listens.
    pub address: Address,
    /// Relative share of requests, 1 to [`EndpointSpec::WEIGHT_MAX`]; others are clamped.
    pub weight: u32,
    /// Endpoints of the lowest number are used first; others take over what these cannot.
    pub priority: u8,
    /// It stands in the gateway's own zone.
    pub local: bool,
    /// Labels, for [`crate::Subset`]; `None`: none.
    pub labels: Option<Arc<Labels>>,
}

impl EndpointSpec {
    /// Highest weight.
    pub const WEIGHT_MAX: u32 = 1_000;

    /// An endpoint of weight 1 and priority 0, elsewhere, without labels.
    pub fn new(address: impl Into<Address>) -> Self {
        Self { address: address.into(), weight: 1, priority: 0, local: false, labels: None }
    }

    fn weight_clamped(&self) -> u32 {
        self.weight.clamp(1, Self::WEIGHT_MAX)
    }
}

/// One place of the table.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) address: Address,
    /// Its share as balancing sees it: what was configured, or during slow start a part of that.
    pub(crate) weight: u32,
    /// As configured.
    pub(crate) configured_weight: u32,
    pub(crate) priority: u8,
    pub(crate) local: bool,
    pub(crate) labels: Option<Arc<Labels>>,
    pub(crate) generation: u32,
    pub(crate) live: bool,
    /// Attempts that were started and not finished.
    pub(crate) in_flight: u32,
    pub(crate) health: Health,
    /// What active checks say.
    pub(crate) healthy: bool,
    /// Its slow start began then; `None`: it is over, or there is none.
    pub(crate) started_at: Option<Instant>,
    /// How fast it answers; kept by [`crate::Balance::PeakEwma`] only.
    pub(crate) latency: Latency,
}

impl Endpoint {
    /// Takes over what may change while the endpoint stays.
    fn describe(&mut self, spec: &EndpointSpec) {
        self.configured_weight = spec.weight_clamped();
        self.priority = spec.priority;
        self.local = spec.local;
        self.labels.clone_from(&spec.labels);
    }

    /// Whether it is to get requests: neither unhealthy nor ejected.
    pub(crate) const fn is_available(&self) -> bool {
        self.healthy && !self.health.is_ejected()
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct Endpoints {
    places: Vec<Endpoint>,
    /// What an endpoint counts as that was not checked yet.
    pub(crate) initially_healthy: bool,
    /// Below this share of available endpoints, in percent, all count as available; 0: never.
    pub(crate) panic_percent: u32,
    /// Whether that is so now.
    pub(crate) panic: bool,
}

impl Endpoints {
    pub(crate) const fn new(initially_healthy: bool, panic_percent: u32) -> Self {
        Self { places: Vec::new(), initially_healthy, panic_percent, panic: false }
    }

    /// Finds out whether too few endpoints are available. To be called when one comes, goes, or
    /// becomes available or not.
    pub(crate) fn judge(&mut self) {
        self.panic = self.in_panic(self.live().map(|(_, endpoint)| endpoint));
    }

    /// Whether too few of these endpoints are available.
    pub(crate) fn in_panic<'e>(&self, endpoints: impl Iterator<Item = &'e Endpoint>) -> bool {
        let (mut total, mut available) = (0, 0);
        for endpoint in endpoints {
            total += 1;
            available += usize::from(endpoint.is_available());
        }
        available * 100 < total * self.panic_percent as usize
    }

    pub(crate) fn as_slice(&self) -> &[Endpoint] {
        &self.places
    }

    /// Places, live or not.
    pub(crate) const fn places(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = (u32, &Endpoint)> {
        (0u32..).zip(&self.places).filter(|(_, endpoint)| endpoint.live)
    }

    pub(crate) fn live_mut(&mut self) -> impl Iterator<Item = &mut Endpoint> {
        self.places.iter_mut().filter(|endpoint| endpoint.live)
    }

    pub(crate) fn id(&self, index: u32) -> Option<EndpointId> {
        let endpoint = self.places.get(index as usize).filter(|endpoint| endpoint.live)?;
        Some(EndpointId { index, generation: endpoint.generation })
    }

    pub(crate) fn get(&self, id: EndpointId) -> Option<&Endpoint> {
        let endpoint = self.places.get(id.index as usize)?;
        (endpoint.live && endpoint.generation == id.generation).then_some(endpoint)
    }

    pub(crate) fn get_mut(&mut self, id: EndpointId) -> Option<&mut Endpoint> {
        let endpoint = self.places.get_mut(id.index as usize)?;
        (endpoint.live && endpoint.generation == id.generation).then_some(endpoint)
    }

    pub(crate) fn at(&self, address: &Address) -> Option<EndpointId> {
        let (index, _) = self.live().find(|(_, endpoint)| endpoint.address == *address)?;
        self.id(index)
    }

    /// Makes the table hold exactly `specs`; an address named twice counts once, as first named.
    /// An endpoint that stays keeps id, health and count; a new one starts slowly from `started_at`.
    /// Gives the places that became empty.
    pub(crate) fn replace(
        &mut self,
        specs: &[EndpointSpec],
        started_at: Option<Instant>,
    ) -> Vec<u32> {
        let mut removed = Vec::new();
        for (index, endpoint) in (0u32..).zip(&mut self.places) {
            if endpoint.live && !specs.iter().any(|spec| spec.address == endpoint.address) {
                endpoint.live = false;
                removed.push(index);
            }
        }
        for (position, spec) in specs.iter().enumerate() {
            if specs[..position].iter().any(|earlier| earlier.address == spec.address) {
                continue;
            }
            match self.places.iter_mut().find(|e| e.live && e.address == spec.address) {
                Some(endpoint) => endpoint.describe(spec),
                None => self.insert(spec, started_at),
            }
        }
        removed
    }

    fn insert(&mut self, spec: &EndpointSpec, started_at: Option<Instant>) {
        let endpoint = Endpoint {
            address: spec.address.clone(),
            weight: spec.weight_clamped(),
            configured_weight: spec.weight_clamped(),
            priority: spec.priority,
            local: spec.local,
            labels: spec.labels.clone(),
            generation: 0,
            live: true,
            in_flight: 0,
            health: Health::default(),
            healthy: self.initially_healthy,
            started_at,
            latency: Latency::default(),
        };
        match self.places.iter_mut().find(|place| !place.live) {
            Some(place) => {
                let generation = place.generation.wrapping_add(1);
                *place = Endpoint { generation, ..endpoint };
            }
            None => self.places.push(endpoint),
        }
    }
}
