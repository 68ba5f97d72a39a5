//! Tables of tallies, and simulations of clusters with a bad endpoint and with none but bad ones.

use std::time::{Duration, Instant};

use super::{FailurePercentage, SuccessRate, Tally, outliers};
use crate::{
    AttemptOutcome, Balance, Cluster, ClusterSettings, EjectionSettings, EndpointSpec, PickHints,
    Protocol, Rng,
};

const RATE: SuccessRate =
    SuccessRate { minimum_endpoints: 5, minimum_requests: 100, stdev_factor: 1.9 };
const SHARE: FailurePercentage =
    FailurePercentage { threshold: 85, minimum_endpoints: 5, minimum_requests: 50 };

#[test]
fn who_is_an_outlier() {
    // Successes and requests of each endpoint; outliers by success rate, by share of failures.
    for (tallies, by_rate, by_share) in [
        (&[(100, 100); 6][..], &[][..], &[][..]),
        (&[(70, 100), (100, 100), (100, 100), (100, 100), (100, 100)], &[0], &[]),
        (&[(100, 100), (100, 100), (100, 100), (100, 100), (0, 100)], &[4], &[4]),
        // Too few that count: endpoints, then requests.
        (&[(0, 100), (100, 100), (100, 100), (100, 100)], &[], &[]),
        (&[(0, 99), (100, 100), (100, 100), (100, 100), (100, 100)], &[], &[0]),
        (&[(0, 49), (100, 100), (100, 100), (100, 100), (100, 100), (100, 100)], &[], &[]),
        // Equally bad.
        (&[(0, 100); 6], &[], &[0, 1, 2, 3, 4, 5]),
        (&[(30, 100); 6], &[], &[]),
        // One failure of a hundred is bad luck.
        (&[(99, 100), (100, 100), (100, 100), (100, 100), (100, 100), (100, 100)], &[], &[]),
        // The worst comes first.
        (&[(15, 100), (10, 100), (100, 100), (100, 100), (100, 100)], &[], &[1, 0]),
        (&[(0, 0); 6], &[], &[]),
        (&[], &[], &[]),
    ] {
        let tallies: Vec<_> = tallies
            .iter()
            .map(|&(successes, requests)| Tally { requests, successes })
            .enumerate()
            .collect();
        assert_eq!(outliers(&tallies, Some(&RATE), None), by_rate, "rate: {tallies:?}");
        assert_eq!(outliers(&tallies, None, Some(&SHARE)), by_share, "share: {tallies:?}");
        assert_eq!(outliers(&tallies, None, None), [], "off: {tallies:?}");
    }
}

/// Sends requests for a minute, 1,000 a second, to endpoints that fail with these probabilities in
/// percent; gives which were ejected.
fn simulate(failing: &[u64], seed: u64) -> Vec<bool> {
    let specs: Vec<_> =
        (1u16..).zip(failing).map(|(port, _)| EndpointSpec::new(([127, 0, 0, 1], port))).collect();
    let settings = ClusterSettings {
        balance: Balance::LeastRequest,
        ejection: Some(EjectionSettings {
            consecutive_failures: 1_000_000,
            success_rate: Some(RATE),
            failure_percentage: Some(SHARE),
            // So that nobody is back before the end.
            duration: Duration::from_secs(3_600),
            duration_max: Duration::from_secs(3_600),
            ..EjectionSettings::DEFAULT
        }),
        ..ClusterSettings::new(Protocol::Http1)
    };
    let mut cluster = Cluster::<u32>::new(&settings, &specs);
    let (start, mut rng) = (Instant::now(), Rng::new(seed));
    for millisecond in 0..60_000 {
        let now = start + Duration::from_millis(millisecond);
        let Some(id) = cluster.pick(now, &mut rng, PickHints::NONE) else { continue };
        cluster.started(id);
        let failed = rng.below(100) < failing[id.index as usize];
        let outcome =
            if failed { AttemptOutcome::ServerError(500) } else { AttemptOutcome::Success };
        assert_eq!(cluster.finished(id, now, outcome), None, "not by a row of failures");
    }
    cluster.endpoints().map(|endpoint| endpoint.ejected_until.is_some()).collect()
}

#[test]
fn one_that_fails_among_good_ones_is_ejected() {
    for seed in 1..=5 {
        let mut failing = [1; 10];
        failing[3] = 30;
        let ejected = simulate(&failing, seed);
        let expect: Vec<_> = (0..10).map(|index| index == 3).collect();
        assert_eq!(ejected, expect, "seed {seed}");
    }
}

#[test]
fn of_equally_bad_ones_none_is_ejected() {
    for percent in [0, 1, 30, 60] {
        for seed in 1..=5 {
            let ejected = simulate(&[percent; 10], seed);
            assert!(!ejected.contains(&true), "{percent} %, seed {seed}: {ejected:?}");
        }
    }
}

#[test]
fn when_all_fail_no_more_than_the_share_is_ejected() {
    let ejected = simulate(&[100; 10], 1);
    assert_eq!(ejected.iter().filter(|&&ejected| ejected).count(), 5);
}
