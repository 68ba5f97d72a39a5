//! **Evacuation**: when a worker dies, what it served moves to its siblings and goes on.
//!
//! A connection with its codec, TLS session, buffered bytes and socket is plain data, and so is an
//! exchange; they refer to each other by key only. So the dying worker cuts its graph of connections
//! and exchanges into connected parts (clients that share an upstream connection belong together),
//! and hands each part to a sibling as a [`Parcel`]. The sibling gives everything new keys, rewrites
//! the references, puts the sockets into its own poll, and pumps each connection once, since edges
//! that were due may have been lost with the old poll. No byte is lost: what was read is in the
//! codec or in `pending`, what was not written is in `out`.
//!
//! The listening sockets need no moving: the gateway holds a duplicate of each, so their queues
//! outlive the worker. A sibling accepts what waits in them, and the successor listens on.
//!
//! What is lost: only the connection or exchange that was being handled at the very moment of a
//! panic (see [`crate::guard`]).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bulkhead_upstream::ConnectionFacts;

use crate::arena::Key;
use crate::connection::{Connection, Side};
use crate::exchange_state::{Exchange, Phase};
use crate::faults::Fault;
use crate::mailbox::{Message, Slot};
use crate::shared::Shared;
use crate::timer::TimerId;
use crate::worker::Worker;

/// A connected part of a worker's graph, on its way to a sibling.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    connections: Vec<(Key, Box<Connection>, Option<ConnectionFacts>)>,
    exchanges: Vec<(Key, Box<Exchange>, Option<SocketAddr>)>,
}

impl Parcel {
    fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.exchanges.is_empty()
    }
}

/// What an evacuation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KillReport {
    /// Connections that go on at a sibling, downstream and upstream.
    pub connections_moved: usize,
    /// Exchanges in flight that go on at a sibling.
    pub exchanges_moved: usize,
    /// Downstream connections that could not be moved.
    pub connections_lost: usize,
    /// From the end of the loop to the last parcel sent.
    pub duration: Duration,
}

impl Worker {
    /// Takes everything out of this worker, as connected parts, largest first.
    fn pack(&mut self) -> (Vec<Parcel>, usize) {
        let mut lost = self.lost;
        for key in self.connections.keys() {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if self.poll.registry().deregister(&mut connection.channel).is_err() {
                lost += usize::from(connection.is_downstream());
                self.connection_lost(key);
            }
        }
        let mut parts = Parts::default();
        let connection_keys = self.connections.keys();
        let exchange_keys = self.exchanges.keys();
        for &key in &exchange_keys {
            let Some(exchange) = self.exchanges.get(key) else { continue };
            let node = Node::Exchange(key);
            for leg in [exchange.downstream, exchange.upstream].into_iter().flatten() {
                parts.join(node, Node::Connection(leg.connection));
            }
        }
        let mut parcels: HashMap<Node, Parcel> = HashMap::new();
        for key in connection_keys {
            let Some(mut connection) = self.connections.remove(key) else { continue };
            connection.timer = TimerId::NONE;
            connection.dirty = false;
            connection.again = false;
            let facts = connection
                .upstream()
                .and_then(|upstream| self.clusters.get(upstream.cluster))
                .and_then(|cluster| cluster.pool.facts(key));
            let parcel = parcels.entry(parts.root(Node::Connection(key))).or_default();
            parcel.connections.push((key, connection, facts));
        }
        for key in exchange_keys {
            let Some(mut exchange) = self.exchanges.remove(key) else { continue };
            exchange.timer = TimerId::NONE;
            let address = exchange
                .cluster
                .zip(exchange.endpoint)
                .and_then(|(id, endpoint)| self.clusters.get(id)?.pool.address(endpoint));
            let parcel = parcels.entry(parts.root(Node::Exchange(key))).or_default();
            parcel.exchanges.push((key, exchange, address));
        }
        let mut parcels: Vec<_> = parcels.into_values().filter(|p| !p.is_empty()).collect();
        parcels.sort_by_key(|parcel| std::cmp::Reverse(parcel.exchanges.len()));
        (parcels, lost)
    }

