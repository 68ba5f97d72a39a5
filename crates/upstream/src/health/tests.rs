//! Rows of results, and what verdicts do to the choice of endpoints.

use std::time::{Duration, Instant};

use bulkhead_message::Address;

use super::{CheckedHealth, HealthThresholds};
use crate::{
    AttemptOutcome, Balance, Cluster, ClusterSettings, EjectionSettings, EndpointSpec, PickHints,
    Protocol, Rng,
};

#[test]
fn the_first_result_decides_and_then_rows_do() {
    let thresholds = HealthThresholds { healthy: 2, unhealthy: 3 };
    // Results (`+` passed, `-` failed) and the verdict after each that changed it.
    for (results, changes) in [
        ("+", "+"),
        ("-", "-"),
        ("+--", "+.."),
        ("+---", "+..-"),
        ("+--+--", "+....."),
        ("-+", "-."),
        ("-++", "-.+"),
        ("-+-+-", "-...."),
        ("---++---", "-...+..-"),
    ] {
        let mut health = CheckedHealth::default();
        let got: String = results
            .chars()
            .map(|result| match health.record(result == '+', &thresholds) {
                Some(true) => '+',
                Some(false) => '-',
                None => '.',
            })
            .collect();
        assert_eq!(got, changes, "{results}");
    }
    let zero = HealthThresholds { healthy: 0, unhealthy: 0 };
    let mut health = CheckedHealth::default();
    assert_eq!(health.record(true, &zero), Some(true));
    assert_eq!(health.record(false, &zero), Some(false));
}

fn address(port: u16) -> Address {
    ([127, 0, 0, 1], port).into()
}

fn verdicts(told: &[(Address, bool)]) -> impl Fn(&Address) -> Option<bool> {
    let told = told.to_vec();
    move |address| told.iter().find(|(of, _)| of == address).map(|(_, healthy)| *healthy)
}

fn cluster(endpoints: u16, panic_percent: u32, initially_healthy: bool) -> Cluster<u32> {
    let specs: Vec<_> = (1..=endpoints).map(|port| EndpointSpec::new(address(port))).collect();
    let settings = ClusterSettings {
        balance: Balance::RoundRobin,
        panic_percent,
        initially_healthy,
        ejection: Some(EjectionSettings {
            consecutive_failures: 1,
            percent_max: 100,
            ..EjectionSettings::DEFAULT
        }),
        ..ClusterSettings::new(Protocol::Http1)
    };
    Cluster::new(&settings, &specs)
}

/// Ports that are picked.
fn picked(cluster: &mut Cluster<u32>, now: Instant) -> Vec<u16> {
    let mut rng = Rng::new(1);
    let mut ports: Vec<_> = (0..64)
        .filter_map(|_| {
            let id = cluster.pick(now, &mut rng, PickHints::NONE)?;
            Some(cluster.address(id)?.inet()?.port())
        })
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

#[test]
fn unhealthy_and_ejected_endpoints_count_together_for_panic() {
    let now = Instant::now();
    // Panic threshold, unhealthy, ejected (of four endpoints), ports picked, panic.
    for (threshold, unhealthy, ejected, expect, panic) in [
        (50, &[][..], &[][..], &[1, 2, 3, 4][..], false),
        (50, &[1], &[], &[2, 3, 4], false),
        (50, &[1], &[2], &[3, 4], false),
        (50, &[1, 2], &[3], &[1, 2, 3, 4], true),
        (50, &[1, 2], &[2], &[3, 4], false),
        (100, &[1], &[], &[1, 2, 3, 4], true),
        (0, &[1, 2], &[3], &[4], false),
        (0, &[1, 2, 3], &[4], &[], false),
        (1, &[1, 2, 3, 4], &[], &[1, 2, 3, 4], true),
    ] {
        let mut cluster = cluster(4, threshold, true);
        let told: Vec<_> = unhealthy.iter().map(|&port| (address(port), false)).collect();
        cluster.set_health(verdicts(&told), now);
        for &port in ejected {
            let id = cluster.endpoint_at(address(port)).unwrap();
            assert!(cluster.finished(id, now, AttemptOutcome::Failure).is_some());
        }
        let case = format!("{threshold} {unhealthy:?} {ejected:?}");
        assert_eq!(picked(&mut cluster, now), expect, "{case}");
        assert_eq!(cluster.in_panic(), panic, "{case}");
    }
}

#[test]
fn new_endpoints_are_what_the_settings_say_until_checked() {
    let now = Instant::now();
    for (initially_healthy, expect) in [(true, &[1, 2, 3][..]), (false, &[1, 2])] {
        let mut cluster = cluster(2, 0, initially_healthy);
        cluster.set_health(verdicts(&[(address(1), true), (address(2), true)]), now);
        let specs: Vec<_> = (1..=3).map(|port| EndpointSpec::new(address(port))).collect();
        let _ = cluster.update_endpoints(&specs, now);
        assert_eq!(picked(&mut cluster, now), expect);
        cluster.set_health(verdicts(&[(address(3), true), (address(9), false)]), now);
        assert_eq!(picked(&mut cluster, now), [1, 2, 3], "an unknown address is nobody");
    }
}

#[test]
fn an_endpoint_that_recovers_is_not_ejected_any_more() {
    let now = Instant::now();
    let mut cluster = cluster(2, 0, true);
    let one = cluster.endpoint_at(address(1)).unwrap();
    assert!(cluster.finished(one, now, AttemptOutcome::Failure).is_some());
    cluster.set_health(verdicts(&[(address(1), true)]), now);
    assert_eq!(picked(&mut cluster, now), [2], "a verdict that says nothing new changes nothing");
    cluster.set_health(verdicts(&[(address(1), false)]), now);
    assert_eq!(picked(&mut cluster, now + Duration::from_secs(3_600)), [2]);
    cluster.set_health(verdicts(&[(address(1), true)]), now);
    assert_eq!(picked(&mut cluster, now), [1, 2]);
}

#[test]
fn without_checks_everybody_is_healthy() {
    let now = Instant::now();
    let mut cluster = cluster(2, 0, false);
    assert_eq!(picked(&mut cluster, now), []);
    cluster.trust_everybody(now);
    assert_eq!(picked(&mut cluster, now), [1, 2]);
}
