//! Endpoints that stand elsewhere than in the configuration: in SRV records, or in a file.
//!
//! What was found last stays until something better is found: an answer that is empty, a name server
//! that is down, a file that is gone or wrong take no endpoint away.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bulkhead_config::model::{Cluster, Discovery, Endpoint, EndpointAddress};
use bulkhead_config::parse_endpoints;

use crate::dns::{Dns, Found, Service};
use crate::event::Event;
use crate::resolver::{Resolver, pause};
use crate::store::{CONFIG_POLL_INTERVAL, read_text};

/// Highest weight of an endpoint; those of SRV records go up to 65,535.
const WEIGHT_MAX: u32 = 1_000;
/// Highest priority of an endpoint.
const PRIORITY_MAX: usize = 127;

impl Resolver {
    /// Looks for the endpoints of a cluster again and again.
    pub(crate) async fn discover_for_ever(self, cluster: Cluster, source: Discovery) {
        let mut teller = Teller { resolver: self, cluster, source, last: Vec::new() };
        match &teller.source {
            Discovery::DnsSrv(name) => {
                let name = name.clone();
                follow_services(&mut teller, &name).await;
            }
            Discovery::File(path) => {
                let watched = WatchedFile::new(path.clone());
                follow_file(&mut teller, watched).await;
            }
        }
    }
}

/// Tells the data plane and the log what is found.
struct Teller {
    resolver: Resolver,
    cluster: Cluster,
    source: Discovery,
    /// What was told last.
    last: Vec<Endpoint>,
}

impl Teller {
    fn source_text(&self) -> String {
        match &self.source {
            Discovery::DnsSrv(name) => name.clone(),
            Discovery::File(path) => path.display().to_string(),
        }
    }

    /// The data plane is told also if nothing changed: it may have forgotten meanwhile. The log hears
    /// of changes only; the first answer is none.
    fn found(&mut self, endpoints: Vec<Endpoint>) {
        let (cluster, source) = (self.cluster.name.clone(), self.source_text());
        self.resolver.status.resolved(&cluster, &source, None);
        self.resolver.plane.set_discovered(&self.source, endpoints.clone());
        if !self.last.is_empty() && self.last != endpoints {
            let endpoints = endpoints.len();
            (self.resolver.events)(Event::EndpointsFound { cluster, source, endpoints });
        }
        self.last = endpoints;
    }

    /// The log hears of a name that fails once, not at each try; of a file at each change of it.
    fn failed(&self, reason: &str) {
        let (cluster, source) = (self.cluster.name.clone(), self.source_text());
        let first = self.resolver.status.resolved(&cluster, &source, Some(reason));
        if first || matches!(self.source, Discovery::File(_)) {
            let reason = reason.to_owned();
            (self.resolver.events)(Event::DiscoveryFailed { cluster, source, reason });
        }
    }
}

async fn follow_services(teller: &mut Teller, name: &str) {
    let mut targets = Targets::default();
    loop {
        let found = targets.look_up(&teller.resolver.dns, name).await;
        let ttl = match found {
            Ok(Found { items, ttl }) => {
                teller.found(items);
                Ok(ttl)
            }
            Err(error) => {
                teller.failed(&error.to_string());
                Err(())
            }
        };
        tokio::time::sleep(pause(ttl, teller.cluster.dns_refresh)).await;
    }
}

/// The targets of SRV records, with the addresses that they had last.
#[derive(Debug, Default)]
struct Targets(HashMap<String, Vec<SocketAddr>>);

