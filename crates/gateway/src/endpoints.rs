//! Upstream connections of a worker: dialled, ready, shared, given back, lost.
//!
//! Which connection carries what is decided by [`bulkhead_upstream::Cluster`]; this file dials, and
//! tells it what became of the connections.

use std::sync::Arc;

use bulkhead_codec::Codec;
use bulkhead_config::model::Protocol;
use bulkhead_message::{Failure, FailureKind, Retry};
use bulkhead_transport::Channel;
use bulkhead_upstream::{Acquire, AttemptOutcome, Cluster, EndpointId, Released};
use mio::{Interest, Token};

use crate::arena::Key;
use crate::connection::{Connection, Side, Upstream, UpstreamPhase};
use crate::exchange::Sent;
use crate::exchange_state::Phase;
use crate::overload::Wait;
use crate::snapshot::{ClusterEntry, ClusterId};
use crate::worker::Worker;

/// A cluster as this worker knows it.
#[derive(Debug)]
pub(crate) struct ClusterState {
    pub(crate) entry: Arc<ClusterEntry>,
    pub(crate) pool: Cluster<Key>,
}

/// The clusters of a worker, by id.
#[derive(Debug, Default)]
pub(crate) struct Clusters(Vec<Option<ClusterState>>);

impl Clusters {
    #[inline]
    pub(crate) fn get_mut(&mut self, id: ClusterId) -> Option<&mut ClusterState> {
        self.0.get_mut(id.index())?.as_mut()
    }

    pub(crate) fn get(&self, id: ClusterId) -> Option<&ClusterState> {
        self.0.get(id.index())?.as_ref()
    }

    pub(crate) fn set(&mut self, id: ClusterId, state: ClusterState) {
        if self.0.len() <= id.index() {
            self.0.resize_with(id.index() + 1, || None);
        }
        self.0[id.index()] = Some(state);
    }

    pub(crate) fn remove(&mut self, id: ClusterId) -> Option<ClusterState> {
        self.0.get_mut(id.index())?.take()
    }

    pub(crate) fn ids(&self) -> Vec<ClusterId> {
        self.0.iter().flatten().map(|state| state.entry.id).collect()
    }
}

/// Connections that are dialled at once because the peer's settings allow few streams.
const DIALS_PER_SETTINGS: usize = 16;

/// How often one exchange asks the pool again when a connection turns out not to take it.
const ACQUIRE_TRIES: usize = 4;

impl Worker {
    /// Gets a connection for an exchange whose endpoint is chosen: now, or when one is ready.
    pub(crate) fn acquire(&mut self, key: Key) -> Result<(), Failure> {
        for _ in 0..ACQUIRE_TRIES {
            let Self { exchanges, clusters, .. } = self;
            let Some(exchange) = exchanges.get_mut(key) else { return Ok(()) };
            let (Some(id), Some(endpoint)) = (exchange.cluster, exchange.endpoint) else {
                return Ok(());
            };
            let Some(cluster) = clusters.get_mut(id) else { break };
            match cluster.pool.acquire(endpoint) {
                Acquire::Use(connection) => {
                    if self.send_request(key, connection)? == Sent::Yes {
                        return Ok(());
                    }
                    self.slot_unusable(id, connection);
                    continue;
                }
                Acquire::Connect => self.dial(id, endpoint)?,
                Acquire::Wait => {}
                Acquire::Overloaded => {
                    self.shard.cluster_overloaded(cluster.entry.series);
                    return Err(overloaded());
                }
            }
            let Some(cluster) = self.clusters.get_mut(id) else { break };
            return cluster.pool.enqueue(endpoint, key.to_tag()).map_err(|_| overloaded());
        }
        Err(overloaded())
    }

    /// A connection that the pool thought good takes no stream: the pool learns what it takes.
    fn slot_unusable(&mut self, id: ClusterId, connection: Key) {
        let (must_close, allowed) = self
            .connections
            .get(connection)
            .and_then(|c| c.codec.as_ref())
            .map_or((true, 0), |codec| {
                (codec.must_close(), codec.active_streams() + codec.available_streams())
            });
        let Some(cluster) = self.clusters.get_mut(id) else { return };
        let mut released = cluster.pool.release(connection, self.now, !must_close);
        if must_close || allowed == 0 {
            released = cluster.pool.draining(connection);
        } else {
            cluster.pool.streams_allowed(connection, allowed as u32);
        }
        if released == Released::Close {
            self.connection_lost(connection);
        }
    }

