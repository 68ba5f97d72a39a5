//! Endpoints that are named: what their names resolve to, as last told, and the endpoints of a
//! cluster that follow from it.
//!
//! A name keeps its last addresses: they leave only for other addresses, or with the last cluster
//! that has the name. So a name server that is down takes no endpoint away, neither while the
//! gateway runs nor when the configuration is loaded again.

use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;

use bulkhead_config::model::{Cluster, Config, Discovery, Endpoint, EndpointAddress};
use bulkhead_config::parse_endpoints;
use bulkhead_message::Address;
use bulkhead_upstream::EndpointSpec;

/// What stands outside the configuration and says where endpoints are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Addresses of all names of a configuration, by host and port; none: not known yet.
    addresses: HashMap<(String, u16), Vec<SocketAddr>>,
    /// Endpoints of clusters that do not name them, by where they are looked up; none: not known yet.
    discovered: HashMap<Discovery, Vec<Endpoint>>,
    /// The zone that the gateway runs in.
    zone: Option<String>,
}

/// Says which zone that is, if the configuration does not.
const ZONE_VARIABLE: &str = "BULKHEAD_ZONE";

impl Names {
    /// The names of a configuration. Only what is not `known` is looked up, once, so that a gateway
    /// is ready when it says so; looking up again is the control plane's. Blocks for as long as
    /// `look_up` does.
    pub(crate) fn of(
        config: &Config,
        known: &Self,
        look_up: impl Fn(&str, u16) -> Vec<SocketAddr>,
        read: impl Fn(&Path) -> Vec<Endpoint>,
    ) -> Self {
        let mut names = Self { zone: own_zone(config), ..Self::default() };
        for endpoint in config.clusters.values().flat_map(|cluster| &cluster.endpoints) {
            let EndpointAddress::Name { host, port } = &endpoint.address else { continue };
            names.addresses.entry((host.clone(), *port)).or_insert_with_key(|name| {
                let known = known.addresses.get(name).filter(|addresses| !addresses.is_empty());
                known.cloned().unwrap_or_else(|| look_up(host, *port))
            });
        }
        for source in config.clusters.values().filter_map(|cluster| cluster.discovery.as_ref()) {
            names.discovered.entry(source.clone()).or_insert_with_key(|source| {
                match (known.discovered.get(source), source) {
                    (Some(known), _) if !known.is_empty() => known.clone(),
                    (_, Discovery::File(path)) => read(path),
                    (_, Discovery::DnsSrv(_)) => Vec::new(),
                }
            });
        }
        names
    }

    /// Takes the place of the names before it, but for addresses that these were told meanwhile.
    pub(crate) fn succeed(mut self, before: &Self) -> Self {
        for (name, addresses) in &mut self.addresses {
            if let Some(told) = before.addresses.get(name).filter(|told| !told.is_empty()) {
                addresses.clone_from(told);
            }
        }
        for (source, endpoints) in &mut self.discovered {
            if let Some(told) = before.discovered.get(source).filter(|told| !told.is_empty()) {
                endpoints.clone_from(told);
            }
        }
        self
    }

    /// Makes these the addresses of a name. False: they are, or no cluster has the name.
    pub(crate) fn set(&mut self, host: &str, port: u16, addresses: Vec<SocketAddr>) -> bool {
        match self.addresses.get_mut(&(host.to_owned(), port)) {
            Some(known) if *known != addresses => {
                *known = addresses;
                true
            }
            _ => false,
        }
    }

    /// The first name of a cluster that resolves to this address.
    pub(crate) fn host<'c>(&self, cluster: &'c Cluster, address: &Address) -> Option<&'c str> {
        let address = address.inet()?;
        cluster.endpoints.iter().find_map(|endpoint| {
            let EndpointAddress::Name { host, port } = &endpoint.address else { return None };
            let addresses = self.addresses.get(&(host.clone(), *port))?;
            addresses.contains(&address).then_some(host.as_str())
        })
    }

    /// Makes these the endpoints that are found there. False: they are, or no cluster looks there.
    pub(crate) fn set_discovered(&mut self, source: &Discovery, endpoints: Vec<Endpoint>) -> bool {
        match self.discovered.get_mut(source) {
            Some(known) if *known != endpoints => {
                *known = endpoints;
                true
            }
            _ => false,
        }
    }

    /// The endpoints of a cluster, as far as addresses are known. Each address of a name is as the
    /// name is described; one that comes up twice is as it was first.
    pub(crate) fn endpoints(&self, cluster: &Cluster) -> Vec<EndpointSpec> {
        let mut specs = BTreeMap::new();
        let found = cluster.discovery.as_ref().and_then(|source| self.discovered.get(source));
        for endpoint in cluster.endpoints.iter().chain(found.into_iter().flatten()) {
            let addresses = match &endpoint.address {
                EndpointAddress::Unix(name) => {
                    let address = Address::from(name.clone());
                    let spec = || self.spec(endpoint, address.clone());
                    specs.entry(address.clone()).or_insert_with(spec);
                    continue;
                }
                EndpointAddress::Socket(address) => std::slice::from_ref(address),
                EndpointAddress::Name { host, port } => {
                    self.addresses.get(&(host.clone(), *port)).map_or(&[][..], Vec::as_slice)
                }
            };
            for address in addresses {
                let address = Address::Inet(*address);
                let spec = || self.spec(endpoint, address.clone());
                specs.entry(address.clone()).or_insert_with(spec);
            }
        }
        specs.into_values().collect()
    }

    fn spec(&self, endpoint: &Endpoint, address: Address) -> EndpointSpec {
        let labels = &endpoint.labels;
        EndpointSpec {
            address,
            weight: endpoint.weight,
            priority: endpoint.priority,
            local: endpoint.zone.is_some() && endpoint.zone == self.zone,
            labels: (!labels.is_empty()).then(|| Arc::new(labels.clone())),
        }
    }
}

fn own_zone(config: &Config) -> Option<String> {
    let named = || std::env::var(ZONE_VARIABLE).ok().filter(|zone| !zone.is_empty());
    config.zone.clone().or_else(named)
}

/// Whether a cluster has endpoints that are named, or found.
pub(crate) fn has_names(cluster: &Cluster) -> bool {
    let named = |endpoint: &Endpoint| matches!(endpoint.address, EndpointAddress::Name { .. });
    cluster.discovery.is_some() || cluster.endpoints.iter().any(named)
}

/// Asks the system. A name that does not resolve is no error: it has no addresses until it does.
pub(crate) fn look_up(host: &str, port: u16) -> Vec<SocketAddr> {
    (host, port).to_socket_addrs().into_iter().flatten().collect()
}

/// Reads a file of discovery. One that is missing or wrong is no error: there are no endpoints until
/// it is right, and the control plane says what is wrong.
pub(crate) fn read_endpoints(path: &Path) -> Vec<Endpoint> {
    let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
    parse_endpoints(&text, &path.display().to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