impl Targets {
    /// The endpoints that the records stand for, ordered. A target that does not resolve keeps its
    /// last addresses; it is an error only if none has any.
    async fn look_up(&mut self, dns: &Dns, name: &str) -> io::Result<Found<Endpoint>> {
        let Found { items: services, mut ttl } = dns.services(name).await?;
        let mut known = HashMap::new();
        let mut failure = None;
        for service in &services {
            if known.contains_key(&service.target) {
                continue;
            }
            let addresses = match dns.addresses(&service.target, service.port).await {
                Ok(found) => {
                    ttl = shorter(ttl, found.ttl);
                    found.items
                }
                Err(error) => {
                    failure = Some(io::Error::new(
                        error.kind(),
                        format!("target `{}`: {error}", service.target),
                    ));
                    self.0.remove(&service.target).unwrap_or_default()
                }
            };
            known.insert(service.target.clone(), addresses);
        }
        self.0 = known;
        let items = endpoints(&services, &self.0);
        match failure {
            Some(failure) if items.is_empty() => Err(failure),
            _ => Ok(Found { items, ttl }),
        }
    }
}

fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

/// Records as endpoints: weights scaled down if one is too high, a weight of 0 becoming the least;
/// priorities numbered from 0 in their order.
fn endpoints(services: &[Service], targets: &HashMap<String, Vec<SocketAddr>>) -> Vec<Endpoint> {
    let priorities: BTreeSet<u16> = services.iter().map(|service| service.priority).collect();
    let heaviest = services.iter().map(|service| u32::from(service.weight)).max().unwrap_or(0);
    let scale = heaviest.max(WEIGHT_MAX);
    let mut endpoints = Vec::new();
    for service in services {
        let rank = priorities.range(..service.priority).count().min(PRIORITY_MAX);
        for address in targets.get(&service.target).into_iter().flatten() {
            let address = SocketAddr::new(address.ip(), service.port);
            endpoints.push(Endpoint {
                weight: (u32::from(service.weight) * WEIGHT_MAX / scale).max(1),
                priority: rank as u8,
                ..Endpoint::new(EndpointAddress::Socket(address))
            });
        }
    }
    let place = |endpoint: &Endpoint| match endpoint.address {
        EndpointAddress::Socket(address) => Some((endpoint.priority, address)),
        EndpointAddress::Name { .. } | EndpointAddress::Unix(_) => None,
    };
    endpoints.sort_by_key(place);
    endpoints
}

async fn follow_file(teller: &mut Teller, mut file: WatchedFile) {
    loop {
        let polled = tokio::task::spawn_blocking(move || {
            let news = file.poll();
            (file, news)
        });
        let Ok((returned, news)) = polled.await else {
            return teller.failed("the file is not watched any more: reading it panicked");
        };
        file = returned;
        match news {
            None => {}
            Some(Ok(endpoints)) => teller.found(endpoints),
            Some(Err(reason)) => teller.failed(&reason),
        }
        tokio::time::sleep(CONFIG_POLL_INTERVAL).await;
    }
}

/// A file with endpoints, looked at again and again.
struct WatchedFile {
    path: PathBuf,
    /// What was handled last.
    handled: Option<Result<String, String>>,
    /// A change that was seen once. It is handled when it is seen again: then nobody is in the middle
    /// of writing it.
    unsettled: Option<Result<String, String>>,
}

impl WatchedFile {
    const fn new(path: PathBuf) -> Self {
        Self { path, handled: None, unsettled: None }
    }

    /// News: the endpoints, or why there are none. Blocks.
    fn poll(&mut self) -> Option<Result<Vec<Endpoint>, String>> {
        let seen = read_text(&self.path).map_err(|error| error.to_string());
        if self.handled.as_ref() == Some(&seen) {
            self.unsettled = None;
            return None;
        }
        if self.handled.is_some() && self.unsettled.as_ref() != Some(&seen) {
            self.unsettled = Some(seen);
            return None;
        }
        self.unsettled = None;
        let handled = self.handled.insert(seen).as_ref();
        Some(handled.map_err(Clone::clone).and_then(|text| understood(text, &self.path)))
    }
}

fn understood(text: &str, path: &Path) -> Result<Vec<Endpoint>, String> {
    parse_endpoints(text, &path.display().to_string()).map_err(|errors| errors.to_string())
}

#[cfg(test)]
mod tests;
