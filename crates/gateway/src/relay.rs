//! A **relay**: a client's connection that is passed on as bytes to an endpoint (layer 4).
//!
//! It has both sockets, and refers to nothing by key: so it moves to another worker as it is. Its story:
//! begin → dial an endpoint ([`dial`]), another one if that fails → bytes both ways ([`flow`]) →
//! finish, with one record. Its end in other ways is in [`survive`].
//!
//! A relay is driven by [`Worker::relay_turn`], which does whatever can be done now, whoever calls.

mod dial;
mod flow;
mod record;
mod survive;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bulkhead_message::{Address, Failure, FailureKind, Retry};
use bulkhead_telemetry::ClusterSeries;
use bulkhead_transport::Channel;
use bulkhead_upstream::{AttemptOutcome, EndpointId};
use mio::event::Event;
use mio::{Interest, Token};

use crate::arena::Key;
use crate::breakers::Passes;
use crate::faults::Fault;
use crate::guard::InHand;
use crate::snapshot::{ClusterId, ListenerEntry, RelayRoute, Relaying};
use crate::timer::{Owner, TimerId};
use crate::worker::Worker;
use flow::{Flow, Flowed, SideFailed, shake_hands};

/// Marks the token of a relay's client. No arena has so many slots.
const CLIENT_BIT: usize = 1 << 31;
/// Marks the token of a relay's endpoint, with [`CLIENT_BIT`].
const ENDPOINT_BIT: usize = 1 << 30;

/// The relay that a token is of; `None`: it is a connection's.
pub(crate) const fn relay_of(token: usize) -> Option<Key> {
    if token & CLIENT_BIT == 0 {
        return None;
    }
    Some(Key::from_tag((token & !(CLIENT_BIT | ENDPOINT_BIT)) as u64))
}

/// How far a relay is on its way to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The client has to end its TLS handshake first, if it is to be taken off here.
    Accepting,
    /// There is no connection.
    Idle,
    /// TCP is being set up.
    Connecting,
    /// What stands in front of everything is being written, or TLS is being set up.
    Greeting,
    /// Bytes flow.
    Open,
}

/// One relay.
#[derive(Debug)]
pub(crate) struct Relay {
    client: Channel,
    endpoint_channel: Option<Channel>,
    phase: Phase,
    /// Client to endpoint, and back.
    up: Flow,
    down: Flow,
    route: Arc<RelayRoute>,
    entry: Arc<ListenerEntry>,
    server_name: Option<Box<str>>,
    source: Option<SocketAddr>,
    destination: Option<SocketAddr>,
    /// Number of the route's backend; `None`: it has none.
    backend: Option<usize>,
    cluster: Option<ClusterId>,
    /// The cluster's, while the connection to the endpoint is open: it outlives the cluster.
    open_series: Option<ClusterSeries>,
    endpoint: Option<EndpointId>,
    /// Where the endpoint is, for the record.
    address: Option<Address>,
    attempts: u32,
    /// The endpoint counts an attempt of ours as in flight.
    attempt_open: bool,
    /// Of the cluster's circuit breaker, from the attempt to the end.
    passes: Passes,
    /// When the client's handshake, or the connection to the endpoint, has to be done.
    connect_until: Option<Instant>,
    started: Instant,
    /// When a byte moved last.
    active: Instant,
    timer: TimerId,
    /// In the worker's list of relays to look at without a new readiness event.
    again: bool,
}

impl Relay {
    /// Whether it may still ask this cluster for an endpoint.
    pub(crate) fn seeks(&self, cluster: ClusterId) -> bool {
        self.phase != Phase::Open && self.cluster == Some(cluster)
    }
}

