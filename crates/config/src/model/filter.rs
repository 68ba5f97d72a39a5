//! A route's built-in filters.

use std::collections::BTreeMap;
use std::time::Duration;

use super::FaultFilter;

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
    /// Send a copy of the request to another cluster; at most one of a route's filters.
    Mirror(Mirror),
    /// Let scripts of other origins read answers.
    Cors(Cors),
    /// Translate gRPC-Web to gRPC.
    GrpcWeb,
    /// Inject faults; at most one of a route's filters.
    Fault(FaultFilter),
}

/// A copy of requests to another cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Mirror {
    /// Name of the cluster; it exists.
    pub cluster: String,
    /// So many of `denominator` requests are copied; not more than that.
    pub numerator: u32,
    /// At least 1. Default: 100 of 100.
    pub denominator: u32,
    /// Bytes of a request body that the copy may be behind. Default 65,536.
    pub buffer_bytes_max: u32,
    /// Copies in flight per worker, of all routes, beyond which this filter makes none. Default 256.
    pub in_flight_max: u32,
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

/// Which scripts of other origins may read answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cors {
    /// Origins in lower case, with `*.` for leading labels, or `*`. Never empty.
    pub allow_origins: Vec<String>,
    /// Methods, or `*`.
    pub allow_methods: Vec<String>,
    /// Request headers, or `*`.
    pub allow_headers: Vec<String>,
    /// Response headers that scripts may read, or `*`.
    pub expose_headers: Vec<String>,
    /// Cookies and the like are allowed.
    pub allow_credentials: bool,
    /// How long a preflight answer may be remembered.
    pub max_age: Duration,
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
