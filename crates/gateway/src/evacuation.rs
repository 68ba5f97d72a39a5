//! **Evacuation**: when a worker dies, what it served moves to its siblings and goes on.
//!
//! A connection with its codec, TLS session, buffered bytes and socket is plain data, and so is an
//! exchange; they refer to each other by key only. So the dying worker cuts its graph of connections
//! and exchanges into connected parts (clients that share an upstream connection belong together),
//! and hands each part to a sibling as a [`Parcel`]: one message to each sibling, however many parts.
//! The sibling takes them over in slices, between its own turns ([`absorb`](self)): it gives
//! everything new keys, rewrites the references, puts the sockets into its own poll, and pumps each
//! connection once, since edges that were due may have been lost with the old poll. No byte is lost:
//! what was read is in the codec or in `pending`, what was not written is in `out`.
//!
//! The listening sockets need no moving: the gateway holds a duplicate of each, so their queues
//! outlive the worker. A sibling accepts what waits in them, and the successor listens on.
//!
//! What is lost: only the connection or exchange that was being handled at the very moment of a
//! panic (see [`crate::guard`]). A parcel is never dropped without being counted: what no mailbox
//! takes is parked until a worker comes by.

mod absorb;
mod parts;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bulkhead_message::Address;
use bulkhead_telemetry::Shard;
use bulkhead_upstream::ConnectionFacts;

use crate::arena::Key;
use crate::connection::Connection;
use crate::exchange_state::Exchange;
use crate::mailbox::{Message, Slot};
use crate::relay::Relay;
use crate::shared::Shared;
use crate::timer::TimerId;
use crate::worker::Worker;
use parts::{Node, Parts};

/// A connected part of a worker's graph, on its way to a sibling.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    connections: Vec<(Key, Box<Connection>, Option<ConnectionFacts>)>,
    exchanges: Vec<(Key, Box<Exchange>, Option<Address>)>,
    /// Each hangs together with nothing else.
    #[expect(clippy::vec_box, reason = "the arena holds boxes: a move moves a pointer")]
    relays: Vec<Box<Relay>>,
}

impl Parcel {
    pub(crate) fn of_relay(relay: Box<Relay>) -> Self {
        Self { relays: vec![relay], ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.exchanges.is_empty() && self.relays.is_empty()
    }

    /// Its connections, a relay counted as one.
    fn sockets(&self) -> usize {
        self.connections.len() + self.relays.len()
    }

    /// Its downstream connections.
    fn clients(&self) -> usize {
        let connections = self.connections.iter();
        let clients = connections.filter(|(_, connection, _)| connection.is_downstream()).count();
        clients + self.relays.len()
    }

    /// A client's connection on which nothing is in flight.
    pub(crate) fn of_client(key: Key, connection: Box<Connection>) -> Self {
        Self { connections: vec![(key, connection, None)], ..Self::default() }
    }

    /// Ends what cannot be delivered; exchanges in it end without a record. `shard`: one that no other thread writes to now.
    pub(crate) fn lose(self, shared: &Shared, shard: &Shard) {
        shared.count_lost(self.clients());
        for (_, connection, _) in &self.connections {
            shared.downstream_left(connection, shard);
        }
        for _relay in &self.relays {
            shard.relay_lost();
            shared.connection_left();
        }
    }
}

/// What an evacuation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KillReport {
    /// Connections that go on at a sibling, downstream and upstream.
    pub connections_moved: usize,
    /// Exchanges in flight that go on at a sibling.
    pub exchanges_moved: usize,
    /// Downstream connections that could not be moved. What a sibling loses while it takes over
    /// comes later, and is in [`crate::EvacuationTotals`] alone.
    pub connections_lost: usize,
    /// From the end of the loop to the last parcel sent.
    pub duration: Duration,
}

impl Worker {
    /// Takes everything out of this worker, as connected parts, largest first.
    fn pack(&mut self) {
        for key in self.connections.keys() {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if self.poll.registry().deregister(&mut connection.channel).is_err() {
                self.evacuee_lost(key);
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
            let others = [exchange.hedge, exchange.mirror].into_iter();
            for other in others.filter(|other| *other != Key::NONE) {
                parts.join(node, Node::Exchange(other));
            }
        }
        // In an order that is the same whenever the same worker dies again: see `simulation`.
        let mut parcels: BTreeMap<Node, Parcel> = BTreeMap::new();
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
        self.pack_relays();
        self.parcels.extend(parcels.into_values().filter(|parcel| !parcel.is_empty()));
        let parcels = self.parcels.make_contiguous();
        parcels.sort_by_key(|parcel| std::cmp::Reverse(parcel.exchanges.len()));
    }

    /// Mail that the dead worker has not read: its parcels go on to a sibling, the rest is for its
    /// successor, who starts with the current state anyway.
    fn keep_parcels(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            if let Message::Parcels(parcels) = message {
                self.parcels.extend(parcels);
            }
        }
        // They came in here, though they leave as they came.
        self.shard.evacuated_in(self.clients_packed());
    }

    fn clients_packed(&self) -> u64 {
        self.parcels.iter().map(Parcel::clients).sum::<usize>() as u64
    }

