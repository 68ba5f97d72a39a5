//! A cluster in one worker: its endpoints, who is picked, and the connections to them.

mod availability;
mod untried;

use std::hash::Hash;
use std::time::{Duration, Instant};

use bulkhead_message::Address;

use crate::balance::{Balancer, FAILURE_LATENCY};
use crate::endpoint::Endpoints;
use crate::pool::{Pool, PoolLimits};
use crate::{
    Acquire, AttemptOutcome, Balance, Budget, ConcurrencyLimit, ConcurrencySettings,
    ConnectionFacts, EjectionSettings, EndpointId, EndpointSpec, Locality, Overloaded, PickHints,
    Protocol, Released, Rng, SlowStart,
};
use availability::Due;
pub use untried::{TRIED_MAX, Tried};

/// Settings of a cluster. Limits count per worker.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSettings {
    /// Protocol of the connections that are dialled.
    pub protocol: Protocol,
    /// How an endpoint is chosen.
    pub balance: Balance,
    /// Which zones and priorities are used first.
    pub locality: Locality,
    /// A connection that carries nothing is closed after.
    pub idle_timeout: Duration,
    /// HTTP/2 connections per endpoint that take new streams; 0 counts as 1.
    pub http2_connections: u32,
    /// Connections per endpoint, of any protocol and in any state; 0 counts as 1.
    pub connections_max: u32,
    /// Requests that wait for a connection, over all endpoints.
    pub pending_max: u32,
    /// Connections per endpoint that are dialled before a request needs them, and kept.
    pub preconnect: u32,
    /// Limit on requests in flight that follows latency; `None`: off.
    pub concurrency: Option<ConcurrencySettings>,
    /// Share of requests that may be retries, in percent.
    pub retry_budget_percent: u32,
    /// Passive ejection; `None`: off.
    pub ejection: Option<EjectionSettings>,
    /// What an endpoint counts as until its first active check. True if there are no checks.
    pub initially_healthy: bool,
    /// Below this share of available endpoints, in percent, requests go to all of them; 0: never.
    pub panic_percent: u32,
    /// How endpoints start that are new or back in service; `None`: with their whole share.
    pub slow_start: Option<SlowStart>,
}

impl ClusterSettings {
    /// The defaults of the configuration.
    pub const fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            balance: Balance::LeastRequest,
            locality: Locality::NONE,
            idle_timeout: Duration::from_secs(60),
            http2_connections: 2,
            connections_max: 1_024,
            pending_max: 1_024,
            preconnect: 0,
            concurrency: None,
            retry_budget_percent: 20,
            ejection: Some(EjectionSettings::DEFAULT),
            initially_healthy: true,
            panic_percent: 50,
            slow_start: None,
        }
    }

    fn pool_limits(&self) -> PoolLimits {
        PoolLimits {
            idle_timeout: self.idle_timeout,
            http2_connections: self.http2_connections.max(1) as usize,
            connections_max: self.connections_max.max(1) as usize,
            pending_max: self.pending_max as usize,
            preconnect: self.preconnect as usize,
        }
    }
}

/// What an update of the endpoints leaves to the caller.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed<K> {
    /// Connections of removed endpoints. They take nothing new: close each when
    /// [`Cluster::facts`] shows no stream in use, now or at its last [`Cluster::release`].
    pub connections: Vec<K>,
    /// Requests that waited for one of them: pick another endpoint for each.
    pub waiters: Vec<u64>,
}

/// What can be told of an endpoint, for metrics and the admin server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    /// Its id.
    pub id: EndpointId,
    /// Where it is.
    pub address: Address,
    /// Attempts in flight from this worker.
    pub in_flight: u32,
    /// Connections from this worker, in any state.
    pub connections: usize,
    /// End of its ejection, if it is ejected.
    pub ejected_until: Option<Instant>,
    /// What active checks say; true without checks.
    pub healthy: bool,
}

/// A cluster in one worker. `K` names a connection; the pool treats it as opaque.
///
/// Methods that take an [`EndpointId`] or a key treat an unknown one as gone: they do nothing, or
/// give `None`. So events that arrive late need no care.
#[derive(Debug)]
pub struct Cluster<K> {
    endpoints: Endpoints,
    balancer: Balancer,
    pub(crate) pool: Pool<K>,
    budget: Budget,
    concurrency: Option<Box<ConcurrencyLimit>>,
    ejection: Option<EjectionSettings>,
    slow_start: Option<SlowStart>,
    due: Due,
    /// Not told yet: see [`Cluster::take_rate_ejections`].
    rate_ejections: u32,
}

