//! Everything that there is in a simulated run, and the order in which it moves.

use std::collections::BTreeMap;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bulkhead_chaos::{Impairment, LinkFault};
use bulkhead_config::Config;
use bulkhead_config::model::{
    Backend, Cluster, Endpoint, EndpointAddress, Listener, PathMatch, Protocol, Route, RouteMatch,
    RouteTimeouts,
};
use bulkhead_message::UnixName;
use bulkhead_upstream::Rng;
use mio::Events;

use super::client::{Ask, Client, Ends};
use super::drip::Strike;
use super::faults::{self, Fault};
use super::upstream::Upstream;
use super::{Clock, recruits};
use crate::evacuation;
use crate::worker::{Exit, Worker};
use crate::{Gateway, GatewayOptions};

/// Load and faults last so long.
const SAFETY: Duration = Duration::from_secs(2);
/// After it everything has to have ended within so long.
const LIVENESS: Duration = Duration::from_secs(60);
/// Longest stall of an upstream.
const STALL_MS_MAX: u64 = 1_500;
/// Requests that a client has in flight at most.
const FLIGHTS_MAX: usize = 12;
/// The clock moves on by so much at least, as if other things had taken so long.
const CLOCK_STEP: Duration = Duration::from_millis(1);
/// More rounds without an end at one time of the clock are a loop.
const ROUNDS_MAX: usize = 200_000;

/// Numbers the worlds of this process, for their sockets' names.
static WORLDS: AtomicU64 = AtomicU64::new(0);

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) ends: Ends,
    pub(super) asked: u64,
    pub(super) killed: u64,
    pub(super) moved: u64,
    pub(super) faults: u64,
    pub(super) simulated: Duration,
    /// Of everything that happened, with its time: the same seed gives the same.
    pub(super) trace: u64,
}

/// See the module.
pub(super) struct World {
    clock: Clock,
    random: Rng,
    gateway: Gateway,
    name: String,
    workers: Vec<Worker>,
    clients: Vec<Client>,
    upstreams: [Upstream; 2],
    events: Events,
    faults: Vec<(Duration, Fault)>,
    reloads: usize,
    summary: Summary,
}

impl World {
    /// Draws a world from a seed.
    pub(super) fn new(seed: u64, kinds: &[Fault]) -> Self {
        let clock = Clock::start();
        let mut random = Rng::new(seed);
        // Seeds may run at the same time, and the same one twice.
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let name = format!("bulkhead-simulation-{}-{number}", std::process::id());
        let latency = Duration::from_millis([0, 2, 30][random.below(3) as usize]);
        let upstreams = [("one", false), ("two", true)].map(|(cluster, http2)| {
            let listener = UnixListener::bind_addr(&address(&format!("{name}-{cluster}"))).unwrap();
            Upstream::new(listener, http2, latency)
        });
        let workers = 2 + random.below(3) as usize;
        let config = configuration(&name, workers, 0);
        let options = GatewayOptions { seed: Some(seed), ..GatewayOptions::default() };
        let gateway = Gateway::start(config, options).unwrap();
        let clients = (0..2 + random.below(9))
            .map(|index| Client::new(address(&format!("{name}-in")), index % 2 == 0, latency))
            .collect();
        let faults = faults::draw(kinds, SAFETY, &mut random);
        let summary = Summary { faults: faults.len() as u64, ..Summary::default() };
        let events = Events::with_capacity(64);
        let (workers, reloads) = (Vec::new(), 0);
        Self {
            clock,
            random,
            gateway,
            name,
            workers,
            clients,
            upstreams,
            events,
            faults,
            reloads,
            summary,
        }
    }

    /// Both phases.
    pub(super) fn run(mut self) -> Summary {
        self.faults.reverse();
        while self.clock.passed() < SAFETY {
            self.strike();
            self.demand();
            self.settle();
            let now = self.clock.passed();
            let demand = self.clients.iter().map(|client| client.due);
            let fault = self.faults.last().map(|(at, _)| *at);
            let next = self.next_event().into_iter().chain(demand).chain(fault).chain([SAFETY]);
            self.move_clock(next.filter(|&time| time > now).min());
        }
        let end = self.clock.passed() + LIVENESS;
        while self.in_flight() > 0 {
            self.settle();
            let next = self.next_event();
            assert!(self.clock.passed() < end, "{} requests never end", self.in_flight());
            self.move_clock(next);
        }
        self.leaves_nothing();
        for client in &self.clients {
            self.summary.ends.right += client.ends.right;
            self.summary.ends.failed += client.ends.failed;
            self.summary.ends.broken += client.ends.broken;
            self.summary.ends.left += client.ends.left;
        }
        let totals = self.gateway.evacuation_totals();
        assert_eq!(totals.lost_connections, 0, "connections lost by an evacuation");
        assert!(self.upstreams.iter().all(|it| it.repeats_max() <= 1), "a POST came twice");
        (self.summary.killed, self.summary.moved) = (totals.killed, totals.evacuated_connections);
        self.summary.simulated = self.clock.passed();
        self.summary
    }