    /// Takes over what a killed sibling served.
    pub(crate) fn absorb(&mut self, parcel: Parcel) {
        let mut connection_keys = HashMap::with_capacity(parcel.connections.len());
        let mut moved = Vec::with_capacity(parcel.connections.len());
        for (old, connection, facts) in parcel.connections {
            let new = self.connections.insert(connection);
            connection_keys.insert(old, new);
            moved.push((new, facts));
        }
        let mut exchange_keys = HashMap::with_capacity(parcel.exchanges.len());
        for (old, mut exchange, address) in parcel.exchanges {
            let exchange_ref = &mut *exchange;
            let legs = [&mut exchange_ref.downstream, &mut exchange_ref.upstream];
            for leg in legs.into_iter().flatten() {
                leg.connection = connection_keys.get(&leg.connection).copied().unwrap_or(Key::NONE);
            }
            let cluster = exchange.cluster.and_then(|id| self.clusters.get_mut(id));
            exchange.endpoint = cluster.and_then(|cluster| {
                let endpoint = cluster.pool.endpoint_at(address?)?;
                if exchange.attempt_open {
                    cluster.pool.started(endpoint);
                }
                Some(endpoint)
            });
            exchange.attempt_open &= exchange.endpoint.is_some();
            exchange_keys.insert(old, self.exchanges.insert(exchange));
        }
        for (key, facts) in moved {
            self.guard_connection(key, |worker| {
                worker.absorb_connection(key, facts, &exchange_keys);
            });
        }
        for &key in exchange_keys.values() {
            self.guarded(key, |worker| {
                worker.absorb_exchange(key);
                Ok(())
            });
        }
        // The next evacuation looks here for who has least.
        self.slot.connections.store(self.connections.len(), Ordering::Relaxed);
    }

    fn absorb_connection(
        &mut self,
        key: Key,
        facts: Option<ConnectionFacts>,
        exchanges: &HashMap<Key, Key>,
    ) {
        self.faults.strike(Fault::AbsorbPanic);
        let now = self.now;
        let Some(connection) = self.connections.get_mut(key) else { return };
        let new_key = |old: Key| exchanges.get(&old).copied().unwrap_or(Key::NONE);
        if let Some(codec) = connection.codec.as_mut() {
            codec.for_each_stream(|_, tag| *tag = new_key(Key::from_tag(*tag)).to_tag());
        }
        for stalled in &mut connection.stalled {
            *stalled = new_key(*stalled);
        }
        let orphaned = match (&mut connection.side, facts) {
            (Side::Upstream(upstream), Some(facts)) => {
                let cluster = self.clusters.get_mut(upstream.cluster);
                let adopted = cluster.and_then(|c| c.pool.adopt(upstream.address, key, facts, now));
                if let Some(endpoint) = adopted {
                    upstream.endpoint = endpoint;
                }
                adopted.is_none() && facts.streams_in_use == 0
            }
            (Side::Upstream(_), None) => connection.streams() == 0,
            (Side::Downstream(_), _) => {
                self.shard.evacuated_in(1);
                false
            }
        };
        if orphaned || self.faults.take(Fault::AbsorbError) || self.watch(key).is_err() {
            return self.connection_lost(key);
        }
        if let Some(connection) = self.connections.get_mut(key)
            && self.draining
            && connection.is_downstream()
            && let Some(codec) = connection.codec.as_mut()
        {
            codec.announce_close(&mut connection.out.bytes);
        }
        self.set_connection_timer(key);
        self.pump_again(key);
        if let Some(connection) = self.connections.get_mut(key)
            && !connection.dirty
        {
            connection.dirty = true;
            self.dirty.push(key);
        }
    }

    fn absorb_exchange(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        let begun = exchange.phase == Phase::Begun;
        if exchange.phase == Phase::Waiting || (begun && exchange.route.is_some()) {
            // Its place in the queue is gone with the worker: a new one, at an endpoint known here.
            if !exchange.attempt_open {
                exchange.attempts = exchange.attempts.saturating_sub(1);
                if let Err(failure) = self.attempt(key) {
                    self.exchange_failed(key, failure);
                }
            } else if let Err(failure) = self.acquire(key) {
                self.exchange_failed(key, failure);
            }
        }
        self.set_exchange_timer(key);
    }
}