impl<K: Copy + Eq + Hash> Cluster<K> {
    /// A cluster without connections.
    pub fn new(settings: &ClusterSettings, endpoints: &[EndpointSpec]) -> Self {
        let mut cluster = Self {
            endpoints: Endpoints::new(settings.initially_healthy, settings.panic_percent),
            balancer: Balancer::new(settings.balance, settings.locality),
            pool: Pool::new(settings.protocol, settings.pool_limits()),
            budget: Budget::new(settings.retry_budget_percent),
            concurrency: settings
                .concurrency
                .map(|settings| Box::new(ConcurrencyLimit::new(settings))),
            ejection: settings.ejection,
            slow_start: settings.slow_start,
            due: Due::default(),
            rate_ejections: 0,
        };
        // Nobody starts slowly where all are new.
        cluster.endpoints.replace(endpoints, None);
        cluster.pool.resize(cluster.endpoints.places());
        cluster.rebalance();
        cluster
    }

    /// Puts new limits in force. The protocol stays: another protocol is another cluster.
    /// Connections and waiters beyond a lowered limit stay as they are.
    pub fn update_settings(&mut self, settings: &ClusterSettings, now: Instant) {
        self.pool.set_limits(settings.pool_limits());
        self.budget.set_percent(settings.retry_budget_percent);
        self.balancer.configure(settings.balance, settings.locality);
        self.endpoints.initially_healthy = settings.initially_healthy;
        self.endpoints.panic_percent = settings.panic_percent;
        match (settings.concurrency, &mut self.concurrency) {
            (Some(settings), Some(limit)) => limit.set(settings),
            (settings, limit) => {
                *limit = settings.map(|settings| Box::new(ConcurrencyLimit::new(settings)));
            }
        }
        self.ejection = settings.ejection;
        self.slow_start = settings.slow_start;
        if settings.ejection.is_none() {
            self.endpoints.live_mut().for_each(|endpoint| endpoint.health.forgive());
        }
        self.review(now);
    }

    /// Makes `specs` the endpoints. Those that stay (by address) keep id, connections and health;
    /// new ones start slowly, if they are to.
    pub fn update_endpoints(&mut self, specs: &[EndpointSpec], now: Instant) -> Removed<K> {
        let mut removed = Removed { connections: Vec::new(), waiters: Vec::new() };
        // Places are emptied before they may be given to a new endpoint.
        let kept: Vec<EndpointSpec> = specs
            .iter()
            .filter(|spec| self.endpoints.at(&spec.address).is_some())
            .cloned()
            .collect();
        for lane in self.endpoints.replace(&kept, None) {
            let (connections, waiters) = self.pool.abandon(lane);
            removed.connections.extend(connections);
            removed.waiters.extend(waiters);
        }
        self.endpoints.replace(specs, self.slow_start.map(|_| now));
        self.pool.resize(self.endpoints.places());
        self.review(now);
        removed
    }

    // === Endpoints ===

    /// The endpoint for the next attempt, as far as there is a choice one that `hints` ask for.
    /// `None` if the cluster, or the subset that is asked for, has no endpoint, or none is available
    /// and `panic_percent` is 0. Constant time; round robin with unequal weights and a bounded load
    /// are linear in the number of endpoints.
    #[inline]
    pub fn pick(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        hints: PickHints<'_>,
    ) -> Option<EndpointId> {
        if self.due.is_reached(now) {
            self.review(now);
        }
        let index = self.balancer.pick(&self.endpoints, now, rng, hints)?;
        self.endpoints.id(index)
    }

    /// Whether [`Cluster::observe`] makes a difference.
    #[inline]
    pub const fn measures_latency(&self) -> bool {
        matches!(self.balancer.algorithm(), Balance::PeakEwma)
    }

    /// An answer that is no failure ([`Cluster::is_failure`]) began `latency` after its attempt did.
    pub fn observe(&mut self, endpoint: EndpointId, now: Instant, latency: Duration) {
        if let Some(endpoint) = self.endpoints.get_mut(endpoint) {
            endpoint.latency.observe(now, latency);
        }
    }

    /// An attempt begins: counts it as in flight until [`Cluster::finished`].
    #[inline]
    pub fn started(&mut self, endpoint: EndpointId) {
        if let Some(endpoint) = self.endpoints.get_mut(endpoint) {
            endpoint.in_flight += 1;
        }
    }

