//! The gateway as a value: start it, give it configurations, drain it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bulkhead_config::Config;
use bulkhead_config::model::{Discovery, Endpoint, EndpointAddress};
use bulkhead_message::Address;
use bulkhead_telemetry::{AccessLog, AccessLogOptions, AccessLogTarget, Registry};
use bulkhead_transport::{Certificate, CertificateError, CertificatePem, KeyLogFile, Ticketer};

use crate::certificates::CertificateReport;
use crate::clock;
use crate::listening::{HandedSocket, ListeningSet};
use crate::mailbox::Message;
use crate::names::{self, Names};
use crate::placement::Placement;
use crate::shared::Shared;
use crate::snapshot::{ApplyError, ClusterEntry, Compiler, Snapshot};

mod endpoints;
mod injecting;
mod workers;

pub(crate) use endpoints::WorkerReport;
use workers::wanted_workers;
pub use workers::{EvacuationTotals, KillError, WORKERS_MAX, WorkerStatus};

/// What a gateway is started with, beyond its configuration.
#[derive(Debug, Default)]
pub struct GatewayOptions {
    /// Where metrics go; `None`: a registry of its own.
    pub registry: Option<Arc<Registry>>,
    /// Seed of balancing and jitter; `None`: from the clock.
    pub seed: Option<u64>,
    /// File that secrets of TLS sessions are written to: whoever reads it reads all traffic.
    pub tls_key_log: Option<PathBuf>,
    /// Listening sockets that are open already. Those that the configuration has no listener for
    /// are closed ([`Gateway::unclaimed`]).
    pub sockets: Vec<HandedSocket>,
    /// The workers start, but accept nothing until [`Gateway::accept`].
    pub held: bool,
    /// Keys of session tickets of the process before this one; `None`: fresh ones.
    pub ticketer: Option<Ticketer>,
}

/// A running gateway. Dropping it stops it at once; [`Gateway::drain`] lets requests end first.
#[derive(Debug)]
pub struct Gateway {
    pub(crate) shared: Arc<Shared>,
    pub(crate) compiler: Compiler,
    revision: AtomicU64,
    /// Names of sockets that were given and not wanted.
    unclaimed: Vec<String>,
    /// One change at a time.
    pub(crate) changing: std::sync::Mutex<()>,
    /// What the configuration in force says of the number of workers.
    workers_configured: std::sync::Mutex<Option<usize>>,
}

impl Gateway {
    /// Opens the listeners and starts the workers.
    ///
    /// # Errors
    /// When the configuration cannot be put in force, or an address cannot be bound.
    pub fn start(config: Config, options: GatewayOptions) -> Result<Self, ApplyError> {
        let registry = options.registry.unwrap_or_else(|| Arc::new(Registry::new()));
        let placement = Placement::of_process(&config.worker_affinity, config.numa)
            .map_err(|source| ApplyError::System { what: "place the workers", source })?;
        let workers = wanted_workers(&config, &placement);
        let seed = options.seed.unwrap_or_else(|| clock::unix().as_nanos() as u64);
        let ticketer = options
            .ticketer
            .map_or_else(Ticketer::new, Ok)
            .map_err(|source| ApplyError::Tls { owner: "session tickets".to_owned(), source })?;
        let key_log = options.tls_key_log.as_deref().map(open_key_log).transpose()?;
        let access_log = config.access_log.as_ref().map(open_log).transpose()?;
        let logs_tls = config.access_log_tls;
        let shared = Arc::new(Shared::new(registry.clone(), seed, access_log, logs_tls, placement));
        let expiry = shared.injections.levers.expiry.clone();
        let compiler = Compiler::new(registry, ticketer, key_log, expiry);
        let mut gateway = Self {
            shared,
            compiler,
            revision: AtomicU64::new(0),
            unclaimed: Vec::new(),
            changing: std::sync::Mutex::default(),
            workers_configured: std::sync::Mutex::new(config.workers),
        };
        {
            let mut state = gateway.shared.state();
            state.workers = workers;
            state.held = options.held;
        }
        let mut sockets = options.sockets;
        gateway.apply_with(&config, &mut sockets)?;
        gateway.unclaimed = sockets.into_iter().map(|unclaimed| unclaimed.name).collect();
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
        let mut kept = self.hand_over();
        self.apply_with(&config, &mut kept)
    }

