//! Retries go where none has been.

use std::time::Instant;

use super::*;
use crate::{Balance, ClusterSettings, EndpointSpec, Protocol};

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
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
            for attempt in 0..TRIED_MAX {
                let picked = cluster
                    .pick_untried(Instant::now(), &mut rng, PickHints::NONE, &tried)
                    .unwrap();
                let address = cluster.address(picked).unwrap();
                assert!(!tried.has(address), "{balance:?}, seed {seed}, attempt {attempt}");
                tried.add(address);
            }
            // Then one that was tried is better than none.
            assert!(
                cluster.pick_untried(Instant::now(), &mut rng, PickHints::NONE, &tried).is_some()
            );
        }
    }
}

#[test]
fn the_first_ones_are_forgotten() {
    let mut tried = Tried::default();
    for port in 0..=TRIED_MAX as u16 {
        tried.add(address(port));
        tried.add(address(port));
    }
    assert!(!tried.has(address(0)));
    assert!((1..=TRIED_MAX as u16).all(|port| tried.has(address(port))));
    tried.clear();
    assert!(!tried.has(address(1)));
}