    /// An attempt ended. Gives the length of the ejection if it was one failure too many.
    #[inline]
    pub fn finished(
        &mut self,
        id: EndpointId,
        now: Instant,
        outcome: AttemptOutcome,
    ) -> Option<Duration> {
        if self.measures_latency() && self.is_failure(outcome) {
            // However fast it failed, that attracts nothing.
            self.observe(id, now, FAILURE_LATENCY);
        }
        let endpoint = self.endpoints.get_mut(id)?;
        endpoint.in_flight = endpoint.in_flight.saturating_sub(1);
        let settings = self.ejection.as_ref()?;
        let one_too_many = endpoint.health.record(outcome, settings);
        if settings.counts_rates() && !self.due.has_interval() {
            self.review(now);
        }
        if one_too_many { self.eject(id, now) } else { None }
    }

    /// Attempts at an endpoint that were started and not finished.
    pub fn in_flight(&self, endpoint: EndpointId) -> u32 {
        self.endpoints.get(endpoint).map_or(0, |endpoint| endpoint.in_flight)
    }

    /// Address of an endpoint.
    pub fn address(&self, endpoint: EndpointId) -> Option<Address> {
        self.endpoints.get(endpoint).map(|endpoint| endpoint.address.clone())
    }

    /// The endpoint at this address.
    pub fn endpoint_at(&self, address: impl Into<Address>) -> Option<EndpointId> {
        self.endpoints.at(&address.into())
    }

    /// All endpoints, for metrics.
    pub fn endpoints(&self) -> impl Iterator<Item = EndpointStatus> {
        self.endpoints.live().filter_map(|(index, endpoint)| {
            Some(EndpointStatus {
                id: self.endpoints.id(index)?,
                address: endpoint.address.clone(),
                in_flight: endpoint.in_flight,
                connections: self.pool.connection_count(index),
                ejected_until: endpoint.health.ejected_until(),
                healthy: endpoint.healthy,
            })
        })
    }

    /// The retry budget: count each request in it, and hand it to [`crate::RetryPolicy`].
    pub const fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    /// The learnt concurrency limit, if the cluster has one.
    #[inline]
    pub fn concurrency(&mut self) -> Option<&mut ConcurrencyLimit> {
        self.concurrency.as_deref_mut()
    }

    // === Connections ===

    /// How a request gets a connection to this endpoint.
    #[inline]
    pub fn acquire(&mut self, endpoint: EndpointId) -> Acquire<K> {
        match self.endpoints.get(endpoint) {
            Some(_) => self.pool.acquire(endpoint.index),
            None => Acquire::Overloaded,
        }
    }

    /// A dial towards this endpoint began. If the endpoint is gone meanwhile, the connection is not
    /// taken, and is to be closed.
    pub fn connecting(&mut self, endpoint: EndpointId, key: K) -> Released {
        if self.endpoints.get(endpoint).is_none() {
            return Released::Close;
        }
        self.pool.connecting(endpoint.index, key);
        Released::Keep
    }

    /// A dialled connection is up and allows so many streams (ignored for HTTP/1.1, which allows
    /// one). Then call [`Cluster::serve_waiter`] until it gives `None`.
    pub fn ready(&mut self, key: K, now: Instant, streams_allowed: u32) {
        self.pool.ready(key, now, streams_allowed);
    }

    /// The peer changed how many streams it allows. More may let waiters through.
    pub fn streams_allowed(&mut self, key: K, streams_allowed: u32) {
        self.pool.streams_allowed(key, streams_allowed);
    }

    /// One stream of a connection ended. `reusable` is false if the connection must not take
    /// another request (`connection: close`, an answer cut short, a broken state). After
    /// [`Released::Keep`] call [`Cluster::serve_waiter`].
    #[inline]
    pub fn release(&mut self, key: K, now: Instant, reusable: bool) -> Released {
        self.pool.release(key, now, reusable)
    }

    /// The connection takes no new streams (GOAWAY, drain).
    pub fn draining(&mut self, key: K) -> Released {
        self.pool.draining(key)
    }

    /// The connection is no more: forget it, with all its streams. If it failed while it was
    /// dialled, take with [`Cluster::pop_waiter`] the requests that are not to wait any longer; then dial
    /// while [`Cluster::wants_connection`].
    pub fn closed(&mut self, key: K) {
        self.pool.closed(key);
    }

