//! Bookkeeping of the connections to the endpoints, and of the requests that wait for one.
//!
//! HTTP/1.1: a connection carries one request; the one that was used last is used next, so that the
//! surplus of a burst grows old and expires. HTTP/2: a few connections per endpoint, each with as
//! many streams as the peer allows; the one with the fewest streams is used, and a further one is
//! dialled only when all are full, because many streams on one connection mean many frames per write.
//!
//! A connection is a key given by the caller. The pool never closes one: it says that it should be
//! closed ([`Released::Close`], [`Pool::expire_idle`]) and forgets it when told so.
//!
//! Limits: connections per endpoint (`connections_max`; of HTTP/2 at most `http2_connections` that
//! take new streams), waiting requests (`pending_max`, over all endpoints). Connections that were
//! adopted from another worker count, but are taken even beyond the limit.

mod connection;
mod lane;
mod warm;

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use connection::Connection;
pub use connection::{Acquire, ConnectionFacts, ConnectionState, Overloaded, Protocol, Released};
use lane::{Lane, Lanes};

/// Streams that a connection is expected to allow while no settings of its endpoint are known. RFC
/// 9113 §6.5.2 recommends no less than 100.
const STREAMS_EXPECTED: usize = 100;

/// Lane number of a connection whose endpoint is gone.
const NO_LANE: u32 = u32::MAX;

/// Limits of a pool, per worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolLimits {
    pub(crate) idle_timeout: Duration,
    pub(crate) http2_connections: usize,
    pub(crate) connections_max: usize,
    pub(crate) pending_max: usize,
    /// Connections per endpoint that are open without a request.
    pub(crate) preconnect: usize,
}

/// The pool of one cluster in one worker. `lane` numbers are the endpoint table's places.
#[derive(Debug)]
pub(crate) struct Pool<K> {
    protocol: Protocol,
    limits: PoolLimits,
    slots: Vec<Option<Connection<K>>>,
    free: Vec<u32>,
    by_key: HashMap<K, u32, foldhash::fast::FixedState>,
    lanes: Lanes,
}

impl<K: Copy + Eq + Hash> Pool<K> {
    pub(crate) fn new(protocol: Protocol, limits: PoolLimits) -> Self {
        Self {
            protocol,
            limits,
            slots: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::default(),
            lanes: Lanes::default(),
        }
    }

    pub(crate) const fn set_limits(&mut self, limits: PoolLimits) {
        self.limits = limits;
    }

    pub(crate) fn resize(&mut self, lanes: usize) {
        self.lanes.resize(lanes);
    }

    // === Requests ===

    #[inline]
    pub(crate) fn acquire(&mut self, lane: u32) -> Acquire<K> {
        if let Some(key) = self.take(lane) {
            return Acquire::Use(key);
        }
        if self.lanes.waiting() >= self.limits.pending_max {
            return Acquire::Overloaded;
        }
        match self.lanes.get(lane) {
            Some(line) if line.waiters.len() >= self.expected(line) && self.may_dial(line) => {
                Acquire::Connect
            }
            Some(_) => Acquire::Wait,
            None => Acquire::Overloaded,
        }
    }

    /// Reserves a stream on the best connection that has room.
    #[inline]
    fn take(&mut self, lane: u32) -> Option<K> {
        let line = self.lanes.get_mut(lane)?;
        // Connections of the other protocol may be here: adopted, or negotiated by ALPN.
        let slot = match line.idle.pop() {
            Some(slot) => slot,
            None => Self::least_used(&self.slots, &line.shared)?,
        };
        let connection = self.slots.get_mut(slot as usize)?.as_mut()?;
        connection.facts.streams_in_use += 1;
        connection.idle_since = None;
        Some(connection.key)
    }

    fn least_used(slots: &[Option<Connection<K>>], shared: &[u32]) -> Option<u32> {
        let mut best = None;
        let mut fewest = u32::MAX;
        for &slot in shared {
            let Some(Some(connection)) = slots.get(slot as usize) else { continue };
            if connection.has_room() && connection.facts.streams_in_use < fewest {
                fewest = connection.facts.streams_in_use;
                best = Some(slot);
            }
        }
        best
    }

    /// Requests that the connections being dialled are expected to serve.
    fn expected(&self, line: &Lane) -> usize {
        match self.protocol {
            Protocol::Http1 => line.connecting,
            Protocol::Http2 => line.connecting * Self::streams_expected(line),
        }
    }

    /// What an endpoint allowed once it most likely allows again: more than that are not sent on a
    /// new connection before its settings are there.
    fn streams_expected(line: &Lane) -> usize {
        line.streams_seen.map_or(STREAMS_EXPECTED, |seen| (seen as usize).max(1))
    }

    /// Connections that the pool dials for one endpoint at most.
    const fn connections_of_protocol_max(&self) -> usize {
        let PoolLimits { connections_max, http2_connections, .. } = self.limits;
        match self.protocol {
            Protocol::Http2 if http2_connections < connections_max => http2_connections,
            Protocol::Http1 | Protocol::Http2 => connections_max,
        }
    }

