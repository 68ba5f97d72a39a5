//! A worker: one thread, one readiness loop, and everything that it serves. Shares nothing with its
//! siblings on the request path.
//!
//! One turn: take the ready sockets → decode, route, filter, encode → timers → flush each dirty
//! connection once. The state is a plain struct that outlives its loop: when the loop ends, by a
//! fault or a panic, [`crate::evacuation`] moves what it served to the siblings.

mod accepting;
mod listeners;
mod rules;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use bulkhead_codec::Heads;
use bulkhead_filter::Caches;
use bulkhead_message::{Failure, FailureKind, Retry};
use bulkhead_router::RouteTable;
use bulkhead_telemetry::{AccessLogWriter, Shard};
use bulkhead_transport::Listener;
use bulkhead_upstream::Rng;
use mio::{Events, Poll, Token};

use crate::arena::{Arena, Key};
use crate::breakers::Breakers;
use crate::challenges::HttpChallenges;
use crate::clock::{self, DateCache};
use crate::connection::{Connection, UpstreamPhase};
use crate::endpoints::Clusters;
use crate::evacuation::Parcel;
use crate::exchange_state::{Exchange, Phase};
use crate::faults::{Fault, Faults};
use crate::guard::InHand;
use crate::injection::FaultTable;
use crate::mailbox::{Message, Slot};
use crate::outbox::SpareBuffers;
use crate::pressure::Pressure;
use crate::pump::READ_BYTES;
use crate::rebalance::{Balance, Yielding};
use crate::relay::{Relay, relay_of};
use crate::shared::Shared;
use crate::snapshot::{ListenerEntry, Snapshot};
use crate::timer::{Owner, TimerId, TimerWheel};

/// Tokens that are no connection's: no arena has as many slots.
pub(crate) const WAKER: Token = Token(usize::MAX);
pub(crate) const LISTENER_BASE: usize = usize::MAX - 1;
pub(crate) const LISTENERS_MAX: usize = 1024;
/// How often idle connections and the like are looked at.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// A listening socket of this worker.
#[derive(Debug)]
pub(crate) struct WorkerListener {
    pub(crate) socket: Listener,
    pub(crate) entry: Arc<ListenerEntry>,
}

/// Why a loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Told to stop; nothing is left to serve, or its time is over.
    Stopped,
    /// A fault: evacuate.
    Killed,
    /// The pool has shrunk: evacuate, without a successor.
    Retired,
}

/// One worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) slot: Arc<Slot>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) poll: Poll,
    pub(crate) inbox: Receiver<Message>,
    pub(crate) snapshot: Arc<Snapshot>,
    /// The snapshot's, with working memory of this worker's own.
    pub(crate) table: RouteTable,
    pub(crate) listeners: Vec<WorkerListener>,
    pub(crate) connections: Arena<Box<Connection>>,
    pub(crate) exchanges: Arena<Box<Exchange>>,
    pub(crate) relays: Arena<Box<Relay>>,
    pub(crate) relays_again: Vec<Key>,
    /// Recycled exchanges.
    #[expect(clippy::vec_box, reason = "the arena holds boxes: recycling moves a pointer")]
    pub(crate) spare: Vec<Box<Exchange>>,
    /// How many of the exchanges are copies of others.
    pub(crate) mirrors: usize,
    pub(crate) clusters: Clusters,
    pub(crate) breakers: Breakers,
    pub(crate) timers: TimerWheel,
    fired: Vec<Owner>,
    pub(crate) heads: Heads,
    pub(crate) buffer: Vec<u8>,
    pub(crate) spare_buffers: SpareBuffers,
    pub(crate) dirty: Vec<Key>,
    /// How many of `dirty` were flushed in this turn.
    pub(crate) flushed: usize,
    pub(crate) again: Vec<Key>,
    /// Of killed siblings, not taken over yet; and of its own while it is evacuated.
    pub(crate) parcels: VecDeque<Parcel>,
    /// Downstream connections that an evacuation lost here.
    pub(crate) lost: usize,
    pub(crate) in_hand: InHand,
    pub(crate) now: Instant,
    pub(crate) unix_s: u64,
    pub(crate) date: DateCache,
    pub(crate) next_housekeeping: Instant,
    /// Version of the verdicts that were taken last.
    pub(crate) verdicts_seen: u64,
    pub(crate) rng: Rng,
    pub(crate) caches: Caches,
    pub(crate) shard: Arc<Shard>,
    pub(crate) faults: Arc<Faults>,
    /// The rules of run time that befall exchanges.
    pub(crate) injected: FaultTable,
    pub(crate) challenges: Arc<HttpChallenges>,
    pub(crate) access_log: Option<AccessLogWriter>,
    pub(crate) balance: Balance,
    pub(crate) yielding: Yielding,
    retired: bool,
    pub(crate) pressure: Pressure,
    pub(crate) draining: bool,
    pub(crate) refuse_at: Option<Instant>,
    pub(crate) drain_until: Option<Instant>,
    /// Clients that had begun something when the drain's second phase came.
    pub(crate) beginners: Vec<Key>,
    /// How long they may be idle.
    pub(crate) idle_until: Instant,
}

