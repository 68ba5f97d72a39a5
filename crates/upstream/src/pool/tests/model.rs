//! Random events against a pool, beside a plain model of what each connection carries.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::{
    Acquire, Cluster, ClusterSettings, ConnectionState, EndpointId, EndpointSpec, PickHints,
    Protocol, Released, Rng,
};

const CONNECTIONS_MAX: usize = 5;
const PENDING_MAX: usize = 12;
const HTTP2_CONNECTIONS: usize = 2;

#[derive(Debug)]
struct ModelConnection {
    port: u16,
    state: ConnectionState,
    streams: u32,
    allowed: u32,
}

struct Model {
    cluster: Cluster<u32>,
    protocol: Protocol,
    now: Instant,
    rng: Rng,
    next: u32,
    ports: BTreeSet<u16>,
    connections: BTreeMap<u32, ModelConnection>,
    /// Streams that an endpoint's settings allowed last.
    seen: BTreeMap<u16, u32>,
    waiting: Vec<(u16, u64)>,
}

impl Model {
    fn new(protocol: Protocol, seed: u64) -> Self {
        let settings = ClusterSettings {
            connections_max: CONNECTIONS_MAX as u32,
            pending_max: PENDING_MAX as u32,
            http2_connections: HTTP2_CONNECTIONS as u32,
            ..ClusterSettings::new(protocol)
        };
        let mut model = Self {
            cluster: Cluster::new(&settings, &[]),
            protocol,
            now: Instant::now(),
            rng: Rng::new(seed),
            next: 0,
            ports: BTreeSet::new(),
            connections: BTreeMap::new(),
            seen: BTreeMap::new(),
            waiting: Vec::new(),
        };
        model.change_endpoints(&[1, 2, 3]);
        model
    }

    fn step(&mut self) {
        self.now += Duration::from_millis(self.rng.below(400));
        match self.rng.below(100) {
            0..40 => self.request(),
            40..65 => self.release(),
            65..80 => self.finish_dial(),
            80..86 => self.close_any(),
            86..90 => self.drain_any(),
            90..93 => self.allow_other_count(),
            93..95 => self.cancel(),
            95..97 => self.expire(),
            97 => self.rekey(),
            98 => {
                let ports: Vec<u16> = (1..5).filter(|_| self.rng.below(3) > 0).collect();
                self.change_endpoints(&ports);
            }
            _ => self.now += Duration::from_secs(70),
        }
        self.check();
    }

    fn key(&mut self) -> Option<u32> {
        let at = self.rng.below(self.connections.len() as u64) as usize;
        self.connections.keys().nth(at).copied()
    }

    fn id(&self, port: u16) -> Option<EndpointId> {
        self.cluster.endpoint_at(([127, 0, 0, 1], port))
    }

    fn request(&mut self) {
        let Some(id) = self.cluster.pick(self.now, &mut self.rng, PickHints::NONE) else {
            assert!(self.ports.is_empty());
            return;
        };
        let port = self.cluster.address(id).unwrap().inet().unwrap().port();
        match self.cluster.acquire(id) {
            Acquire::Use(key) => self.use_stream(key, port),
            Acquire::Connect => {
                self.dial(id, port);
                self.wait(id, port);
            }
            Acquire::Wait => self.wait(id, port),
            Acquire::Overloaded => assert!(self.waiting.len() >= PENDING_MAX),
        }
    }

    fn dial(&mut self, id: EndpointId, port: u16) {
        self.next += 1;
        assert_eq!(self.cluster.connecting(id, self.next), Released::Keep);
        let state = ConnectionState::Connecting;
        self.connections.insert(self.next, ModelConnection { port, state, streams: 0, allowed: 0 });
        let all = self.connections.values().filter(|c| c.port == port).count();
        assert!(all <= CONNECTIONS_MAX);
        let live = self
            .connections
            .values()
            .filter(|c| c.port == port && c.state != ConnectionState::Draining)
            .count();
        assert!(self.protocol == Protocol::Http1 || live <= HTTP2_CONNECTIONS);
    }

    fn wait(&mut self, id: EndpointId, port: u16) {
        self.next += 1;
        let waiter = u64::from(self.next);
        self.cluster.enqueue(id, waiter).unwrap();
        self.waiting.push((port, waiter));
    }

