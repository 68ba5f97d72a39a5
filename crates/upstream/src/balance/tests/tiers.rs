//! Priorities and zones: which share each tier takes.

use std::time::Instant;

use super::{cluster_of, spec};
use crate::{
    AttemptOutcome, Balance, Cluster, EndpointSpec, Locality, Maglev, PickHints, RingHash, Rng,
};

const PICKS: u32 = 20_000;

/// Endpoints with ports from `first`.
fn row(first: u16, count: u16, local: bool, priority: u8) -> Vec<EndpointSpec> {
    (first..first + count).map(|port| EndpointSpec { local, priority, ..spec(port) }).collect()
}

fn eject(cluster: &mut Cluster<u32>, ports: std::ops::Range<u16>) {
    for port in ports {
        let id = cluster.endpoint_at(spec(port).address).unwrap();
        assert!(cluster.finished(id, Instant::now(), AttemptOutcome::Failure).is_some());
    }
}

/// Share of the picks, in percent, that go to ports from 100.
fn remote_percent(cluster: &mut Cluster<u32>) -> f64 {
    let mut rng = Rng::new(11);
    let remote = (0..PICKS).filter(|_| {
        let hints = PickHints { hash: Some(rng.next()), ..PickHints::NONE };
        let picked = cluster.pick(Instant::now(), &mut rng, hints).unwrap();
        cluster.address(picked).unwrap().inet().unwrap().port() >= 100
    });
    remote.count() as f64 * 100.0 / f64::from(PICKS)
}

fn local_first() -> Locality {
    Locality { prefer_local: true, ..Locality::NONE }
}

#[test]
fn the_own_zone_takes_all_while_it_can() {
    for balance in [
        Balance::LeastRequest,
        Balance::RoundRobin,
        Balance::PeakEwma,
        Balance::RingHash(RingHash::default()),
        Balance::Maglev(Maglev::default()),
    ] {
        // Of 10 local and 20 others, so many local ones are ejected; the remote share then, by
        // 100 - 1.4 × available percent.
        for (ejected, expected) in [(0, 0.0), (2, 0.0), (3, 2.0), (5, 30.0), (8, 72.0), (10, 100.0)]
        {
            let specs = [row(1, 10, true, 0), row(100, 20, false, 0)].concat();
            let mut cluster = cluster_of(balance, local_first(), &specs);
            eject(&mut cluster, 1..1 + ejected);
            let share = remote_percent(&mut cluster);
            assert!((share - expected).abs() < 1.5, "{balance:?}, {ejected} ejected: {share} %");
        }
    }
}

#[test]
fn zones_count_only_if_asked_for_and_large_enough() {
    let specs = [row(1, 2, true, 0), row(100, 6, false, 0)].concat();
    for (locality, expected) in [
        (Locality::NONE, 75.0),
        (local_first(), 0.0),
        (Locality { local_endpoints_min: 2, ..local_first() }, 0.0),
        (Locality { local_endpoints_min: 3, ..local_first() }, 75.0),
    ] {
        let share = remote_percent(&mut cluster_of(Balance::LeastRequest, locality, &specs));
        assert!((share - expected).abs() < 1.5, "{locality:?}: {share} %");
    }
}

#[test]
fn priorities_come_before_zones() {
    let specs = [row(1, 2, false, 0), row(100, 2, true, 1)].concat();
    let mut cluster = cluster_of(Balance::LeastRequest, local_first(), &specs);
    assert!(remote_percent(&mut cluster) < 0.1);
    // Half of the first priority is 70 % of the requests.
    eject(&mut cluster, 1..2);
    let share = remote_percent(&mut cluster);
    assert!((share - 30.0).abs() < 1.5, "{share} %");
}

#[test]
fn in_panic_the_first_tier_takes_all_again() {
    let specs = [row(1, 4, false, 0), row(100, 2, false, 1)].concat();
    let mut cluster = cluster_of(Balance::LeastRequest, Locality::NONE, &specs);
    eject(&mut cluster, 1..5);
    assert!(remote_percent(&mut cluster) < 0.1, "4 of 6 are ejected: none counts");
}

#[test]
fn a_full_zone_spills_over() {
    let specs = [row(1, 2, true, 0), row(100, 2, false, 0)].concat();
    let locality = Locality { spill_over_requests: Some(3), ..local_first() };
    for balance in [Balance::LeastRequest, Balance::RoundRobin, Balance::Random] {
        let mut cluster = cluster_of(balance, locality, &specs);
        let mut rng = Rng::new(1);
        let mut pick = |cluster: &mut Cluster<u32>| {
            let picked = cluster.pick(Instant::now(), &mut rng, PickHints::NONE).unwrap();
            cluster.started(picked);
        };
        (0..40).for_each(|_| pick(&mut cluster));
        let in_flight: Vec<u32> = cluster.endpoints().map(|endpoint| endpoint.in_flight).collect();
        assert!(in_flight.iter().all(|&count| count >= 3), "{balance:?}: {in_flight:?}");
        // Once all are full the own zone is as good as any.
        let (local, remote) = (in_flight[0] + in_flight[1], in_flight[2] + in_flight[3]);
        assert!(local > remote, "{balance:?}: {in_flight:?}");
    }
}

#[test]
fn a_retry_leaves_a_zone_of_one() {
    let specs = [row(1, 1, true, 0), row(100, 1, false, 0)].concat();
    let mut cluster = cluster_of(Balance::LeastRequest, local_first(), &specs);
    let (now, mut rng) = (Instant::now(), Rng::new(1));
    let first = cluster.pick(now, &mut rng, PickHints::NONE).unwrap();
    let hints = PickHints { avoid: Some(first), ..PickHints::NONE };
    assert_ne!(cluster.pick(now, &mut rng, hints), Some(first));
}

#[test]
fn a_small_rest_of_each_tier_still_serves() {
    let mut specs = [row(1, 2, false, 0), row(100, 2, false, 1)].concat();
    specs[0].weight = 1_000;
    specs[2].weight = 1_000;
    let mut cluster = cluster_of(Balance::LeastRequest, Locality::NONE, &specs);
    let heavy = [specs[0].address.clone(), specs[2].address.clone()];
    cluster.set_health(|address| Some(!heavy.contains(address)), Instant::now());
    assert!(!cluster.in_panic());
    let share = remote_percent(&mut cluster);
    assert!((share - 50.0).abs() < 1.5, "{share} %");
}
