//! The gateway as a value: start it, give it configurations, kill its workers, drain it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use bulkhead_config::Config;
use bulkhead_config::model::EndpointAddress;
use bulkhead_message::Address;
use bulkhead_telemetry::{AccessLog, AccessLogOptions, AccessLogTarget, Registry};
use bulkhead_transport::{
    AlpnChallenges, Certificate, CertificateError, CertificatePem, KeyLogFile, Listener,
    ListenerOptions, Ticketer,
};

use crate::certificates::{CertificateReport, Certificates};
use crate::chains::BuiltProviders;
use crate::clock;
use crate::evacuation::KillReport;
use crate::faults::Fault;
use crate::mailbox::Message;
use crate::names::{self, Names};
use crate::shared::{HeldListener, Shared};
use crate::snapshot::{
    ApplyError, BuiltClients, ClusterEntry, ClusterIds, Compiler, ListenerEntry, Snapshot,
};
use crate::worker::WorkerListener;

/// Most workers that may be asked for.
pub const WORKERS_MAX: usize = 1024;
/// How long a kill may take before it is called failed.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// What a gateway is started with, beyond its configuration.
#[derive(Clone, Debug, Default)]
pub struct GatewayOptions {
    /// Where metrics go; `None`: a registry of its own.
    pub registry: Option<Arc<Registry>>,
    /// Seed of balancing and jitter; `None`: from the clock.
    pub seed: Option<u64>,
    /// File that secrets of TLS sessions are written to: whoever reads it reads all traffic.
    pub tls_key_log: Option<PathBuf>,
}

/// Why a worker could not be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KillError {
    /// No worker has this index.
    #[error("there is no worker {0}")]
    Unknown(usize),
    /// It is being killed already.
    #[error("worker {0} is being killed already")]
    Dying(usize),
    /// The gateway drains: a worker's siblings are leaving too, and have no successors.
    #[error("the gateway is draining: worker {0} ends by itself")]
    Draining(usize),
    /// Its evacuation did not end in time.
    #[error("worker {0} was not evacuated within 10 s")]
    Timeout(usize),
}

/// A worker, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Its number, from 0.
    pub index: usize,
    /// How many predecessors it had.
    pub generation: u64,
    /// Whether its loop turns.
    pub alive: bool,
    /// Connections, downstream and upstream, at its last look.
    pub connections: usize,
    /// Exchanges in flight at its last look.
    pub exchanges: usize,
    /// CPU time of its thread, user and system.
    pub cpu_time: Duration,
}

/// Kills and what became of the connections, over the life of the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvacuationTotals {
    /// Workers killed, by fault or panic.
    pub killed: u64,
    /// Downstream connections that went on at a sibling.
    pub evacuated_connections: u64,
    /// Downstream connections that were lost.
    pub lost_connections: u64,
}

/// A running gateway. Dropping it stops it at once; [`Gateway::drain`] lets requests end first.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    compiler: Compiler,
    workers: usize,
    revision: AtomicU64,
    /// One change at a time.
    changing: std::sync::Mutex<()>,
}

impl Gateway {
    /// Opens the listeners and starts the workers.
    ///
    /// # Errors
    /// When the configuration cannot be put in force, or an address cannot be bound.
    pub fn start(config: Config, options: GatewayOptions) -> Result<Self, ApplyError> {
        let registry = options.registry.unwrap_or_else(|| Arc::new(Registry::new()));
        let workers = config.workers.unwrap_or_else(default_workers).clamp(1, WORKERS_MAX);
        let seed = options.seed.unwrap_or_else(|| clock::unix().as_nanos() as u64);
        let ticketer = Ticketer::new()
            .map_err(|source| ApplyError::Tls { owner: "session tickets".to_owned(), source })?;
        let key_log = options.tls_key_log.as_deref().map(open_key_log).transpose()?;
        let compiler = Compiler {
            ids: ClusterIds::default(),
            ticketer,
            registry: registry.clone(),
            providers: BuiltProviders::default(),
            certificates: Certificates::default(),
            clients: BuiltClients::default(),
            challenges: AlpnChallenges::default(),
            key_log,
        };
        let access_log = config.access_log.as_ref().map(open_log).transpose()?;
        let shared = Arc::new(Shared::new(registry, seed, access_log, config.access_log_tls));
        let gateway = Self {
            shared,
            compiler,
            workers,
            revision: AtomicU64::new(0),
            changing: std::sync::Mutex::default(),
        };
        gateway.apply(config)?;
        for index in 0..workers {
            gateway
                .shared
                .spawn(index, 0)
                .map_err(|source| ApplyError::System { what: "start a worker", source })?;
            gateway.shared.registry.worker_started();
        }
        Ok(gateway)
    }

