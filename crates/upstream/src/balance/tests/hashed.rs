//! Ring and Maglev: shares, what moves when endpoints come and go, bounds.

use std::time::Instant;

use super::{cluster_of, spec};
use crate::balance::hash::nth;
use crate::{
    AttemptOutcome, Balance, Cluster, EndpointSpec, Locality, Maglev, PickHints, RingHash, Rng,
};

const KEYS: u64 = 50_000;

fn by_hash() -> [Balance; 2] {
    // With so many points the ring's shares are as even as it takes to test them.
    let ring = RingHash { size_min: 65_536, ..RingHash::default() };
    [Balance::RingHash(ring), Balance::Maglev(Maglev::default())]
}

fn specs(weights: &[u32]) -> Vec<EndpointSpec> {
    (1..).zip(weights).map(|(port, &weight)| EndpointSpec { weight, ..spec(port) }).collect()
}

fn cluster(balance: Balance, specs: &[EndpointSpec]) -> Cluster<u32> {
    cluster_of(balance, Locality::NONE, specs)
}

/// The port that each key goes to. Each cluster has random numbers of its own.
fn ports(cluster: &mut Cluster<u32>, keys: u64) -> Vec<u16> {
    let mut rng = Rng::new(keys ^ u64::from(cluster.endpoints().count() as u32));
    let now = Instant::now();
    (0..keys)
        .map(|key| {
            let hints = PickHints { hash: Some(nth(42, key)), ..PickHints::NONE };
            let picked = cluster.pick(now, &mut rng, hints).unwrap();
            cluster.address(picked).unwrap().inet().unwrap().port()
        })
        .collect()
}

#[test]
fn keys_share_by_weight() {
    for balance in by_hash() {
        for weights in [&[1, 1, 1, 1][..], &[1, 2, 3, 4], &[10, 1, 1], &[7; 20]] {
            let picked = ports(&mut cluster(balance, &specs(weights)), KEYS);
            let sum: u32 = weights.iter().sum();
            for (port, weight) in (1u16..).zip(weights) {
                let count = picked.iter().filter(|&&picked| picked == port).count() as f64;
                let expected = KEYS as f64 * f64::from(*weight) / f64::from(sum);
                // Four standard deviations of the sample, and 6 % for the table itself.
                let tolerance = 4.0 * expected.sqrt() + 0.06 * expected;
                assert!((count - expected).abs() < tolerance, "{balance:?} {weights:?} {port}");
            }
        }
    }
}

/// The distribution over Maglev's entries is even to within one, so a sample of keys passes a
/// chi-square test: 9 degrees of freedom, 0.1 % = 27.9.
#[test]
fn maglev_passes_a_chi_square_test() {
    let picked = ports(&mut cluster(Balance::Maglev(Maglev::default()), &specs(&[1; 10])), KEYS);
    let expected = KEYS as f64 / 10.0;
    let chi_square: f64 = (1..=10)
        .map(|port| picked.iter().filter(|&&picked| picked == port).count() as f64)
        .map(|count| (count - expected).powi(2) / expected)
        .sum();
    assert!(chi_square < 27.9, "chi-square {chi_square}");
}

#[test]
fn when_one_leaves_only_its_keys_move() {
    let before = specs(&[1; 10]);
    let mut after = before.clone();
    after.remove(3);
    for (balance, others_max) in by_hash().into_iter().zip([0.0, 0.02]) {
        let old = ports(&mut cluster(balance, &before), KEYS);
        let new = ports(&mut cluster(balance, &after), KEYS);
        let moved = old.iter().zip(&new).filter(|(old, new)| old != new && **old != 4).count();
        let share = moved as f64 / KEYS as f64;
        assert!(share <= others_max, "{balance:?} moved {share} of the others' keys");
        assert!(!new.contains(&4));
    }
}

#[test]
fn an_ejection_moves_its_keys_only_and_the_return_brings_them_back() {
    for balance in by_hash() {
        let mut cluster = cluster(balance, &specs(&[1; 10]));
        let old = ports(&mut cluster, 10_000);
        let ejected = cluster.endpoint_at(spec(4).address).unwrap();
        assert!(cluster.finished(ejected, Instant::now(), AttemptOutcome::Failure).is_some());
        let new = ports(&mut cluster, 10_000);
        assert!(!new.contains(&4));
        let moved = old.iter().zip(&new).filter(|(old, new)| old != new && **old != 4).count();
        assert_eq!(moved, 0, "{balance:?}");
        let late = Instant::now() + std::time::Duration::from_secs(1_000);
        let hints = PickHints { hash: Some(1), ..PickHints::NONE };
        let _ends_the_ejection = cluster.pick(late, &mut Rng::new(1), hints);
        assert_eq!(ports(&mut cluster, 10_000), old, "{balance:?}");
    }
}

