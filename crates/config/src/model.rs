//! The checked configuration, as the rest of the gateway sees it. Every value here is valid:
//! references resolve, weights are not all zero, patterns compile, limits are in range.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A whole configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Number of workers; `None`: as many as the cgroup grants CPUs.
    pub workers: Option<usize>,
    /// Where connections are accepted.
    pub listeners: Vec<Listener>,
    /// In file order; precedence is the router's.
    pub routes: Vec<Route>,
    /// Upstream clusters by name.
    pub clusters: BTreeMap<String, Cluster>,
    /// Token issuers by name.
    pub jwt_providers: BTreeMap<String, JwtProvider>,
    /// Limits and time-outs of downstream connections and exchanges.
    pub limits: Limits,
    /// Admin address; `None`: no admin server.
    pub admin: Option<Admin>,
    /// Access log; `None`: off.
    pub access_log: Option<AccessLog>,
}

/// One listening address.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// Unique name.
    pub name: String,
    /// Address; port 0 asks the system for one.
    pub address: SocketAddr,
    /// TLS; `None`: cleartext (HTTP/1.1 and HTTP/2 with prior knowledge on the same port).
    pub tls: Option<ListenerTls>,
    /// Protocols offered (ALPN with TLS, sniffing without). Default: both.
    pub protocols: Vec<Protocol>,
}

/// TLS of a listener.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenerTls {
    /// Certificates, selected by SNI; the first is the default. Never empty.
    pub certificates: Vec<Certificate>,
    /// Lowest version. Default 1.2.
    pub min_version: TlsVersion,
}

/// TLS protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2
    Tls12,
    /// TLS 1.3
    Tls13,
}

/// A certificate chain with its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// PEM file with the chain, leaf first.
    pub certificate_file: PathBuf,
    /// PEM with the private key.
    pub private_key: SecretSource,
}

/// Where a secret comes from. The secret itself is never part of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
}

/// Application protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1 (and 1.0)
    Http1,
    /// HTTP/2
    Http2,
}

/// One route: matches → filters → backends.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Unique name (generated `route-N` if the file gives none).
    pub name: String,
    /// Hostnames, exact or `*.suffix`; empty: any.
    pub hostnames: Vec<String>,
    /// Any of these must match; never empty (the default is path prefix `/`).
    pub matches: Vec<RouteMatch>,
    /// Steps in order.
    pub filters: Vec<Filter>,
    /// Weighted backends; empty only if a filter always answers.
    pub backends: Vec<Backend>,
    /// Time-outs.
    pub timeouts: RouteTimeouts,
    /// Retries; `None`: only when nothing was sent yet.
    pub retry: Option<RetryPolicy>,
}

/// All given parts must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteMatch {
    /// Path condition. Default: prefix `/`.
    pub path: PathMatch,
    /// Method token; `None`: any.
    pub method: Option<String>,
    /// Header conditions.
    pub headers: Vec<ValueMatch>,
    /// Query parameter conditions.
    pub query: Vec<ValueMatch>,
}

/// How a path is matched.
#[derive(Clone, Debug, PartialEq)]
pub enum PathMatch {
    /// The whole path.
    Exact(String),
    /// A prefix by whole segments: `/a` matches `/a` and `/a/b`, not `/ab`.
    Prefix(String),
    /// A template: `/v1/users/{id}` or `/v1/users/{id:[0-9]+}/feed`; `{rest*}` at the end takes the rest.
    Template(String),
    /// A regular expression over the whole path.
    Regex(String),
}

impl Default for PathMatch {
    fn default() -> Self {
        Self::Prefix("/".to_owned())
    }
}

/// A condition on a named value.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueMatch {
    /// Header name in lower case, or query parameter name.
    pub name: String,
    /// The condition.
    pub value: StringMatch,
}

/// Conditions on text.
#[derive(Clone, Debug, PartialEq)]
pub enum StringMatch {
    /// Equal.
    Exact(String),
    /// Regular expression over the whole value.
    Regex(String),
    /// There, with any value.
    Present,
}

/// A built-in filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Require a valid token.
    Jwt(JwtFilter),
    /// Change request headers.
    RequestHeaders(HeaderChanges),
    /// Change response headers.
    ResponseHeaders(HeaderChanges),
    /// Answer with a redirect.
    Redirect(Redirect),
    /// Answer with a fixed response.
    Respond(FixedResponse),
    /// Replace the path or the host towards the upstream.
    Rewrite(Rewrite),
}

