//! The other end of an evacuation: a sibling takes over what a dead worker served, a slice per turn.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use bulkhead_upstream::ConnectionFacts;

use super::Parcel;
use crate::arena::Key;
use crate::connection::Side;
use crate::exchange_state::{Phase, Role};
use crate::faults::Fault;
use crate::worker::Worker;

/// Connections taken over per turn, so that those of this worker's own wait a few milliseconds at
/// most. A parcel is taken over whole: what hangs together may be more.
const ABSORBED_PER_TURN: usize = 256;

/// What came out of a parcel, under its new keys.
#[derive(Debug, Default)]
struct Unpacked {
    connections: Vec<(Key, Option<ConnectionFacts>)>,
    exchanges: Vec<Key>,
}

impl Worker {
    /// Takes over a slice of what waits.
    pub(crate) fn absorb_some(&mut self) {
        if self.parcels.is_empty() {
            return;
        }
        let mut absorbed = 0;
        while absorbed < ABSORBED_PER_TURN
            && let Some(parcel) = self.parcels.pop_front()
        {
            absorbed += parcel.sockets();
            self.absorb(parcel);
        }
        // The next evacuation looks here for who has least.
        let waiting: usize = self.parcels.iter().map(Parcel::sockets).sum();
        self.slot.connections.store(self.sockets() + waiting, Ordering::Relaxed);
    }

    fn absorb(&mut self, mut parcel: Parcel) {
        for relay in std::mem::take(&mut parcel.relays) {
            self.absorb_relay(relay);
        }
        let mut new = Unpacked::default();
        let unpack = AssertUnwindSafe(|| self.unpack(&mut parcel, &mut new));
        if catch_unwind(unpack).is_err() {
            // Its references may be half rewritten: none of it may be served.
            self.shard.panicked();
            parcel.lose(&self.shared, &self.shard);
            for (key, _) in new.connections {
                self.count_absorb_loss(key);
                self.forget_connection(key);
            }
            return new.exchanges.into_iter().for_each(|key| self.forget_exchange(key));
        }
        for (key, facts) in new.connections {
            let is_downstream =
                self.connections.get(key).is_some_and(|connection| connection.is_downstream());
            let calm = self.guard_connection(key, |worker| worker.absorb_connection(key, facts));
            if !calm && is_downstream {
                self.shared.count_lost(1);
            }
        }
        for key in new.exchanges {
            self.guarded(key, |worker| {
                worker.absorb_exchange(key);
                Ok(())
            });
        }
    }

    /// Gives everything new keys, here and in whatever refers to it.
    fn unpack(&mut self, parcel: &mut Parcel, new: &mut Unpacked) {
        let mut connection_keys = HashMap::with_capacity(parcel.connections.len());
        while let Some((old, connection, facts)) = parcel.connections.pop() {
            let key = self.connections.insert(connection);
            new.connections.push((key, facts));
            connection_keys.insert(old, key);
        }
        let mut exchange_keys = HashMap::with_capacity(parcel.exchanges.len());
        while let Some((old, mut exchange, address)) = parcel.exchanges.pop() {
            let exchange_ref = &mut *exchange;
            let legs = [&mut exchange_ref.downstream, &mut exchange_ref.upstream];
            for leg in legs.into_iter().flatten() {
                leg.connection = connection_keys.get(&leg.connection).copied().unwrap_or(Key::NONE);
            }
            self.revive_cluster(&exchange);
            let cluster = exchange.cluster.and_then(|id| self.clusters.get_mut(id));
            exchange.limited &= cluster.is_some();
            exchange.endpoint = cluster.and_then(|cluster| {
                if exchange.limited
                    && let Some(limit) = cluster.pool.concurrency()
                {
                    limit.started();
                }
                let endpoint = cluster.pool.endpoint_at(address?)?;
                if exchange.attempt_open {
                    cluster.pool.started(endpoint);
                }
                Some(endpoint)
            });
            exchange.attempt_open &= exchange.endpoint.is_some();
            exchange.passes.adopt(&mut self.breakers);
            let key = self.exchanges.insert(exchange);
            new.exchanges.push(key);
            exchange_keys.insert(old, key);
        }
        let new_key = |old: Key| exchange_keys.get(&old).copied().unwrap_or(Key::NONE);
        for &key in &new.exchanges {
            let Some(exchange) = self.exchanges.get_mut(key) else { continue };
            exchange.hedge = new_key(exchange.hedge);
            exchange.mirror = new_key(exchange.mirror);
            match &mut exchange.role {
                Role::Client => {}
                Role::Hedge(client) => *client = new_key(*client),
                Role::Mirror => self.mirrors += 1,
            }
        }
        for &(key, _) in &new.connections {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if let Some(codec) = connection.codec.as_mut() {
                codec.for_each_stream(|_, tag| *tag = new_key(Key::from_tag(*tag)).to_tag());
            }
            for waiting in connection.stalled.iter_mut().chain(&mut connection.awaiting_settings) {
                *waiting = new_key(*waiting);
            }
        }
    }

    fn absorb_connection(&mut self, key: Key, facts: Option<ConnectionFacts>) {
        self.faults.strike(Fault::AbsorbPanic);
        let now = self.now;
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.yielding = false;
        let orphaned = match (&mut connection.side, facts) {
            (Side::Upstream(upstream), Some(facts)) => {
                let cluster = self.clusters.get_mut(upstream.cluster);
                let adopted =
                    cluster.and_then(|c| c.pool.adopt(upstream.address.clone(), key, facts, now));
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
        if orphaned {
            return self.connection_lost(key);
        }
        if self.faults.take(Fault::AbsorbError) || self.watch(key).is_err() {
            self.count_absorb_loss(key);
            return self.connection_lost(key);
        }
        if self.draining {
            self.announce_close(key);
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
        // A fault may have been taken back while the exchange was on its way.
        self.lift_fault(key);
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

    /// The report of the kill is out already: the totals count what is lost here.
    fn count_absorb_loss(&self, key: Key) {
        if self.connections.get(key).is_some_and(|connection| connection.is_downstream()) {
            self.shared.count_lost(1);
        }
    }
}
