//! The stage: two upstreams and the gateway before them, in this process, each on its ground.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bulkhead_config::Config;
use bulkhead_config::model::{
    Backend, Cluster, Endpoint, EndpointAddress, Filter, JwtAlgorithm, JwtFilter, JwtKeys,
    JwtProvider, Limits, Listener, PathMatch, Protocol, Route, RouteMatch, RouteTimeouts,
};
use bulkhead_gateway::{Gateway, GatewayOptions, KillReport};
use bulkhead_load::{Arrivals, Load};
use bulkhead_origin::{Origin, OriginOptions};

use super::callers;
use super::ground::{Ground, Party};
use super::plan::{CONNECT_TIMEOUT, Plan};
use super::tokens::{AUDIENCE, ISSUER, TokenPool};
use super::workload::SUBJECT_HEADER;

const PROVIDER: &str = "prove";

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) gateway: Gateway,
    pub(crate) ground: Ground,
    address: SocketAddr,
    json: Origin,
    grpc: Origin,
}

impl Stage {
    /// Starts the upstreams and the gateway.
    pub(crate) fn start(plan: &Plan, tokens: &TokenPool, ground: Ground) -> anyhow::Result<Self> {
        let json = upstream(&ground).context("start the JSON upstream")?;
        let grpc = upstream(&ground).context("start the gRPC upstream")?;
        let jwks = plan.profile.traffic.jwt.then(|| tokens.jwks());
        let listen = ground.address(Party::Gateway);
        let config = configuration(plan, listen, [json.addr(), grpc.addr()], jwks);
        let options = GatewayOptions { seed: Some(plan.seed), ..GatewayOptions::default() };
        let gateway = ground
            .enter(Party::Gateway, || Gateway::start(config, options))?
            .context("start the gateway")?;
        let address = gateway.addresses().first().and_then(|(_, address)| address.inet());
        let address = address.context("the gateway has no listener")?;
        Ok(Self { gateway, ground, address, json, grpc })
    }

    /// Kills a worker. Its successor is born on the gateway's ground.
    pub(crate) fn kill(&self, worker: usize) -> anyhow::Result<KillReport> {
        Ok(self.ground.enter(Party::Gateway, || self.gateway.kill_worker(worker))??)
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
        let tokens = plan.profile.traffic.jwt.then_some(tokens);
        callers::feeds(&self.ground, plan.load(self.address, arrivals, duration), plan, tokens)
    }

    /// Starts the held requests through the gateway.
    pub(crate) fn held(&self, plan: &Plan, tokens: &Arc<TokenPool>) -> anyhow::Result<Load> {
        callers::held(
            &self.ground,
            plan.held(self.address),
            plan.profile.traffic.jwt.then_some(tokens),
        )
    }

    /// Starts the flood, if the profile has one.
    pub(crate) fn flood(&self, plan: &Plan) -> anyhow::Result<Option<Load>> {
        if !plan.profile.traffic.flood {
            return Ok(None);
        }
        callers::flood(&self.ground, plan.flood(self.address)).map(Some)
    }

    /// Ends everything.
    pub(crate) fn stop(self) {
        self.gateway.shutdown();
        self.json.stop();
        self.grpc.stop();
    }
}

/// An upstream on its ground.
pub(crate) fn upstream(ground: &Ground) -> anyhow::Result<Origin> {
    let address = (ground.address(Party::Upstreams), 0).into();
    let options = OriginOptions { address, ..OriginOptions::default() };
    Ok(ground.enter(Party::Upstreams, || Origin::start(options))??)
}

/// One cleartext listener, three routes with the token required, two clusters. No retries beyond those
/// of requests of which nothing was sent: what is to be shown is that none is needed.
fn configuration(
    plan: &Plan,
    listen: Ipv4Addr,
    [json, grpc]: [SocketAddr; 2],
    jwks: Option<&str>,
) -> Config {
    let filters: Vec<Filter> = jwks.map(|_| Filter::Jwt(jwt_filter())).into_iter().collect();
    let route = |name: &str, path, cluster: &str| Route {
        matches: vec![RouteMatch { path, ..RouteMatch::default() }],
        filters: filters.clone(),
        timeouts: RouteTimeouts {
            request: Some(plan.patience()),
            idle: plan.patience(),
            ..RouteTimeouts::default()
        },
        ..Route::new(name, vec![Backend::new(cluster, 1)])
    };
    let feed = PathMatch::Template("/api/v1/{user_id:[0-9]+}/feed".to_owned());
    let cluster = |name: &str, address| {
        let endpoint = Endpoint::new(EndpointAddress::Socket(address));
        let cluster = Cluster::new(name, vec![endpoint], Protocol::Http2);
        (name.to_owned(), Cluster { connect_timeout: CONNECT_TIMEOUT, ..cluster })
    };
    Config {
        workers: Some(plan.profile.workers.into()),
        limits: Limits {
            head_timeout: plan.patience(),
            idle_timeout: plan.patience(),
            write_timeout: plan.patience(),
            ..Limits::default()
        },
        listeners: vec![Listener::new("prove", (listen, 0))],
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