    /// Connections that carried nothing for `idle_timeout`: close them, then say
    /// [`Cluster::closed`]. They are not used again. Linear in the number of connections: for a
    /// slow tick, not for each turn.
    pub fn expire_idle(&mut self, now: Instant) -> Vec<K> {
        self.pool.expire_idle(now)
    }

    /// Endpoints to which connections are to be dialled that no request waits for, one entry for each:
    /// so that `preconnect` are open, with a pause after dials that failed, and none to those that are
    /// ejected or unhealthy. Linear in the number of endpoints: for a slow tick.
    pub fn take_warm_dials(&mut self, now: Instant, rng: &mut Rng) -> Vec<EndpointId> {
        let mut dials = Vec::new();
        for (index, endpoint) in self.endpoints.live() {
            let Some(id) = self.endpoints.id(index).filter(|_| endpoint.is_available()) else {
                continue;
            };
            let count = self.pool.take_warm_dials(index, now, rng);
            dials.extend(std::iter::repeat_n(id, count));
        }
        dials
    }

    /// The endpoint that a connection belongs to; `None` if the key is unknown or its endpoint is gone.
    pub fn endpoint_of(&self, key: K) -> Option<EndpointId> {
        let (lane, _) = self.pool.facts(key)?;
        self.endpoints.id(lane?)
    }

    /// What is known of a connection.
    pub fn facts(&self, key: K) -> Option<ConnectionFacts> {
        self.pool.facts(key).map(|(_, facts)| facts)
    }

    /// All connections, with what [`Cluster::adopt`] needs to know of them.
    pub fn connections(&self) -> impl Iterator<Item = (K, ConnectionFacts)> {
        self.pool.connections()
    }

    // === Waiting requests ===

    /// Lets a request wait for a connection to this endpoint.
    ///
    /// # Errors
    /// If `pending_max` requests wait already, or the endpoint is gone.
    pub fn enqueue(&mut self, endpoint: EndpointId, waiter: u64) -> Result<(), Overloaded> {
        self.endpoints.get(endpoint).ok_or(Overloaded)?;
        self.pool.enqueue(endpoint.index, waiter)
    }

    /// The request that waited longest, if a connection has room for it; its stream is counted
    /// already, as with [`Acquire::Use`].
    pub fn serve_waiter(&mut self, endpoint: EndpointId) -> Option<(u64, K)> {
        self.endpoints.get(endpoint)?;
        self.pool.serve_waiter(endpoint.index)
    }

    /// The request that waited longest, without a connection: to fail it or to try it elsewhere.
    pub fn pop_waiter(&mut self, endpoint: EndpointId) -> Option<u64> {
        self.endpoints.get(endpoint)?;
        self.pool.pop_waiter(endpoint.index)
    }

    /// A request does not wait any longer (its client left, its time is over). Says whether it was
    /// waiting. Linear in the number of waiting requests.
    pub fn cancel_waiter(&mut self, waiter: u64) -> bool {
        self.pool.cancel_waiter(waiter)
    }

    /// Requests waiting, over all endpoints.
    pub const fn waiting(&self) -> usize {
        self.pool.waiting()
    }

    /// Whether requests wait that no connection, present or being dialled, is going to serve: then
    /// dial one and say [`Cluster::connecting`]. To be asked after [`Cluster::closed`].
    pub fn wants_connection(&self, endpoint: EndpointId) -> bool {
        self.endpoints.get(endpoint).is_some() && self.pool.wants_connection(endpoint.index)
    }

    // === Evacuation ===

    /// The connection goes by another key from now on.
    pub fn rekey(&mut self, old: K, new: K) {
        self.pool.rekey(old, new);
    }

    /// Takes over a connection of another worker's cluster, as it is: also beyond the limits, and
    /// also to an address that is unknown here (then it finishes what it carries, takes nothing
    /// new, and `None` is given: close it when its last stream is released, or at once if it
    /// carries none). Attempts on it are entered with [`Cluster::started`].
    pub fn adopt(
        &mut self,
        address: impl Into<Address>,
        key: K,
        facts: ConnectionFacts,
        now: Instant,
    ) -> Option<EndpointId> {
        let endpoint = self.endpoints.at(&address.into());
        self.pool.adopt(endpoint.map(|id| id.index), key, facts, now);
        endpoint
    }
}

#[cfg(test)]
mod tests;
