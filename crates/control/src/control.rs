//! The control plane as a value: a thread that is started, nudged and stopped.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use bulkhead_config::Config;
use tokio::sync::{Notify, watch};

use crate::acme;
use crate::admin::{self, AdminOptions, Pages};
use crate::certificates::{CertificateWatch, EXPIRY_INTERVAL};
use crate::dns::{Dns, Lookup};
use crate::effort::{Effort, pause_after};
use crate::event::{Event, Listen};
use crate::health::{Checks, check_for_ever};
use crate::plane::Plane;
use crate::resolver::{Known, Resolver};
use crate::status::Status;
use crate::store::{CONFIG_POLL_INTERVAL, ConfigSource, Outcome, Store};

/// Threads for lookups and for applying configurations.
const BLOCKING_THREADS_MAX: usize = 8;

/// The configuration that is in force when the control plane starts.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The configuration.
    pub config: Config,
    /// Its revision.
    pub revision: u64,
    /// What is odd in it.
    pub warnings: Vec<String>,
    /// Where it came from, for the admin server: a path, or a description.
    pub origin: String,
    /// The file to watch, with the text that was read from it; `None`: there is none.
    pub source: Option<(ConfigSource, String)>,
}

/// What the control plane does.
#[derive(Clone, Default)]
pub struct ControlOptions {
    /// The admin server; `None`: none.
    pub admin: Option<AdminOptions>,
    /// The admin server's socket, if it is open already; its address is not bound then.
    pub admin_socket: Option<Arc<std::net::TcpListener>>,
    /// How names are looked up; `None`: by the system.
    pub lookup: Option<Lookup>,
}

/// Why the control plane cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The admin address is not to be had.
    #[error("listen on admin address {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The thread, or its runtime, cannot be started.
    #[error("start the control plane's thread")]
    Start(#[source] io::Error),
}

/// The running control plane. Dropping it stops it.
#[derive(Debug)]
pub struct Control {
    admin_address: Option<SocketAddr>,
    admin_socket: Option<Arc<std::net::TcpListener>>,
    close_admin: Arc<Notify>,
    status: Arc<Status>,
    reload: Arc<Notify>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Binds the admin address and starts the thread. `events` hears of changes of state, and must
    /// not block.
    ///
    /// # Errors
    /// If the address cannot be bound, or the thread not be started.
    pub fn start(
        options: ControlOptions,
        applied: Applied,
        plane: Arc<dyn Plane>,
        events: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, ControlError> {
        let events: Arc<Listen> = Arc::new(events);
        let Applied { config, revision, warnings, origin, source } = applied;
        let status = Arc::new(Status::new(origin, revision, &config, warnings));
        let runtime = runtime().map_err(ControlError::Start)?;
        let (listener, admin_address) = match options.admin {
            None => (None, None),
            Some(admin) => {
                let bind_error = |source| ControlError::Bind { address: admin.address, source };
                let listener = match options.admin_socket {
                    Some(open) => open,
                    None => {
                        Arc::new(std::net::TcpListener::bind(admin.address).map_err(bind_error)?)
                    }
                };
                listener.set_nonblocking(true).map_err(bind_error)?;
                let address = listener.local_addr().map_err(bind_error)?;
                let pages = Pages {
                    plane: Arc::clone(&plane),
                    status: Arc::clone(&status),
                    events: Arc::clone(&events),
                    faults: admin.faults,
                    readiness_clusters: admin.readiness_clusters,
                };
                (Some((listener, Arc::new(pages))), Some(address))
            }
        };
        if let Some(address) = admin_address {
            events(Event::AdminListening { address });
        }
        let resolver = Resolver {
            plane: Arc::clone(&plane),
            status: Arc::clone(&status),
            events: Arc::clone(&events),
            dns: options.lookup.clone().map_or_else(|| Dns::of(&config.dns), Dns::System),
            asked: options.lookup,
            known: Arc::new(Known::default()),
        };
        let certificates = CertificateWatch::new(Arc::clone(&plane), Arc::clone(&events));
        let (checks, checks_in_force) = watch::channel(Arc::new(Checks::of(&config)));
        let checking = check_for_ever(Arc::clone(&plane), Arc::clone(&events), checks_in_force);
        let store = source.map(|(source, text)| {
            Store::new(source, text, config.clone(), plane, Arc::clone(&status), events)
        });
        let admin_socket = listener.as_ref().map(|(listener, _)| Arc::clone(listener));
        let (reload, close_admin) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (stop, stopped) = watch::channel(false);
        let closed = Arc::clone(&close_admin);
        let keeping =
            Keeping { store, resolver, config, checks, certificates, reload: Arc::clone(&reload) };
        let main = run(Tasks { listener, closed, keeping }, checking, stopped);
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                runtime.block_on(main);
                // A lookup that hangs must not keep the process.
                runtime.shutdown_background();
            })
            .map_err(ControlError::Start)?;
        let thread = Some(thread);
        Ok(Self { admin_address, admin_socket, close_admin, status, reload, stop, thread })
    }

    /// Where the admin server listens.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// The admin server's socket, for a process that goes on in place of this one.
    pub fn admin_socket(&self) -> Option<&Arc<std::net::TcpListener>> {
        self.admin_socket.as_ref()
    }

    /// The admin server takes no new connections: its socket is another process's now.
    pub fn close_admin(&self) {
        self.close_admin.notify_one();
    }

    /// Reads and applies the configuration now, changed or not. Returns before it is done.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    /// From now on the gateway is not ready: whoever balances load over gateways is to go elsewhere.
    pub fn drain(&self) {
        self.status.drain();
    }

    /// Stops, and waits until it has.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic there was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.end();
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name("control-wait")
        .build()
}