    /// Puts a configuration in force, all or nothing, and gives its revision. Clusters and listeners
    /// that did not change keep their connections, and names that there were before keep their
    /// addresses ([`Gateway::set_addresses`]); new names are looked up. The number of workers stays.
    ///
    /// # Errors
    /// When it cannot be put in force; the old one then still is.
    pub fn apply(&self, config: Config) -> Result<u64, ApplyError> {
        let _one_at_a_time = self.changing.lock();
        let revision = self.revision.load(Ordering::Relaxed) + 1;
        let known = self.shared.state().names.clone();
        let names = Names::of(&config, &known, names::look_up);
        let applied = Snapshot::compile(&config, revision, &names, &self.compiler)
            .and_then(|snapshot| self.install(Arc::new(snapshot), names));
        if let Err(error) = applied {
            self.shared.registry.config_rejected();
            return Err(error);
        }
        self.revision.store(revision, Ordering::Relaxed);
        self.shared.registry.config_applied(revision);
        Ok(revision)
    }

    /// Opens what is new, then tells the workers. Nothing is changed before everything is opened.
    fn install(&self, snapshot: Arc<Snapshot>, names: Names) -> Result<(), ApplyError> {
        let mut held: Vec<Vec<HeldListener>> = Vec::new();
        for worker in 0..self.workers {
            let mut listeners = Vec::new();
            for (position, entry) in snapshot.listeners.iter().enumerate() {
                let first = held.first().and_then(|first: &Vec<HeldListener>| first.get(position));
                let socket = self.open(worker, entry, first)?;
                listeners.push(HeldListener { socket, entry: entry.clone() });
            }
            held.push(listeners);
        }
        let mut state = self.shared.state();
        state.snapshot = Some(snapshot.clone());
        state.listeners = held;
        state.names = names.succeed(&state.names);
        for slot in state.slots.clone() {
            // A worker that dies meanwhile has a successor that starts with this snapshot.
            let _ = slot.send(Message::Snapshot(snapshot.clone()));
            for message in state.named_endpoints(|_| true) {
                let _ = slot.send(message);
            }
            let listeners = state.listeners[slot.index]
                .iter()
                .filter_map(|held| {
                    let socket = held.socket.duplicate().ok()?;
                    Some(WorkerListener { socket, entry: held.entry.clone() })
                })
                .collect();
            let _ = slot.send(Message::Listeners(listeners));
        }
        Ok(())
    }

    /// A worker's socket for a listener: the one it has, or a new one.
    fn open(
        &self,
        worker: usize,
        entry: &Arc<ListenerEntry>,
        first: Option<&HeldListener>,
    ) -> Result<Listener, ApplyError> {
        let state = self.shared.state();
        let kept = state.listeners.get(worker).into_iter().flatten().find(|held| {
            let same_name = held.entry.name == entry.name || entry.address.unix().is_some();
            held.entry.address == entry.address && same_name
        });
        if let Some(held) = kept {
            return held
                .socket
                .keep()
                .map_err(|source| ApplyError::System { what: "keep a listener", source });
        }
        if let Some(first) = first.filter(|_| entry.address.unix().is_some()) {
            // One socket for all workers: whoever comes first accepts.
            return first
                .socket
                .duplicate()
                .map_err(|source| ApplyError::System { what: "share a listener", source });
        }
        // With port 0 the first worker's socket decides for all.
        let address = match first {
            Some(first) => first.socket.local_addr().unwrap_or_else(|_| entry.address.clone()),
            None => entry.address.clone(),
        };
        let options =
            ListenerOptions { socket_mode: entry.socket_mode, ..ListenerOptions::default() };
        Ok(Listener::bind(address, &options)?)
    }

