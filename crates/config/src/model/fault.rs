//! Faults that a route injects.

use std::time::Duration;

/// What a route injects. At least one of the three is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultFilter {
    /// Requests go on after a while.
    pub delay: Option<FaultShare<Option<Duration>>>,
    /// Requests are answered.
    pub abort: Option<FaultShare<Option<FaultAbort>>>,
    /// Response bodies are passed on with so many bytes in a second.
    pub response_rate_limit: Option<FaultShare<Option<u64>>>,
    /// Only requests to this cluster.
    pub upstream_cluster: Option<String>,
    /// Only requests with all these headers: lower-case name and value, or any value.
    pub headers: Vec<(String, Option<String>)>,
    /// Requests that each fault befalls at a time; `None`: any number.
    pub max_active_faults: Option<u32>,
}

/// A fault and its share of the requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaultShare<T> {
    /// What; `None`: what the request's headers say.
    pub what: T,
    /// Percent, 0 to 100.
    pub percentage: f64,
}

/// What an aborted request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultAbort {
    /// A status of HTTP, 200 to 599.
    Http(u16),
    /// A status of gRPC, 1 to 16.
    Grpc(u8),
}
