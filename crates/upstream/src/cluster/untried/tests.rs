//! Retries go where none has been.

use std::net::SocketAddr;
use std::time::Instant;

use super::*;
use crate::{Balance, ClusterSettings, EndpointSpec, Labels, Protocol, SubsetFallback};

fn address(port: u16) -> Address {
    SocketAddr::from(([10, 0, 0, 1], port)).into()
}

fn cluster(balance: Balance, endpoints: u16) -> Cluster<u64> {
    let settings = ClusterSettings { balance, ..ClusterSettings::new(Protocol::Http1) };
    let specs: Vec<_> = (0..endpoints).map(|port| EndpointSpec::new(address(port))).collect();
    Cluster::new(&settings, &specs)
}

#[test]
fn each_endpoint_is_tried_before_any_is_tried_twice() {
    for balance in [Balance::LeastRequest, Balance::RoundRobin] {
        for seed in 0..50 {
            let mut cluster = cluster(balance, TRIED_MAX as u16);
            let (mut rng, mut tried) = (Rng::new(seed), Tried::default());
            let now = Instant::now();
            for attempt in 0..TRIED_MAX {
                let picked = cluster.pick_untried(now, &mut rng, PickHints::NONE, &tried).unwrap();
                let address = cluster.address(picked).unwrap();
                assert!(!tried.has(&address), "{balance:?}, seed {seed}, attempt {attempt}");
                tried.add(&address);
            }
            // Then one that was tried is better than none.
            assert!(cluster.pick_untried(now, &mut rng, PickHints::NONE, &tried).is_some());
        }
    }
}

#[test]
fn the_first_ones_are_forgotten() {
    let mut tried = Tried::default();
    for port in 0..=TRIED_MAX as u16 {
        tried.add(&address(port));
        tried.add(&address(port));
    }
    assert!(!tried.has(&address(0)));
    assert!((1..=TRIED_MAX as u16).all(|port| tried.has(&address(port))));
    tried.clear();
    assert!(!tried.has(&address(1)));
}

fn labels(version: &str) -> Labels {
    [("version".to_owned(), version.to_owned())].into()
}

fn spec(port: u16, version: &str, priority: u8) -> EndpointSpec {
    let labels = Some(Arc::new(labels(version)));
    EndpointSpec { labels, priority, ..EndpointSpec::new(address(port)) }
}

#[test]
fn a_subset_and_its_priorities_are_kept_to() {
    let specs = [spec(0, "new", 0), spec(1, "new", 0), spec(2, "new", 1), spec(3, "old", 0)];
    let subset = Arc::new(Subset::new(labels("new"), SubsetFallback::None));
    for seed in 0..20 {
        let mut cluster: Cluster<u64> =
            Cluster::new(&ClusterSettings::new(Protocol::Http1), &specs);
        let (mut rng, mut tried) = (Rng::new(seed), Tried::default());
        let hints = PickHints { subset: Some(&subset), ..PickHints::NONE };
        let mut ports = Vec::new();
        for _ in 0..3 {
            assert!(cluster.has_untried(Some(&subset), &tried));
            let picked = cluster.pick_untried(Instant::now(), &mut rng, hints, &tried).unwrap();
            let address = cluster.address(picked).unwrap();
            ports.push(address.inet().unwrap().port());
            tried.add(&address);
        }
        assert!(!cluster.has_untried(Some(&subset), &tried));
        ports.sort_unstable();
        assert_eq!(ports, [0, 1, 2], "seed {seed}");
    }
}

#[test]
fn where_a_subset_falls_back_any_endpoint_may_be_tried() {
    let specs: Vec<_> = (0..TRIED_MAX as u16).map(|port| spec(port, "old", 0)).collect();
    let subset = Arc::new(Subset::new(labels("new"), SubsetFallback::Any));
    let hints = PickHints { subset: Some(&subset), ..PickHints::NONE };
    for seed in 0..20 {
        let mut cluster = Cluster::<u64>::new(&ClusterSettings::new(Protocol::Http1), &specs);
        let (mut rng, mut tried) = (Rng::new(seed), Tried::default());
        for attempt in 0..TRIED_MAX {
            assert!(cluster.has_untried(Some(&subset), &tried));
            let picked = cluster.pick_untried(Instant::now(), &mut rng, hints, &tried).unwrap();
            let address = cluster.address(picked).unwrap();
            assert!(!tried.has(&address), "seed {seed}, attempt {attempt}");
            tried.add(&address);
        }
        assert!(!cluster.has_untried(Some(&subset), &tried));
    }
}

#[test]
fn a_subset_in_panic_has_all_its_endpoints() {
    let specs: Vec<_> =
        (0u16..8).map(|port| spec(port, if port < 3 { "new" } else { "old" }, 0)).collect();
    let subset = Arc::new(Subset::new(labels("new"), SubsetFallback::None));
    let hints = PickHints { subset: Some(&subset), ..PickHints::NONE };
    let mut cluster = Cluster::<u64>::new(&ClusterSettings::new(Protocol::Http1), &specs);
    let (now, mut rng, mut tried) = (Instant::now(), Rng::new(1), Tried::default());
    cluster.set_health(|of| Some(*of != address(0) && *of != address(1)), now);
    assert!(!cluster.in_panic());
    for _ in 0..3 {
        assert!(cluster.has_untried(Some(&subset), &tried));
        let picked = cluster.pick_untried(now, &mut rng, hints, &tried).unwrap();
        tried.add(&cluster.address(picked).unwrap());
    }
    assert!((0..3).all(|port| tried.has(&address(port))));
    assert!(!cluster.has_untried(Some(&subset), &tried));
}
