//! What a run is to be: where to, how many connections, when, for how long.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bulkhead_transport::TlsTarget;

use crate::schedule::Schedule;
use crate::websocket::Upgrade;

/// Protocol of the generator's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 with keep-alive, one request at a time on each connection.
    Http1,
    /// HTTP/2; in cleartext with prior knowledge, over TLS by ALPN.
    Http2,
    /// WebSocket over HTTP/1.1 (RFC 6455): each request is a message, its body, and its answer the
    /// message that comes back in the same place. The head of a request is not sent; that of an answer
    /// has the status 101.
    WebSocket,
}

/// When requests are sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    /// At given times, come what may.
    Open(Schedule),
    /// As soon as an earlier one has ended, with so many in flight. For finding a capacity, never for
    /// latency: it does not measure what it waits for.
    Closed {
        /// Requests in flight over all parts, those that think included.
        in_flight: usize,
        /// Time from an answer to the next request.
        think: Duration,
    },
}

/// One server and the connections to it.
#[derive(Clone, Debug)]
pub struct TargetOptions {
    /// Where to.
    pub address: SocketAddr,
    /// TLS; `None`: cleartext.
    pub tls: Option<TlsTarget>,
    /// Protocol.
    pub protocol: Protocol,
    /// Connections over all parts, at least one per part.
    pub connections: usize,
    /// Mean life of a connection, after which it takes no new requests, is closed when the last is
    /// answered, and is replaced; each lives half to one and a half times as long. `None`: for ever.
    pub connection_life: Option<Duration>,
    /// Requests on a connection, after which it is closed and replaced. `None`: without end.
    pub connection_requests_max: Option<u64>,
    /// Requests in flight per connection at most (the peer may allow fewer). HTTP/1.1: always 1.
    pub streams_max: usize,
    /// Local addresses, taken in turn; each has some 28,000 ports. Empty: the system chooses.
    pub sources: Vec<IpAddr>,
    /// What a WebSocket is asked for with. `None`: `/` at the address.
    pub websocket: Option<Upgrade>,
}

impl TargetOptions {
    /// One connection in cleartext that lives for ever, with at most 100 streams.
    pub const fn new(address: SocketAddr, protocol: Protocol) -> Self {
        Self {
            address,
            tls: None,
            protocol,
            connections: 1,
            connection_life: None,
            connection_requests_max: None,
            streams_max: 100,
            sources: Vec::new(),
            websocket: None,
        }
    }
}

/// A kind of request that is counted on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Index of the target that its requests go to.
    pub target: usize,
}

impl Class {
    /// One for the first target.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), target: 0 }
    }
}

/// Which parts of the load these threads are; a part is one thread of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Number of the first, from 0.
    pub first: usize,
    /// Over all processes.
    pub parts: usize,
}

/// A run.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Where to; at least one.
    pub targets: Vec<TargetOptions>,
    /// What the workload sorts its requests into; at least one.
    pub classes: Vec<Class>,
    /// Generator threads, at least 1.
    pub threads: usize,
    /// `None`: the threads are all there is.
    pub share: Option<Share>,
    /// When.
    pub arrivals: Arrivals,
    /// Load before the measured part, sent but counted apart.
    pub warmup: Duration,
    /// The measured part.
    pub duration: Duration,
    /// Load after the measured part, so that its last requests meet as much as its first. As `warmup`.
    pub cooldown: Duration,
    /// A request not answered so long after its intended time has failed.
    pub timeout: Duration,
    /// How often a request is sent again whose answer never came whole (reset, going away, connection
    /// ended). Its latency still counts from the first intended time.
    pub retries: u32,
    /// Requests per part that may wait for a stream; more are dropped, which counts as unsent.
    pub waiting_max: usize,
}

impl LoadOptions {
    /// One target and one class, on one thread, with a time-out of 10 s.
    pub fn new(target: TargetOptions, arrivals: Arrivals, duration: Duration) -> Self {
        Self {
            targets: vec![target],
            classes: vec![Class::new("request")],
            threads: 1,
            share: None,
            arrivals,
            warmup: Duration::ZERO,
            duration,
            cooldown: Duration::ZERO,
            timeout: Duration::from_secs(10),
            retries: 0,
            waiting_max: 1_000_000,
        }
    }

    /// The parts that these threads are.
    pub(crate) fn parts(&self) -> Share {
        self.share.unwrap_or_else(|| Share { first: 0, parts: self.threads.max(1) })
    }

    /// Warm-up, measured part and cool-down.
    pub(crate) fn whole(&self) -> Duration {
        self.warmup.saturating_add(self.duration).saturating_add(self.cooldown)
    }
}

/// What part `part` of `parts` has of `total`: the parts differ by one at most.
pub(crate) const fn portion(total: usize, part: usize, parts: usize) -> usize {
    total * (part + 1) / parts - total * part / parts
}