    /// Takes from `sockets` what the configuration's listeners listen on already. For who holds the
    /// lock.
    fn apply_with(
        &self,
        config: &Config,
        sockets: &mut Vec<HandedSocket>,
    ) -> Result<u64, ApplyError> {
        if self.shared.state().stopping {
            return Err(ApplyError::Draining);
        }
        let revision = self.revision.load(Ordering::Relaxed) + 1;
        let known = self.shared.state().names.clone();
        let look_up = |host: &str, port| match config.dns.servers.is_empty() {
            true => names::look_up(host, port),
            // The system's name servers are not those that are to be asked: the control plane asks.
            false => Vec::new(),
        };
        let names = Names::of(config, &known, look_up, names::read_endpoints);
        let applied = Snapshot::compile(config, revision, &names, &self.compiler).and_then(
            |(snapshot, made)| {
                self.install(Arc::new(snapshot), names, sockets)?;
                Ok(made)
            },
        );
        match applied {
            Ok(made) => made.keep(),
            Err(error) => {
                self.shared.registry.config_rejected();
                return Err(error);
            }
        }
        self.revision.store(revision, Ordering::Relaxed);
        self.shared.registry.config_applied(revision);
        self.follow_workers(config);
        Ok(revision)
    }

    /// Begins to accept, where the gateway was started without.
    pub fn accept(&self) {
        self.shared.state().held = false;
        self.divide();
    }

    /// Opens what is new, then tells the workers. Nothing is changed before everything is opened.
    fn install(
        &self,
        snapshot: Arc<Snapshot>,
        names: Names,
        sockets: &mut Vec<HandedSocket>,
    ) -> Result<(), ApplyError> {
        let (workers, held) = {
            let state = self.shared.state();
            (state.workers, state.held)
        };
        let listeners: Vec<ListeningSet> = snapshot
            .listeners
            .iter()
            .map(|entry| ListeningSet::open(entry, sockets, workers, held))
            .collect::<Result<_, _>>()?;
        let mut state = self.shared.state();
        state.snapshot = Some(snapshot.clone());
        state.listeners = listeners;
        state.names = names.succeed(&state.names);
        self.shared.verdicts.retain(|id| snapshot.checks(id));
        for slot in &state.slots {
            // A worker that dies meanwhile has a successor that starts with this snapshot.
            let _ = slot.send(Message::Snapshot(snapshot.clone()));
            for message in state.named_endpoints(|_| true) {
                let _ = slot.send(message);
            }
            state.divide_listeners(slot);
        }
        Ok(())
    }

    /// All listening sockets, for a process that goes on in place of this one.
    pub fn hand_over(&self) -> Vec<HandedSocket> {
        self.shared.state().listeners.iter().flat_map(ListeningSet::hand_over).collect()
    }

    /// The keys of session tickets, for a process that goes on in place of this one.
    pub fn ticketer(&self) -> Ticketer {
        self.compiler.ticketer.clone()
    }

    /// Names of the sockets that were given at the start and that no listener wanted.
    pub fn unclaimed(&self) -> &[String] {
        &self.unclaimed
    }

    /// Names and actual addresses of the listeners.
    pub fn addresses(&self) -> Vec<(String, Address)> {
        let state = self.shared.state();
        let listeners = state.listeners.iter();
        listeners.filter_map(|set| Some((set.entry.name.clone(), set.local_addr()?))).collect()
    }

    /// Whether the listener of that name shows certificates of its own.
    pub fn shows_certificates(&self, listener: &str) -> bool {
        let state = self.shared.state();
        state.listeners.iter().any(|set| set.entry.name == listener && set.entry.tls.is_some())
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

    /// Makes these the endpoints that are found at `source`, for all clusters that look there. An
    /// unknown source is ignored: it may have left the configuration meanwhile.
    pub fn set_discovered(&self, source: &Discovery, endpoints: Vec<Endpoint>) {
        let mut state = self.shared.state();
        if !state.names.set_discovered(source, endpoints) {
            return;
        }
        for slot in &state.slots {
            let looks_there =
                |entry: &ClusterEntry| entry.config.discovery.as_ref() == Some(source);
            for message in state.named_endpoints(looks_there) {
                // A dead worker's successor gets it at its start.
                let _ = slot.send(message);
            }
        }
    }

    /// Asks the access log to open its file anew (after rotation).
    pub fn reopen_log(&self) {
        self.shared.reopen_log();
    }

    /// Takes no new connections, lets requests in flight end, and stops; after `timeout` it stops
    /// anyway. True: nothing was cut off.
    pub fn drain(&self, timeout: Duration) -> bool {
        self.end(timeout, false)
    }

    /// [`Self::drain`] after another process was given the listening sockets: who waits there to be
    /// accepted is left to it.
    pub fn drain_handed_over(&self, timeout: Duration) -> bool {
        self.end(timeout, true)
    }

    fn end(&self, timeout: Duration, handed_over: bool) -> bool {
        let until = clock::now() + timeout;
        let (slots, threads) = {
            let mut state = self.shared.state();
            state.stopping = true;
            if handed_over {
                state.listeners.iter().for_each(ListeningSet::leave_files);
            }
            // Closes the sockets: the kernel refuses new connections from here on.
            state.listeners.clear();
            (state.slots.clone(), std::mem::take(&mut state.threads))
        };
        for slot in &slots {
            // A dead worker has nothing to drain.
            let _ = slot.send(Message::Drain { handed_over, until });
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