    fn in_flight(&self) -> usize {
        self.clients.iter().map(Client::in_flight).sum()
    }

    /// Clients ask for what is due.
    fn demand(&mut self) {
        let now = self.clock.passed();
        for index in 0..self.clients.len() {
            let client = &mut self.clients[index];
            if client.due > now {
                continue;
            }
            client.due = now + Duration::from_millis(1 + self.random.below(60));
            if client.in_flight() < FLIGHTS_MAX {
                let ask = Ask::draw(self.summary.asked, &mut self.random);
                self.summary.asked += u64::from(client.ask(ask, &mut self.random));
            }
        }
    }

    /// Lets the faults happen that are due.
    fn strike(&mut self) {
        while let Some((_, fault)) = self.faults.pop_if(|(at, _)| *at <= self.clock.passed()) {
            self.note(1000 + fault as u64);
            let client = self.random.below(self.clients.len() as u64) as usize;
            let upstream = self.random.below(2) as usize;
            match fault {
                Fault::KillWorker => self.kill(),
                Fault::Reload => self.reload(),
                Fault::Stall => {
                    let stall = Duration::from_millis(self.random.below(STALL_MS_MAX));
                    self.upstreams[upstream].stalled_until = self.clock.passed() + stall;
                }
                Fault::ClientLeaves => self.clients[client].leave(),
                Fault::ClientGivesUp => self.clients[client].give_up_one(),
                Fault::UpstreamCloses => self.upstreams[upstream].drop_one(&mut self.random),
                Fault::Panic => self.gateway.panic_exchanges(1),
                Fault::ClientLink => {
                    // A client's bytes towards the gateway go upstream.
                    let strike = self.draw_strike(|fault| (fault.upstream, fault.downstream));
                    self.clients[client].strike(strike);
                }
                Fault::UpstreamLink => {
                    let strike = self.draw_strike(|fault| (fault.downstream, fault.upstream));
                    self.upstreams[upstream].strike(strike);
                }
            }
        }
    }

    /// What a fault of the network does to a connection: to what its end here sends, and what it receives.
    fn draw_strike(
        &mut self,
        lanes: impl FnOnce(LinkFault) -> (Option<Impairment>, Option<Impairment>),
    ) -> Strike {
        let (fault, lasts) = faults::draw_network(&mut self.random);
        let (to, from) = lanes(fault);
        let (key, seed) = (self.random.next().into(), self.random.next());
        Strike { key, to, from, seed, expires: self.clock.passed() + lasts }
    }

    /// The loop of this worker ends at its next event, as in [`Gateway::kill_worker`].
    fn kill(&mut self) {
        if !self.workers.is_empty() {
            let index = self.random.below(self.workers.len() as u64) as usize;
            self.workers[index].slot.kill();
        }
    }

    fn reload(&mut self) {
        self.reloads += 1;
        let workers = self.workers.len();
        self.gateway.apply(configuration(&self.name, workers, self.reloads % 3)).unwrap();
    }

    /// Steps everybody, in an order that is drawn, until nobody has anything to do at this time.
    fn settle(&mut self) {
        let now = self.clock.passed();
        for round in 0.. {
            assert!(round < ROUNDS_MAX, "something goes on without end");
            self.enlist();
            let mut busy = false;
            let mut order: Vec<usize> =
                (0..self.workers.len() + self.clients.len() + self.upstreams.len()).collect();
            for place in (1..order.len()).rev() {
                order.swap(place, self.random.below(place as u64 + 1) as usize);
            }
            let mut dead = Vec::new();
            for actor in order {
                busy |= self.step(actor, now, &mut dead);
            }
            // From behind: each removal moves those after it.
            dead.sort_by_key(|&(index, _)| std::cmp::Reverse(index));
            for (index, exit) in dead {
                self.bury(index, exit);
            }
            if !busy {
                return;
            }
        }
    }

    fn step(&mut self, actor: usize, now: Duration, dead: &mut Vec<(usize, Exit)>) -> bool {
        let (workers, clients) = (self.workers.len(), self.clients.len());
        if actor < workers {
            let exit = self.turn(actor);
            let busy = !self.events.is_empty()
                || self.workers[actor].wait().is_some_and(|wait| wait.is_zero());
            if let Some(exit) = exit {
                dead.push((actor, exit));
                return true;
            }
            return busy;
        }
        let busy = if actor < workers + clients {
            self.clients[actor - workers].step(now, &mut self.random)
        } else {
            self.upstreams[actor - workers - clients].step(now, &mut self.random)
        };
        if busy {
            self.note(actor as u64);
        }
        busy
    }