    /// Hands everything to siblings, or to the successor if there are none.
    fn move_out(&mut self, report: &mut KillReport) {
        self.keep_parcels();
        self.pack();
        for parcel in &self.parcels {
            report.connections_moved += parcel.sockets();
            report.exchanges_moved += parcel.exchanges.len();
        }
        let clients = self.clients_packed();
        self.shared.totals.evacuated_connections.fetch_add(clients, Ordering::Relaxed);
        self.shard.evacuated_out(clients);
        let siblings = self.shared.siblings(self.slot.index);
        deliver(&self.shared, self.parcels.drain(..), &siblings);
        drain_queues(&self.shared, &self.slot, &siblings);
    }

    /// A fault: what it served ends here, but each exchange in its record.
    fn crash(&mut self) {
        self.keep_parcels();
        self.lose_the_rest();
        let siblings = self.shared.siblings(self.slot.index);
        drain_queues(&self.shared, &self.slot, &siblings);
    }

    /// What an evacuation that went wrong has left behind is lost.
    fn lose_the_rest(&mut self) {
        for parcel in std::mem::take(&mut self.parcels) {
            self.lost += parcel.clients();
            parcel.lose(&self.shared, &self.shard);
        }
        for key in self.connections.keys() {
            self.evacuee_lost(key);
        }
        for key in self.exchanges.keys() {
            self.forget_exchange(key);
        }
        self.lose_relays();
    }

    /// A connection that cannot be moved, or that ended the loop: gone, and counted.
    fn evacuee_lost(&mut self, key: Key) {
        if self.connections.get(key).is_some_and(|connection| connection.is_downstream()) {
            self.count_lost(1);
        }
        self.connection_lost(key);
    }

    pub(crate) fn count_lost(&mut self, connections: usize) {
        self.lost += connections;
        self.shared.count_lost(connections);
    }
}

/// Moves what a dead worker served, and starts its successor. Runs on the dying thread.
pub(crate) fn evacuate(worker: Worker, ended: Instant) {
    let (shared, slot) = (worker.shared.clone(), worker.slot.clone());
    let mut report = empty(worker);
    shared.respawn(&slot);
    report.duration = crate::clock::now().saturating_duration_since(ended);
    shared.totals.killed.fetch_add(1, Ordering::Relaxed);
    shared.registry.worker_killed();
    shared.evacuated(&slot, report);
}

/// Moves what a worker served for which the pool has no place any more.
pub(crate) fn retire(worker: Worker, ended: Instant) {
    let (shared, slot) = (worker.shared.clone(), worker.slot.clone());
    let mut report = empty(worker);
    report.duration = crate::clock::now().saturating_duration_since(ended);
    shared.registry.worker_retired();
    shared.evacuated(&slot, report);
}

/// Moves everything out of a worker, and ends it.
fn empty(mut worker: Worker) -> KillReport {
    let slot = worker.slot.clone();
    slot.close();
    let mut report = KillReport::default();
    let moved = AssertUnwindSafe(|| match slot.crashed.load(Ordering::Relaxed) {
        true => worker.crash(),
        false => worker.move_out(&mut report),
    });
    if catch_unwind(moved).is_err() {
        // A bug in the evacuation itself: what it had not sent is lost, the worker is not.
        let _ = catch_unwind(AssertUnwindSafe(|| worker.lose_the_rest()));
    }
    report.connections_lost = worker.lost;
    // Its descriptors are enough for a successor, even where there are no others.
    drop(worker);
    report
}

/// The end of a worker that was told to stop: parcels that came too late for it go to a sibling.
pub(crate) fn leave(worker: &mut Worker) {
    worker.slot.close();
    worker.cut_off_relays();
    worker.keep_parcels();
    worker.shard.evacuated_out(worker.clients_packed());
    let siblings = worker.shared.siblings(worker.slot.index);
    deliver(&worker.shared, worker.parcels.drain(..), &siblings);
}

/// Spreads parcels over the siblings, the largest to whoever has least. What no sibling takes waits
/// for a successor.
fn deliver(shared: &Shared, parcels: impl Iterator<Item = Parcel>, siblings: &[Arc<Slot>]) {
    let mut loads: Vec<(usize, Vec<Parcel>)> = siblings
        .iter()
        .map(|slot| (slot.connections.load(Ordering::Relaxed), Vec::new()))
        .collect();
    let mut parked = Vec::new();
    for parcel in parcels {
        match loads.iter_mut().min_by_key(|(load, _)| *load) {
            Some((load, parcels)) => {
                *load += parcel.sockets();
                parcels.push(parcel);
            }
            None => parked.push(parcel),
        }
    }
    for (slot, (load, parcels)) in siblings.iter().zip(loads) {
        if parcels.is_empty() {
            continue;
        }
        match slot.send(Message::Parcels(parcels)) {
            // The next evacuation looks here for who has least.
            Ok(()) => slot.connections.store(load, Ordering::Relaxed),
            // It died meanwhile, or is flooded: whoever reads its mail next takes them.
            Err(Message::Parcels(refused)) => parked.extend(refused),
            Err(_) => {}
        }
    }
    if !parked.is_empty() {
        shared.park(parked);
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