    /// Begins a connection to an endpoint.
    pub(crate) fn dial(&mut self, id: ClusterId, endpoint: EndpointId) -> Result<(), Failure> {
        let Some(cluster) = self.clusters.get_mut(id) else { return Err(overloaded()) };
        let Some(address) = cluster.pool.address(endpoint) else { return Err(overloaded()) };
        let entry = cluster.entry.clone();
        let failure = |_| {
            let detail = "a connection to the endpoint could not be begun";
            Failure::upstream(FailureKind::Connect, Retry::Always, detail)
        };
        let tls = entry.tls_target(&address);
        let channel = Channel::connect(address.clone(), tls.as_ref()).map_err(failure)?;
        let side = Side::Upstream(Upstream {
            cluster: id,
            series: entry.series,
            endpoint,
            address,
            protocol: entry.config.protocol,
            phase: UpstreamPhase::Connecting,
        });
        let key = self.connections.insert(Box::new(Connection::new(channel, side, self.now)));
        self.register(key).map_err(failure)?;
        if let Some(cluster) = self.clusters.get_mut(id)
            && cluster.pool.connecting(endpoint, key) == Released::Close
        {
            self.connection_lost(key);
        }
        self.set_connection_timer(key);
        Ok(())
    }

    /// Puts a new connection into this worker's poll; one that the poll refuses is gone.
    pub(crate) fn register(&mut self, key: Key) -> std::io::Result<()> {
        let watched = self.watch(key);
        if watched.is_err() {
            self.connections.remove(key);
        }
        watched
    }