impl Worker {
    pub(crate) fn new(
        slot: Arc<Slot>,
        inbox: Receiver<Message>,
        poll: Poll,
        snapshot: Arc<Snapshot>,
        shared: Arc<Shared>,
    ) -> Self {
        let now = clock::now();
        let seed = shared.next_seed();
        let shard = shared.registry.shard(slot.index);
        let mut worker = Self {
            faults: shared.faults.clone(),
            injected: FaultTable::default(),
            challenges: shared.challenges.clone(),
            access_log: shared.log_writer(),
            slot,
            shared,
            poll,
            inbox,
            table: snapshot.table.clone(),
            snapshot,
            listeners: Vec::new(),
            connections: Arena::default(),
            exchanges: Arena::default(),
            relays: Arena::default(),
            relays_again: Vec::new(),
            spare: Vec::new(),
            mirrors: 0,
            clusters: Clusters::default(),
            breakers: Breakers::default(),
            timers: TimerWheel::new(now),
            fired: Vec::new(),
            heads: Heads::default(),
            buffer: vec![0; READ_BYTES],
            spare_buffers: SpareBuffers::default(),
            dirty: Vec::new(),
            flushed: 0,
            again: Vec::new(),
            parcels: VecDeque::new(),
            lost: 0,
            in_hand: InHand::NOTHING,
            now,
            unix_s: 0,
            date: DateCache::default(),
            next_housekeeping: now,
            verdicts_seen: 0,
            rng: Rng::new(seed),
            caches: Caches::default(),
            shard,
            balance: Balance::default(),
            yielding: Yielding::default(),
            retired: false,
            pressure: Pressure::default(),
            draining: false,
            refuse_at: None,
            drain_until: None,
            beginners: Vec::new(),
            idle_until: now,
        };
        worker.tell_time();
        worker.adopt_clusters();
        worker.take_rules();
        worker
    }

    /// Turns until the worker is told to stop or killed.
    pub(crate) fn run(&mut self) -> Exit {
        let mut events = Events::with_capacity(1024);
        // What was parked before this worker was there to be woken.
        self.read_mail();
        loop {
            let timeout = self.wait();
            if let Some(exit) = self.turn(&mut events, timeout) {
                return exit;
            }
        }
    }

