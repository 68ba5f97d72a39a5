//! What all workers of a gateway have in common. Nothing here is touched on the request path, but
//! for one counter of connections.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bulkhead_telemetry::{AccessLog, AccessLogWriter, Registry, Shard};
use mio::Poll;

use crate::challenges::HttpChallenges;
use crate::clock;
use crate::connection::Connection;
use crate::evacuation::{self, KillReport, Parcel};
use crate::faults::Faults;
use crate::injection::Injections;
use crate::listening::ListeningSet;
use crate::mailbox::{Message, Slot};
use crate::names::{Names, has_names};
use crate::placement::Placement;
use crate::snapshot::{ClusterEntry, Snapshot};
use crate::verdicts::Verdicts;
use crate::worker::{Exit, Worker, WorkerListener, run_guarded};

/// How long the last thread waits before it tries again to start its successor.
const VACANCY_RETRY: Duration = Duration::from_millis(50);

/// Counts over the life of the gateway.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) killed: AtomicU64,
    pub(crate) evacuated_connections: AtomicU64,
    pub(crate) lost_connections: AtomicU64,
    /// CPU time of workers that are no more, in nanoseconds.
    pub(crate) dead_cpu_ns: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    /// By worker index.
    pub(crate) slots: Vec<Arc<Slot>>,
    pub(crate) threads: Vec<std::thread::JoinHandle<()>>,
    /// How many workers there are to be: those at higher indexes are on their way out.
    pub(crate) workers: usize,
    /// The gateway's own handles of the listening sockets: they outlive the workers.
    pub(crate) listeners: Vec<ListeningSet>,
    /// Addresses of the endpoints' names.
    pub(crate) names: Names,
    /// Parcels that no worker's mailbox took. As bounded as what they carry: `connections_max` and
    /// the pools' limits.
    parked: Vec<Parcel>,
    /// Workers that could not be started: index and generation.
    vacancies: Vec<(usize, u64)>,
    /// Who waits for the end of an evacuation, by worker index and generation.
    waiting: Vec<(usize, u64, SyncSender<KillReport>)>,
    /// Nobody listens yet: the workers wait for [`crate::Gateway::accept`].
    pub(crate) held: bool,
    /// No worker is started any more.
    pub(crate) stopping: bool,
}

impl State {
    /// The current endpoints of the clusters in force that have names, as news for a worker.
    pub(crate) fn named_endpoints(&self, which: impl Fn(&ClusterEntry) -> bool) -> Vec<Message> {
        let clusters = self.snapshot.iter().flat_map(|snapshot| &snapshot.clusters);
        clusters
            .filter(|entry| has_names(&entry.config) && which(entry))
            .map(|entry| Message::Endpoints(entry.id, self.names.endpoints(&entry.config).into()))
            .collect()
    }

    /// Puts a new worker's slot in its place.
    fn seat(&mut self, slot: Arc<Slot>) {
        match self.slots.get_mut(slot.index) {
            Some(place) => *place = slot,
            None => self.slots.push(slot),
        }
    }

    /// Another handle of each socket that a worker listens on.
    pub(crate) fn share(
        &self,
        index: usize,
    ) -> impl Iterator<Item = std::io::Result<WorkerListener>> {
        let listened = if self.held { &[][..] } else { &self.listeners };
        listened.iter().flat_map(move |set| set.share(index, self.workers))
    }

    /// Tells a worker what to listen on from now on; fewer sockets where descriptors are short.
    pub(crate) fn divide_listeners(&self, slot: &Slot) {
        // A dead worker's successor starts with them.
        let _ = slot.send(Message::Listeners(self.share(slot.index).flatten().collect()));
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) registry: Arc<Registry>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) injections: Injections,
    pub(crate) challenges: Arc<HttpChallenges>,
    /// The access log tells of TLS.
    pub(crate) logs_tls: bool,
    pub(crate) totals: Totals,
    pub(crate) verdicts: Verdicts,
    connections: AtomicUsize,
    seed: AtomicU64,
    /// Whether `State::parked` may hold something; changed under its lock.
    has_parked: AtomicBool,
    /// Whether `State::vacancies` may hold something.
    has_vacancy: AtomicBool,
    access_log: Mutex<Option<AccessLog>>,
    pub(crate) placement: Placement,
    state: Mutex<State>,
}