impl Worker {
    /// A connection becomes a relay.
    pub(crate) fn begin_relay(
        &mut self,
        key: Key,
        route: Arc<RelayRoute>,
        server_name: Option<Box<str>>,
    ) {
        let Some(mut connection) = self.connections.remove(key) else { return };
        self.timers.cancel(connection.timer);
        let Some(opening) = connection.opening.take() else { return self.shared.connection_left() };
        let _ = self.poll.registry().deregister(&mut connection.channel);
        let mut client = connection.channel;
        if let (Relaying::Tcp(_), Some(config)) = (&opening.entry.relaying, &opening.entry.tls)
            && client.start_tls_server(config.clone()).is_err()
        {
            self.shard.accept_failed();
            return self.shared.connection_left();
        }
        let backend = route.choose(self.rng.next());
        let cluster = route.backend(backend).map(|backend| backend.cluster);
        let relay = self.relays.insert(Box::new(Relay {
            client,
            endpoint_channel: None,
            phase: Phase::Accepting,
            up: Flow::default(),
            down: Flow::default(),
            route,
            entry: opening.entry,
            server_name,
            source: opening.source,
            destination: opening.destination,
            backend,
            cluster,
            endpoint: None,
            address: None,
            attempts: 0,
            open_series: None,
            attempt_open: false,
            passes: Passes::default(),
            connect_until: Some(self.now + self.snapshot.limits.head_timeout),
            started: self.now,
            active: self.now,
            timer: TimerId::NONE,
            again: false,
        }));
        self.shard.relay_started();
        self.guard_relay(relay, |worker| {
            if worker.watch_relay(relay).is_err() {
                let failure = Failure::gateway(FailureKind::Overloaded, "the poll is full");
                return worker.relay_failed(relay, failure);
            }
            worker.set_relay_timer(relay);
            worker.relay_again(relay);
        });
    }

    /// Puts a relay's sockets into this worker's poll.
    fn watch_relay(&mut self, key: Key) -> std::io::Result<()> {
        let Self { relays, poll, .. } = self;
        let Some(relay) = relays.get_mut(key) else { return Ok(()) };
        let (registry, both) = (poll.registry(), Interest::READABLE | Interest::WRITABLE);
        let token = key.to_tag() as usize | CLIENT_BIT;
        registry.register(&mut relay.client, Token(token), both)?;
        match &mut relay.endpoint_channel {
            Some(channel) => registry.register(channel, Token(token | ENDPOINT_BIT), both),
            None => Ok(()),
        }
    }

    /// One of a relay's sockets is ready.
    pub(crate) fn relay_event(&mut self, key: Key, event: &Event) {
        self.in_hand = InHand { relay: key, ..InHand::NOTHING };
        self.faults.strike(Fault::LoopPanic);
        self.in_hand = InHand::NOTHING;
        self.guard_relay(key, |worker| {
            worker.relay_turn(key);
            let open = worker.relays.get(key).is_some_and(|relay| relay.phase == Phase::Open);
            // A side that has ended its half is not read any more: only this tells that it is gone.
            if event.is_error() && open {
                worker.relay_broke(key, event.token().0 & ENDPOINT_BIT == 0);
            }
        });
    }

    /// Does whatever can be done for a relay now.
    pub(crate) fn relay_turn(&mut self, key: Key) {
        self.faults.strike(Fault::RelayPanic);
        if !self.relay_accept(key) || !self.relay_connect(key) {
            return;
        }
        let Some(relay) = self.relays.get_mut(key) else { return };
        let Some(endpoint) = relay.endpoint_channel.as_mut() else { return };
        let buffer = &mut self.buffer[..];
        // An endpoint may say its last and leave without hearing the client out: that comes first.
        let down = relay.down.run(endpoint, &mut relay.client, buffer);
        let up = match down {
            Ok(_) => relay.up.run(&mut relay.client, endpoint, buffer),
            Err(_) => Ok(Flowed::default()),
        };
        let moved = |flowed: Result<Flowed, SideFailed>| flowed.unwrap_or_default();
        let (received, sent) = (moved(up), moved(down));
        if received.read + received.written + sent.read + sent.written > 0 {
            relay.active = self.now;
        }
        self.shard.transferred(received.read, sent.written);
        let flushed = !relay.client.wants_write() && !endpoint.wants_write();
        let over = relay.up.is_over() && relay.down.is_over() && flushed;
        match (up, down) {
            (Err(failed), _) => self.relay_broke(key, failed == SideFailed::Source),
            (_, Err(failed)) => self.relay_broke(key, failed == SideFailed::Sink),
            _ if over => self.finish_relay(key, None, AttemptOutcome::Neutral),
            (Ok(up), Ok(down)) if up.more || down.more => self.relay_again(key),
            _ => {}
        }
    }