    fn use_stream(&mut self, key: u32, port: u16) {
        let connection = self.connections.get_mut(&key).expect("a live connection");
        assert_eq!(connection.state, ConnectionState::Ready, "only ready ones are given");
        assert_eq!(connection.port, port, "of the endpoint that was asked for");
        connection.streams += 1;
        assert!(connection.streams <= connection.allowed, "within the peer's limit");
        let fewest = self
            .connections
            .values()
            .filter(|c| c.port == port && c.state == ConnectionState::Ready)
            .filter(|c| c.streams < c.allowed)
            .map(|c| c.streams)
            .min();
        let streams = self.connections[&key].streams;
        assert!(fewest.is_none_or(|fewest| streams - 1 <= fewest), "the least used one");
    }

    /// Lets waiters through and dials for the rest, as the gateway does after each change.
    fn settle(&mut self, port: u16) {
        let Some(id) = self.id(port) else { return };
        while let Some((waiter, key)) = self.cluster.serve_waiter(id) {
            let at = self.waiting.iter().position(|&(at, _)| at == port).expect("someone waits");
            assert_eq!(self.waiting.remove(at), (port, waiter), "first come, first served");
            self.use_stream(key, port);
        }
        while self.cluster.wants_connection(id) {
            self.dial(id, port);
        }
    }

    fn release(&mut self) {
        let Some(key) = self.key() else { return };
        let reusable = self.rng.below(10) > 0;
        let connection = self.connections.get_mut(&key).unwrap();
        if connection.streams == 0 {
            return;
        }
        connection.streams -= 1;
        if !reusable {
            connection.state = ConnectionState::Draining;
        }
        let done = connection.state == ConnectionState::Draining && connection.streams == 0;
        let released = self.cluster.release(key, self.now, reusable);
        assert_eq!(released == Released::Close, done);
        self.close_if(key, done);
    }

    fn close_if(&mut self, key: u32, done: bool) {
        let port = self.connections[&key].port;
        if done {
            self.cluster.closed(key);
            self.connections.remove(&key);
        }
        self.settle(port);
    }

    fn finish_dial(&mut self) {
        let dialled = self.connections.iter().find(|(_, c)| c.state == ConnectionState::Connecting);
        let Some((&key, _)) = dialled else { return };
        if self.rng.below(5) == 0 {
            return self.close_if(key, true);
        }
        let allowed = match self.protocol {
            Protocol::Http1 => 1,
            Protocol::Http2 => self.rng.below(5) as u32,
        };
        let connection = self.connections.get_mut(&key).unwrap();
        connection.state = ConnectionState::Ready;
        let seen = self.seen.get(&connection.port).copied().unwrap_or(allowed);
        connection.allowed = allowed.min(seen.max(1));
        self.cluster.ready(key, self.now, allowed);
        self.close_if(key, false);
    }

    fn close_any(&mut self) {
        if let Some(key) = self.key() {
            self.close_if(key, true);
        }
    }

    fn drain_any(&mut self) {
        let Some(key) = self.key() else { return };
        let connection = self.connections.get_mut(&key).unwrap();
        connection.state = ConnectionState::Draining;
        let done = connection.streams == 0;
        assert_eq!(self.cluster.draining(key) == Released::Close, done);
        self.close_if(key, done);
    }

    fn allow_other_count(&mut self) {
        let Some(key) = self.key() else { return };
        let connection = self.connections.get_mut(&key).unwrap();
        if connection.state == ConnectionState::Connecting || self.protocol == Protocol::Http1 {
            return;
        }
        connection.allowed = self.rng.below(6) as u32;
        self.cluster.streams_allowed(key, connection.allowed);
        self.seen.insert(connection.port, connection.allowed);
        self.close_if(key, false);
    }

    fn cancel(&mut self) {
        if let Some((_, waiter)) = self.waiting.pop() {
            assert!(self.cluster.cancel_waiter(waiter));
        }
    }

    fn expire(&mut self) {
        let expired = self.cluster.expire_idle(self.now);
        // None of them counts any more, before the first is closed.
        for key in &expired {
            let connection = self.connections.get_mut(key).unwrap();
            assert_eq!(connection.streams, 0, "only idle ones expire");
            connection.state = ConnectionState::Draining;
        }
        for key in expired {
            self.close_if(key, true);
        }
    }

