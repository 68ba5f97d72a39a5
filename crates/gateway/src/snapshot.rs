//! A configuration, compiled for the request path: immutable, shared by all workers. An exchange
//! keeps the snapshot that it began with to its end.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bulkhead_config::model::{
    self, Config, Discovery, EndpointAddress, Limits, PathMatch, Priority, Protocol, RouteTimeouts,
    SecretSource, StringMatch, Tunnels, WEBSOCKET,
};
use bulkhead_filter::{Chain, FilterError, JwtKeyError};
use bulkhead_router::{
    CompileError, MatchSpec, PathSpec, RouteSpec, RouteTable, TextSpec, ValueSpec,
};
use bulkhead_telemetry::{BreakerScope, ClusterSeries, ExchangeSeries, Registry};
use bulkhead_transport::{
    CertificatePem, ClientConfig, ClientTls, ServerConfig, ServerName, ServerTls, Ticketer,
    TlsError, TlsTarget, TlsVersion,
};
use bulkhead_upstream::{ClusterSettings, EndpointSpec, RetryPolicy};

use crate::breakers::{BreakerIds, Guard};
use crate::chains::{self, BuiltProviders};
use crate::intake::Intake;
use crate::names::Names;
use crate::overload::memory_ceiling;

mod backend;
mod mirror;
mod retry;
mod upstream;

pub(crate) use backend::BackendEntry;
pub(crate) use mirror::Mirror;

/// Stable number of a cluster name, the same in all snapshots of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClusterId(u32);

impl ClusterId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Gives cluster names their numbers, and lives as long as the gateway.
#[derive(Debug, Default)]
pub(crate) struct ClusterIds(Mutex<HashMap<String, ClusterId>>);

impl ClusterIds {
    pub(crate) fn of(&self, name: &str) -> ClusterId {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = ClusterId(ids.len() as u32);
        *ids.entry(name.to_owned()).or_insert(next)
    }
}

/// What compiling needs beyond the configuration.
#[derive(Debug)]
pub(crate) struct Compiler {
    pub(crate) ids: ClusterIds,
    pub(crate) breakers: BreakerIds,
    pub(crate) ticketer: Ticketer,
    pub(crate) registry: Arc<Registry>,
    pub(crate) providers: BuiltProviders,
}

