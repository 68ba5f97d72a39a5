//! What the load generators are asked to do. The same answers as in the proxies' benchmark, but
//! nothing stands between generator and server.

use super::super::scenarios::{
    Scenario,
    Traffic::{Grpc, Http1, Http2},
    at, closed,
};

/// A scenario, and how long it takes if not as long as the others.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) scenario: Scenario,
    /// Measured once, for so many seconds.
    pub(crate) once: Option<u32>,
}

/// Holds many connections, nearly idle.
pub(crate) const MANY_CONNECTIONS: &str = "load-connections-10000";
/// Goes on for long: does memory grow with the number of requests?
pub(crate) const LONG: &str = "load-long";
/// Of its time, when memory is read first.
pub(crate) const EARLY: f64 = 1.0 / 12.0;
const LONG_SECONDS: u32 = 60;
const LONG_SECONDS_QUICK: u32 = 6;

/// All cases in the order in which they are run and shown.
pub(crate) fn all(quick: bool) -> Vec<Case> {
    let http1 = |name, title| closed(name, title, Http1, (64, 1));
    let http2 = |name, title| closed(name, title, Http2, (10, 32));
    let grpc = |name, title| closed(name, title, Grpc, (10, 32));
    let many = closed(
        MANY_CONNECTIONS,
        "HTTP/1.1, 10,000 connections, 2,000 requests/s",
        Http1,
        (10_000, 1),
    );
    let scenarios = [
        http1("load-http1", "HTTP/1.1, 64 connections, 1 KB, closed loop"),
        at(10_000, &[], http1("load-http1-rate", "The same HTTP/1.1 at 10,000 requests/s")),
        http2("load-http2", "HTTP/2, 10 connections × 32 streams, 1 KB, closed loop"),
        at(40_000, &[], http2("load-http2-rate", "The same HTTP/2 at 40,000 requests/s")),
        grpc("load-grpc", "gRPC unary, 10 connections × 32 streams, closed loop"),
        at(20_000, &[], grpc("load-grpc-rate", "The same gRPC at 20,000 requests/s")),
        at(2_000, &[], many),
    ];
    let long = at(40_000, &[], http2(LONG, "The same HTTP/2 at 40,000 requests/s, long"));
    let long_seconds = if quick { LONG_SECONDS_QUICK } else { LONG_SECONDS };
    let cases = scenarios.map(|scenario| Case { scenario, once: None });
    cases.into_iter().chain([Case { scenario: long, once: Some(long_seconds) }]).collect()
}

/// Their names, for messages.
pub(crate) fn names() -> String {
    all(true).iter().map(|case| case.scenario.name).collect::<Vec<_>>().join(", ")
}
