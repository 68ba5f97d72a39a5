//! What is checked and how, as the configuration and the endpoints in force say.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bulkhead_config::Config;
use bulkhead_config::model::{
    self, Cluster, HealthCheck, HealthProbe, Protocol, ProxyProtocolVersion, SecretSource,
    UpstreamTls,
};
use bulkhead_message::{Address, Scheme};
use bulkhead_transport::{
    CertificatePem, ClientConfig, ClientTls, ClientTlsOptions, NameMatch, ServerName, TlsTarget,
    TlsVersion,
};

use crate::plane::CheckedEndpoint;

/// One endpoint with its check. Two that are equal are checked alike.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    pub(super) cluster: String,
    /// Where requests go.
    pub(super) endpoint: Address,
    pub(super) check: HealthCheck,
    pub(super) protocol: Protocol,
    pub(super) scheme: Scheme,
    /// Host of requests.
    pub(super) authority: String,
    /// PROXY header at the beginning; `None`: none.
    pub(super) proxy_protocol: Option<ProxyProtocolVersion>,
}

impl Target {
    /// Where the check goes. A Unix socket has no other port.
    pub(super) fn address(&self) -> Address {
        match (&self.endpoint, self.check.port) {
            (Address::Inet(endpoint), Some(port)) => SocketAddr::new(endpoint.ip(), port).into(),
            (endpoint, _) => endpoint.clone(),
        }
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
    pub(super) fn target(&self, address: &Address) -> Result<Option<TlsTarget>, String> {
        match self {
            Self::Off => Ok(None),
            Self::Broken(reason) => Err(reason.clone()),
            Self::On(config, name) => {
                let by_address = || Some(ServerName::IpAddress(address.inet()?.ip().into()));
                let server_name = name.clone().or_else(by_address);
                let server_name = server_name.ok_or("a Unix socket has no name for TLS")?;
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
            _ => authority(host.as_deref(), &address, scheme),
        };
        Some(Target {
            cluster,
            endpoint: address,
            // Who listens at another port than that of connections need not know of it.
            proxy_protocol: config.proxy_protocol.filter(|_| check.port.is_none()),
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
fn authority(host: Option<&str>, address: &Address, scheme: Scheme) -> String {
    let Some(address) = address.inet() else { return "localhost".to_owned() };
    let default_port = if scheme == Scheme::Https { 443 } else { 80 };
    match host {
        Some(host) if address.port() == default_port => host.to_owned(),
        Some(host) => format!("{host}:{}", address.port()),
        None => address.to_string(),
    }
}

fn tls(cluster: &Cluster) -> Tls {
    let Some(settings) = &cluster.tls else { return Tls::Off };
    let config = match client_tls(settings, cluster.protocol) {
        Ok(config) => config,
        Err(reason) => return Tls::Broken(reason),
    };
    let name = cluster.tls_server_name().map(str::to_owned);
    match name.map(ServerName::try_from).transpose() {
        Ok(name) => Tls::On(config, name),
        Err(error) => Tls::Broken(format!("the name for TLS is none: {error}")),
    }
}

/// TLS as requests have it.
fn client_tls(settings: &UpstreamTls, protocol: Protocol) -> Result<Arc<ClientConfig>, String> {
    let ca = settings.ca_file.as_ref().map(std::fs::read).transpose();
    let ca = ca.map_err(|error| format!("read the CA file: {error}"))?;
    let identity = settings.client_certificate.as_ref().map(identity).transpose();
    let identity = identity.map_err(|error| format!("read the client certificate: {error}"))?;
    let alpn: &[u8] = match protocol {
        Protocol::Http1 => b"http/1.1",
        Protocol::Http2 => b"h2",
    };
    let names: Vec<NameMatch> = settings.subject_alt_names.iter().map(name_match).collect();
    ClientTls::with(&ClientTlsOptions {
        ca_pem: ca.as_deref(),
        skip_verify: settings.insecure_skip_verify,
        names: &names,
        min_version: match settings.min_version {
            model::TlsVersion::Tls12 => TlsVersion::Tls12,
            model::TlsVersion::Tls13 => TlsVersion::Tls13,
        },
        alpn: &[alpn],
        identity: identity.as_ref(),
        ..ClientTlsOptions::default()
    })
    .map_err(|error| error.to_string())
}

fn identity(own: &model::Certificate) -> io::Result<CertificatePem> {
    let key_pem = match &own.private_key {
        SecretSource::File(path) => std::fs::read(path)?,
        SecretSource::Environment(name) => {
            std::env::var(name).map(String::into_bytes).map_err(io::Error::other)?
        }
    };
    Ok(CertificatePem { chain_pem: std::fs::read(&own.certificate_file)?, key_pem })
}

fn name_match(accepted: &model::NameMatch) -> NameMatch {
    match accepted {
        model::NameMatch::Dns(name) => NameMatch::Dns(name.clone()),
        model::NameMatch::Uri(uri) => NameMatch::Uri(uri.clone()),
        model::NameMatch::Spiffe(id) => NameMatch::Spiffe(id.clone()),
    }
}

#[cfg(test)]
mod tests;
