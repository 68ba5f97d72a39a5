//! The connection of a relay to an endpoint: chosen by the cluster's balancer, and another one if it
//! cannot be had. Until it is up nothing is read from the client, so that nothing can be lost.

use bulkhead_codec::proxy_protocol::{self, Proxied, ProxyVersion};
use bulkhead_config::model::ProxyProtocolVersion;
use bulkhead_message::{Failure, FailureKind, Retry};
use bulkhead_transport::Channel;
use bulkhead_upstream::{AttemptOutcome, PickHints};
use mio::{Interest, Token};

use super::flow::shake_hands;
use super::{CLIENT_BIT, ENDPOINT_BIT, Phase, Relay};
use crate::arena::Key;
use crate::breakers::Gate;
use crate::exchange::hash_of_ip;
use crate::worker::Worker;

impl Worker {
    /// Begins a connection to an endpoint; where that fails at once, to another one.
    pub(super) fn relay_attempt(&mut self, key: Key) {
        while let Err(failure) = self.relay_dial(key) {
            if failure.retry != Retry::Always || !self.relay_retries(key) {
                return self.relay_failed(key, failure);
            }
        }
    }

    /// An attempt did not lead to a connection: another one, or the end.
    pub(super) fn relay_attempt_failed(&mut self, key: Key) {
        let failure = self.close_attempt(key);
        if self.relay_retries(key) {
            self.relay_attempt(key);
        } else {
            self.relay_failed(key, failure);
        }
        self.set_relay_timer(key);
    }

    /// Takes down an attempt that failed, and charges it to its endpoint.
    fn close_attempt(&mut self, key: Key) -> Failure {
        let connect = |kind| {
            let detail = "no endpoint could be connected";
            Failure::upstream(kind, Retry::Always, detail)
        };
        let Some(relay) = self.relays.get_mut(key) else { return connect(FailureKind::Connect) };
        let handshaking = relay.phase == Phase::Greeting;
        relay.phase = Phase::Idle;
        relay.connect_until = None;
        if let Some(mut channel) = relay.endpoint_channel.take() {
            // Dropping the descriptor ends the registration as well.
            let _ = self.poll.registry().deregister(&mut channel);
        }
        if let Some(state) = relay.cluster.and_then(|id| self.clusters.get(id)) {
            self.shard.upstream_connect_failed(state.entry.series);
        }
        self.tell_relay_endpoint(key, AttemptOutcome::Failure);
        connect(if handshaking { FailureKind::UpstreamTls } else { FailureKind::Connect })
    }

    /// Whether there is to be another attempt; it is charged to the cluster's budget by asking.
    fn relay_retries(&mut self, key: Key) -> bool {
        let Self { relays, clusters, .. } = self;
        let Some(relay) = relays.get_mut(key) else { return false };
        let Some(state) = relay.cluster.and_then(|id| clusters.get_mut(id)) else { return false };
        if relay.attempts >= relay.route.connect_attempts {
            return false;
        }
        let series = state.entry.series;
        let granted = state.pool.budget().take_retry(self.now);
        if granted {
            self.shard.retried(series)
        } else {
            self.shard.retry_refused(series)
        }
        granted
    }