    fn rekey(&mut self) {
        let Some(key) = self.key() else { return };
        self.next += 1;
        self.cluster.rekey(key, self.next);
        let connection = self.connections.remove(&key).unwrap();
        self.connections.insert(self.next, connection);
    }

    fn change_endpoints(&mut self, ports: &[u16]) {
        let specs: Vec<_> =
            ports.iter().map(|&port| EndpointSpec::new(([127, 0, 0, 1], port))).collect();
        let removed = self.cluster.update_endpoints(&specs, self.now);
        self.ports = ports.iter().copied().collect();
        self.seen.retain(|port, _| ports.contains(port));
        let gone: BTreeSet<u64> = removed.waiters.into_iter().collect();
        let (lost, kept) = self.waiting.iter().partition(|(_, waiter)| gone.contains(waiter));
        self.waiting = kept;
        let lost: Vec<(u16, u64)> = lost;
        assert!(lost.iter().all(|(port, _)| !ports.contains(port)) && lost.len() == gone.len());
        for key in removed.connections {
            let connection = self.connections.get_mut(&key).unwrap();
            assert!(!ports.contains(&connection.port));
            connection.state = ConnectionState::Draining;
            // A port that comes back is another endpoint.
            connection.port += 1_000;
            let idle = connection.streams == 0;
            self.close_if(key, idle);
        }
    }

    fn check(&self) {
        assert_eq!(self.cluster.waiting(), self.waiting.len());
        assert!(self.waiting.len() <= PENDING_MAX);
        assert_eq!(self.cluster.connections().count(), self.connections.len());
        for (key, facts) in self.cluster.connections() {
            let connection = &self.connections[&key];
            assert_eq!(
                (facts.state, facts.streams_in_use, facts.streams_allowed),
                (connection.state, connection.streams, connection.allowed),
            );
            let port = self.cluster.endpoint_of(key).and_then(|id| self.cluster.address(id));
            let expected = (connection.port < 1_000).then_some(connection.port);
            assert_eq!(port.map(|address| address.inet().unwrap().port()), expected);
        }
        for endpoint in self.cluster.endpoints() {
            let port = endpoint.address.inet().unwrap().port();
            let count = self.connections.values().filter(|c| c.port == port).count();
            assert_eq!(endpoint.connections, count);
        }
        self.nobody_is_forgotten();
    }

    /// Whoever waits has something to wait for.
    fn nobody_is_forgotten(&self) {
        for &(port, _) in &self.waiting {
            let hope = self.connections.values().any(|c| c.port == port);
            assert!(hope, "a request waits at endpoint {port} for nothing");
        }
    }

    /// Ends everything: all counts return to zero.
    fn wind_down(mut self) {
        while let Some((_, waiter)) = self.waiting.pop() {
            assert!(self.cluster.cancel_waiter(waiter));
        }
        let keys: Vec<u32> = self.connections.keys().copied().collect();
        for key in keys {
            while self.connections.get(&key).is_some_and(|c| c.streams > 0) {
                let connection = self.connections.get_mut(&key).unwrap();
                connection.streams -= 1;
                let _ = self.cluster.release(key, self.now, true);
            }
            self.cluster.closed(key);
            self.connections.remove(&key);
        }
        assert_eq!(self.cluster.connections().count(), 0);
        assert_eq!(self.cluster.waiting(), 0);
        for endpoint in self.cluster.endpoints() {
            assert_eq!((endpoint.connections, endpoint.in_flight), (0, 0));
            assert_eq!(self.cluster.pool.lanes.get(endpoint.id.index).unwrap().connecting, 0);
            assert!(self.cluster.pool.lanes.get(endpoint.id.index).unwrap().idle.is_empty());
            assert!(self.cluster.pool.lanes.get(endpoint.id.index).unwrap().shared.is_empty());
        }
    }
}

#[test]
fn the_pool_agrees_with_the_model() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for seed in 0..60 {
            let mut model = Model::new(protocol, seed);
            for _ in 0..1_000 {
                model.step();
            }
            model.wind_down();
        }
    }
}
