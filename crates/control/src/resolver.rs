//! Names of endpoints, looked up again and again.
//!
//! A lookup may take seconds, so it runs on a thread of the runtime's blocking pool. A name that
//! does not resolve keeps its last addresses: a name server that is down must not take the
//! endpoints with it.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
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
}

impl Resolver {
    /// One endless task for each cluster that has names. Dropping the set ends them.
    pub(crate) fn watch(&self, config: &Config) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for cluster in config.clusters.values().filter(|cluster| has_names(cluster)) {
            tasks.spawn(self.clone().refresh_for_ever(cluster.clone()));
        }
        tasks
    }

    async fn refresh_for_ever(self, cluster: Cluster) {
        let mut known = Known::default();
        loop {
            let failed = self.refresh(&cluster, &mut known).await;
            let pause = cluster.dns_refresh.max(REFRESH_MIN);
            tokio::time::sleep(if failed { pause.min(RETRY_PAUSE) } else { pause }).await;
        }
    }

    /// Looks all names of a cluster up once. True if one failed.
    async fn refresh(&self, cluster: &Cluster, known: &mut Known) -> bool {
        let mut failed = false;
        for endpoint in &cluster.endpoints {
            let EndpointAddress::Name { host, port } = &endpoint.address else { continue };
            match self.look_up(host.clone(), *port).await {
                Ok(addresses) => {
                    self.status.resolved(&cluster.name, host, None);
                    known.by_name.insert((host.clone(), *port), addresses);
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
        let addresses = known.addresses(cluster);
        // A cluster that never resolved keeps what the data plane found by itself, if anything.
        if !addresses.is_empty() && known.told.as_ref() != Some(&addresses) {
            self.plane.set_endpoints(&cluster.name, addresses.clone());
            // The first answer is no change.
            if known.told.is_some() {
                let cluster = cluster.name.clone();
                (self.events)(Event::NameResolved { cluster, addresses: addresses.clone() });
            }
            known.told = Some(addresses);
        }
        failed
    }

    async fn look_up(&self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        let lookup = Arc::clone(&self.lookup);
        let addresses = tokio::task::spawn_blocking(move || lookup(&host, port))
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the lookup was cut off")))?;
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(addresses)
    }
}

fn has_names(cluster: &Cluster) -> bool {
    cluster
        .endpoints
        .iter()
        .any(|endpoint| matches!(endpoint.address, EndpointAddress::Name { .. }))
}

/// What is known of one cluster.
#[derive(Debug, Default)]
struct Known {
    by_name: HashMap<(String, u16), Vec<SocketAddr>>,
    told: Option<Vec<SocketAddr>>,
}

impl Known {
    /// All addresses, each once, in an order that does not depend on the name server's.
    fn addresses(&self, cluster: &Cluster) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for endpoint in &cluster.endpoints {
            match &endpoint.address {
                EndpointAddress::Socket(address) => addresses.push(*address),
                EndpointAddress::Name { host, port } => {
                    addresses
                        .extend(self.by_name.get(&(host.clone(), *port)).into_iter().flatten());
                }
            }
        }
        addresses.sort();
        addresses.dedup();
        addresses
    }
}

#[cfg(test)]
mod tests;
