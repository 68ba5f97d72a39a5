//! A configuration, compiled for the request path: immutable, shared by all workers. An exchange
//! keeps the snapshot that it began with to its end.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bulkhead_config::model::{
    self, Config, Limits, ListenerProtocol, PathMatch, Protocol, RouteTimeouts, SecretSource,
    StringMatch, Tunnels, WEBSOCKET,
};
use bulkhead_filter::Chain;
use bulkhead_message::{Address, Priority};
use bulkhead_router::{MatchSpec, PathSpec, RouteSpec, RouteTable, TextSpec, ValueSpec};
use bulkhead_telemetry::{BreakerScope, ClusterSeries, ExchangeSeries};
use bulkhead_transport::{ClientConfig, ServerConfig, ServerName, TlsTarget};
use bulkhead_upstream::{ClusterSettings, EndpointSpec, RetryPolicy};

use crate::breakers::Guard;
use crate::chains;
use crate::injection::Rule;
use crate::intake::Intake;
use crate::names::Names;
use crate::overload::memory_ceiling;

mod apply_error;
mod backend;
mod fault;
mod making;
mod mirror;
mod relay_route;
mod retry;
mod tls;
mod upstream;

pub use apply_error::ApplyError;
pub(crate) use backend::BackendEntry;
pub(crate) use making::{Compiler, Making};
pub(crate) use mirror::Mirror;
pub(crate) use relay_route::{RelayRoute, Relaying};

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

/// A compiled listener.
#[derive(Debug)]
pub(crate) struct ListenerEntry {
    pub(crate) name: Arc<str>,
    pub(crate) address: Address,
    pub(crate) socket_mode: Option<u32>,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) sni_match: bool,
    pub(crate) http1: bool,
    pub(crate) http2: bool,
    pub(crate) proxy_protocol: Option<model::ProxyProtocol>,
    pub(crate) relaying: Relaying,
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
    /// The same without ALPN, for bytes that are no HTTP.
    relay_tls: Option<Arc<ClientConfig>>,
    server_name: Option<ServerName<'static>>,
}

impl ClusterEntry {
    /// Whether TLS towards both is made of the same material.
    pub(crate) fn same_tls(&self, other: &Self) -> bool {
        match (&self.tls, &other.tls) {
            (None, None) => true,
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            _ => false,
        }
    }

    /// TLS towards an endpoint, if the cluster has it.
    pub(crate) fn tls_target(&self, address: &Address) -> Option<TlsTarget> {
        self.target(self.tls.clone()?, address)
    }

    /// TLS of relays towards an endpoint, if the cluster has it.
    pub(crate) fn relay_tls_target(&self, address: &Address) -> Option<TlsTarget> {
        self.target(self.relay_tls.clone()?, address)
    }

    fn target(&self, config: Arc<ClientConfig>, address: &Address) -> Option<TlsTarget> {
        let server_name = match (&self.server_name, address) {
            (Some(name), _) => name.clone(),
            (None, Address::Inet(address)) => ServerName::IpAddress(address.ip().into()),
            // A configuration without a name for a Unix socket does not pass its checks.
            (None, Address::Unix(_)) => return None,
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
    /// What its filter injects.
    pub(crate) faults: Box<[Arc<Rule>]>,
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

    /// Names of its routes.
    pub(crate) fn route_names(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().map(|route| route.name.as_str())
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

    /// Compiles a configuration: all or nothing. What it is made of is to be kept once it is in
    /// force.
    pub(crate) fn compile<'a>(
        config: &Config,
        revision: u64,
        names: &Names,
        compiler: &'a Compiler,
    ) -> Result<(Self, Making<'a>), ApplyError> {
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
        let mut making = Making::new(compiler, providers);
        let listeners = config
            .listeners
            .iter()
            .map(|listener| {
                let relaying = Relaying::of(listener, config, revision, compiler)?;
                Ok(Arc::new(listener_entry(listener, relaying, &mut making)?))
            })
            .collect::<Result<Vec<_>, ApplyError>>()?;
        let clusters = config
            .clusters
            .values()
            .map(|cluster| Ok(Arc::new(cluster_entry(cluster, names, &mut making)?)))
            .collect::<Result<Vec<_>, ApplyError>>()?;
        let snapshot = Self {
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
        };
        Ok((snapshot, making))
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
        faults: fault::rules(route),
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

/// Whether a listener offers a version of HTTP. Bytes that are no HTTP have no protocol to offer by
/// ALPN.
fn speaks(listener: &model::Listener, protocol: Protocol) -> bool {
    listener.protocol == ListenerProtocol::Http && listener.protocols.contains(&protocol)
}

fn listener_entry(
    listener: &model::Listener,
    relaying: Relaying,
    making: &mut Making<'_>,
) -> Result<ListenerEntry, ApplyError> {
    let tls = listener.tls.as_ref();
    Ok(ListenerEntry {
        name: listener.name.as_str().into(),
        address: listener.address.clone(),
        socket_mode: listener.socket_mode,
        tls: tls.map(|tls| tls::listener(listener, tls, making)).transpose()?,
        sni_match: tls.is_some_and(|tls| tls.require_sni_match),
        http1: speaks(listener, Protocol::Http1),
        http2: speaks(listener, Protocol::Http2),
        proxy_protocol: listener.proxy_protocol.clone(),
        relaying,
    })
}

fn cluster_entry(
    cluster: &model::Cluster,
    names: &Names,
    making: &mut Making<'_>,
) -> Result<ClusterEntry, ApplyError> {
    let built = cluster.tls.as_ref().map(|tls| making.client(cluster, tls)).transpose()?;
    let compiler = making.compiler;
    let (tls, relay_tls) = built.map(|built| (built.http, built.relay)).unzip();
    let (scope, registry) = (BreakerScope::Cluster, &compiler.registry);
    Ok(ClusterEntry {
        guard: compiler.breakers.guard(scope, &cluster.name, &cluster.protection, registry),
        id: compiler.ids.of(&cluster.name),
        server_name: tls::server_name(cluster)?,
        endpoints: names.endpoints(cluster),
        series: compiler.registry.cluster(&cluster.name),
        config: cluster.clone(),
        settings: upstream::settings(cluster),
        tls,
        relay_tls,
    })
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