#[test]
fn neither_order_nor_history_matters() {
    for balance in by_hash() {
        let all = specs(&[1, 2, 3, 4, 5]);
        let expected = ports(&mut cluster(balance, &all), 5_000);
        let mut reversed = all.clone();
        reversed.reverse();
        assert_eq!(ports(&mut cluster(balance, &reversed), 5_000), expected);
        // Grown, shrunk and grown again: places in the table differ, addresses do not.
        let mut grown = cluster(balance, &all[3..]);
        let _ = grown.update_endpoints(&[spec(99), all[0].clone(), all[4].clone()], Instant::now());
        let _ = grown.update_endpoints(&all, Instant::now());
        assert_eq!(ports(&mut grown, 5_000), expected);
    }
}

/// Pinned: a change would move the keys of every cache behind a gateway at its next update.
#[test]
fn keys_stay_over_versions() {
    let picked = |balance| ports(&mut cluster(balance, &specs(&[1, 1, 1, 2])), 12);
    let [ring, maglev] = by_hash();
    assert_eq!(picked(ring), [4, 2, 4, 3, 4, 2, 2, 2, 3, 2, 4, 2]);
    assert_eq!(picked(maglev), [4, 1, 3, 3, 4, 1, 3, 3, 3, 4, 1, 3]);
    assert_eq!(crate::stable_hash(b"bulkhead"), 2_536_745_919_929_004_949);
}

#[test]
fn a_retry_goes_to_the_next_place() {
    for balance in by_hash() {
        let mut cluster = cluster(balance, &specs(&[1; 5]));
        let (now, mut rng) = (Instant::now(), Rng::new(1));
        for key in 0..200 {
            let hints = PickHints { hash: Some(nth(9, key)), ..PickHints::NONE };
            let first = cluster.pick(now, &mut rng, hints).unwrap();
            let second = cluster.pick(now, &mut rng, PickHints { avoid: Some(first), ..hints });
            assert_ne!(second, Some(first));
            assert_eq!(cluster.pick(now, &mut rng, hints), Some(first), "the key keeps its place");
        }
    }
}

#[test]
fn bounded_load_holds_for_one_popular_key() {
    for balance in [
        Balance::RingHash(RingHash { load_max: Some(125), ..RingHash::default() }),
        Balance::Maglev(Maglev { load_max: Some(125), ..Maglev::default() }),
    ] {
        let mut cluster = cluster(balance, &specs(&[1, 1, 2]));
        let (now, mut rng) = (Instant::now(), Rng::new(1));
        let hints = PickHints { hash: Some(77), ..PickHints::NONE };
        for requests in 1..=400u32 {
            let picked = cluster.pick(now, &mut rng, hints).unwrap();
            cluster.started(picked);
            for (endpoint, weight) in cluster.endpoints().zip([1, 1, 2]) {
                let bound = (1.25 * f64::from(requests * weight) / 4.0).ceil();
                assert!(f64::from(endpoint.in_flight) <= bound, "{balance:?} after {requests}");
            }
        }
    }
}

#[test]
fn the_ring_keeps_to_its_limits() {
    use crate::balance::hashed::Member;
    use crate::balance::ring_hash::Ring;
    for (size_min, size_max, weights, expected) in [
        (1_024, 8_388_608, &[1; 8][..], 1_024),
        (1_000, 8_388_608, &[1; 10], 1_280),
        (1_024, 8_388_608, &[1, 1_000], 2 * 1_001),
        (1_024, 100, &[1; 10], 80),
        (1_024, 4, &[1; 10], 10),
        (1, 8, &[1], 1),
    ] {
        let members: Vec<_> = (0..)
            .zip(specs(weights))
            .map(|(place, spec)| Member {
                address: spec.address.clone(),
                weight: spec.weight,
                place,
            })
            .collect();
        let ring = Ring::build(&RingHash { size_min, size_max, load_max: None }, &members);
        assert_eq!(ring.len(), expected, "{size_min} {size_max} {weights:?}");
    }
}