/// Which token a route requires.
#[derive(Clone, Debug, PartialEq)]
pub struct JwtFilter {
    /// Names of `jwt_providers`, any of which may vouch. Never empty.
    pub providers: Vec<String>,
    /// Let requests without a token pass (a wrong token never passes).
    pub optional: bool,
    /// Claim → request header towards the upstream.
    pub claims_to_headers: BTreeMap<String, String>,
    /// Leave the token in the request that goes upstream. Default: false.
    pub forward_token: bool,
}

/// Changes to headers: `remove`, then `set`, then `add`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeaderChanges {
    /// Replace.
    pub set: Vec<(String, String)>,
    /// Append.
    pub add: Vec<(String, String)>,
    /// Remove.
    pub remove: Vec<String>,
}

/// A redirect.
#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    /// `http` or `https`; `None`: as the request.
    pub scheme: Option<String>,
    /// Host; `None`: as the request.
    pub hostname: Option<String>,
    /// Port; `None`: none in the location.
    pub port: Option<u16>,
    /// Path; `None`: as the request.
    pub path: Option<String>,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// A fixed response.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedResponse {
    /// Status, 200 to 599.
    pub status: u16,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
}

/// A rewrite towards the upstream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rewrite {
    /// New authority.
    pub hostname: Option<String>,
    /// Replacement of the path or of the matched prefix.
    pub path: Option<PathRewrite>,
}

/// How the path is rewritten.
#[derive(Clone, Debug, PartialEq)]
pub enum PathRewrite {
    /// The whole path.
    Full(String),
    /// The part that the route's `prefix` matched.
    Prefix(String),
}

/// A weighted reference to a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    /// Name of the cluster; it exists.
    pub cluster: String,
    /// Share, 0 to 1,000,000; not all 0.
    pub weight: u32,
}

/// Time-outs of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteTimeouts {
    /// The whole exchange, all attempts; `None`: no limit. Default 15 s.
    pub request: Option<Duration>,
    /// One attempt until its response head; `None`: no limit of its own.
    pub backend_request: Option<Duration>,
    /// No byte in either direction; default 60 s.
    pub idle: Duration,
}

impl Default for RouteTimeouts {
    fn default() -> Self {
        Self {
            request: Some(Duration::from_secs(15)),
            backend_request: None,
            idle: Duration::from_secs(60),
        }
    }
}

/// When and how often to try again.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Attempts beyond the first. Default 2.
    pub retries: u32,
    /// Statuses of an idempotent request's answer that are tried again. Default none.
    pub statuses: Vec<u16>,
    /// Pause before the first retry, doubled with each, with full jitter. Default 25 ms.
    pub backoff: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { retries: 2, statuses: Vec::new(), backoff: Duration::from_millis(25) }
    }
}

/// A set of endpoints that answer the same requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Where they are. Never empty.
    pub endpoints: Vec<Endpoint>,
    /// Protocol towards them.
    pub protocol: Protocol,
    /// TLS towards them; `None`: cleartext.
    pub tls: Option<UpstreamTls>,
    /// How one is chosen.
    pub balance: Balance,
    /// Until a connection (with TLS) is up. Default 5 s.
    pub connect_timeout: Duration,
    /// An unused pooled connection is closed after. Default 60 s.
    pub idle_timeout: Duration,
    /// HTTP/2 connections per worker and endpoint. Default 2.
    pub http2_connections: u32,
    /// HTTP/1.1 connections per worker and endpoint at most. Default 1,024.
    pub connections_max: u32,
    /// Requests per worker that wait for a connection at most. Default 1,024.
    pub pending_max: u32,
    /// Retry budget: retries may be at most this share of requests. Default 20 %, with at least 3/s.
    pub retry_budget_percent: u32,
    /// Passive ejection; `None`: off.
    pub ejection: Option<Ejection>,
    /// How often names are looked up again. Default 30 s.
    pub dns_refresh: Duration,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Where.
    pub address: EndpointAddress,
    /// Relative share, 1 to 1,000. Default 1.
    pub weight: u32,
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
}

