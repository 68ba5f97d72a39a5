//! Names of endpoints, looked up again and again.
//!
//! A name is asked for again when its records' time to live is over, within bounds. Only what
//! resolves is told, name by name, and the data plane keeps what it was told last: a name server
//! that is down must not take the endpoints with it, also not those of another name, and also not
//! when the configuration is loaded again.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bulkhead_config::Config;
use bulkhead_config::model::{Cluster, EndpointAddress};
use tokio::task::JoinSet;

use crate::dns::{Dns, Lookup};
use crate::event::{Event, Listen};
use crate::plane::Plane;
use crate::status::Status;

/// Pause after a failed lookup, if `dns_refresh` is not shorter.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// Shortest pause between lookups.
const REFRESH_MIN: Duration = Duration::from_millis(10);
/// Shortest time to live that is respected.
const TTL_MIN: Duration = Duration::from_secs(1);

/// What the lookups of all clusters share.
#[derive(Clone)]
pub(crate) struct Resolver {
    pub(crate) plane: Arc<dyn Plane>,
    pub(crate) status: Arc<Status>,
    pub(crate) events: Arc<Listen>,
    /// Who is asked; `None`: whom the configuration names.
    pub(crate) asked: Option<Lookup>,
    pub(crate) dns: Dns,
    pub(crate) known: Arc<Known>,
}

impl Resolver {
    /// One endless task for each cluster that has names or looks for its endpoints. Dropping the set
    /// ends them.
    pub(crate) fn watch(&self, config: &Config) -> JoinSet<()> {
        self.known.retain(config);
        let dns = self.asked.clone().map_or_else(|| Dns::of(&config.dns), Dns::System);
        let resolver = Self { dns, ..self.clone() };
        let mut tasks = JoinSet::new();
        for cluster in config.clusters.values() {
            if has_names(cluster) {
                tasks.spawn(resolver.clone().refresh_for_ever(cluster.clone()));
            }
            if let Some(source) = cluster.discovery.clone() {
                tasks.spawn(resolver.clone().discover_for_ever(cluster.clone(), source));
            }
        }
        tasks
    }

    async fn refresh_for_ever(self, cluster: Cluster) {
        loop {
            let ttl = self.refresh(&cluster).await;
            tokio::time::sleep(pause(ttl, cluster.dns_refresh)).await;
        }
    }

    /// Looks all names of a cluster up once. Gives the shortest time to live, or the error that one
    /// failed.
    async fn refresh(&self, cluster: &Cluster) -> Result<Option<Duration>, ()> {
        let mut shortest = None;
        let mut failed = false;
        for endpoint in &cluster.endpoints {
            let EndpointAddress::Name { host, port } = &endpoint.address else { continue };
            match self.dns.addresses(host, *port).await {
                Ok(found) => {
                    shortest = shortest.into_iter().chain(found.ttl).min();
                    self.status.resolved(&cluster.name, host, None);
                    self.tell(&cluster.name, host, *port, found.items);
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
        if failed { Err(()) } else { Ok(shortest) }
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
}

/// How long to wait after answers that hold so long, or after a failure.
pub(crate) fn pause(ttl: Result<Option<Duration>, ()>, refresh_max: Duration) -> Duration {
    let longest = refresh_max.max(REFRESH_MIN);
    match ttl {
        Ok(Some(ttl)) => ttl.max(TTL_MIN).min(longest),
        Ok(None) => longest,
        Err(()) => longest.min(RETRY_PAUSE),
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
