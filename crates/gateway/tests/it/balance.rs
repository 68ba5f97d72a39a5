//! Where requests go: affinity, subsets, zones, latency.

use std::collections::BTreeMap;
use std::time::Duration;

use bulkhead_config::Config;
use bulkhead_config::model::{
    AffinityCookie, Backend, Balance, Cluster, Discovery, Endpoint, EndpointAddress, HashSource,
    Locality, Maglev, Protocol, StringMatch, Subset, ValueMatch,
};
use bulkhead_gateway::Gateway;
use bulkhead_origin::Origin;
use bulkhead_testkit::RawClient;

use crate::scripted::{Scripted, UNAVAILABLE};
use crate::support::{client, config, feed, origin, read_response, start};

fn endpoint(origin: &Origin) -> Endpoint {
    Endpoint::new(EndpointAddress::Socket(origin.addr()))
}

fn with_cluster(endpoints: Vec<Endpoint>, change: impl FnOnce(&mut Cluster)) -> Config {
    let mut config = config(([127, 0, 0, 1], 1).into(), Protocol::Http1, 2);
    let mut cluster = Cluster::new("origin", endpoints, Protocol::Http1);
    change(&mut cluster);
    config.clusters.insert("origin".to_owned(), cluster);
    config
}

fn by_hash(origins: &[Origin], source: HashSource) -> Config {
    with_cluster(origins.iter().map(endpoint).collect(), |cluster| {
        cluster.balance = Balance::Maglev(Maglev { table_size: 251, ..Maglev::default() });
        cluster.hash_on = vec![source];
    })
}

fn get(client: &mut RawClient, fields: &str) -> String {
    client.send(format!("GET /api/v1/1/feed HTTP/1.1\r\nhost: a\r\n{fields}\r\n"));
    let (head, body) = read_response(client);
    assert!(!head.starts_with("HTTP/1.1 200") || body == feed(1), "{head}");
    head
}

/// Which of the origins answers a request with these fields, over a new connection.
fn answered_by(gateway: &Gateway, origins: &[Origin], fields: &str) -> usize {
    let counts = || origins.iter().map(|origin| origin.stats().requests_total());
    let before: Vec<u64> = counts().collect();
    let head = get(&mut client(gateway), fields);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let changed = counts().zip(before).position(|(after, before)| after > before);
    changed.expect("one of them answered")
}

#[test]
fn a_header_leads_to_one_endpoint_through_all_workers_and_over_a_kill() {
    let origins = [origin(), origin(), origin()];
    let gateway = start(by_hash(&origins, HashSource::Header("x-user".to_owned())));
    let places = |gateway: &Gateway| -> Vec<usize> {
        (0..20)
            .map(|user| {
                let fields = format!("x-user: {user}\r\n");
                let place = answered_by(gateway, &origins, &fields);
                for _ in 0..3 {
                    assert_eq!(answered_by(gateway, &origins, &fields), place, "user {user}");
                }
                place
            })
            .collect()
    };
    let before = places(&gateway);
    assert!((0..3).all(|origin| before.contains(&origin)), "all are used: {before:?}");
    gateway.kill_worker(0).expect("kill a worker");
    assert_eq!(places(&gateway), before);
    // Another process of the same configuration agrees.
    let other = start(by_hash(&origins, HashSource::Header("x-user".to_owned())));
    assert_eq!(places(&other), before);
}

#[test]
fn a_cookie_is_set_once_and_leads_back() {
    let origins = [origin(), origin(), origin(), origin()];
    let cookie = AffinityCookie {
        name: "sid".to_owned(),
        ttl: Some(Duration::from_secs(60)),
        path: "/api".to_owned(),
    };
    let gateway = start(by_hash(&origins, HashSource::Cookie(cookie)));
    let set = |head: &str| -> Option<String> {
        let line = head.lines().find_map(|line| line.strip_prefix("set-cookie: "))?;
        let (pair, attributes) = line.split_once("; ").expect("attributes");
        assert_eq!(attributes, "Path=/api; Max-Age=60; HttpOnly; SameSite=Lax");
        Some(pair.to_owned())
    };
    for _ in 0..8 {
        let counts = || origins.iter().map(|origin| origin.stats().requests_total());
        let before: Vec<u64> = counts().collect();
        let pair = set(&get(&mut client(&gateway), "")).expect("a cookie");
        let place = counts().zip(before).position(|(after, before)| after > before);
        let fields = format!("cookie: theme=dark; {pair}\r\n");
        assert_eq!(set(&get(&mut client(&gateway), &fields)), None);
        assert_eq!(Some(answered_by(&gateway, &origins, &fields)), place);
    }
}

fn labelled(origin: &Origin, version: &str) -> Endpoint {
    let labels = BTreeMap::from([("version".to_owned(), version.to_owned())]);
    Endpoint { labels, ..endpoint(origin) }
}

fn subset(version: &str, fall_back: bool) -> Backend {
    let labels = BTreeMap::from([("version".to_owned(), version.to_owned())]);
    Backend { subset: Some(Subset { labels, fall_back }), ..Backend::new("origin", 1) }
}

/// Requests that say `x-version` go to that subset, all others to v1.
fn canary(origins: &[Origin; 2], version: &str, fall_back: bool) -> Config {
    let endpoints = vec![labelled(&origins[0], "v1"), labelled(&origins[1], "v2")];
    let mut config = with_cluster(endpoints, |_| {});
    config.routes[0].backends = vec![subset("v1", false)];
    let mut route = config.routes[0].clone();
    route.name = "canary".to_owned();
    route.matches[0].headers =
        vec![ValueMatch { name: "x-version".to_owned(), value: StringMatch::Present }];
    route.backends = vec![subset(version, fall_back)];
    config.routes.push(route);
    config
}