/// TLS towards a cluster. Verification is on unless `insecure_skip_verify`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpstreamTls {
    /// Name for SNI and verification; `None`: the endpoint's name or address.
    pub server_name: Option<String>,
    /// PEM file with trust anchors; `None`: the public web's.
    pub ca_file: Option<PathBuf>,
    /// Trust anybody. For tests.
    pub insecure_skip_verify: bool,
}

/// Balancing algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// Power of two choices by requests in flight.
    #[default]
    LeastRequest,
    /// In turn, by weight.
    RoundRobin,
}

/// Passive ejection of endpoints that fail.
#[derive(Clone, Debug, PartialEq)]
pub struct Ejection {
    /// Failures in a row (502, 503, 504, or no answer). Default 5.
    pub consecutive_failures: u32,
    /// First ejection lasts so long; each further one as much longer. Default 30 s.
    pub duration: Duration,
    /// Never eject more than this share. Default 50 %.
    pub max_percent: u32,
}

impl Default for Ejection {
    fn default() -> Self {
        Self { consecutive_failures: 5, duration: Duration::from_secs(30), max_percent: 50 }
    }
}

/// A token issuer.
#[derive(Clone, Debug, PartialEq)]
pub struct JwtProvider {
    /// Its name.
    pub name: String,
    /// Required `iss`; `None`: not checked.
    pub issuer: Option<String>,
    /// Any of these in `aud`; empty: not checked.
    pub audiences: Vec<String>,
    /// Accepted algorithms; never empty.
    pub algorithms: Vec<JwtAlgorithm>,
    /// Keys.
    pub keys: JwtKeys,
    /// Clock skew allowed for `exp` and `nbf`. Default 60 s.
    pub clock_skew: Duration,
    /// Tokens in each worker's cache; 0: no cache. Default 10,000.
    pub cache_size: usize,
}

/// Signature algorithms (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of RFC 7518")]
pub enum JwtAlgorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

/// Where the verification keys are.
#[derive(Clone, Debug, PartialEq)]
pub enum JwtKeys {
    /// A JWKS document in the configuration.
    InlineJwks(String),
    /// A file with a JWKS document.
    JwksFile(PathBuf),
    /// A file with one PEM public key.
    PublicKeyFile(PathBuf),
    /// A shared secret for HS*.
    Secret(SecretSource),
}

/// Limits of downstream connections and exchanges. Sizes in bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Connections over all workers. Default 65,536.
    pub connections_max: usize,
    /// Request or response head. Default 65,536.
    pub head_bytes_max: u32,
    /// Fields in a head. Default 128.
    pub fields_max: usize,
    /// Request body; `None`: no limit. Default none.
    pub body_bytes_max: Option<u64>,
    /// Concurrent streams per HTTP/2 connection. Default 256.
    pub streams_max: u32,
    /// Bytes buffered per exchange and direction before the sender is paused. Default 262,144.
    pub buffer_bytes_max: u32,
    /// Request body kept for another attempt. Default 65,536.
    pub replay_bytes_max: u32,
    /// TLS handshake and first request head. Default 10 s.
    pub head_timeout: Duration,
    /// Keep-alive connection without a request. Default 300 s.
    pub idle_timeout: Duration,
    /// How long a peer may take nothing of what waits for it. Default 60 s.
    pub write_timeout: Duration,
    /// Time that requests in flight get when the gateway drains. Default 30 s.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 65_536,
            head_bytes_max: 65_536,
            fields_max: 128,
            body_bytes_max: None,
            streams_max: 256,
            buffer_bytes_max: 262_144,
            replay_bytes_max: 65_536,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(300),
            write_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// The admin server: `/metrics`, `/livez`, `/readyz`.
#[derive(Clone, Debug, PartialEq)]
pub struct Admin {
    /// Address; loopback unless said otherwise.
    pub address: SocketAddr,
}

/// JSON access log, one line per exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLog {
    /// Standard output.
    Stdout,
    /// A file, appended to.
    File(PathBuf),
}

impl Cluster {
    /// A cluster with defaults.
    pub fn new(name: &str, endpoints: Vec<Endpoint>, protocol: Protocol) -> Self {
        Self {
            name: name.to_owned(),
            endpoints,
            protocol,
            tls: None,
            balance: Balance::default(),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            http2_connections: 2,
            connections_max: 1_024,
            pending_max: 1_024,
            retry_budget_percent: 20,
            ejection: Some(Ejection::default()),
            dns_refresh: Duration::from_secs(30),
        }
    }
}