    fn relay_dial(&mut self, key: Key) -> Result<(), Failure> {
        let Self { relays, clusters, breakers, shard, poll, rng, .. } = self;
        let Some(relay) = relays.get_mut(key) else { return Ok(()) };
        let no_endpoint = Failure::gateway(FailureKind::NoEndpoint, "no endpoint is available");
        let state = relay.cluster.and_then(|id| clusters.get_mut(id)).ok_or(no_endpoint)?;
        let backend = relay.route.backend(relay.backend);
        let source = relay.source.filter(|_| backend.is_some_and(|backend| backend.by_source));
        let hints = PickHints {
            avoid: relay.endpoint.filter(|_| relay.attempts > 0),
            hash: source.map(|source| hash_of_ip(source.ip())),
            subset: backend.and_then(|backend| backend.subset.as_ref()),
        };
        let endpoint = state.pool.pick(self.now, rng, hints).ok_or(no_endpoint)?;
        let address = state.pool.address(endpoint).ok_or(no_endpoint)?;
        if state.pool.in_flight(endpoint) >= state.entry.config.connections_max {
            self.shard.cluster_overloaded(state.entry.series);
            let detail = "the endpoint has `connections_max` connections";
            return Err(Failure::gateway(FailureKind::Overloaded, detail));
        }
        let gate = Gate { breakers, shard, now: self.now };
        relay.passes.enter_cluster(state.entry.guard.as_ref(), gate)?;
        if relay.attempts == 0 {
            state.pool.budget().record_request(self.now);
        }
        relay.attempts += 1;
        relay.endpoint = Some(endpoint);
        relay.address = Some(address.clone());
        relay.attempt_open = true;
        state.pool.started(endpoint);
        let until = self.now + state.entry.config.connect_timeout;
        let token = Token(key.to_tag() as usize | CLIENT_BIT | ENDPOINT_BIT);
        let begun = Channel::connect(address, None).and_then(|mut channel| {
            let both = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut channel, token, both).map(|()| channel)
        });
        match begun {
            Ok(channel) => {
                relay.endpoint_channel = Some(channel);
                relay.phase = Phase::Connecting;
                relay.connect_until = Some(until);
                Ok(())
            }
            Err(_) => Err(self.close_attempt(key)),
        }
    }

    /// Goes on with a connection that is not up yet. True: it is.
    pub(super) fn relay_connect(&mut self, key: Key) -> bool {
        let Self { relays, clusters, .. } = self;
        let Some(relay) = relays.get_mut(key) else { return false };
        if relay.phase == Phase::Open {
            return true;
        }
        let Some(state) = relay.cluster.and_then(|id| clusters.get(id)) else {
            // The configuration has its cluster no more.
            if relay.phase != Phase::Idle {
                self.relay_attempt_failed(key);
            }
            return false;
        };
        let series = state.entry.series;
        let tls = relay.address.as_ref().and_then(|address| state.entry.relay_tls_target(address));
        let header = state.entry.config.proxy_protocol.map(|version| header(relay, version));
        match advance(relay, header, tls) {
            Ok(true) => {}
            Ok(false) => return false,
            Err(_) => {
                self.relay_attempt_failed(key);
                return false;
            }
        }
        relay.phase = Phase::Open;
        relay.connect_until = None;
        relay.active = self.now;
        relay.open_series = Some(series);
        self.shard.upstream_connected(series);
        self.relay_connected(key);
        self.set_relay_timer(key);
        true
    }

    /// The endpoint is well: it counts as such now, not when a long connection ends. In flight it
    /// stays, for the balancer and for the breaker, which has just got a pass back.
    fn relay_connected(&mut self, key: Key) {
        self.tell_relay_endpoint(key, AttemptOutcome::Success);
        let Self { relays, clusters, breakers, shard, .. } = self;
        let Some(relay) = relays.get_mut(key) else { return };
        if let Some((id, endpoint)) = relay.cluster.zip(relay.endpoint)
            && let Some(state) = clusters.get_mut(id)
        {
            state.pool.started(endpoint);
            relay.attempt_open = true;
            let gate = Gate { breakers, shard, now: self.now };
            let _ = relay.passes.enter_cluster(state.entry.guard.as_ref(), gate);
        }
    }

    /// Tells the balancer and the breaker how an attempt ended, once.
    pub(super) fn tell_relay_endpoint(&mut self, key: Key, outcome: AttemptOutcome) {
        let Self { relays, clusters, breakers, .. } = self;
        let Some(relay) = relays.get_mut(key) else { return };
        relay.passes.leave_cluster(outcome, breakers, self.now);
        if !std::mem::take(&mut relay.attempt_open) {
            return;
        }
        if let Some((id, endpoint)) = relay.cluster.zip(relay.endpoint)
            && let Some(state) = clusters.get_mut(id)
            && state.pool.finished(endpoint, self.now, outcome).is_some()
        {
            self.shard.ejected(state.entry.series);
        }
    }
}

/// The PROXY header that tells the endpoint who the client is.
fn header(relay: &Relay, version: ProxyProtocolVersion) -> Vec<u8> {
    let version = match version {
        ProxyProtocolVersion::V1 => ProxyVersion::V1,
        ProxyProtocolVersion::V2 => ProxyVersion::V2,
    };
    let proxied = relay.source.zip(relay.destination);
    let proxied = proxied.map(|(source, destination)| Proxied { source, destination });
    let mut out = Vec::new();
    proxy_protocol::encode(version, proxied, &mut out);
    out
}

/// Takes a connection through its phases. True: it is up, with TLS if it is to have any.
fn advance(
    relay: &mut Relay,
    header: Option<Vec<u8>>,
    tls: Option<bulkhead_transport::TlsTarget>,
) -> std::io::Result<bool> {
    let Some(channel) = relay.endpoint_channel.as_mut() else { return Ok(false) };
    if relay.phase == Phase::Connecting {
        if !channel.connect_result()? {
            return Ok(false);
        }
        if let Some(header) = header {
            // A new socket takes it at once; the specification asks the sender for no more.
            if channel.write(&header)? < header.len() {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
        }
        if let Some(target) = tls {
            channel.start_tls_client(&target)?;
        }
        relay.phase = Phase::Greeting;
    }
    shake_hands(channel, &mut relay.down)
}
