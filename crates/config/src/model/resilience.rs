//! What keeps failing endpoints, clusters and routes from taking others with them.

use std::time::Duration;

/// Active checks of each endpoint of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthCheck {
    /// What is asked.
    pub probe: HealthProbe,
    /// Pause between two checks of an endpoint. Default 5 s.
    pub interval: Duration,
    /// Until the whole check, with its connection, must be done. Default 1 s.
    pub timeout: Duration,
    /// Passed checks in a row that make an endpoint healthy. Default 2.
    pub healthy_threshold: u32,
    /// Failed checks in a row that make it unhealthy. Default 3.
    pub unhealthy_threshold: u32,
    /// Random part that is added to each pause, in percent of it. Default 10.
    pub jitter_percent: u32,
    /// Port that is checked; `None`: the endpoint's own.
    pub port: Option<u16>,
    /// Whether an endpoint counts as healthy until its first check. Default true.
    pub initially_healthy: bool,
}

/// What a check asks of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum HealthProbe {
    /// A request whose answer has an expected status.
    Http {
        /// Path, with query if any. Default `/`.
        path: String,
        /// Host; `None`: the endpoint's name, or its address.
        host: Option<String>,
        /// Method. Default GET.
        method: String,
        /// Statuses that pass. Default 200. Never empty.
        expected_statuses: Vec<u16>,
    },
    /// `grpc.health.v1.Health/Check` that answers SERVING. The cluster's protocol is HTTP/2.
    Grpc {
        /// Service that is asked for; empty: the server as a whole.
        service: String,
        /// `:authority`; `None`: the endpoint's name, or its address.
        host: Option<String>,
    },
    /// A connection, with its TLS handshake if the cluster has TLS.
    Tcp,
}

/// Passive ejection of endpoints that fail.
#[derive(Clone, Debug, PartialEq)]
pub struct Ejection {
    /// Failures in a row. Default 5.
    pub consecutive_failures: u32,
    /// Statuses of 5xx that count as failures in a row, beside no whole answer. Default 502 to 504.
    pub codes: Vec<u16>,
    /// How often rates are looked at. Default 10 s.
    pub interval: Duration,
    /// Ejection by success rate; `None` (default): off.
    pub success_rate: Option<SuccessRate>,
    /// Ejection by share of failures; `None` (default): off.
    pub failure_percentage: Option<FailurePercentage>,
    /// First ejection lasts so long; each further one as much longer. Default 30 s.
    pub duration: Duration,
    /// The longest ejection. Default 5 min.
    pub duration_max: Duration,
    /// Never eject more than this share. Default 50 %.
    pub max_percent: u32,
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            codes: vec![502, 503, 504],
            interval: Duration::from_secs(10),
            success_rate: None,
            failure_percentage: None,
            duration: Duration::from_secs(30),
            duration_max: Duration::from_secs(300),
            max_percent: 50,
        }
    }
}

/// Ejection of endpoints whose success rate is far below that of the others. Counts are per worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuccessRate {
    /// Fewer endpoints that count are not compared. Default 5.
    pub minimum_endpoints: u32,
    /// Requests in an interval for an endpoint to count. Default 100.
    pub minimum_requests: u32,
    /// Standard deviations below the mean. Default 1.9.
    pub stdev_factor: f64,
}

/// Ejection of endpoints that fail too large a share of their requests. Counts are per worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FailurePercentage {
    /// Share that ejects, in percent. Default 85.
    pub threshold_percent: u32,
    /// Fewer endpoints that count are not ejected. Default 5.
    pub minimum_endpoints: u32,
    /// Requests in an interval for an endpoint to count. Default 50.
    pub minimum_requests: u32,
}

/// Growing share for endpoints that are new or back in service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowStart {
    /// Until the whole share is reached. Default 30 s.
    pub window: Duration,
    /// How the share grows: 1 in proportion to time, above 1 faster at first. Default 1.
    pub aggression: f64,
    /// Share to begin with, in percent. Default 10.
    pub min_weight_percent: u32,
}

/// What a route or a cluster is protected by. Limits and counts are per worker.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Protection {
    /// Requests in flight at most; `None`: no limit.
    pub requests_max: Option<u32>,
    /// Turns requests away while too many fail; `None`: off.
    pub circuit_breaker: Option<CircuitBreaker>,
}

/// When requests are turned away because too many of those before them failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CircuitBreaker {
    /// Share of failures that opens it, in percent. Default 50.
    pub failure_percent: u32,
    /// With fewer requests in the window it stays closed. Default 20.
    pub minimum_requests: u32,
    /// How far back requests are counted. Default 10 s.
    pub window: Duration,
    /// How long it stays open before requests are tried. Default 10 s.
    pub open_duration: Duration,
    /// Requests that are tried then; when all succeed it closes. Default 5.
    pub half_open_requests: u32,
}