    /// A turn that does not wait. A panic that no inner guard caught ends a worker like a kill.
    fn turn(&mut self, index: usize) -> Option<Exit> {
        let worker = &mut self.workers[index];
        let events = &mut self.events;
        let turned = catch_unwind(AssertUnwindSafe(|| worker.turn(events, Some(Duration::ZERO))));
        turned.unwrap_or_else(|_| panic!("worker {index} panicked outside all guards"))
    }

    /// New workers look at their mail, as at the beginning of their loop.
    fn enlist(&mut self) {
        for mut worker in recruits() {
            worker.read_mail();
            self.workers.push(worker);
        }
        self.workers.sort_by_key(|worker| worker.slot.index);
    }

    fn bury(&mut self, index: usize, exit: Exit) {
        assert_eq!(exit, Exit::Killed, "a worker ended by itself");
        let worker = self.workers.remove(index);
        let exchanges = worker.exchanges.len() as u64;
        self.note(2000 + exchanges);
        evacuation::evacuate(worker, crate::clock::now());
        self.enlist();
    }

    /// When something happens next by itself.
    fn next_event(&self) -> Option<Duration> {
        let now = self.clock.passed();
        let workers = self.workers.iter().filter_map(Worker::wait).map(|wait| now + wait);
        let clients = self.clients.iter().filter_map(|client| client.next(now));
        let upstreams = self.upstreams.iter().filter_map(|upstream| upstream.next(now));
        workers.chain(clients).chain(upstreams).min()
    }

    fn move_clock(&mut self, to: Option<Duration>) {
        let now = self.clock.passed();
        // Timers have a granularity: a wait that ends now has to end.
        let to = to.unwrap_or(now).max(now + CLOCK_STEP);
        self.clock.advance_to(to);
        self.note(to.as_nanos() as u64);
    }

    /// When all clients are gone and all times are over, nothing is left.
    fn leaves_nothing(&mut self) {
        for client in &mut self.clients {
            client.leave();
        }
        let end = self.clock.passed() + Duration::from_secs(200);
        while self.clock.passed() < end {
            self.settle();
            self.move_clock(self.next_event());
        }
        let exchanges: usize = self.workers.iter().map(|worker| worker.exchanges.len()).sum();
        let connections: usize = self.workers.iter().map(|worker| worker.connections.len()).sum();
        let open: usize = self.upstreams.iter().map(Upstream::connections).sum();
        let left = BTreeMap::from([
            ("exchanges", exchanges),
            ("connections", connections),
            ("connections at the upstreams", open),
        ]);
        assert!(left.values().all(|&count| count == 0), "left behind: {left:?}");
        let exchanges: usize = self.gateway.workers().iter().map(|status| status.exchanges).sum();
        assert_eq!(exchanges, 0, "the status says otherwise");
        let alive =
            self.workers.iter().filter(|worker| !worker.slot.killed.load(Ordering::Relaxed));
        assert_eq!(alive.count(), self.workers.len());
    }

    /// Something happened.
    fn note(&mut self, what: u64) {
        let mixed = self.summary.trace ^ what.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.summary.trace = mixed.rotate_left(23).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
}

fn address(name: &str) -> SocketAddr {
    SocketAddr::from_abstract_name(name).unwrap()
}

/// One listener, two clusters; `extra` routes more than are needed.
fn configuration(name: &str, workers: usize, extra: usize) -> Config {
    let unix = |suffix: &str| UnixName::parse(&format!("@{name}-{suffix}")).unwrap();
    let cluster = |id: &str, protocol| {
        let endpoint = Endpoint::new(EndpointAddress::Unix(unix(id)));
        (id.to_owned(), Cluster::new(id, vec![endpoint], protocol))
    };
    let route = |id: &str, prefix: String, to: &str| Route {
        matches: vec![RouteMatch { path: PathMatch::Prefix(prefix), ..RouteMatch::default() }],
        // Small windows and late pieces may take longer than a client would wait; that it ends is for the
        // phase of liveness to see.
        timeouts: RouteTimeouts { request: None, ..RouteTimeouts::default() },
        ..Route::new(id, vec![Backend::new(to, 1)])
    };
    let more =
        (0..extra).map(|index| route(&format!("more-{index}"), format!("/more-{index}"), "one"));
    Config {
        workers: Some(workers),
        rebalance: true,
        listeners: vec![Listener::new("in", unix("in"))],
        routes: [route("one", "/one".to_owned(), "one"), route("two", "/two".to_owned(), "two")]
            .into_iter()
            .chain(more)
            .collect(),
        clusters: BTreeMap::from([
            cluster("one", Protocol::Http1),
            cluster("two", Protocol::Http2),
        ]),
        ..Config::default()
    }
}
