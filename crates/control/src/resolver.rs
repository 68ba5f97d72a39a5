//! Names of endpoints, looked up again and again.
//!
//! A lookup may take seconds, so it runs on a thread of the runtime's blocking pool. Only what
//! resolves is told, name by name, and the data plane keeps what it was told last: a name server
//! that is down must not take the endpoints with it, also not those of another name, and also not
//! when the configuration is loaded again.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bulkhead_config::Config;
use bulkhead_config::model::{Cluster, EndpointAddress};
use tokio::task::JoinSet;

use crate::event::{Event, Listen};
use crate::plane::Plane;
use crate::status::Status;

/// How a name and a port become addresses. Blocks.
pub type Lookup = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// Pause after a failed lookup, if `dns_refresh` is not shorter.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// Shortest pause between lookups.
const REFRESH_MIN: Duration = Duration::from_millis(10);

/// The system's resolver.
pub(crate) fn system_lookup() -> Lookup {
    Arc::new(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
}

/// What the lookups of all clusters share.
#[derive(Clone)]
pub(crate) struct Resolver {
    pub(crate) plane: Arc<dyn Plane>,
    pub(crate) status: Arc<Status>,
    pub(crate) events: Arc<Listen>,
    pub(crate) lookup: Lookup,
    pub(crate) known: Arc<Known>,
}

impl Resolver {
    /// One endless task for each cluster that has names. Dropping the set ends them.
    pub(crate) fn watch(&self, config: &Config) -> JoinSet<()> {
        self.known.retain(config);
        let mut tasks = JoinSet::new();
        for cluster in config.clusters.values().filter(|cluster| has_names(cluster)) {
            tasks.spawn(self.clone().refresh_for_ever(cluster.clone()));
        }
        tasks
    }

    async fn refresh_for_ever(self, cluster: Cluster) {
        loop {
            let failed = self.refresh(&cluster).await;
            let pause = cluster.dns_refresh.max(REFRESH_MIN);
            tokio::time::sleep(if failed { pause.min(RETRY_PAUSE) } else { pause }).await;
        }
    }

    /// Looks all names of a cluster up once. True if one failed.
    async fn refresh(&self, cluster: &Cluster) -> bool {
        let mut failed = false;
        for endpoint in &cluster.endpoints {
            let EndpointAddress::Name { host, port } = &endpoint.address else { continue };
            match self.look_up(host.clone(), *port).await {
                Ok(addresses) => {
                    self.status.resolved(&cluster.name, host, None);
                    self.tell(&cluster.name, host, *port, addresses);
                }
                Err(error) => {
                    failed = true;
                    let reason = error.to_string();
                    if self.status.resolved(&cluster.name, host, Some(&reason)) {
                        let (cluster, host) = (cluster.name.clone(), host.clone());
                        (self.events)(Event::NameFailed { cluster, host, reason });
                    }
                }
            }
        }
        failed
    }

    /// Tells the data plane, also if nothing changed: it may have forgotten the name meanwhile. The
    /// log hears of changes only; the first answer is none.
    fn tell(&self, cluster: &str, host: &str, port: u16, addresses: Vec<SocketAddr>) {
        self.plane.set_addresses(host, port, addresses.clone());
        let before = self.known.learn(host, port, addresses.clone());
        if before.is_some_and(|before| before != addresses) {
            let (cluster, host) = (cluster.to_owned(), host.to_owned());
            (self.events)(Event::NameResolved { cluster, host, addresses });
        }
    }

    /// The addresses of a name, each once, in an order that does not depend on the name server's.
    async fn look_up(&self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        let lookup = Arc::clone(&self.lookup);
        let mut addresses = tokio::task::spawn_blocking(move || lookup(&host, port))
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the lookup was cut off")))?;
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        addresses.sort();
        addresses.dedup();
        Ok(addresses)
    }
}

fn has_names(cluster: &Cluster) -> bool {
    cluster
        .endpoints
        .iter()
        .any(|endpoint| matches!(endpoint.address, EndpointAddress::Name { .. }))
}

/// The last answers, over all reloads, by host and port.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<HashMap<(String, u16), Vec<SocketAddr>>>);

impl Known {
    /// Notes an answer, and gives the one before it.
    fn learn(&self, host: &str, port: u16, addresses: Vec<SocketAddr>) -> Option<Vec<SocketAddr>> {
        self.lock().insert((host.to_owned(), port), addresses)
    }

    /// Forgets names that a configuration does not have.
    fn retain(&self, config: &Config) {
        let names = |(host, port): &(String, u16)| {
            let mut endpoints = config.clusters.values().flat_map(|cluster| &cluster.endpoints);
            endpoints.any(|endpoint| match &endpoint.address {
                EndpointAddress::Name { host: name, port: of } => name == host && of == port,
                EndpointAddress::Socket(_) | EndpointAddress::Unix(_) => false,
            })
        };
        self.lock().retain(|name, _| names(name));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, u16), Vec<SocketAddr>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