#[test]
fn a_header_chooses_a_subset() {
    let origins = [origin(), origin()];
    let gateway = start(canary(&origins, "v2", false));
    for _ in 0..10 {
        assert_eq!(answered_by(&gateway, &origins, ""), 0);
        assert_eq!(answered_by(&gateway, &origins, "x-version: next\r\n"), 1);
    }
    // The subset is gone with the next configuration's; what it falls back to is the file's choice.
    let ask = |gateway: &Gateway| get(&mut client(gateway), "x-version: next\r\n");
    gateway.apply(canary(&origins, "v3", false)).expect("apply");
    let refused = (0..10_000).any(|_| ask(&gateway).starts_with("HTTP/1.1 503"));
    assert!(refused, "a subset without endpoints has none");
    gateway.apply(canary(&origins, "v3", true)).expect("apply");
    let taken = (0..10_000).any(|_| ask(&gateway).starts_with("HTTP/1.1 200"));
    assert!(taken, "any endpoint of the cluster takes over");
}

#[test]
fn the_own_zone_comes_first_and_others_when_it_fails() {
    let (mut origins, zones) = (vec![origin(), origin()], ["eu-1a", "eu-1b"]);
    let endpoints = origins.iter().zip(zones);
    let endpoints = endpoints
        .map(|(origin, zone)| Endpoint { zone: Some(zone.to_owned()), ..endpoint(origin) })
        .collect();
    let mut config = with_cluster(endpoints, |cluster| {
        cluster.locality = Locality { prefer_local: true, ..Locality::default() };
    });
    config.zone = Some("eu-1b".to_owned());
    let gateway = start(config);
    for _ in 0..20 {
        assert_eq!(answered_by(&gateway, &origins, ""), 1);
    }
    // Nobody listens there any more: the attempt that finds out goes on to the other zone.
    drop(origins.pop());
    for _ in 0..20 {
        assert_eq!(answered_by(&gateway, &origins, ""), 0);
    }
}

#[test]
fn what_was_found_outlives_a_reload_and_a_worker() {
    let origins = [origin(), origin()];
    let source = Discovery::DnsSrv("_http._tcp.invalid".to_owned());
    let configured =
        || with_cluster(Vec::new(), |cluster| cluster.discovery = Some(source.clone()));
    let gateway = start(configured());
    assert!(get(&mut client(&gateway), "").starts_with("HTTP/1.1 503"), "nothing was found yet");
    let found = Endpoint { priority: 1, ..endpoint(&origins[0]) };
    gateway.set_discovered(&source, vec![found, endpoint(&origins[1])]);
    let taken = (0..10_000).any(|_| get(&mut client(&gateway), "").starts_with("HTTP/1.1 200"));
    assert!(taken, "workers hear of it");
    gateway.apply(configured()).expect("apply");
    for worker in [0, 1] {
        gateway.kill_worker(worker).expect("kill a worker");
        // The lower priority is used first.
        assert_eq!(answered_by(&gateway, &origins, ""), 1);
    }
}

#[test]
fn an_endpoint_that_fails_fast_attracts_nothing_by_latency() {
    let origins = [origin(), origin()];
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = closed.local_addr().expect("its address");
    drop(closed);
    let mut endpoints: Vec<Endpoint> = origins.iter().map(endpoint).collect();
    endpoints.push(Endpoint::new(EndpointAddress::Socket(nobody)));
    let mut config = with_cluster(endpoints, |cluster| {
        cluster.balance = Balance::PeakEwma;
        cluster.ejection = None;
        cluster.retry_budget_percent = 0;
    });
    config.workers = Some(1);
    let gateway = start(config);
    let mut client = client(&gateway);
    (0..200).for_each(|_| drop(get(&mut client, "")));
    let served: u64 = origins.iter().map(|origin| origin.stats().requests_total()).sum();
    assert_eq!(served, 200, "each attempt that met it was followed by another");
    let metrics = gateway.registry().render();
    let failed = metrics
        .lines()
        .find(|line| line.starts_with("bulkhead_upstream_connect_failures_total"))
        .and_then(|line| line.rsplit_once(' '))
        .and_then(|(_, count)| count.parse::<f64>().ok())
        .expect("a metric");
    assert!((1.0..=3.0).contains(&failed), "it was tried {failed} times");
}

#[test]
fn an_endpoint_that_is_quick_to_say_no_attracts_nothing_by_latency() {
    let origins = [origin(), origin()];
    let unwilling = Scripted::start(|_, _| UNAVAILABLE);
    let mut endpoints: Vec<Endpoint> = origins.iter().map(endpoint).collect();
    endpoints.push(Endpoint::new(EndpointAddress::Socket(unwilling.address)));
    let mut config = with_cluster(endpoints, |cluster| {
        cluster.balance = Balance::PeakEwma;
        cluster.ejection = None;
    });
    config.workers = Some(1);
    let gateway = start(config);
    let mut client = client(&gateway);
    (0..200).for_each(|_| drop(get(&mut client, "")));
    let refused = unwilling.seen().len();
    assert!((1..=3).contains(&refused), "it was tried {refused} times");
}
