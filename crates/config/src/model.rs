//! The checked configuration, as the rest of the gateway sees it. Every value here is valid:
//! references resolve, weights are not all zero, patterns compile, limits are in range.

use std::collections::BTreeMap;

use bulkhead_message::PathRules;

mod acme;
mod balance;
mod cluster;
mod discovery;
mod edge;
mod fault;
mod filter;
mod jwt;
mod keep_alive;
mod layer4;
mod limits;
mod listener;
mod overload;
mod resilience;
mod retry;
mod route;
mod telemetry;
mod tls;
mod tunnel;
mod workers;

pub use acme::{Acme, AcmeChallenge, ExternalAccount};
pub use balance::{AffinityCookie, Balance, HashSource, Locality, Maglev, RingHash, Subset};
pub use cluster::{Cluster, Endpoint, EndpointAddress};
pub use discovery::{Discovery, Dns};
pub use edge::{ForwardedHeader, ForwardedSource, Forwarding, IdTrust, RequestId, Untrusted};
pub use fault::{FaultAbort, FaultFilter, FaultShare};
pub use filter::{
    Cors, Filter, FixedResponse, HeaderChanges, JwtFilter, Mirror, PathRewrite, Redirect, Rewrite,
};
pub use jwt::{JwtAlgorithm, JwtKeys, JwtProvider};
pub use keep_alive::KeepAlive;
pub use layer4::{ListenerProtocol, ProxyProtocol, ProxyProtocolVersion, RelayRoute};
pub use limits::Limits;
pub use listener::{Listener, Protocol, SecretSource};
pub use overload::{AdaptiveConcurrency, MemoryMax, Overload};
pub use resilience::{
    CircuitBreaker, Ejection, FailurePercentage, HealthCheck, HealthProbe, Protection, SlowStart,
    SuccessRate,
};
pub use retry::{Hedge, RetryMethods, RetryPolicy};
pub use route::{Backend, PathMatch, Route, RouteMatch, RouteTimeouts, StringMatch, ValueMatch};
pub use telemetry::{AccessLog, Admin};
pub use tls::{
    Certificate, ClientCertificates, ListenerTls, NameMatch, TlsPolicy, TlsVersion, UpstreamTls,
};
pub use tunnel::{Tunnels, WEBSOCKET};
pub use workers::WorkerAffinity;

/// A whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Number of workers; `None`: as many as the cgroup grants CPUs.
    pub workers: Option<usize>,
    /// Which CPUs they are pinned to.
    pub worker_affinity: WorkerAffinity,
    /// Workers are spread over the nodes of the memory (NUMA), and held there.
    pub numa: bool,
    /// Long-lived connections move between workers where they have become uneven.
    pub rebalance: bool,
    /// The zone that the gateway runs in; `None`: that of the environment, if it says.
    pub zone: Option<String>,
    /// Where connections are accepted.
    pub listeners: Vec<Listener>,
    /// In file order; precedence is the router's.
    pub routes: Vec<Route>,
    /// What is passed on as bytes.
    pub tcp_routes: Vec<RelayRoute>,
    /// TLS that is passed on by its server name.
    pub tls_routes: Vec<RelayRoute>,
    /// Upstream clusters by name.
    pub clusters: BTreeMap<String, Cluster>,
    /// How names of endpoints are looked up.
    pub dns: Dns,
    /// Token issuers by name.
    pub jwt_providers: BTreeMap<String, JwtProvider>,
    /// Certificates obtained by ACME; `None`: none.
    pub acme: Option<Acme>,
    /// Limits and time-outs of downstream connections and exchanges.
    pub limits: Limits,
    /// Who asked.
    pub forwarding: Forwarding,
    /// Ids of requests; `None`: off.
    pub request_id: Option<RequestId>,
    /// Spelling of paths; `None`: they are taken as they come.
    pub path_normalization: Option<PathRules>,
    /// What is done under pressure.
    pub overload: Overload,
    /// Admin address; `None`: no admin server.
    pub admin: Option<Admin>,
    /// Access log; `None`: off.
    pub access_log: Option<AccessLog>,
    /// Whether its lines tell of TLS. Default no.
    pub access_log_tls: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            workers: None,
            worker_affinity: WorkerAffinity::default(),
            numa: false,
            rebalance: false,
            listeners: Vec::new(),
            routes: Vec::new(),
            clusters: BTreeMap::new(),
            jwt_providers: BTreeMap::new(),
            limits: Limits::default(),
            forwarding: Forwarding::default(),
            overload: Overload::default(),
            request_id: None,
            path_normalization: Some(PathRules::default()),
            zone: None,
            dns: Dns::default(),
            admin: None,
            access_log: None,
            access_log_tls: false,
            acme: None,
            tcp_routes: Vec::new(),
            tls_routes: Vec::new(),
        }
    }
}
