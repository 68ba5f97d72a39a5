//! A world that has not begun: what is drawn from a seed, and how its gateway is configured.

use std::collections::BTreeMap;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::time::Duration;

use bulkhead_config::Config;
use bulkhead_config::model::{
    Backend, Cluster, Endpoint, EndpointAddress, Listener, PathMatch, Protocol, Route, RouteMatch,
    RouteTimeouts,
};
use bulkhead_message::UnixName;
use bulkhead_upstream::Rng;

use super::plan::{Plan, Severity, UPSTREAMS, Victims};
use super::world::SAFETY;

/// What is drawn of a plan is drawn apart, so that nothing else changes if it comes from a file.
const PLAN_STREAM: u64 = 0x706c_616e;

/// See the module.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) seed: u64,
    pub(super) severity: Severity,
    pub(super) random: Rng,
    pub(super) latency: Duration,
    pub(super) victims: Victims,
    pub(super) plan: Plan,
}

impl Draft {
    /// `plan`: that of a file, in place of one that is drawn.
    pub(super) fn new(seed: u64, severity: Severity, plan: Option<Plan>) -> Self {
        let mut random = Rng::new(seed);
        let latency = Duration::from_millis([0, 2, 30][random.below(3) as usize]);
        let workers = 2 + random.below(3) as usize;
        let victims = Victims { workers, clients: 2 + random.below(9) as usize };
        let draw = || Plan::draw(severity, victims, SAFETY, &mut Rng::new(seed ^ PLAN_STREAM));
        let plan = plan.unwrap_or_else(draw);
        Self { seed, severity, random, latency, victims, plan }
    }
}

/// The address of a socket in a world of this name.
pub(super) fn address(name: &str) -> SocketAddr {
    SocketAddr::from_abstract_name(name).unwrap()
}

/// One listener, two clusters; `extra` routes more than are needed.
pub(super) fn configuration(name: &str, workers: usize, extra: usize) -> Config {
    let unix = |suffix: &str| UnixName::parse(&format!("@{name}-{suffix}")).unwrap();
    let cluster = |id: &str, protocol| {
        let endpoint = Endpoint::new(EndpointAddress::Unix(unix(id)));
        (id.to_owned(), Cluster::new(id, vec![endpoint], protocol))
    };
    let route = |id: &str, prefix: String, to: &str| Route {
        matches: vec![RouteMatch { path: PathMatch::Prefix(prefix), ..RouteMatch::default() }],
        // Small windows and late pieces may take longer than a client would wait; that it ends is for the
        // phase of liveness to see.
        timeouts: RouteTimeouts { request: None, ..RouteTimeouts::default() },
        ..Route::new(id, vec![Backend::new(to, 1)])
    };
    let more =
        (0..extra).map(|index| route(&format!("more-{index}"), format!("/more-{index}"), "one"));
    Config {
        workers: Some(workers),
        rebalance: true,
        listeners: vec![Listener::new("in", unix("in"))],
        routes: [route("one", "/one".to_owned(), "one"), route("two", "/two".to_owned(), "two")]
            .into_iter()
            .chain(more)
            .collect(),
        clusters: BTreeMap::from([
            cluster(UPSTREAMS[0], Protocol::Http1),
            cluster(UPSTREAMS[1], Protocol::Http2),
        ]),
        ..Config::default()
    }
}
