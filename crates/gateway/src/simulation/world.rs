//! Everything that there is in a simulated run, and the order in which it moves.

use std::collections::BTreeMap;
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bulkhead_chaos::FaultState;
use bulkhead_upstream::Rng;
use mio::Events;

use super::client::{Ask, Client, Ends};
use super::deeds::{self, Deed};
use super::draft::{Draft, address, configuration};
use super::lab::{Hanging, Lab};
use super::plan::{Severity, UPSTREAMS};
use super::upstream::Upstream;
use super::{Clock, recruits};
use crate::evacuation;
use crate::worker::{Exit, Worker};
use crate::{Gateway, GatewayOptions};

/// Load and deeds last so long, and longer if the plan does.
pub(super) const SAFETY: Duration = Duration::from_secs(2);
/// After it everything has to have ended within so long.
const LIVENESS: Duration = Duration::from_secs(60);
/// A plan may take so long.
const PLAN_MAX: Duration = Duration::from_secs(900);
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
    pub(super) simulated: Duration,
    /// Of everything that happened, with its time: the same seed gives the same.
    pub(super) trace: u64,
}

/// See the module.
pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) random: Rng,
    pub(super) gateway: Gateway,
    name: String,
    pub(super) workers: Vec<Worker>,
    pub(super) clients: Vec<Client>,
    pub(super) upstreams: [Upstream; 2],
    events: Events,
    /// The next one is the last.
    deeds: Vec<(Duration, Deed)>,
    pub(super) lab: Lab,
    pub(super) hanging: Hanging,
    reloads: usize,
    /// Connections that workers took with them when they crashed, those in their mail included.
    crashed: u64,
    summary: Summary,
}

impl World {
    /// All that is drawn comes to be.
    pub(super) fn new(draft: Draft) -> Self {
        let Draft { seed, severity, mut random, latency, victims, plan } = draft;
        let clock = Clock::start();
        // Seeds may run at the same time, and the same one twice.
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let name = format!("bulkhead-simulation-{}-{number}", std::process::id());
        let upstreams = [false, true].map(|http2| {
            let cluster = UPSTREAMS[usize::from(http2)];
            let listener = UnixListener::bind_addr(&address(&format!("{name}-{cluster}"))).unwrap();
            Upstream::new(listener, http2, latency)
        });
        let config = configuration(&name, victims.workers, 0);
        let options = GatewayOptions { seed: Some(seed), ..GatewayOptions::default() };
        let gateway = Gateway::start(config, options).unwrap();
        let clients = (0..victims.clients)
            .map(|index| Client::new(address(&format!("{name}-in")), index % 2 == 0, latency))
            .collect();
        let kinds = if severity == Severity::Harmless { deeds::HARMLESS } else { deeds::ALL };
        let mut deeds = deeds::draw(kinds, SAFETY, &mut random);
        deeds.reverse();
        Self {
            lab: Lab::new(&plan),
            clock,
            random,
            gateway,
            name,
            workers: Vec::new(),
            clients,
            upstreams,
            events: Events::with_capacity(64),
            deeds,
            hanging: Hanging::new(),
            reloads: 0,
            crashed: 0,
            summary: Summary::default(),
        }
    }

    /// Both phases.
    pub(super) fn run(mut self) -> Summary {
        while self.clock.passed() < SAFETY || !self.lab.finished {
            assert!(self.clock.passed() < PLAN_MAX, "the plan never ends");
            self.experiment();
            self.act();
            self.demand();
            self.settle();
            let now = self.clock.passed();
            let demand = self.clients.iter().map(|client| client.due);
            let deed = self.deeds.last().map(|(at, _)| *at);
            let next = self.next_event().into_iter().chain(demand).chain(deed);
            let next = next.chain(self.lab.next()).chain([SAFETY]);
            self.move_clock(next.filter(|&time| time > now).min());
        }
        self.lab.judge();
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
        assert_eq!(totals.lost_connections, self.crashed, "connections lost by an evacuation");
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
                self.summary.asked += u64::from(client.ask(now, ask, &mut self.random));
            }
        }
    }

    /// Peers and operator do what is due.
    fn act(&mut self) {
        while let Some((_, deed)) = self.deeds.pop_if(|(at, _)| *at <= self.clock.passed()) {
            self.note(3000 + deed as u64);
            let client = self.random.below(self.clients.len() as u64) as usize;
            let upstream = self.random.below(2) as usize;
            match deed {
                Deed::Reload => self.reload(),
                Deed::ClientLeaves => self.clients[client].leave(),
                Deed::ClientGivesUp => self.clients[client].give_up_one(),
                Deed::UpstreamCloses => self.upstreams[upstream].drop_one(&mut self.random),
            }
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
            if self.hangs_until(&self.workers[actor], now).is_some() {
                return false;
            }
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
        let crashed = worker.slot.crashed.load(Ordering::Relaxed);
        let before = self.gateway.evacuation_totals().lost_connections;
        evacuation::evacuate(worker, crate::clock::now());
        if crashed {
            self.crashed += self.gateway.evacuation_totals().lost_connections - before;
        }
        self.enlist();
    }

    /// Until when a worker does nothing, if it hangs. A kill ends that.
    fn hangs_until(&self, worker: &Worker, now: Duration) -> Option<Duration> {
        let hanging = self.hanging.iter().filter(|(_, index, _)| *index == worker.slot.index);
        let until = hanging.map(|(.., until)| *until).filter(|&until| until > now).max();
        until.filter(|_| !worker.slot.killed.load(Ordering::Relaxed))
    }

    /// When something happens next by itself.
    fn next_event(&self) -> Option<Duration> {
        let now = self.clock.passed();
        let next = |worker: &Worker| {
            let own = || worker.wait().map(|wait| now + wait);
            self.hangs_until(worker, now).or_else(own)
        };
        let workers = self.workers.iter().filter_map(next);
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
        let faults = self.gateway.faults();
        let in_force = faults.iter().filter(|fault| fault.state == FaultState::Active);
        let left = BTreeMap::from([
            ("faults in force", in_force.count()),
            ("befallen", faults.iter().map(|fault| fault.active as usize).sum()),
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
    pub(super) fn note(&mut self, what: u64) {
        let mixed = self.summary.trace ^ what.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.summary.trace = mixed.rotate_left(23).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
}