    /// Names and actual addresses of the listeners.
    pub fn addresses(&self) -> Vec<(String, Address)> {
        let state = self.shared.state();
        state
            .listeners
            .first()
            .into_iter()
            .flatten()
            .filter_map(|held| Some((held.entry.name.clone(), held.socket.local_addr().ok()?)))
            .collect()
    }

    /// The certificates in force, and what was wrong with their files.
    pub fn certificates(&self) -> Arc<CertificateReport> {
        self.compiler.certificates.report()
    }

    /// Replaces the answers to challenges of an ACME server. `http`: tokens with their key
    /// authorizations (HTTP-01); `tls`: lower-case names with the certificates to show (TLS-ALPN-01),
    /// at listeners that serve ACME's certificates. In force when this comes back.
    ///
    /// # Errors
    /// A certificate cannot be used; then nothing has changed.
    pub fn set_acme_challenges(
        &self,
        http: Vec<(String, String)>,
        tls: Vec<(String, CertificatePem)>,
    ) -> Result<(), CertificateError> {
        let parsed = |(name, pem)| Ok((name, Certificate::parse_challenge(&pem)?));
        let tls = tls.into_iter().map(parsed).collect::<Result<Vec<_>, _>>()?;
        self.compiler.challenges.set(tls);
        self.shared.challenges.set(http);
        Ok(())
    }

