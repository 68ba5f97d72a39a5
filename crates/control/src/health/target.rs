//! What is checked and how, as the configuration and the endpoints in force say.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bulkhead_config::Config;
use bulkhead_config::model::{Cluster, EndpointAddress, HealthCheck, HealthProbe, Protocol};
use bulkhead_message::Scheme;
use bulkhead_transport::{ClientConfig, ClientTls, ServerName, TlsTarget};

use crate::plane::CheckedEndpoint;

/// One endpoint with its check. Two that are equal are checked alike.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    pub(super) cluster: String,
    /// Where requests go.
    pub(super) endpoint: SocketAddr,
    pub(super) check: HealthCheck,
    pub(super) protocol: Protocol,
    pub(super) scheme: Scheme,
    /// Host of requests.
    pub(super) authority: String,
}

impl Target {
    /// Where the check goes.
    pub(super) fn address(&self) -> SocketAddr {
        let port = self.check.port.unwrap_or_else(|| self.endpoint.port());
        SocketAddr::new(self.endpoint.ip(), port)
    }
}

/// TLS of a cluster's checks.
#[derive(Clone, Debug)]
pub(super) enum Tls {
    /// Cleartext.
    Off,
    /// With this configuration, and this name unless it is the address.
    On(Arc<ClientConfig>, Option<ServerName<'static>>),
    /// The settings cannot be used: no check passes.
    Broken(String),
}

impl Tls {
    /// TLS towards an address.
    ///
    /// # Errors
    /// If the settings cannot be used.
    pub(super) fn target(&self, address: SocketAddr) -> Result<Option<TlsTarget>, String> {
        match self {
            Self::Off => Ok(None),
            Self::Broken(reason) => Err(reason.clone()),
            Self::On(config, name) => {
                let by_address = || ServerName::IpAddress(address.ip().into());
                let server_name = name.clone().unwrap_or_else(by_address);
                Ok(Some(TlsTarget { config: Arc::clone(config), server_name }))
            }
        }
    }
}

/// The checks of a configuration.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    clusters: BTreeMap<String, (Cluster, Tls)>,
}

impl Checks {
    /// Reads trust anchors. Blocks for as long as that takes.
    pub(crate) fn of(config: &Config) -> Self {
        let checked = config.clusters.values().filter(|cluster| cluster.health_check.is_some());
        let clusters = checked
            .map(|cluster| (cluster.name.clone(), (cluster.clone(), tls(cluster))))
            .collect();
        Self { clusters }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.clusters.is_empty()
    }

    /// The check of an endpoint in force, if its cluster has one.
    pub(super) fn target(&self, endpoint: CheckedEndpoint) -> Option<Target> {
        let CheckedEndpoint { cluster, address, host } = endpoint;
        let (config, _) = self.clusters.get(&cluster)?;
        let check = config.health_check.clone()?;
        let scheme = if config.tls.is_some() { Scheme::Https } else { Scheme::Http };
        let authority = match &check.probe {
            HealthProbe::Http { host: Some(host), .. }
            | HealthProbe::Grpc { host: Some(host), .. } => host.clone(),
            _ => authority(host.as_deref(), address, scheme),
        };
        Some(Target {
            cluster,
            endpoint: address,
            protocol: config.protocol,
            scheme,
            authority,
            check,
        })
    }

    pub(super) fn tls(&self, cluster: &str) -> Tls {
        self.clusters.get(cluster).map_or(Tls::Off, |(_, tls)| tls.clone())
    }
}

/// As a client of the endpoint would write it.
fn authority(host: Option<&str>, address: SocketAddr, scheme: Scheme) -> String {
    let default_port = if scheme == Scheme::Https { 443 } else { 80 };
    match host {
        Some(host) if address.port() == default_port => host.to_owned(),
        Some(host) => format!("{host}:{}", address.port()),
        None => address.to_string(),
    }
}

fn tls(cluster: &Cluster) -> Tls {
    let Some(settings) = &cluster.tls else { return Tls::Off };
    let ca = match settings.ca_file.as_ref().map(std::fs::read).transpose() {
        Ok(ca) => ca,
        Err(error) => return Tls::Broken(format!("read the CA file: {error}")),
    };
    let alpn: &[u8] = match cluster.protocol {
        Protocol::Http1 => b"http/1.1",
        Protocol::Http2 => b"h2",
    };
    let config = match ClientTls::new(ca.as_deref(), settings.insecure_skip_verify, &[alpn]) {
        Ok(config) => config,
        Err(error) => return Tls::Broken(error.to_string()),
    };
    let first_name = || {
        cluster.endpoints.iter().find_map(|endpoint| match &endpoint.address {
            EndpointAddress::Name { host, .. } => Some(host.clone()),
            EndpointAddress::Socket(_) => None,
        })
    };
    match settings.server_name.clone().or_else(first_name).map(ServerName::try_from).transpose() {
        Ok(name) => Tls::On(config, name),
        Err(error) => Tls::Broken(format!("the name for TLS is none: {error}")),
    }
}

#[cfg(test)]
mod tests;
