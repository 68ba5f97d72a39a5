//! Routes: matches, backends, time-outs.

use std::time::Duration;

use bulkhead_message::Priority;

use super::{Filter, HashSource, Hedge, Protection, RetryPolicy, Subset, Tunnels};

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
    /// Which requests may become tunnels.
    pub tunnels: Tunnels,
    /// What is hashed for affinity, in place of what the cluster says; empty: as the cluster says.
    pub hash_on: Vec<HashSource>,
    /// Time-outs.
    pub timeouts: RouteTimeouts,
    /// Which requests are given up first when not all can be served.
    pub priority: Priority,
    /// Retries; `None`: only when nothing was sent yet.
    pub retry: Option<RetryPolicy>,
    /// A second attempt at another endpoint when the first takes long; `None`: never.
    pub hedge: Option<Hedge>,
    /// Limits of requests in flight, and of failures.
    pub protection: Protection,
}

impl Route {
    /// A route for every request, with defaults.
    pub fn new(name: &str, backends: Vec<Backend>) -> Self {
        Self {
            name: name.to_owned(),
            hostnames: Vec::new(),
            matches: vec![RouteMatch::default()],
            filters: Vec::new(),
            backends,
            tunnels: Tunnels::default(),
            hash_on: Vec::new(),
            timeouts: RouteTimeouts::default(),
            priority: Priority::default(),
            retry: None,
            hedge: None,
            protection: Protection::default(),
        }
    }
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

/// A weighted reference to a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    /// Name of the cluster; it exists.
    pub cluster: String,
    /// Share, 0 to 1,000,000; not all 0.
    pub weight: u32,
    /// Only endpoints with these labels; `None`: all.
    pub subset: Option<Subset>,
}

impl Backend {
    /// A whole cluster.
    pub fn new(cluster: &str, weight: u32) -> Self {
        Self { cluster: cluster.to_owned(), weight, subset: None }
    }
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
    /// The same for a tunnel; `None`: no limit. Default 1 h.
    pub tunnel_idle: Option<Duration>,
}

impl Default for RouteTimeouts {
    fn default() -> Self {
        Self {
            request: Some(Duration::from_secs(15)),
            backend_request: None,
            idle: Duration::from_secs(60),
            tunnel_idle: Some(Duration::from_secs(3_600)),
        }
    }
}
