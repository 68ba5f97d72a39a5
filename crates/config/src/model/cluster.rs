//! Clusters, their endpoints and how they are reached.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bulkhead_message::UnixName;

use super::{
    AdaptiveConcurrency, Balance, Discovery, Ejection, HashSource, HealthCheck, KeepAlive,
    Locality, Protection, Protocol, ProxyProtocolVersion, SlowStart, UpstreamTls,
};

/// A set of endpoints that answer the same requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Where they are. Empty only with `discovery`.
    pub endpoints: Vec<Endpoint>,
    /// Where they are looked up; `None`: nowhere.
    pub discovery: Option<Discovery>,
    /// Protocol towards them.
    pub protocol: Protocol,
    /// TLS towards them; `None`: cleartext.
    pub tls: Option<UpstreamTls>,
    /// PROXY protocol at the beginning of each connection; `None`: none.
    pub proxy_protocol: Option<ProxyProtocolVersion>,
    /// How one is chosen.
    pub balance: Balance,
    /// What is hashed, if one is chosen by hash: the first source that a request has.
    pub hash_on: Vec<HashSource>,
    /// Which zones and priorities come first.
    pub locality: Locality,
    /// Until a connection (with TLS) is up. Default 5 s.
    pub connect_timeout: Duration,
    /// An unused pooled connection is closed after. Default 60 s.
    pub idle_timeout: Duration,
    /// HTTP/2 connections per worker and endpoint. Default 2.
    pub http2_connections: u32,
    /// Keep-alive of HTTP/2 connections; `None`: off.
    pub http2_keep_alive: Option<KeepAlive>,
    /// Connections per worker and endpoint that are open before a request needs them. Default 0.
    pub preconnect: u32,
    /// HTTP/1.1 connections per worker and endpoint at most. Default 1,024.
    pub connections_max: u32,
    /// Requests per worker that wait for a connection at most. Default 1,024.
    pub pending_max: u32,
    /// Limit on requests in flight that follows latency; `None`: off.
    pub adaptive_concurrency: Option<AdaptiveConcurrency>,
    /// Retry budget: retries may be at most this share of requests. Default 20 %, with at least 3/s.
    pub retry_budget_percent: u32,
    /// Passive ejection; `None`: off.
    pub ejection: Option<Ejection>,
    /// Active checks; `None`: off.
    pub health_check: Option<HealthCheck>,
    /// Below this share of available endpoints, in percent, requests go to all; 0: never. Default 50.
    pub panic_threshold_percent: u32,
    /// Growing share for new endpoints; `None`: off.
    pub slow_start: Option<SlowStart>,
    /// Limits of requests in flight, and of failures.
    pub protection: Protection,
    /// Names are looked up again when their TTL is over, but at the latest after this. Default 30 s.
    pub dns_refresh: Duration,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where.
    pub address: EndpointAddress,
    /// Relative share, 1 to 1,000. Default 1.
    pub weight: u32,
    /// The zone that it stands in.
    pub zone: Option<String>,
    /// Lowest first. Default 0.
    pub priority: u8,
    /// What it is, for subsets.
    pub labels: BTreeMap<String, String>,
}

impl Endpoint {
    /// An endpoint of weight 1 and priority 0, without zone and labels.
    pub const fn new(address: EndpointAddress) -> Self {
        Self { address, weight: 1, zone: None, priority: 0, labels: BTreeMap::new() }
    }
}

/// Address of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndpointAddress {
    /// IP and port.
    Socket(SocketAddr),
    /// Name and port, resolved to all its addresses.
    Name {
        /// DNS name.
        host: String,
        /// Port.
        port: u16,
    },
    /// A Unix socket.
    Unix(UnixName),
}

impl Cluster {
    /// A cluster with defaults.
    pub fn new(name: &str, endpoints: Vec<Endpoint>, protocol: Protocol) -> Self {
        Self {
            name: name.to_owned(),
            endpoints,
            discovery: None,
            protocol,
            tls: None,
            proxy_protocol: None,
            balance: Balance::default(),
            hash_on: Vec::new(),
            locality: Locality::default(),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            http2_connections: 2,
            http2_keep_alive: None,
            preconnect: 0,
            connections_max: 1_024,
            pending_max: 1_024,
            adaptive_concurrency: None,
            retry_budget_percent: 20,
            ejection: Some(Ejection::default()),
            health_check: None,
            panic_threshold_percent: 50,
            slow_start: None,
            protection: Protection::default(),
            dns_refresh: Duration::from_secs(30),
        }
    }

    /// The name that TLS towards its endpoints asks for and verifies: the one that is set, else that
    /// of the first endpoint with a name, else the domain whose service is looked up. `None`: there
    /// is no TLS, or the address of each endpoint is verified.
    pub fn tls_server_name(&self) -> Option<&str> {
        let tls = self.tls.as_ref()?;
        let of_endpoint = || {
            self.endpoints.iter().find_map(|endpoint| match &endpoint.address {
                EndpointAddress::Name { host, .. } => Some(host.as_str()),
                EndpointAddress::Socket(_) | EndpointAddress::Unix(_) => None,
            })
        };
        let of_service = || match &self.discovery {
            Some(Discovery::DnsSrv(service)) => Some(service_domain(service)),
            Some(Discovery::File(_)) | None => None,
        };
        tls.server_name.as_deref().or_else(of_endpoint).or_else(of_service)
    }
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
