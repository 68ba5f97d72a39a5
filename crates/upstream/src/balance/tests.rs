//! Shares and exclusions over many picks.

use std::time::Instant;

use crate::{
    AttemptOutcome, Balance, Cluster, ClusterSettings, EjectionSettings, EndpointId, EndpointSpec,
    Locality, Maglev, PickHints, Protocol, RingHash, Rng,
};

mod hashed;
mod peak_ewma;
mod subsets;
mod tiers;

/// All algorithms; those by hash draw at random, as no hash is given.
fn all() -> [Balance; 6] {
    [
        Balance::LeastRequest,
        Balance::RoundRobin,
        Balance::Random,
        Balance::PeakEwma,
        Balance::RingHash(RingHash::default()),
        Balance::Maglev(Maglev::default()),
    ]
}

fn cluster(balance: Balance, weights: &[u32]) -> Cluster<u32> {
    let specs: Vec<_> = (1u16..)
        .zip(weights)
        .map(|(port, &weight)| EndpointSpec { weight, ..spec(port) })
        .collect();
    cluster_of(balance, Locality::NONE, &specs)
}

fn spec(port: u16) -> EndpointSpec {
    EndpointSpec::new(([127, 0, 0, 1], port))
}

fn avoiding(endpoint: EndpointId) -> PickHints<'static> {
    PickHints { avoid: Some(endpoint), ..PickHints::NONE }
}

fn cluster_of(balance: Balance, locality: Locality, specs: &[EndpointSpec]) -> Cluster<u32> {
    let settings = ClusterSettings {
        balance,
        locality,
        ejection: Some(EjectionSettings {
            consecutive_failures: 1,
            percent_max: 100,
            ..EjectionSettings::DEFAULT
        }),
        ..ClusterSettings::new(Protocol::Http1)
    };
    Cluster::new(&settings, specs)
}

/// How often each endpoint was picked.
fn shares(cluster: &mut Cluster<u32>, now: Instant, picks: u32) -> Vec<u32> {
    let mut rng = Rng::new(7);
    let mut counts = vec![0; cluster.endpoints().count()];
    for _ in 0..picks {
        let picked = cluster.pick(now, &mut rng, PickHints::NONE).unwrap();
        counts[picked.index as usize] += 1;
    }
    counts
}

#[test]
fn idle_endpoints_share_by_weight() {
    let now = Instant::now();
    for (balance, weights) in [
        (Balance::LeastRequest, &[1, 1][..]),
        (Balance::LeastRequest, &[1, 2, 3, 4]),
        (Balance::LeastRequest, &[5, 5, 5, 5, 5]),
        (Balance::LeastRequest, &[1, 9]),
        (Balance::LeastRequest, &[1_000, 1, 1_000]),
        (Balance::RoundRobin, &[1, 1, 1]),
        (Balance::RoundRobin, &[5, 1, 1]),
        (Balance::RoundRobin, &[1, 2, 3, 4]),
        (Balance::LeastRequest, &[3]),
        (Balance::Random, &[1, 1, 1]),
        (Balance::Random, &[1, 2, 3, 4]),
        (Balance::PeakEwma, &[1, 2, 3, 4]),
        (Balance::Maglev(Maglev::default()), &[1, 2, 3, 4]),
    ] {
        let picks = 40_000;
        let counts = shares(&mut cluster(balance, weights), now, picks);
        let sum: u32 = weights.iter().sum();
        for (&count, &weight) in counts.iter().zip(weights) {
            let expected = f64::from(picks) * f64::from(weight) / f64::from(sum);
            let tolerance = expected.sqrt() * 4.0 + 2.0;
            let distance = (f64::from(count) - expected).abs();
            assert!(distance < tolerance, "{balance:?} {weights:?} gave {counts:?}");
        }
    }
}

#[test]
fn round_robin_is_smooth() {
    let now = Instant::now();
    let mut rng = Rng::new(1);
    for (weights, expect) in [
        (&[5, 1, 1][..], &[0, 0, 1, 0, 2, 0, 0][..]),
        (&[1, 1, 1], &[0, 1, 2, 0, 1, 2]),
        (&[2, 1], &[0, 1, 0, 0, 1, 0]),
    ] {
        let mut cluster = cluster(Balance::RoundRobin, weights);
        let order: Vec<_> = expect
            .iter()
            .map(|_| cluster.pick(now, &mut rng, PickHints::NONE).unwrap().index)
            .collect();
        assert_eq!(order, expect, "weights {weights:?}");
    }
}

#[test]
fn the_less_loaded_of_two_is_picked() {
    let now = Instant::now();
    let mut rng = Rng::new(1);
    // In flight and weights; which one wins every draw.
    for (weights, in_flight, winner) in [
        ([1, 1], [3, 2], 1),
        ([1, 1], [0, 1], 0),
        ([10, 1], [9, 1], 0),
        ([10, 1], [11, 1], 1),
        ([1, 10], [1, 9], 1),
    ] {
        let mut cluster = cluster(Balance::LeastRequest, &weights);
        let ids: Vec<_> = cluster.endpoints().map(|e| e.id).collect();
        for (&id, count) in ids.iter().zip(in_flight) {
            (0..count).for_each(|_| cluster.started(id));
        }
        for _ in 0..50 {
            let picked = cluster.pick(now, &mut rng, PickHints::NONE).unwrap();
            assert_eq!(picked, ids[winner], "{weights:?} {in_flight:?}");
        }
    }
}

#[test]
fn the_excluded_endpoint_is_a_last_resort() {
    let now = Instant::now();
    let mut rng = Rng::new(3);
    for balance in all() {
        for weights in [&[1, 1][..], &[1, 1, 1, 1], &[7, 1, 2]] {
            let mut cluster = cluster(balance, weights);
            let excluded = cluster.endpoints().next().unwrap().id;
            for _ in 0..200 {
                let picked = cluster.pick(now, &mut rng, avoiding(excluded)).unwrap();
                assert_ne!(picked, excluded, "{balance:?} {weights:?}");
            }
        }
        let mut alone = cluster(balance, &[1]);
        let only = alone.endpoints().next().unwrap().id;
        assert_eq!(alone.pick(now, &mut rng, avoiding(only)), Some(only));
        assert_eq!(cluster(balance, &[]).pick(now, &mut rng, PickHints::NONE), None);
    }
}

#[test]
fn ejected_endpoints_are_skipped_until_half_are_gone() {
    let now = Instant::now();
    for balance in all() {
        for (total, ejected, considered) in
            [(4, 1, 3), (4, 2, 2), (4, 3, 4), (4, 4, 4), (2, 1, 1), (3, 1, 2), (3, 2, 3), (1, 1, 1)]
        {
            let mut cluster = cluster(balance, &vec![1; total]);
            let ids: Vec<_> = cluster.endpoints().map(|e| e.id).collect();
            for &id in &ids[..ejected] {
                assert!(cluster.finished(id, now, AttemptOutcome::Failure).is_some());
            }
            let counts = shares(&mut cluster, now, 400);
            let used = counts.iter().filter(|&&count| count > 0).count();
            assert_eq!(used, considered, "{balance:?}: {ejected} of {total} ejected: {counts:?}");
        }
    }
}
