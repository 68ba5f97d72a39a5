//! Endpoints that are named: what their names resolve to, as last told, and the endpoints of a
//! cluster that follow from it.
//!
//! A name keeps its last addresses: they leave only for other addresses, or with the last cluster
//! that has the name. So a name server that is down takes no endpoint away, neither while the
//! gateway runs nor when the configuration is loaded again.

use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, ToSocketAddrs};

use bulkhead_config::model::{Cluster, Config, EndpointAddress};
use bulkhead_message::Address;
use bulkhead_upstream::EndpointSpec;

/// Addresses of all names of a configuration, by host and port; none: not known yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names(HashMap<(String, u16), Vec<SocketAddr>>);

impl Names {
    /// The names of a configuration. Only what is not `known` is looked up, once, so that a gateway
    /// is ready when it says so; looking up again is the control plane's. Blocks for as long as
    /// `look_up` does.
    pub(crate) fn of(
        config: &Config,
        known: &Self,
        look_up: impl Fn(&str, u16) -> Vec<SocketAddr>,
    ) -> Self {
        let mut names = Self::default();
        for endpoint in config.clusters.values().flat_map(|cluster| &cluster.endpoints) {
            let EndpointAddress::Name { host, port } = &endpoint.address else { continue };
            names.0.entry((host.clone(), *port)).or_insert_with_key(|name| {
                let known = known.0.get(name).filter(|addresses| !addresses.is_empty());
                known.cloned().unwrap_or_else(|| look_up(host, *port))
            });
        }
        names
    }

    /// Takes the place of the names before it, but for addresses that these were told meanwhile.
    pub(crate) fn succeed(mut self, before: &Self) -> Self {
        for (name, addresses) in &mut self.0 {
            if let Some(told) = before.0.get(name).filter(|told| !told.is_empty()) {
                addresses.clone_from(told);
            }
        }
        self
    }

    /// Makes these the addresses of a name. False: they are, or no cluster has the name.
    pub(crate) fn set(&mut self, host: &str, port: u16, addresses: Vec<SocketAddr>) -> bool {
        match self.0.get_mut(&(host.to_owned(), port)) {
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
            let addresses = self.0.get(&(host.clone(), *port))?;
            addresses.contains(&address).then_some(host.as_str())
        })
    }

    /// The endpoints of a cluster, as far as addresses are known. Each address of a name has the
    /// name's weight; an address that comes up twice has the weight of its first mention.
    pub(crate) fn endpoints(&self, cluster: &Cluster) -> Vec<EndpointSpec> {
        let mut weights = BTreeMap::new();
        for endpoint in &cluster.endpoints {
            let addresses = match &endpoint.address {
                EndpointAddress::Unix(name) => {
                    weights.entry(name.clone().into()).or_insert(endpoint.weight);
                    continue;
                }
                EndpointAddress::Socket(address) => std::slice::from_ref(address),
                EndpointAddress::Name { host, port } => {
                    self.0.get(&(host.clone(), *port)).map_or(&[][..], Vec::as_slice)
                }
            };
            for address in addresses {
                weights.entry(Address::Inet(*address)).or_insert(endpoint.weight);
            }
        }
        weights.into_iter().map(|(address, weight)| EndpointSpec { address, weight }).collect()
    }
}

/// Whether a cluster has endpoints that are named.
pub(crate) fn has_names(cluster: &Cluster) -> bool {
    cluster
        .endpoints
        .iter()
        .any(|endpoint| matches!(endpoint.address, EndpointAddress::Name { .. }))
}

/// Asks the system. A name that does not resolve is no error: it has no addresses until it does.
pub(crate) fn look_up(host: &str, port: u16) -> Vec<SocketAddr> {
    (host, port).to_socket_addrs().into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