    /// Goes on with the client's TLS handshake, where there is one. True: it is done.
    fn relay_accept(&mut self, key: Key) -> bool {
        let Some(relay) = self.relays.get_mut(key) else { return false };
        if relay.phase != Phase::Accepting {
            return true;
        }
        match shake_hands(&mut relay.client, &mut relay.up) {
            Ok(true) => {}
            Ok(false) => return false,
            Err(_) => {
                let why = relay.client.tls_failure();
                self.shard.handshake_failed(why.unwrap_or("closed"));
                self.relay_broke(key, true);
                return false;
            }
        }
        relay.phase = Phase::Idle;
        relay.connect_until = None;
        self.relay_attempt(key);
        self.set_relay_timer(key);
        true
    }

    /// One of the two sides is gone in the middle: the other is told by a reset.
    fn relay_broke(&mut self, key: Key, by_client: bool) {
        let failure = if by_client {
            Failure::downstream(FailureKind::ClientAborted, "the client's connection broke")
        } else {
            let detail = "the connection to the endpoint broke";
            Failure::upstream(FailureKind::UpstreamClosed, Retry::Never, detail)
        };
        self.relay_failed(key, failure);
    }

    /// Ends a relay that cannot go on.
    fn relay_failed(&mut self, key: Key, failure: Failure) {
        self.finish_relay(key, Some(failure), AttemptOutcome::Neutral);
    }

    /// Asks for another turn of this relay in this turn's second half.
    fn relay_again(&mut self, key: Key) {
        if let Some(relay) = self.relays.get_mut(key)
            && !relay.again
        {
            relay.again = true;
            self.relays_again.push(key);
        }
    }

    /// Relays that have more to do than fits one turn.
    pub(crate) fn relays_waiting(&mut self) {
        let mut waiting = std::mem::take(&mut self.relays_again);
        for key in waiting.drain(..) {
            let Some(relay) = self.relays.get_mut(key) else { continue };
            relay.again = false;
            self.guard_relay(key, |worker| worker.relay_turn(key));
        }
        // As with connections: no new memory in each turn.
        waiting.append(&mut self.relays_again);
        self.relays_again = waiting;
    }

    /// Something may be due for a relay.
    pub(crate) fn relay_timer(&mut self, key: Key) {
        let Some(relay) = self.relays.get_mut(key) else { return };
        relay.timer = TimerId::NONE;
        let late = relay.connect_until.is_some_and(|until| until <= self.now);
        if late && relay.phase == Phase::Accepting {
            let detail = "the client's TLS handshake took too long";
            self.relay_failed(key, Failure::downstream(FailureKind::RequestTimeout, detail));
        } else if late {
            self.relay_attempt_failed(key);
        } else if relay.phase == Phase::Open && relay.active + relay.route.idle_timeout <= self.now
        {
            let failure = Failure::gateway(FailureKind::IdleTimeout, "no byte moved");
            self.relay_failed(key, failure);
        }
        self.set_relay_timer(key);
    }

    fn set_relay_timer(&mut self, key: Key) {
        let Some(relay) = self.relays.get_mut(key) else { return };
        self.timers.cancel(relay.timer);
        let due = relay.connect_until.unwrap_or(relay.active + relay.route.idle_timeout);
        relay.timer = self.timers.set(due, Owner::Relay(key));
    }
}