    /// Puts a connection into this worker's poll.
    pub(crate) fn watch(&mut self, key: Key) -> std::io::Result<()> {
        let Self { connections, poll, .. } = self;
        let Some(connection) = connections.get_mut(key) else { return Ok(()) };
        let token = Token(key.to_tag() as usize);
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut connection.channel, token, interest)
    }

    /// An upstream connection is up, with TLS if it has any.
    pub(crate) fn pool_ready(&mut self, key: Key) {
        let Some(connection) = self.connections.get(key) else { return };
        let Some(upstream) = connection.upstream() else { return };
        let (id, endpoint, protocol) = (upstream.cluster, upstream.endpoint, upstream.protocol);
        let series = upstream.series;
        let offered = connection.channel.alpn();
        if connection.channel.is_tls() && protocol == Protocol::Http2 && offered != Some(b"h2") {
            // `pool_closed` counts it and tells the waiting exchanges.
            return self.connection_lost(key);
        }
        let mut codec = self.upstream_codec(protocol);
        let Some(connection) = self.connections.get_mut(key) else { return };
        if let Side::Upstream(upstream) = &mut connection.side {
            upstream.phase = UpstreamPhase::Ready;
        }
        codec.start(&mut connection.out.bytes);
        let allowed = codec.available_streams() as u32;
        connection.codec = Some(codec);
        connection.active = self.now;
        self.shard.upstream_connected(series);
        if let Some(cluster) = self.clusters.get_mut(id) {
            cluster.pool.ready(key, self.now, allowed);
        }
        self.set_connection_timer(key);
        self.serve_waiters(id, endpoint);
        self.touch(key);
        self.pump_again(key);
    }

    /// The peer's settings say how many streams it takes.
    pub(crate) fn pool_settings(&mut self, key: Key) {
        let Some((id, endpoint)) = self.pool_place(key) else { return };
        let allowed = self.streams_allowed(key);
        if let Some(cluster) = self.clusters.get_mut(id) {
            cluster.pool.streams_allowed(key, allowed);
        }
        self.serve_waiters(id, endpoint);
        // With fewer streams than expected, those who still wait need further connections.
        for _ in 0..DIALS_PER_SETTINGS {
            if !self.dial_if_wanted(id, endpoint) {
                break;
            }
        }
    }

    fn streams_allowed(&self, key: Key) -> u32 {
        self.connections
            .get(key)
            .and_then(|connection| connection.codec.as_ref())
            .map_or(0, |codec: &Codec| (codec.active_streams() + codec.available_streams()) as u32)
    }

    fn pool_place(&self, key: Key) -> Option<(ClusterId, EndpointId)> {
        let upstream = self.connections.get(key)?.upstream()?;
        Some((upstream.cluster, upstream.endpoint))
    }

    /// The peer takes no new streams.
    pub(crate) fn pool_draining(&mut self, key: Key) {
        let Some((id, endpoint)) = self.pool_place(key) else { return };
        if let Some(cluster) = self.clusters.get_mut(id)
            && cluster.pool.draining(key) == Released::Close
        {
            self.connection_lost(key);
        }
        self.dial_if_wanted(id, endpoint);
    }

    /// An upstream connection is no more: nobody may wait for it in vain.
    pub(crate) fn pool_closed(&mut self, key: Key) {
        let Some(connection) = self.connections.get(key) else { return };
        let Some(upstream) = connection.upstream() else { return };
        let (id, endpoint, phase) = (upstream.cluster, upstream.endpoint, upstream.phase);
        let series = upstream.series;
        if phase == UpstreamPhase::Ready {
            self.shard.upstream_closed(series);
        }
        let Some(cluster) = self.clusters.get_mut(id) else { return };
        cluster.pool.closed(key);
        if phase != UpstreamPhase::Ready {
            self.shard.upstream_connect_failed(series);
            let kind = match phase {
                UpstreamPhase::Handshaking => FailureKind::UpstreamTls,
                _ => FailureKind::Connect,
            };
            let detail = "the connection to the endpoint could not be set up";
            let failure = Failure::upstream(kind, Retry::Always, detail);
            self.fail_waiters(id, endpoint, failure);
        }
        self.dial_if_wanted(id, endpoint);
    }

    /// Fails the attempts that wait for an endpoint which cannot be reached; each may go elsewhere.
    fn fail_waiters(&mut self, id: ClusterId, endpoint: EndpointId, failure: Failure) {
        // As many as there are now: an attempt that comes back to this endpoint waits for another dial.
        let waiting = self.clusters.get(id).map_or(0, |cluster| cluster.pool.waiting());
        for _ in 0..waiting {
            let Some(cluster) = self.clusters.get_mut(id) else { return };
            let Some(waiter) = cluster.pool.pop_waiter(endpoint) else { return };
            self.guarded(Key::from_tag(waiter), |_| Err(failure));
        }
    }

    /// Dials if somebody waits for whom no connection is on its way. True: one is now.
    fn dial_if_wanted(&mut self, id: ClusterId, endpoint: EndpointId) -> bool {
        let wanted =
            self.clusters.get(id).is_some_and(|cluster| cluster.pool.wants_connection(endpoint));
        if wanted && let Err(failure) = self.dial(id, endpoint) {
            self.fail_waiters(id, endpoint, failure);
            return false;
        }
        wanted
    }

    /// Gives free slots to the exchanges that have waited longest.
    pub(crate) fn serve_waiters(&mut self, id: ClusterId, endpoint: EndpointId) {
        while let Some(cluster) = self.clusters.get_mut(id) {
            let Some((waiter, connection)) = cluster.pool.serve_waiter(endpoint) else { break };
            let key = Key::from_tag(waiter);
            let waits = self.exchanges.get(key).is_some_and(|e| e.phase == Phase::Waiting);
            if !waits {
                let _still_ready = self
                    .clusters
                    .get_mut(id)
                    .map(|cluster| cluster.pool.release(connection, self.now, true));
                continue;
            }
            self.guarded(key, |worker| {
                if worker.send_request(key, connection)? == Sent::Unable {
                    worker.slot_unusable(id, connection);
                    worker.acquire(key)?;
                }
                Ok(())
            });
        }
    }

    /// Gives back the slot that an exchange holds, if it holds one.
    pub(crate) fn release_slot(&mut self, key: Key) {
        let Self { exchanges, connections, clusters, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return };
        if !std::mem::take(&mut exchange.holds_slot) {
            return;
        }
        let (Some(leg), Some(id)) = (exchange.upstream, exchange.cluster) else { return };
        let Some(connection) = connections.get_mut(leg.connection) else { return };
        connection.active = self.now;
        let endpoint = connection.upstream().map(|upstream| upstream.endpoint);
        let reusable = connection.codec.as_ref().is_some_and(|codec| !codec.must_close());
        let carries_nothing = connection.streams() == 0;
        let cluster = clusters.get_mut(id);
        let waiting = cluster.as_ref().is_some_and(|cluster| cluster.pool.waiting() > 0);
        let released = cluster.map_or(Released::Unknown, |cluster| {
            cluster.pool.release(leg.connection, self.now, reusable)
        });
        match released {
            Released::Keep => {
                if waiting && let Some(endpoint) = endpoint {
                    self.serve_waiters(id, endpoint);
                }
            }
            // The configuration has its cluster no more: no pool ever closes it.
            Released::Unknown if !carries_nothing => {}
            Released::Close | Released::Unknown => {
                connection.closing = true;
                self.touch(leg.connection);
            }
        }
    }

    /// Tells the balancer how the current attempt ended, once.
    pub(crate) fn tell_endpoint(&mut self, key: Key, outcome: AttemptOutcome) {
        if self.exchanges.get(key).is_some_and(|exchange| exchange.limited) {
            self.end_waiting(key, Wait::of(outcome));
        }
        let Self { exchanges, clusters, breakers, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return };
        if !std::mem::take(&mut exchange.attempt_open) {
            return;
        }
        exchange.passes.leave_cluster(outcome, breakers, self.now);
        if let (Some(id), Some(endpoint)) = (exchange.cluster, exchange.endpoint)
            && let Some(cluster) = clusters.get_mut(id)
        {
            let series = cluster.entry.series;
            // What a tunnel takes says nothing of the endpoint; its handshake does.
            let until = exchange.tunnel_since.unwrap_or(self.now);
            let duration = until.saturating_duration_since(exchange.attempt_started);
            let ok = outcome != AttemptOutcome::Neutral && !cluster.pool.is_failure(outcome);
            self.shard.attempt_finished(series, duration, ok);
            if cluster.pool.finished(endpoint, self.now, outcome).is_some() {
                self.shard.ejected(series);
            }
        }
    }

    /// Closes pooled connections that were idle for their cluster's time-out.
    pub(crate) fn expire_idle(&mut self) {
        for id in self.clusters.ids() {
            let Some(cluster) = self.clusters.get_mut(id) else { continue };
            for key in cluster.pool.expire_idle(self.now) {
                self.guard_connection(key, |worker| worker.connection_lost(key));
            }
        }
    }
}

const fn overloaded() -> Failure {
    Failure::gateway(FailureKind::Overloaded, "too many requests wait for the cluster")
}
