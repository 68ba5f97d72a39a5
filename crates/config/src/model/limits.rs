//! Limits of downstream connections and exchanges.

use std::time::Duration;

use super::KeepAlive;

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
    /// Keep-alive of HTTP/2 clients; `None`: off.
    pub http2_keep_alive: Option<KeepAlive>,
    /// How long a peer may take nothing of what waits for it. Default 60 s.
    pub write_timeout: Duration,
    /// Requests served on one connection before it is closed; `None`: no limit. Default none.
    pub connection_requests_max: Option<u32>,
    /// Age at which a connection is closed in good order, give or take a tenth; `None`: none.
    pub connection_age_max: Option<Duration>,
    /// What requests in flight get beyond that age; `None`: all that they need.
    pub connection_age_grace: Option<Duration>,
    /// Least bytes per second of a request body; `None`: no limit. Default none.
    pub body_rate_min: Option<u64>,
    /// Over how long the rate is averaged, and what a body gets to begin with. Default 5 s.
    pub body_rate_window: Duration,
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
            http2_keep_alive: None,
            write_timeout: Duration::from_secs(60),
            connection_requests_max: None,
            connection_age_max: None,
            connection_age_grace: None,
            body_rate_min: None,
            body_rate_window: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(30),
        }
    }
}