    /// Where the metrics are.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.shared.registry
    }

    /// Revision of the configuration in force.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Relaxed)
    }

    /// Makes these the addresses of a name, for all clusters that have endpoints of this name and
    /// port. An unknown name is ignored: it may have left the configuration meanwhile.
    pub fn set_addresses(&self, host: &str, port: u16, addresses: Vec<SocketAddr>) {
        let mut state = self.shared.state();
        if !state.names.set(host, port, addresses) {
            return;
        }
        let has_name = |entry: &ClusterEntry| {
            entry.config.endpoints.iter().any(|endpoint| match &endpoint.address {
                EndpointAddress::Name { host: name, port: of } => name == host && *of == port,
                EndpointAddress::Socket(_) | EndpointAddress::Unix(_) => false,
            })
        };
        for slot in &state.slots {
            for message in state.named_endpoints(has_name) {
                // A dead worker's successor gets it at its start.
                let _ = slot.send(message);
            }
        }
    }

    /// Kills a worker: its loop ends at the next event, wherever it is. Comes back when what it
    /// served is with its siblings and its successor has started.
    ///
    /// # Errors
    /// [`KillError`].
    pub fn kill_worker(&self, index: usize) -> Result<KillReport, KillError> {
        let (reporter, report) = sync_channel(1);
        let slot = {
            let state = self.shared.state();
            let slot = state.slots.get(index).cloned().ok_or(KillError::Unknown(index))?;
            if state.stopping {
                return Err(KillError::Draining(index));
            }
            slot
        };
        if !slot.is_open() || slot.killed.load(Ordering::Relaxed) {
            return Err(KillError::Dying(index));
        }
        self.shared.await_evacuation(&slot, reporter);
        slot.kill();
        report.recv_timeout(KILL_TIMEOUT).map_err(|_| KillError::Timeout(index))
    }

    /// The next `count` exchanges panic while they are routed: a fault, for the chaos lab and tests.
    pub fn panic_exchanges(&self, count: u32) {
        self.inject(Fault::RoutePanic, count);
    }

    /// The next `count` connections that have something to say panic while it is handled: a fault.
    pub fn panic_connections(&self, count: u32) {
        self.inject(Fault::InputPanic, count);
    }

    /// This fault strikes the next `count` times that a worker comes by its place: for tests.
    pub fn inject(&self, fault: Fault, count: u32) {
        self.shared.faults.add(fault, count);
    }

    /// The workers, by index.
    pub fn workers(&self) -> Vec<WorkerStatus> {
        let state = self.shared.state();
        state
            .slots
            .iter()
            .map(|slot| {
                let thread = slot.thread_id.load(Ordering::Relaxed);
                WorkerStatus {
                    index: slot.index,
                    generation: slot.generation,
                    alive: thread != 0 && slot.is_open(),
                    connections: slot.connections.load(Ordering::Relaxed),
                    exchanges: slot.exchanges.load(Ordering::Relaxed),
                    cpu_time: thread_cpu_time(thread),
                }
            })
            .collect()
    }

    /// CPU time of all workers there ever were.
    pub fn cpu_time(&self) -> Duration {
        let dead = Duration::from_nanos(self.shared.totals.dead_cpu_ns.load(Ordering::Relaxed));
        dead + self.workers().iter().map(|worker| worker.cpu_time).sum::<Duration>()
    }

    /// Kills and what became of the connections so far.
    pub fn evacuation_totals(&self) -> EvacuationTotals {
        let totals = &self.shared.totals;
        EvacuationTotals {
            killed: totals.killed.load(Ordering::Relaxed),
            evacuated_connections: totals.evacuated_connections.load(Ordering::Relaxed),
            lost_connections: totals.lost_connections.load(Ordering::Relaxed),
        }
    }

    /// Asks the access log to open its file anew (after rotation).
    pub fn reopen_log(&self) {
        self.shared.reopen_log();
    }

    /// Takes no new connections, lets requests in flight end, and stops; after `timeout` it stops
    /// anyway. True: nothing was cut off.
    pub fn drain(&self, timeout: Duration) -> bool {
        let until = clock::now() + timeout;
        let (slots, threads) = {
            let mut state = self.shared.state();
            state.stopping = true;
            // Closes the sockets: the kernel refuses new connections from here on.
            state.listeners.clear();
            (state.slots.clone(), std::mem::take(&mut state.threads))
        };
        for slot in &slots {
            // A dead worker has nothing to drain.
            let _ = slot.send(Message::Drain { until });
        }
        for thread in threads {
            // A worker that ended in a panic has nothing to drain either.
            let _ = thread.join();
        }
        self.shared.lose_parked();
        self.shared.close_log();
        clock::now() < until
    }

    /// Stops at once.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.drain(Duration::ZERO);
    }
}

fn open_key_log(path: &Path) -> Result<KeyLogFile, ApplyError> {
    KeyLogFile::open(path)
        .map_err(|source| ApplyError::System { what: "open the file for TLS secrets", source })
}

fn open_log(target: &bulkhead_config::model::AccessLog) -> Result<AccessLog, ApplyError> {
    use bulkhead_config::model::AccessLog as Target;
    let target = match target {
        Target::Stdout => AccessLogTarget::Stdout,
        Target::File(path) => AccessLogTarget::File(path.clone()),
    };
    AccessLog::start(AccessLogOptions { target, with_query: false }).map_err(|error| {
        ApplyError::System { what: "open the access log", source: std::io::Error::other(error) }
    })
}

/// As many workers as the cgroup and the affinity mask grant CPUs.
fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// CPU time of a thread of this process, from the kernel's scheduler statistics.
fn thread_cpu_time(thread: u64) -> Duration {
    if thread == 0 {
        return Duration::ZERO;
    }
    std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat"))
        .ok()
        .and_then(|text| text.split_ascii_whitespace().next()?.parse().ok())
        .map_or(Duration::ZERO, Duration::from_nanos)
}