    const fn may_dial(&self, line: &Lane) -> bool {
        line.connections < self.limits.connections_max
            && match self.protocol {
                Protocol::Http1 => true,
                Protocol::Http2 => line.shared.len() < self.limits.http2_connections,
            }
    }

    /// Gives back one stream.
    #[inline]
    pub(crate) fn release(&mut self, key: K, now: Instant, reusable: bool) -> Released {
        let Some(&slot) = self.by_key.get(&key) else { return Released::Unknown };
        let Some(Some(connection)) = self.slots.get_mut(slot as usize) else {
            return Released::Unknown;
        };
        let facts = &mut connection.facts;
        debug_assert!(facts.streams_in_use > 0, "a stream is released once");
        facts.streams_in_use = facts.streams_in_use.saturating_sub(1);
        if !reusable {
            return self.drain_slot(slot);
        }
        match (facts.state, facts.streams_in_use) {
            (ConnectionState::Draining, 0) => return Released::Close,
            (ConnectionState::Ready, 0) => {
                connection.idle_since = Some(now);
                if facts.protocol == Protocol::Http1
                    && let Some(line) = self.lanes.get_mut(connection.lane)
                {
                    line.idle.push(slot);
                }
            }
            _ => {}
        }
        Released::Keep
    }

    pub(crate) fn enqueue(&mut self, lane: u32, waiter: u64) -> Result<(), Overloaded> {
        if self.lanes.waiting() >= self.limits.pending_max || !self.lanes.push(lane, waiter) {
            return Err(Overloaded);
        }
        Ok(())
    }

    /// The request that waited longest at this endpoint, and the connection it is to use.
    pub(crate) fn serve_waiter(&mut self, lane: u32) -> Option<(u64, K)> {
        if self.lanes.get(lane)?.waiters.is_empty() {
            return None;
        }
        let key = self.take(lane)?;
        Some((self.lanes.pop(lane)?, key))
    }

    /// The request that waited longest, without a connection.
    pub(crate) fn pop_waiter(&mut self, lane: u32) -> Option<u64> {
        self.lanes.pop(lane)
    }

    pub(crate) fn cancel_waiter(&mut self, waiter: u64) -> bool {
        self.lanes.cancel(waiter)
    }

    pub(crate) const fn waiting(&self) -> usize {
        self.lanes.waiting()
    }

    /// Whether requests wait that no connection, present or being dialled, is going to serve.
    pub(crate) fn wants_connection(&self, lane: u32) -> bool {
        self.lanes.get(lane).is_some_and(|line| {
            line.waiters.len() > self.expected(line)
                && self.may_dial(line)
                && line.idle.is_empty()
                && Self::least_used(&self.slots, &line.shared).is_none()
        })
    }

    // === Connections ===

    pub(crate) fn connecting(&mut self, lane: u32, key: K) {
        let facts = ConnectionFacts {
            protocol: self.protocol,
            state: ConnectionState::Connecting,
            streams_in_use: 0,
            streams_allowed: 0,
        };
        self.insert(lane, key, facts, None);
    }

    /// Takes over a connection as it is. Without a lane it serves nobody new.
    pub(crate) fn adopt(
        &mut self,
        lane: Option<u32>,
        key: K,
        facts: ConnectionFacts,
        now: Instant,
    ) {
        let state = if lane.is_some() { facts.state } else { ConnectionState::Draining };
        let idle = state == ConnectionState::Ready && facts.streams_in_use == 0;
        let facts = ConnectionFacts { state, ..facts };
        self.insert(lane.unwrap_or(NO_LANE), key, facts, idle.then_some(now));
    }

