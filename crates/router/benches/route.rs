//! 5,000 routes: time to compile, time to find; beside a linear scan and the `matchit` crate.
//!
//! - `services`: `/v1/svc17/users/{id:\d+}/orders/{order}`: what many services behind one host look like.
//! - `patterns`: `/v1/users/{id:u17-\d+}/orders/{order}`: only the pattern tells the routes apart.
//! - `late`: `/v1/{tenant}/{user:\d+}/svc17`: only the last segment does.
//! - `choices`: `/v1/users/{id:u17-(\d+|x)}/orders`: as `patterns`, with alternation.
//! - `engine`: `/v1/users/{id:u17-(\d+x)+}/orders`: as `patterns`, but each needs the `regex` crate.
//! - `regex`: `/v1/svc17/users/\d+/orders/[^/]+` as one pattern over the whole path.
//!
//! `matchit` has no patterns: it gets the same routes with plain parameters, where these stay distinct.

use std::hint::black_box;
use std::time::Duration;

use bulkhead_message::RequestHead;
use bulkhead_router::{MatchSpec, PathSpec, RouteSpec, RouteTable};
use criterion::{Criterion, criterion_group, criterion_main};
use regex::bytes::Regex;

const ROUTES: usize = 5_000;
const HEADS: usize = 1_024;

struct Scenario {
    name: &'static str,
    route: fn(usize) -> PathSpec,
    path: fn(usize) -> String,
    /// The same as an expression over the whole path.
    expression: fn(usize) -> String,
    matchit: Option<fn(usize) -> String>,
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "services",
        route: |n| PathSpec::Template(format!(r"/v1/svc{n}/users/{{id:\d+}}/orders/{{order}}")),
        path: |n| format!("/v1/svc{n}/users/{}/orders/o-{n}", n * 7_919),
        expression: |n| format!(r"^/v1/svc{n}/users/\d+/orders/[^/]+$"),
        matchit: Some(|n| format!("/v1/svc{n}/users/{{id}}/orders/{{order}}")),
    },
    Scenario {
        name: "patterns",
        route: |n| PathSpec::Template(format!(r"/v1/users/{{id:u{n}-\d+}}/orders/{{order}}")),
        path: |n| format!("/v1/users/u{n}-{}/orders/o-{n}", n * 7_919),
        expression: |n| format!(r"^/v1/users/u{n}-\d+/orders/[^/]+$"),
        matchit: None,
    },
    Scenario {
        name: "late",
        route: |n| PathSpec::Template(format!(r"/v1/{{tenant}}/{{user:\d+}}/svc{n}")),
        path: |n| format!("/v1/blue/{}/svc{n}", n * 7_919),
        expression: |n| format!(r"^/v1/[^/]+/\d+/svc{n}$"),
        matchit: Some(|n| format!("/v1/{{tenant}}/{{user}}/svc{n}")),
    },
    Scenario {
        name: "choices",
        route: |n| PathSpec::Template(format!(r"/v1/users/{{id:u{n}-(\d+|x)}}/orders")),
        path: |n| format!("/v1/users/u{n}-{}/orders", n * 7_919),
        expression: |n| format!(r"^/v1/users/u{n}-(\d+|x)/orders$"),
        matchit: None,
    },
    Scenario {
        name: "engine",
        route: |n| PathSpec::Template(format!(r"/v1/users/{{id:u{n}-(\d+x)+}}/orders")),
        path: |n| format!("/v1/users/u{n}-{}x/orders", n * 7_919),
        expression: |n| format!(r"^/v1/users/u{n}-(\d+x)+/orders$"),
        matchit: None,
    },
    Scenario {
        name: "regex",
        route: |n| PathSpec::Regex(format!(r"/v1/svc{n}/users/\d+/orders/[^/]+")),
        path: |n| format!("/v1/svc{n}/users/{}/orders/o-{n}", n * 7_919),
        expression: |n| format!(r"^/v1/svc{n}/users/\d+/orders/[^/]+$"),
        matchit: None,
    },
];

fn specs(scenario: &Scenario) -> Vec<RouteSpec> {
    let spec = |n| MatchSpec { path: (scenario.route)(n), ..MatchSpec::default() };
    (0..ROUTES).map(|n| RouteSpec { hostnames: Vec::new(), matches: vec![spec(n)] }).collect()
}

/// Heads spread over all routes, in an order that caches do not like.
fn heads(scenario: &Scenario) -> Vec<(usize, RequestHead)> {
    let head = |at: usize| {
        let route = at * 2_741 % ROUTES;
        let mut head = RequestHead::new();
        head.set_authority(b"api.example.com");
        head.set_target((scenario.path)(route).as_bytes());
        (route, head)
    };
    (0..HEADS).map(head).collect()
}

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile 5,000 routes");
    group.sample_size(10).warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    for scenario in SCENARIOS {
        let specs = specs(scenario);
        group.bench_function(scenario.name, |bencher| {
            bencher.iter(|| RouteTable::compile(black_box(&specs)));
        });
    }
    group.finish();
}

fn find(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find among 5,000 routes");
    group.sample_size(30).warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    for scenario in SCENARIOS {
        let Ok(table) = RouteTable::compile(&specs(scenario)) else { continue };
        let heads = heads(scenario);
        for (route, head) in &heads {
            assert_eq!(table.find(head).map(|found| found.route as usize), Some(*route));
        }
        let mut turn = heads.iter().cycle();
        group.bench_function(format!("{}, ours", scenario.name), |bencher| {
            bencher.iter(|| table.find(&turn.next()?.1));
        });
        let Some(pattern) = scenario.matchit else { continue };
        let mut peer = matchit::Router::new();
        for n in 0..ROUTES {
            assert!(peer.insert(pattern(n), n).is_ok());
        }
        let paths: Vec<String> =
            (0..HEADS).map(|at| (scenario.path)(at * 2_741 % ROUTES)).collect();
        let mut turn = paths.iter().cycle();
        group.bench_function(format!("{}, matchit", scenario.name), |bencher| {
            bencher.iter(|| peer.at(turn.next()?).ok().map(|found| *found.value));
        });
    }
    group.finish();
}

fn scan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("linear scan of 5,000 expressions");
    group.sample_size(10).warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    let Some(scenario) = SCENARIOS.first() else { return };
    let expressions: Vec<Regex> =
        (0..ROUTES).filter_map(|n| Regex::new(&(scenario.expression)(n)).ok()).collect();
    assert_eq!(expressions.len(), ROUTES);
    let heads = heads(scenario);
    let mut turn = heads.iter().cycle();
    group.bench_function(scenario.name, |bencher| {
        bencher.iter(|| {
            let path = turn.next()?.1.path();
            expressions.iter().position(|expression| expression.is_match(path))
        });
    });
    group.finish();
}

criterion_group!(benches, compile, find, scan);
criterion_main!(benches);