/// What runs on the thread, beside the checks.
struct Tasks {
    listener: Option<(Arc<std::net::TcpListener>, Arc<Pages>)>,
    closed: Arc<Notify>,
    keeping: Keeping,
}

/// What keeps up with the configuration.
struct Keeping {
    store: Option<Store>,
    resolver: Resolver,
    config: Config,
    certificates: CertificateWatch,
    checks: watch::Sender<Arc<Checks>>,
    reload: Arc<Notify>,
}

async fn run(tasks: Tasks, checking: impl Future<Output = ()>, mut stopped: watch::Receiver<bool>) {
    let Tasks { listener, closed, keeping } = tasks;
    let serving = async move {
        if let Some((listener, pages)) = listener
            && let Ok(listener) = listener.try_clone()
            && let Ok(listener) = tokio::net::TcpListener::from_std(listener)
        {
            tokio::select! {
                () = admin::serve(listener, pages) => {}
                () = closed.notified() => {}
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = serving => {}
        () = checking => {}
        () = keep_config(keeping) => {}
        // An error means that the handle is gone, which is a stop too.
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

/// Polls the store, has the names of whatever is in force looked up and its endpoints checked, and
/// watches certificates.
async fn keep_config(keeping: Keeping) {
    let Keeping { store, resolver, config, mut certificates, checks, reload } = keeping;
    let mut lookups = resolver.watch(&config);
    let mut in_acme = config.acme;
    let mut _acme = acme::keep(in_acme.clone(), &resolver.plane, &resolver.events);
    let mut due = certificates.look();
    let mut looked = Instant::now();
    let Some(mut store) = store else {
        loop {
            tokio::time::sleep(EXPIRY_INTERVAL).await;
            certificates.look();
        }
    };
    let mut pause = CONFIG_POLL_INTERVAL;
    loop {
        let forced = tokio::select! {
            () = reload.notified() => true,
            () = tokio::time::sleep(pause) => std::mem::take(&mut due),
        };
        // Reading files and compiling a snapshot may take long; the admin server must not wait.
        let polled = tokio::task::spawn_blocking(move || {
            let begun = Effort::begin();
            let outcome = store.poll(forced);
            let pause = pause_after(&outcome, begun.made());
            let checks = match &outcome {
                Outcome::Applied(config) => Some(Checks::of(config)),
                Outcome::Unchanged | Outcome::Unsettled | Outcome::Rejected => None,
            };
            (store, outcome, checks, pause)
        });
        let Ok((returned, outcome, new_checks, next)) = polled.await else {
            (resolver.events)(Event::WatchEnded);
            return std::future::pending().await;
        };
        store = returned;
        pause = next;
        let unchanged = matches!(outcome, Outcome::Unchanged | Outcome::Unsettled);
        if let Outcome::Applied(config) = outcome {
            lookups.abort_all();
            lookups = resolver.watch(&config);
            if config.acme != in_acme {
                in_acme = config.acme;
                // Dropping the old ones ends them.
                _acme = acme::keep(in_acme.clone(), &resolver.plane, &resolver.events);
            }
        }
        if !unchanged || looked.elapsed() >= EXPIRY_INTERVAL {
            looked = Instant::now();
            due = certificates.look();
        }
        if let Some(new_checks) = new_checks {
            checks.send_replace(Arc::new(new_checks));
        }
    }
}

#[cfg(test)]
mod tests;