    fn insert(&mut self, lane: u32, key: K, facts: ConnectionFacts, idle_since: Option<Instant>) {
        self.closed(key);
        let connection = Connection { key, lane, facts, idle_since };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(connection);
                slot
            }
            None => {
                self.slots.push(Some(connection));
                (self.slots.len() - 1) as u32
            }
        };
        self.by_key.insert(key, slot);
        if let Some(line) = self.lanes.get_mut(lane) {
            line.add(slot, &facts);
        }
    }

    /// The connection is up. An HTTP/1.1 connection allows one stream whatever is said.
    pub(crate) fn ready(&mut self, key: K, now: Instant, streams_allowed: u32) {
        let lane = self.facts(key).and_then(|(lane, _)| self.lanes.get(lane?));
        let expected = lane.map_or(STREAMS_EXPECTED, Self::streams_expected);
        let Some((slot, connection)) = self.get_mut(key) else { return };
        if connection.facts.state != ConnectionState::Connecting {
            return;
        }
        connection.facts.state = ConnectionState::Ready;
        connection.idle_since = Some(now);
        let protocol = connection.facts.protocol;
        let lane = connection.lane;
        connection.facts.streams_allowed = match protocol {
            Protocol::Http1 => 1,
            Protocol::Http2 => streams_allowed.min(expected as u32),
        };
        if let Some(line) = self.lanes.get_mut(lane) {
            line.connecting -= 1;
            line.warmth.dial_succeeded();
            if protocol == Protocol::Http1 {
                line.idle.push(slot);
            }
        }
    }

    pub(crate) fn streams_allowed(&mut self, key: K, streams_allowed: u32) {
        if let Some((_, connection)) = self.get_mut(key)
            && connection.facts.protocol == Protocol::Http2
        {
            connection.facts.streams_allowed = streams_allowed;
            let lane = connection.lane;
            if let Some(line) = self.lanes.get_mut(lane) {
                line.streams_seen = Some(streams_allowed);
            }
        }
    }

    /// No new streams on it.
    pub(crate) fn draining(&mut self, key: K) -> Released {
        match self.by_key.get(&key) {
            Some(&slot) => self.drain_slot(slot),
            None => Released::Keep,
        }
    }

    fn drain_slot(&mut self, slot: u32) -> Released {
        let Some(Some(connection)) = self.slots.get_mut(slot as usize) else {
            return Released::Keep;
        };
        if connection.facts.state != ConnectionState::Draining {
            if let Some(line) = self.lanes.get_mut(connection.lane) {
                line.retire(slot, &connection.facts);
            }
            connection.facts.state = ConnectionState::Draining;
            connection.idle_since = None;
        }
        if connection.facts.streams_in_use == 0 { Released::Close } else { Released::Keep }
    }

    /// The connection is no more.
    pub(crate) fn closed(&mut self, key: K) {
        let Some(slot) = self.by_key.remove(&key) else { return };
        let Some(connection) = self.slots.get_mut(slot as usize).and_then(Option::take) else {
            return;
        };
        self.free.push(slot);
        if let Some(line) = self.lanes.get_mut(connection.lane) {
            if connection.facts.state == ConnectionState::Connecting {
                line.warmth.dial_failed();
            }
            if connection.facts.state != ConnectionState::Draining {
                line.retire(slot, &connection.facts);
            }
            line.connections -= 1;
        }
    }

    pub(crate) fn rekey(&mut self, old: K, new: K) {
        let Some(slot) = self.by_key.remove(&old) else { return };
        if let Some(Some(connection)) = self.slots.get_mut(slot as usize) {
            connection.key = new;
            self.by_key.insert(new, slot);
        }
    }

    /// Marks what was idle for too long as draining, and gives it to be closed; `preconnect` stay open.
    pub(crate) fn expire_idle(&mut self, now: Instant) -> Vec<K> {
        let mut expired = Vec::new();
        for slot in 0..self.slots.len() as u32 {
            let Some(Some(connection)) = self.slots.get(slot as usize) else { continue };
            let due = connection
                .idle_since
                .is_some_and(|since| now.duration_since(since) >= self.limits.idle_timeout);
            let lane = self.lanes.get(connection.lane);
            let kept = lane.is_some_and(|line| line.open <= self.limits.preconnect);
            if due && !kept {
                expired.push(connection.key);
                let _ = self.drain_slot(slot);
            }
        }
        expired
    }

    /// The endpoint of this lane is gone: its connections finish what they carry. Gives all of them
    /// and the requests that waited.
    pub(crate) fn abandon(&mut self, lane: u32) -> (Vec<K>, Vec<u64>) {
        let mut keys = Vec::new();
        for slot in 0..self.slots.len() as u32 {
            let Some(Some(connection)) = self.slots.get(slot as usize) else { continue };
            if connection.lane == lane {
                keys.push(connection.key);
                let _ = self.drain_slot(slot);
                if let Some(Some(connection)) = self.slots.get_mut(slot as usize) {
                    connection.lane = NO_LANE;
                }
            }
        }
        (keys, self.lanes.clear(lane))
    }

    pub(crate) fn facts(&self, key: K) -> Option<(Option<u32>, ConnectionFacts)> {
        let slot = *self.by_key.get(&key)?;
        let connection = self.slots.get(slot as usize)?.as_ref()?;
        Some(((connection.lane != NO_LANE).then_some(connection.lane), connection.facts))
    }

    pub(crate) fn connections(&self) -> impl Iterator<Item = (K, ConnectionFacts)> {
        self.slots.iter().flatten().map(|connection| (connection.key, connection.facts))
    }

    /// Connections of a lane in any state.
    pub(crate) fn connection_count(&self, lane: u32) -> usize {
        self.lanes.get(lane).map_or(0, |line| line.connections)
    }

    fn get_mut(&mut self, key: K) -> Option<(u32, &mut Connection<K>)> {
        let slot = *self.by_key.get(&key)?;
        Some((slot, self.slots.get_mut(slot as usize)?.as_mut()?))
    }
}

#[cfg(test)]
mod tests;
