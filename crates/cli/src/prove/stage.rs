//! The stage: two upstreams and the gateway before them, in this process, on loopback.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bulkhead_config::Config;
use bulkhead_config::model::{
    Backend, Cluster, Endpoint, EndpointAddress, Filter, JwtAlgorithm, JwtFilter, JwtKeys,
    JwtProvider, Listener, PathMatch, Protocol, Route, RouteMatch,
};
use bulkhead_gateway::{Gateway, GatewayOptions};
use bulkhead_load::{Arrivals, Load};
use bulkhead_origin::{Origin, OriginOptions};

use super::plan::Plan;
use super::tokens::{AUDIENCE, ISSUER, TokenPool};
use super::workload::{FeedWorkload, HeldWorkload, SUBJECT_HEADER};

const PROVIDER: &str = "prove";

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) gateway: Gateway,
    address: SocketAddr,
    json: Origin,
    grpc: Origin,
}

impl Stage {
    /// Starts the upstreams and the gateway.
    pub(crate) fn start(plan: &Plan, tokens: &TokenPool) -> anyhow::Result<Self> {
        let json = Origin::start(OriginOptions::default()).context("start the JSON upstream")?;
        let grpc = Origin::start(OriginOptions::default()).context("start the gRPC upstream")?;
        let jwks = plan.jwt.then(|| tokens.jwks());
        let config = configuration(plan.workers, json.addr(), grpc.addr(), jwks);
        let options = GatewayOptions { seed: Some(plan.seed), ..GatewayOptions::default() };
        let gateway = Gateway::start(config, options).context("start the gateway")?;
        let address = gateway.addresses().first().and_then(|(_, address)| address.inet());
        let address = address.context("the gateway has no listener")?;
        Ok(Self { gateway, address, json, grpc })
    }

    /// Where the gateway listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the JSON upstream listens.
    pub(crate) const fn json_origin(&self) -> SocketAddr {
        self.json.addr()
    }

    /// Where the gRPC upstream listens.
    pub(crate) const fn grpc_origin(&self) -> SocketAddr {
        self.grpc.addr()
    }

    /// Starts a load through the gateway.
    pub(crate) fn load(
        &self,
        plan: &Plan,
        tokens: &Arc<TokenPool>,
        arrivals: Arrivals,
        duration: Duration,
    ) -> anyhow::Result<Load> {
        let options = plan.load(self.address, arrivals, duration);
        let tokens = plan.jwt.then(|| Arc::clone(tokens));
        let seed = plan.seed;
        Load::start(options, |_| Box::new(FeedWorkload::new(seed, tokens.clone())))
            .context("start the load")
    }

    /// Starts the held requests through the gateway.
    pub(crate) fn held(&self, plan: &Plan, tokens: &Arc<TokenPool>) -> anyhow::Result<Load> {
        let tokens = plan.jwt.then(|| Arc::clone(tokens));
        Load::start(plan.held(self.address), |_| Box::new(HeldWorkload::new(tokens.clone())))
            .context("start the held requests")
    }

    /// Ends everything.
    pub(crate) fn stop(self) {
        self.gateway.shutdown();
        self.json.stop();
        self.grpc.stop();
    }
}

/// One cleartext listener, three routes with the token required, two clusters. No retries beyond those
/// of requests of which nothing was sent: what is to be shown is that none is needed.
fn configuration(workers: usize, json: SocketAddr, grpc: SocketAddr, jwks: Option<&str>) -> Config {
    let filters: Vec<Filter> = jwks.map(|_| Filter::Jwt(jwt_filter())).into_iter().collect();
    let route = |name: &str, path, cluster: &str| Route {
        matches: vec![RouteMatch { path, ..RouteMatch::default() }],
        filters: filters.clone(),
        ..Route::new(name, vec![Backend::new(cluster, 1)])
    };
    let feed = PathMatch::Template("/api/v1/{user_id:[0-9]+}/feed".to_owned());
    let cluster = |name: &str, address| {
        let endpoint = Endpoint::new(EndpointAddress::Socket(address));
        (name.to_owned(), Cluster::new(name, vec![endpoint], Protocol::Http2))
    };
    Config {
        workers: Some(workers),
        listeners: vec![Listener::new("prove", (Ipv4Addr::LOCALHOST, 0))],
        routes: vec![
            route("feed-json", feed, "feed-json"),
            route("feed-grpc", PathMatch::Prefix("/feed.v1.Feed".to_owned()), "feed-grpc"),
            route("feed-held", PathMatch::Prefix("/delay".to_owned()), "feed-json"),
        ],
        clusters: BTreeMap::from([cluster("feed-json", json), cluster("feed-grpc", grpc)]),
        jwt_providers: jwks.map(|jwks| (PROVIDER.to_owned(), provider(jwks))).into_iter().collect(),
        ..Config::default()
    }
}

fn jwt_filter() -> JwtFilter {
    JwtFilter {
        providers: vec![PROVIDER.to_owned()],
        optional: false,
        claims_to_headers: BTreeMap::from([("sub".to_owned(), SUBJECT_HEADER.to_owned())]),
        forward_token: false,
    }
}

fn provider(jwks: &str) -> JwtProvider {
    JwtProvider {
        name: PROVIDER.to_owned(),
        issuer: Some(ISSUER.to_owned()),
        audiences: vec![AUDIENCE.to_owned()],
        algorithms: vec![JwtAlgorithm::Rs256],
        keys: JwtKeys::InlineJwks(jwks.to_owned()),
        clock_skew: Duration::from_secs(60),
        cache_size: 10_000,
    }
}