/// Why a configuration cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The gateway drains: what is in force stays so to its end.
    #[error("the gateway is draining")]
    Draining,
    /// A file cannot be read.
    #[error("read {what} `{}`: {source}", path.display())]
    ReadFile {
        /// What it is for.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A secret's environment variable is not set.
    #[error("{what}: environment variable `{name}` is not set")]
    MissingVariable {
        /// What it is for.
        what: &'static str,
        /// Which.
        name: String,
    },
    /// Routes do not compile.
    #[error("compile routes: {0}")]
    Routes(#[from] CompileError),
    /// A filter cannot be built.
    #[error("route `{route}`: {source}")]
    Chain {
        /// Which.
        route: String,
        /// Why.
        source: FilterError,
    },
    /// A token issuer's keys are unusable.
    #[error("jwt provider `{provider}`: {source}")]
    JwtKeys {
        /// Which.
        provider: String,
        /// Why.
        source: JwtKeyError,
    },
    /// TLS material is unusable.
    #[error("TLS of {owner}: {source}")]
    Tls {
        /// The listener or cluster.
        owner: String,
        /// Why.
        source: TlsError,
    },
    /// A cluster's TLS name is not one.
    #[error("cluster `{cluster}`: `{name}` is no server name for TLS; set `tls.server_name`")]
    ServerName {
        /// Which.
        cluster: String,
        /// The name.
        name: String,
    },
    /// A listener cannot be opened.
    #[error(transparent)]
    Bind(#[from] bulkhead_transport::BindError),
    /// Something the system refused.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// A compiled listener.
#[derive(Debug)]
pub(crate) struct ListenerEntry {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) sni_match: bool,
    pub(crate) http1: bool,
    pub(crate) http2: bool,
}

/// A compiled cluster.
#[derive(Debug)]
pub(crate) struct ClusterEntry {
    pub(crate) id: ClusterId,
    pub(crate) config: model::Cluster,
    pub(crate) settings: ClusterSettings,
    pub(crate) endpoints: Vec<EndpointSpec>,
    pub(crate) series: ClusterSeries,
    pub(crate) guard: Option<Guard>,
    tls: Option<Arc<ClientConfig>>,
    server_name: Option<ServerName<'static>>,
}

impl ClusterEntry {
    /// TLS towards an endpoint, if the cluster has it.
    pub(crate) fn tls_target(&self, address: SocketAddr) -> Option<TlsTarget> {
        let config = self.tls.clone()?;
        let server_name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::IpAddress(address.ip().into()),
        };
        Some(TlsTarget { config, server_name })
    }
}

/// A compiled route.
#[derive(Debug)]
pub(crate) struct RouteEntry {
    pub(crate) name: String,
    pub(crate) chain: Chain,
    /// Translate gRPC-Web.
    pub(crate) grpc_web: bool,
    pub(crate) timeouts: RouteTimeouts,
    pub(crate) priority: Priority,
    pub(crate) retry: RetryPolicy,
    pub(crate) tunnels: Tunnels,
    /// Tell the upstream which attempt it sees.
    pub(crate) marks_attempts: bool,
    /// Another cluster that gets a copy of the requests.
    pub(crate) mirror: Option<Mirror>,
    /// How long the first attempt may take before there is a second one; `None`: there is none.
    pub(crate) hedge_delay: Option<Duration>,
    pub(crate) guard: Option<Guard>,
    /// Series of exchanges that reached no cluster.
    pub(crate) unserved: ExchangeSeries,
    backends: Vec<BackendEntry>,
    /// Per match: length of the prefix that it matches.
    prefixes: Vec<Option<usize>>,
}

impl RouteEntry {
    /// The number of the backend that a random number chooses.
    pub(crate) fn choose(&self, roll: u64) -> Option<u32> {
        let total = self.backends.last()?.weight_end;
        let point = ((u128::from(roll) * u128::from(total)) >> 64) as u64;
        (0..).zip(&self.backends).find(|(_, backend)| point < backend.weight_end).map(|(at, _)| at)
    }

    /// A backend by its number.
    pub(crate) fn backend(&self, number: u32) -> Option<&BackendEntry> {
        self.backends.get(number as usize)
    }

    pub(crate) fn series(&self, cluster: ClusterId) -> &ExchangeSeries {
        self.backends
            .iter()
            .find(|backend| backend.cluster == cluster)
            .map_or(&self.unserved, |backend| &backend.series)
    }

    pub(crate) fn prefix_len(&self, matched: u32) -> Option<usize> {
        self.prefixes.get(matched as usize).copied().flatten()
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) revision: u64,
    pub(crate) table: RouteTable,
    pub(crate) limits: Limits,
    pub(crate) intake: Intake,
    pub(crate) rebalance: bool,
    /// Bytes; 0: memory is not watched.
    pub(crate) memory_ceiling: u64,
    pub(crate) loop_delay_max: Option<Duration>,
    pub(crate) listeners: Vec<Arc<ListenerEntry>>,
    pub(crate) clusters: Vec<Arc<ClusterEntry>>,
    /// Series of exchanges that match no route.
    pub(crate) unrouted: ExchangeSeries,
    /// A route passes WebSockets on, so that HTTP/2 clients are offered extended CONNECT.
    pub(crate) extended_connect: bool,
    routes: Vec<RouteEntry>,
}

impl Snapshot {
    /// A route by its number, as the table gives it.
    pub(crate) fn route(&self, index: u32) -> &RouteEntry {
        &self.routes[index as usize]
    }

    /// What guards its routes and clusters.
    pub(crate) fn guards(&self) -> impl Iterator<Item = &Guard> {
        let routes = self.routes.iter().filter_map(|route| route.guard.as_ref());
        routes.chain(self.clusters.iter().filter_map(|cluster| cluster.guard.as_ref()))
    }

    /// Whether endpoints of this cluster are checked.
    pub(crate) fn checks(&self, id: ClusterId) -> bool {
        let mut clusters = self.clusters.iter();
        clusters.any(|entry| entry.id == id && entry.config.health_check.is_some())
    }

    /// Compiles a configuration: all or nothing.
    pub(crate) fn compile(
        config: &Config,
        revision: u64,
        names: &Names,
        compiler: &Compiler,
    ) -> Result<Self, ApplyError> {
        let specs: Vec<RouteSpec> = config.routes.iter().map(route_spec).collect();
        let table = RouteTable::compile(&specs)?;
        let providers = compiler.providers.of(config)?;
        let routes = config
            .routes
            .iter()
            .map(|route| {
                let chain = chains::build(route, &providers)
                    .map_err(|source| ApplyError::Chain { route: route.name.clone(), source })?;
                Ok(route_entry(route, chain, &config.clusters, compiler))
            })
            .collect::<Result<Vec<_>, ApplyError>>()?;
        let listeners = config
            .listeners
            .iter()
            .map(|listener| Ok(Arc::new(listener_entry(listener, &compiler.ticketer)?)))
            .collect::<Result<Vec<_>, ApplyError>>()?;
        let clusters = config
            .clusters
            .values()
            .map(|cluster| Ok(Arc::new(cluster_entry(cluster, names, compiler)?)))
            .collect::<Result<Vec<_>, ApplyError>>()?;
        Ok(Self {
            revision,
            table,
            limits: config.limits.clone(),
            intake: Intake::new(config),
            rebalance: config.rebalance,
            memory_ceiling: memory_ceiling(config.overload.memory_max),
            loop_delay_max: config.overload.loop_delay_max,
            listeners,
            clusters,
            unrouted: compiler.registry.series("", ""),
            extended_connect: config
                .routes
                .iter()
                .any(|route| route.tunnels.allows(WEBSOCKET.as_bytes())),
            routes,
        })
    }
}

fn route_entry(
    route: &model::Route,
    chain: Chain,
    clusters: &BTreeMap<String, model::Cluster>,
    compiler: &Compiler,
) -> RouteEntry {
    let backends = backend::entries(route, clusters, compiler);
    let prefixes = route
        .matches
        .iter()
        .map(|matched| match &matched.path {
            PathMatch::Prefix(prefix) => Some(prefix.trim_end_matches('/').len()),
            _ => None,
        })
        .collect();
    let (scope, registry) = (BreakerScope::Route, &compiler.registry);
    RouteEntry {
        guard: compiler.breakers.guard(scope, &route.name, &route.protection, registry),
        name: route.name.clone(),
        chain,
        grpc_web: route.filters.contains(&model::Filter::GrpcWeb),
        timeouts: route.timeouts.clone(),
        priority: route.priority,
        retry: retry::policy(route),
        tunnels: route.tunnels.clone(),
        marks_attempts: route.retry.as_ref().is_some_and(|policy| policy.attempt_count_header),
        mirror: mirror::compile(route, &compiler.ids),
        hedge_delay: route.hedge.as_ref().map(|hedge| hedge.delay),
        unserved: compiler.registry.series(&route.name, ""),
        backends,
        prefixes,
    }
}

fn route_spec(route: &model::Route) -> RouteSpec {
    let matches = route
        .matches
        .iter()
        .map(|matched| MatchSpec {
            path: match &matched.path {
                PathMatch::Exact(path) => PathSpec::Exact(path.clone()),
                PathMatch::Prefix(path) => PathSpec::Prefix(path.clone()),
                PathMatch::Template(path) => PathSpec::Template(path.clone()),
                PathMatch::Regex(path) => PathSpec::Regex(path.clone()),
            },
            method: matched.method.clone(),
            headers: matched.headers.iter().map(condition).collect(),
            query: matched.query.iter().map(condition).collect(),
        })
        .collect();
    RouteSpec { hostnames: route.hostnames.clone(), matches }
}

fn condition(matched: &model::ValueMatch) -> ValueSpec {
    let value = match &matched.value {
        StringMatch::Exact(value) => TextSpec::Exact(value.clone()),
        StringMatch::Regex(value) => TextSpec::Regex(value.clone()),
        StringMatch::Present => TextSpec::Present,
    };
    ValueSpec { name: matched.name.clone(), value }
}

fn listener_entry(
    listener: &model::Listener,
    ticketer: &Ticketer,
) -> Result<ListenerEntry, ApplyError> {
    let http1 = listener.protocols.contains(&Protocol::Http1);
    let http2 = listener.protocols.contains(&Protocol::Http2);
    let tls = match &listener.tls {
        None => None,
        Some(tls) => {
            let certificates = tls
                .certificates
                .iter()
                .map(|certificate| {
                    Ok(CertificatePem {
                        chain_pem: read_file("certificate file", &certificate.certificate_file)?,
                        key_pem: read_secret("private key", &certificate.private_key)?,
                    })
                })
                .collect::<Result<Vec<_>, ApplyError>>()?;
            let mut alpn: Vec<&[u8]> = Vec::new();
            if http2 {
                alpn.push(b"h2");
            }
            if http1 {
                alpn.push(b"http/1.1");
            }
            let version = match tls.min_version {
                model::TlsVersion::Tls12 => TlsVersion::Tls12,
                model::TlsVersion::Tls13 => TlsVersion::Tls13,
            };
            let config =
                ServerTls::new(certificates, version, &alpn, ticketer).map_err(|source| {
                    ApplyError::Tls { owner: format!("listener `{}`", listener.name), source }
                })?;
            Some(config)
        }
    };
    let sni_match = listener.tls.as_ref().is_some_and(|tls| tls.require_sni_match);
    let (name, address) = (listener.name.clone(), listener.address);
    Ok(ListenerEntry { name, address, tls, sni_match, http1, http2 })
}

fn cluster_entry(
    cluster: &model::Cluster,
    names: &Names,
    compiler: &Compiler,
) -> Result<ClusterEntry, ApplyError> {
    let tls = match &cluster.tls {
        None => None,
        Some(tls) => {
            let ca = tls.ca_file.as_ref().map(|path| read_file("CA file", path)).transpose()?;
            let alpn: &[u8] = match cluster.protocol {
                Protocol::Http1 => b"http/1.1",
                Protocol::Http2 => b"h2",
            };
            let config = ClientTls::new(ca.as_deref(), tls.insecure_skip_verify, &[alpn]);
            Some(config.map_err(|source| ApplyError::Tls {
                owner: format!("cluster `{}`", cluster.name),
                source,
            })?)
        }
    };
    let (scope, registry) = (BreakerScope::Cluster, &compiler.registry);
    Ok(ClusterEntry {
        guard: compiler.breakers.guard(scope, &cluster.name, &cluster.protection, registry),
        id: compiler.ids.of(&cluster.name),
        server_name: server_name(cluster)?,
        endpoints: names.endpoints(cluster),
        series: compiler.registry.cluster(&cluster.name),
        config: cluster.clone(),
        settings: upstream::settings(cluster),
        tls,
    })
}

fn server_name(cluster: &model::Cluster) -> Result<Option<ServerName<'static>>, ApplyError> {
    let Some(tls) = &cluster.tls else { return Ok(None) };
    let name = tls.server_name.clone().or_else(|| {
        cluster.endpoints.iter().find_map(|endpoint| match &endpoint.address {
            EndpointAddress::Name { host, .. } => Some(host.clone()),
            EndpointAddress::Socket(_) => None,
        })
    });
    let name = name.or_else(|| match &cluster.discovery {
        Some(Discovery::DnsSrv(service)) => Some(service_domain(service).to_owned()),
        _ => None,
    });
    let Some(name) = name else { return Ok(None) };
    ServerName::try_from(name.clone())
        .map(Some)
        .map_err(|_| ApplyError::ServerName { cluster: cluster.name.clone(), name })
}

/// The domain whose service it is: what the certificates of its endpoints are for (RFC 6125 §6.2.1).
fn service_domain(service: &str) -> &str {
    let mut rest = service;
    while let Some((label, domain)) = rest.split_once('.')
        && label.starts_with('_')
    {
        rest = domain;
    }
    rest
}

pub(crate) fn read_file(what: &'static str, path: &Path) -> Result<Vec<u8>, ApplyError> {
    std::fs::read(path).map_err(|source| ApplyError::ReadFile {
        what,
        path: path.to_owned(),
        source,
    })
}

pub(crate) fn read_secret(
    what: &'static str,
    source: &SecretSource,
) -> Result<Vec<u8>, ApplyError> {
    match source {
        SecretSource::File(path) => read_file(what, path),
        SecretSource::Environment(name) => std::env::var(name)
            .map(String::into_bytes)
            .map_err(|_| ApplyError::MissingVariable { what, name: name.clone() }),
    }
}