    /// One turn of the loop, which waits for something to happen no longer than `timeout`.
    pub(crate) fn turn(&mut self, events: &mut Events, timeout: Option<Duration>) -> Option<Exit> {
        if let Err(cause) = self.poll.poll(events, timeout)
            && cause.kind() != std::io::ErrorKind::Interrupted
        {
            // The poll itself is broken: nothing can be served here any more.
            return Some(Exit::Killed);
        }
        self.now = clock::now();
        self.shard.loop_turned(events.iter().count() as u64);
        for event in events.iter() {
            // A kill does not wait for the end of the turn: that would be no fault.
            if self.slot.killed.load(Ordering::Relaxed) {
                return Some(Exit::Killed);
            }
            match event.token() {
                WAKER => self.read_mail(),
                Token(token) if token > LISTENER_BASE - LISTENERS_MAX => {
                    self.accept(LISTENER_BASE - token);
                }
                Token(token) if let Some(key) = relay_of(token) => self.relay_event(key, event),
                Token(token) => {
                    let key = Key::from_tag(token as u64);
                    self.in_hand = InHand::connection(key);
                    self.faults.strike(Fault::LoopPanic);
                    self.guard_connection(key, |worker| worker.connection_event(key, event));
                }
            }
        }
        self.absorb_some();
        self.pump_waiting();
        self.relays_waiting();
        self.run_timers();
        self.flush_dirty();
        self.settle_yielding();
        self.feel_pressure();
        self.housekeeping();
        if self.retired {
            return Some(Exit::Retired);
        }
        self.finished_draining()
    }

