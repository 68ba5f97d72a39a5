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
use crate::event::{Event, Listen};
use crate::plane::Plane;
use crate::resolver::{Known, Lookup, Resolver, system_lookup};
use crate::status::Status;
use crate::store::{CONFIG_POLL_INTERVAL, ConfigSource, Outcome, Store};

/// Threads for lookups and for applying configurations.
const BLOCKING_THREADS_MAX: usize = 8;

/// Looking at files takes at most this part of the time: one in so many.
const POLL_SHARE: u32 = 50;

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
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_name("control-wait")
            .build()
            .map_err(ControlError::Start)?;
        let (listener, admin_address) = match options.admin {
            None => (None, None),
            Some(admin) => {
                let bind_error = |source| ControlError::Bind { address: admin.address, source };
                let listener = bind(admin.address).map_err(bind_error)?;
                let address = listener.local_addr().map_err(bind_error)?;
                let pages = Pages {
                    plane: Arc::clone(&plane),
                    status: Arc::clone(&status),
                    events: Arc::clone(&events),
                    faults: admin.faults,
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
            lookup: options.lookup.unwrap_or_else(system_lookup),
            known: Arc::new(Known::default()),
        };
        let certificates = CertificateWatch::new(Arc::clone(&plane), Arc::clone(&events));
        let store = source.map(|(source, text)| {
            Store::new(source, text, config.clone(), plane, Arc::clone(&status), events)
        });
        let reload = Arc::new(Notify::new());
        let (stop, stopped) = watch::channel(false);
        let main = run(
            Tasks { listener, resolver, config, certificates, store, reload: Arc::clone(&reload) },
            stopped,
        );
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                runtime.block_on(main);
                // A lookup that hangs must not keep the process.
                runtime.shutdown_background();
            })
            .map_err(ControlError::Start)?;
        Ok(Self { admin_address, status, reload, stop, thread: Some(thread) })
    }

    /// Where the admin server listens.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
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

fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// What runs on the thread.
struct Tasks {
    listener: Option<(std::net::TcpListener, Arc<Pages>)>,
    resolver: Resolver,
    config: Config,
    certificates: CertificateWatch,
    store: Option<Store>,
    reload: Arc<Notify>,
}

async fn run(tasks: Tasks, mut stopped: watch::Receiver<bool>) {
    let Tasks { listener, resolver, config, certificates, store, reload } = tasks;
    let serving = async move {
        if let Some((listener, pages)) = listener
            && let Ok(listener) = tokio::net::TcpListener::from_std(listener)
        {
            admin::serve(listener, pages).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = serving => {}
        () = keep_config(store, resolver, config, certificates, &reload) => {}
        // An error means that the handle is gone, which is a stop too.
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

/// Polls the store, has the names of whatever is in force looked up, and watches certificates.
async fn keep_config(
    store: Option<Store>,
    resolver: Resolver,
    config: Config,
    mut certificates: CertificateWatch,
    reload: &Notify,
) {
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
            let began = Instant::now();
            let outcome = store.poll(forced);
            (store, outcome, began.elapsed())
        });
        let Ok((returned, outcome, took)) = polled.await else {
            (resolver.events)(Event::WatchEnded);
            return std::future::pending().await;
        };
        store = returned;
        let unchanged = outcome == Outcome::Unchanged;
        if unchanged {
            // Tens of thousands of certificates: looking at them must not cost more than this.
            pause = CONFIG_POLL_INTERVAL.max(took * POLL_SHARE);
        }
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
    }
}

#[cfg(test)]
mod tests;