impl Shared {
    pub(crate) fn new(
        registry: Arc<Registry>,
        seed: u64,
        access_log: Option<AccessLog>,
        logs_tls: bool,
        placement: Placement,
    ) -> Self {
        let mut injections = Injections::default();
        if let Some(log) = &access_log {
            injections.levers.log = log.slowness();
        }
        Self {
            registry,
            faults: injections.levers.faults.clone(),
            injections,
            challenges: Arc::default(),
            logs_tls,
            totals: Totals::default(),
            verdicts: Verdicts::default(),
            connections: AtomicUsize::new(0),
            seed: AtomicU64::new(seed),
            has_parked: AtomicBool::new(false),
            has_vacancy: AtomicBool::new(false),
            access_log: Mutex::new(access_log),
            placement,
            state: Mutex::default(),
        }
    }

    fn log(&self) -> MutexGuard<'_, Option<AccessLog>> {
        self.access_log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn log_writer(&self) -> Option<AccessLogWriter> {
        self.log().as_ref().map(AccessLog::writer)
    }

    /// Opens the access log's file anew.
    pub(crate) fn reopen_log(&self) {
        if let Some(log) = self.log().as_ref() {
            log.reopen();
        }
    }

    /// Writes what the access log still holds, and ends it.
    pub(crate) fn close_log(&self) {
        if let Some(log) = self.log().take() {
            log.close();
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn next_seed(&self) -> u64 {
        self.seed.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }

    /// Counts a downstream connection in, unless there are `max`.
    pub(crate) fn admit_connection(&self, max: usize) -> bool {
        let admitted = self.connections.fetch_add(1, Ordering::Relaxed) < max;
        if !admitted {
            self.connection_left();
        }
        admitted
    }

    pub(crate) fn connection_left(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts the end of a connection, if it is a client's.
    pub(crate) fn downstream_left(&self, connection: &Connection, shard: &Shard) {
        if !connection.is_downstream() {
            return;
        }
        if let Some(version) = connection.version() {
            shard.connection_closed(version, connection.channel.is_tls());
        } else if connection.channel.is_handshaking() {
            let why = connection.channel.tls_failure();
            let other = if connection.timed_out { "timeout" } else { "closed" };
            shard.handshake_failed(why.unwrap_or(other));
        }
        self.connection_left();
    }

    /// Living workers but the one at `index`.
    pub(crate) fn siblings(&self, index: usize) -> Vec<Arc<Slot>> {
        let state = self.state();
        state
            .slots
            .iter()
            .filter(|slot| slot.index != index && slot.is_open())
            .filter(|slot| !slot.killed.load(Ordering::Relaxed))
            .cloned()
            .collect()
    }

    /// Keeps parcels for whichever worker reads its mail first: a living one is woken, and one that
    /// starts looks here.
    pub(crate) fn park(&self, parcels: Vec<Parcel>) {
        let mut state = self.state();
        state.parked.extend(parcels);
        self.has_parked.store(true, Ordering::Relaxed);
        state.slots.iter().filter(|slot| slot.is_open()).for_each(|slot| slot.wake());
    }

    /// Takes what is parked; no lock if that is nothing.
    pub(crate) fn take_parked(&self) -> Vec<Parcel> {
        if !self.has_parked.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut state = self.state();
        self.has_parked.store(false, Ordering::Relaxed);
        std::mem::take(&mut state.parked)
    }

    /// No worker is left or will come: what is parked is lost.
    pub(crate) fn lose_parked(&self) {
        for parcel in self.take_parked() {
            // No worker writes to its shard any more.
            parcel.lose(self, &self.registry.shard(0));
        }
    }

    /// Counts downstream connections that an evacuation could not move.
    pub(crate) fn count_lost(&self, connections: usize) {
        self.totals.lost_connections.fetch_add(connections as u64, Ordering::Relaxed);
        self.registry.connections_lost(connections as u64);
    }

    /// Another handle of each of a worker's listeners; fewer where descriptors are short.
    pub(crate) fn duplicate_listeners(&self, index: usize) -> Vec<WorkerListener> {
        self.state().share(index).flatten().collect()
    }

    /// Starts the successor of a dead worker; if that fails its place is vacant.
    pub(crate) fn respawn(self: &Arc<Self>, dead: &Slot) {
        let vacancy = (dead.index, dead.generation + 1);
        if self.fill(vacancy) {
            return;
        }
        self.state().vacancies.push(vacancy);
        self.has_vacancy.store(true, Ordering::Relaxed);
        // A sibling tries again; where there is none this thread has to.
        while self.siblings(dead.index).is_empty() && self.has_vacancy.load(Ordering::Relaxed) {
            std::thread::sleep(VACANCY_RETRY);
            self.fill_vacancies();
        }
    }

    /// Tries again to start the workers that could not be started. No lock if there are none.
    pub(crate) fn fill_vacancies(self: &Arc<Self>) {
        if !self.has_vacancy.swap(false, Ordering::Relaxed) {
            return;
        }
        let vacancies = std::mem::take(&mut self.state().vacancies);
        let vacant: Vec<_> = vacancies.into_iter().filter(|&vacancy| !self.fill(vacancy)).collect();
        if !vacant.is_empty() {
            self.state().vacancies.extend(vacant);
            self.has_vacancy.store(true, Ordering::Relaxed);
        }
    }

    /// False: threads or descriptors are short.
    fn fill(self: &Arc<Self>, (index, generation): (usize, u64)) -> bool {
        {
            let state = self.state();
            // The pool may have shrunk meanwhile.
            if state.stopping || index >= state.workers {
                return true;
            }
        }
        let started = self.spawn(index, generation).is_ok();
        if started {
            self.registry.worker_started();
        }
        started
    }

    /// Starts a worker with the current snapshot on its own listeners.
    pub(crate) fn spawn(self: &Arc<Self>, index: usize, generation: u64) -> std::io::Result<()> {
        let poll = Poll::new()?;
        let (slot, inbox) = Slot::new(index, generation, &poll)?;
        let mut state = self.state();
        // It may have begun to stop since the caller looked.
        let wanted = !state.stopping && index < state.workers;
        let running = state.snapshot.clone().filter(|_| wanted);
        let Some(snapshot) = running else { return Ok(()) };
        let listeners = state.share(index).collect::<std::io::Result<_>>()?;
        for message in state.named_endpoints(|_| true) {
            let _fresh = slot.send(message);
        }
        let _fresh = slot.send(Message::Listeners(listeners));
        let (shared, own) = (self.clone(), slot.clone());
        #[cfg(test)]
        if crate::simulation::is_on() {
            state.seat(slot);
            drop(state);
            crate::simulation::enlist(Worker::new(own, inbox, poll, snapshot, shared));
            return Ok(());
        }
        let thread =
            std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
                // Before it allocates: memory comes from where it is first touched.
                shared.placement.pin(index);
                live(Worker::new(own, inbox, poll, snapshot, shared));
            })?;
        state.seat(slot);
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
        Ok(())
    }

    pub(crate) fn await_evacuation(&self, slot: &Slot, waiter: SyncSender<KillReport>) {
        self.state().waiting.push((slot.index, slot.generation, waiter));
    }

    /// An evacuation is over: tells whoever waits for it.
    pub(crate) fn evacuated(&self, slot: &Slot, report: KillReport) {
        let mut state = self.state();
        state.waiting.retain(|(index, generation, waiter)| {
            let this = *index == slot.index && *generation == slot.generation;
            if this {
                // Whoever waited may have given up.
                let _ = waiter.try_send(report);
            }
            !this
        });
    }
}

/// The life of a worker's thread.
fn live(mut worker: Worker) {
    let thread = rustix::thread::gettid().as_raw_nonzero().get();
    worker.slot.thread_id.store(thread as u64, Ordering::Relaxed);
    let exit = run_guarded(&mut worker);
    let ended = clock::now();
    worker.slot.thread_id.store(0, Ordering::Relaxed);
    let cpu_ns = thread_cpu().as_nanos() as u64;
    worker.shared.totals.dead_cpu_ns.fetch_add(cpu_ns, Ordering::Relaxed);
    match exit {
        Exit::Stopped => evacuation::leave(&mut worker),
        Exit::Killed => evacuation::evacuate(worker, ended),
        Exit::Retired => evacuation::retire(worker, ended),
    }
}

/// CPU time of the calling thread.
fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.clamp(0, 999_999_999) as u32)
}