    /// How long nothing has to be done if nothing happens.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let relays_wait = !self.relays_again.is_empty();
        if relays_wait
            || !self.again.is_empty()
            || !self.dirty.is_empty()
            || !self.parcels.is_empty()
        {
            return Some(Duration::ZERO);
        }
        let until = self
            .yielding
            .until()
            .map_or(self.next_housekeeping, |yielding| yielding.min(self.next_housekeeping));
        let until = until.saturating_duration_since(self.now);
        Some(self.timers.next_in(self.now).map_or(until, |timer| timer.min(until)))
    }

    fn connection_event(&mut self, key: Key, event: &mio::event::Event) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let setting_up =
            connection.upstream().is_some_and(|upstream| upstream.phase != UpstreamPhase::Ready);
        if setting_up {
            self.advance_connect(key);
            return self.touch_blocked(key);
        }
        // No other event tells it, and it may be read much later: behind a pause.
        connection.hung_up |= event.is_read_closed() || event.is_error();
        if event.is_readable() || connection.hung_up {
            self.read(key);
        }
        // Not only when writable: reading may have ended the handshake that writes waited for.
        self.touch_blocked(key);
    }

    fn touch_blocked(&mut self, key: Key) {
        if let Some(connection) = self.connections.get_mut(key)
            && (connection.blocked_since.is_some() || connection.channel.wants_write())
            && !connection.dirty
        {
            connection.dirty = true;
            self.dirty.push(key);
        }
    }

    fn pump_waiting(&mut self) {
        let mut waiting = std::mem::take(&mut self.again);
        for key in waiting.drain(..) {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            connection.again = false;
            self.guard_connection(key, |worker| {
                worker.pump_pending(key);
                worker.read(key);
                worker.touch_blocked(key);
            });
        }
        // Those that ask once more have their turn in the next round, in the same memory.
        waiting.append(&mut self.again);
        self.again = waiting;
    }

    /// Its load: connections, a relay counted as one.
    pub(crate) fn sockets(&self) -> usize {
        self.connections.len() + self.relays.len()
    }

    // === Connections that end ===

    /// Fails every exchange that hangs on a connection.
    pub(crate) fn fail_streams(&mut self, key: Key, failure: Failure) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let is_downstream = connection.is_downstream();
        let mut tags = Vec::new();
        if let Some(codec) = connection.codec.as_mut() {
            codec.for_each_stream(|_, tag| tags.push(*tag));
        }
        tags.extend(connection.awaiting_settings.drain(..).map(Key::to_tag));
        for exchange_key in tags.into_iter().map(Key::from_tag) {
            let Some(exchange) = self.exchanges.get_mut(exchange_key) else { continue };
            let mut failure = failure;
            if is_downstream {
                exchange.downstream = None;
            } else if exchange.upstream.is_none_or(|leg| leg.connection != key)
                || (exchange.response_ended && exchange.phase != Phase::Tunnel)
            {
                continue;
            } else if self
                .connections
                .get(key)
                .is_some_and(|connection| !connection.out.has_passed(exchange.sent_from))
            {
                // Not a byte of the request has left: a pooled connection that was closed while idle.
                failure.retry = Retry::Always;
            }
            self.guarded(exchange_key, |_| Err(failure));
        }
    }

    /// A connection is gone, or is to go at once.
    pub(crate) fn connection_lost(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let is_downstream = connection.is_downstream();
        let failure = if is_downstream {
            Failure::downstream(FailureKind::ClientAborted, "the client's connection is gone")
        } else {
            let detail = "the upstream closed the connection before its answer was whole";
            Failure::upstream(FailureKind::UpstreamClosed, Retry::IfIdempotent, detail)
        };
        connection.closing = true;
        if !is_downstream {
            // First: what fails may be tried again at once, and not on this connection.
            self.pool_closed(key);
        }
        self.fail_streams(key, failure);
        let Some(mut connection) = self.connections.remove(key) else { return };
        self.timers.cancel(connection.timer);
        let _ = self.poll.registry().deregister(&mut connection.channel);
        self.downstream_left(&connection);
    }

    // === Time ===

    fn run_timers(&mut self) {
        let mut fired = std::mem::take(&mut self.fired);
        self.timers.advance(self.now, &mut fired);
        for owner in fired.drain(..) {
            match owner {
                Owner::Exchange(key) => self.guarded(key, |worker| {
                    worker.exchange_timer(key);
                    Ok(())
                }),
                Owner::Relay(key) => {
                    self.guard_relay(key, |worker| worker.relay_timer(key));
                }
                Owner::Connection(key) => {
                    if let Some(connection) = self.connections.get_mut(key) {
                        connection.timer = TimerId::NONE;
                    }
                    self.guard_connection(key, |worker| {
                        worker.faults.strike(Fault::ConnectionTimerPanic);
                        worker.connection_timer(key);
                    });
                }
            }
        }
        self.fired = fired;
    }

    fn housekeeping(&mut self) {
        if self.now < self.next_housekeeping {
            return;
        }
        self.next_housekeeping = self.now + HOUSEKEEPING;
        self.tell_time();
        self.expire_idle();
        self.retire_leftovers();
        self.spare_buffers.trim();
        self.preconnect();
        self.sweep_rules();
        self.accept_again();
        self.count_endpoints();
        self.count_breakers();
        // Whoever was woken for them may have died.
        self.parcels.extend(self.shared.take_parked());
        self.shared.fill_vacancies();
        let jwt = &self.caches.jwt;
        self.shard.set_jwt_cache(jwt.hits(), jwt.misses(), jwt.len() as u64);
        if let Some(log) = &mut self.access_log {
            log.flush();
            self.shard.set_access_log_dropped(log.dropped());
        }
        self.slot.connections.store(self.sockets(), Ordering::Relaxed);
        self.slot.exchanges.store(self.exchanges.len(), Ordering::Relaxed);
        self.slot.beats.fetch_add(1, Ordering::Relaxed);
        self.rebalance();
    }

    // === Mail ===

    pub(crate) fn read_mail(&mut self) {
        self.parcels.extend(self.shared.take_parked());
        while let Ok(message) = self.inbox.try_recv() {
            match message {
                Message::Snapshot(snapshot) => self.install(snapshot),
                Message::Rules => self.take_rules(),
                Message::Listeners(listeners) => self.listen_on(listeners),
                Message::AcceptQueue(queues) => self.drain_queues(&queues),
                Message::Parcels(parcels) => self.parcels.extend(parcels),
                Message::Endpoints(cluster, endpoints) => self.set_endpoints(cluster, &endpoints),
                Message::Retire => self.retired = true,
                Message::Report(to) => self.report(&to),
                Message::Drain { until, handed_over } => self.begin_drain(until, handed_over),
            }
        }
        self.take_verdicts();
    }
}

/// Runs a worker's loop to its end. A panic that no inner guard caught ends it like a kill.
pub(crate) fn run_guarded(worker: &mut Worker) -> Exit {
    let run = catch_unwind(AssertUnwindSafe(|| worker.run()));
    run.unwrap_or_else(|_| {
        worker.shared.registry.worker_panicked();
        worker.end_in_hand();
        Exit::Killed
    })
}