/// Moves what a dead worker served, and starts its successor. Runs on the dying thread.
pub(crate) fn evacuate(mut worker: Worker, ended: Instant) {
    let shared = worker.shared.clone();
    let slot = worker.slot.clone();
    slot.close();
    forward_mail(&mut worker);
    let (parcels, lost) = worker.pack();
    let mut report = KillReport { connections_lost: lost, ..KillReport::default() };
    for parcel in &parcels {
        report.connections_moved += parcel.connections.len();
        report.exchanges_moved += parcel.exchanges.len();
        let clients = parcel.connections.iter().filter(|(_, c, _)| c.is_downstream()).count();
        shared.totals.evacuated_connections.fetch_add(clients as u64, Ordering::Relaxed);
        worker.shard.evacuated_out(clients as u64);
    }
    let mut siblings = shared.siblings(slot.index);
    if siblings.is_empty() {
        // The only worker there was: its successor takes everything.
        shared.respawn(&slot);
        siblings = shared.siblings(usize::MAX);
        deliver(&shared, parcels, &siblings);
    } else {
        deliver(&shared, parcels, &siblings);
        drain_queues(&shared, &slot, &siblings);
        shared.respawn(&slot);
    }
    report.duration = crate::clock::now().saturating_duration_since(ended);
    shared.totals.killed.fetch_add(1, Ordering::Relaxed);
    shared.totals.lost_connections.fetch_add(lost as u64, Ordering::Relaxed);
    shared.registry.worker_killed();
    shared.registry.connections_lost(lost as u64);
    shared.evacuated(&slot, report);
}

/// Mail that the dead worker has not read: parcels go on to a sibling, the rest is for its successor,
/// who starts with the current state anyway.
fn forward_mail(worker: &mut Worker) {
    while let Ok(message) = worker.inbox.try_recv() {
        if let Message::Parcel(parcel) = message {
            worker.absorb(*parcel);
        }
    }
}

/// Spreads parcels over the siblings, the largest to whoever has least.
fn deliver(shared: &Shared, parcels: Vec<Parcel>, siblings: &[Arc<Slot>]) {
    let mut loads: Vec<usize> =
        siblings.iter().map(|slot| slot.connections.load(Ordering::Relaxed)).collect();
    for parcel in parcels {
        let size = parcel.connections.len();
        let mut order: Vec<usize> = (0..siblings.len()).collect();
        order.sort_by_key(|&index| loads[index]);
        let mut unsent = Some(Message::Parcel(Box::new(parcel)));
        for index in order {
            let Some(message) = unsent.take() else { break };
            match siblings[index].send(message) {
                Ok(()) => loads[index] += size,
                Err(refused) => unsent = Some(refused),
            }
        }
        if let Some(message) = unsent {
            // Every sibling died meanwhile: whoever comes next takes it.
            shared.park(message);
        }
    }
}

fn drain_queues(shared: &Shared, slot: &Slot, siblings: &[Arc<Slot>]) {
    if let Some(sibling) = siblings.first() {
        let queues = shared.duplicate_listeners(slot.index);
        if !queues.is_empty() {
            // If it died meanwhile the queue waits for the successor.
            let _ = sibling.send(Message::AcceptQueue(queues));
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Node {
    Connection(Key),
    Exchange(Key),
}

/// Union-find over connections and exchanges.
#[derive(Debug, Default)]
struct Parts(HashMap<Node, Node>);

impl Parts {
    fn root(&mut self, node: Node) -> Node {
        let mut root = node;
        while let Some(&parent) = self.0.get(&root) {
            root = parent;
        }
        let mut at = node;
        while at != root {
            let Some(parent) = self.0.insert(at, root) else { break };
            at = parent;
        }
        root
    }

    fn join(&mut self, one: Node, other: Node) {
        let (one, other) = (self.root(one), self.root(other));
        if one != other {
            self.0.insert(one, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_together_stays_together() {
        let key = Key::from_tag;
        let mut parts = Parts::default();
        for (exchange, connection) in [(1, 10), (1, 20), (2, 11), (2, 20), (3, 12), (3, 21)] {
            parts.join(Node::Exchange(key(exchange)), Node::Connection(key(connection)));
        }
        let mut root = |connection| parts.root(Node::Connection(key(connection)));
        assert_eq!(root(10), root(11));
        assert_eq!(root(10), root(20));
        assert_eq!(root(12), root(21));
        assert_ne!(root(10), root(12));
        assert_ne!(root(13), root(12));
    }
}
