//! The scenarios: which traffic, how much of it at once, who takes part.

/// What flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// HTTP/1.1 on both sides, 1 KB answers.
    Http1,
    /// HTTP/2 in cleartext on both sides, 1 KB answers.
    Http2,
    /// Unary gRPC calls, small, with trailers.
    Grpc,
}

/// How requests are offered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Connections.
    pub(crate) connections: u32,
    /// Requests in flight on each.
    pub(crate) streams: u32,
    /// Requests per second, all together; `None`: as fast as answers come.
    pub(crate) rate: Option<u32>,
}

/// One scenario.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// Name on the command line and in the results.
    pub(crate) name: &'static str,
    /// Heading of its table.
    pub(crate) title: &'static str,
    /// What flows.
    pub(crate) traffic: Traffic,
    /// A signed token is required.
    pub(crate) jwt: bool,
    /// How much.
    pub(crate) load: Load,
    /// Only these take part; empty: all that can. The high fixed rates are beyond most.
    pub(crate) peers: &'static [&'static str],
}

impl Scenario {
    /// Does this peer take part? Another build of Bulkhead does wherever Bulkhead does.
    pub(crate) fn admits(&self, name: &str) -> bool {
        let name = if name == "before" { "bulkhead" } else { name };
        self.peers.is_empty() || self.peers.contains(&name)
    }
}

const FAST: &[&str] = &["bulkhead", "haproxy"];

/// As fast as answers come.
pub(crate) fn closed(
    name: &'static str,
    title: &'static str,
    traffic: Traffic,
    (connections, streams): (u32, u32),
) -> Scenario {
    let load = Load { connections, streams, rate: None };
    Scenario { name, title, traffic, jwt: false, load, peers: &[] }
}

/// With a token on each request.
fn jwt(scenario: Scenario) -> Scenario {
    Scenario { jwt: true, ..scenario }
}

/// At the same rate for all.
pub(crate) fn at(rate: u32, peers: &'static [&'static str], scenario: Scenario) -> Scenario {
    Scenario { load: Load { rate: Some(rate), ..scenario.load }, peers, ..scenario }
}

/// All scenarios in the order in which they are run and shown.
pub(crate) fn all() -> Vec<Scenario> {
    use Traffic::{Grpc, Http1, Http2};
    vec![
        closed("http1", "HTTP/1.1, 64 connections, 1 KB", Http1, (64, 1)),
        closed("http2-1", "HTTP/2, 10 connections × 1 stream, 1 KB", Http2, (10, 1)),
        closed("http2-8", "HTTP/2, 10 connections × 8 streams, 1 KB", Http2, (10, 8)),
        closed("http2-32", "HTTP/2, 10 connections × 32 streams, 1 KB", Http2, (10, 32)),
        closed("grpc", "gRPC unary, 10 connections × 32 streams", Grpc, (10, 32)),
        jwt(closed("http1-jwt", "The same HTTP/1.1 with an RS256 token", Http1, (64, 1))),
        jwt(closed("http2-1-jwt", "HTTP/2, 10 × 1, with an RS256 token", Http2, (10, 1))),
        jwt(closed("http2-8-jwt", "HTTP/2, 10 × 8, with an RS256 token", Http2, (10, 8))),
        jwt(closed("http2-32-jwt", "The same HTTP/2 with an RS256 token", Http2, (10, 32))),
        jwt(closed("grpc-jwt", "The same gRPC with an RS256 token", Grpc, (10, 32))),
        at(
            3_000,
            &[],
            closed(
                "http2-rate-3000",
                "HTTP/2 at 3,000 requests/s, 10 connections",
                Http2,
                (10, 32),
            ),
        ),
        at(
            30_000,
            FAST,
            closed(
                "http2-rate-30000",
                "HTTP/2 at 30,000 requests/s, 200 connections × 2 streams",
                Http2,
                (200, 2),
            ),
        ),
        at(
            20_000,
            FAST,
            closed(
                "grpc-rate-20000",
                "gRPC unary at 20,000 requests/s, 200 connections × 2 streams",
                Grpc,
                (200, 2),
            ),
        ),
    ]
}

/// Their names, for messages.
pub(crate) fn names() -> String {
    all().iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ")
}
