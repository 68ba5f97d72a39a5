//! The formula, and the shares that endpoints get while they start.

use std::time::{Duration, Instant};

use bulkhead_message::Address;

use super::SlowStart;
use crate::{
    AttemptOutcome, Balance, Cluster, ClusterSettings, EjectionSettings, EndpointSpec, PickHints,
    Protocol, Rng,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn shares_follow_the_formula() {
    // Aggression, least share, seconds of a window of 100, share of a weight of 3 in percent of 300.
    for (aggression, min_percent, seconds, share) in [
        (1.0, 10, 0, 30),
        (1.0, 10, 5, 30),
        (1.0, 10, 50, 150),
        (1.0, 10, 99, 297),
        (1.0, 10, 100, 300),
        (1.0, 10, 1_000, 300),
        (1.0, 0, 0, 1),
        (2.0, 10, 25, 150),
        (0.5, 10, 50, 75),
        (1.0, 100, 0, 300),
    ] {
        let slow = SlowStart { window: SECOND * 100, aggression, min_percent };
        let since = Instant::now();
        let got = slow.share(3, since, since + SECOND * seconds);
        assert_eq!(got, share, "{aggression} {min_percent} {seconds}");
    }
}

fn address(port: u16) -> Address {
    ([127, 0, 0, 1], port).into()
}

fn verdicts(told: &[(Address, bool)]) -> impl Fn(&Address) -> Option<bool> {
    let told = told.to_vec();
    move |address| told.iter().find(|(of, _)| of == address).map(|(_, healthy)| *healthy)
}

fn settings(balance: Balance) -> ClusterSettings {
    ClusterSettings {
        balance,
        slow_start: Some(SlowStart { window: SECOND * 100, aggression: 1.0, min_percent: 10 }),
        ejection: Some(EjectionSettings { consecutive_failures: 1, ..EjectionSettings::DEFAULT }),
        ..ClusterSettings::new(Protocol::Http1)
    }
}

/// Requests of 10,000 that go to `port`.
fn share(cluster: &mut Cluster<u32>, port: u16, now: Instant) -> u32 {
    let mut rng = Rng::new(3);
    let wanted = cluster.endpoint_at(address(port));
    (0..10_000).filter(|_| cluster.pick(now, &mut rng, PickHints::NONE) == wanted).count() as u32
}

#[test]
fn newcomers_and_the_recovered_start_slowly() {
    for balance in [Balance::LeastRequest, Balance::RoundRobin] {
        let start = Instant::now();
        let mut cluster = Cluster::new(&settings(balance), &[EndpointSpec::new(address(1))]);
        let specs = [EndpointSpec::new(address(1)), EndpointSpec::new(address(2))];
        let _ = cluster.update_endpoints(&specs, start);
        // Weights 100 and 10, then 100 and 50, then equal.
        for (seconds, expect) in [(0, 909), (50, 3_333), (100, 5_000), (200, 5_000)] {
            let got = share(&mut cluster, 2, start + SECOND * seconds);
            assert!(got.abs_diff(expect) < 200, "{balance:?} after {seconds} s: {got}");
        }
        // Ejected for 30 s: begins anew when it is back.
        let two = cluster.endpoint_at(address(2)).unwrap();
        let failed = start + SECOND * 200;
        assert!(cluster.finished(two, failed, AttemptOutcome::Failure).is_some());
        assert_eq!(share(&mut cluster, 2, failed), 0);
        let got = share(&mut cluster, 2, failed + SECOND * 30);
        assert!(got.abs_diff(909) < 200, "{balance:?} back from ejection: {got}");
        let recovered = failed + SECOND * 300;
        cluster.set_health(verdicts(&[(address(2), false)]), recovered);
        cluster.set_health(verdicts(&[(address(2), true)]), recovered);
        let got = share(&mut cluster, 2, recovered);
        assert!(got.abs_diff(909) < 200, "{balance:?} healthy again: {got}");
        assert!(!cluster.in_panic());
    }
}

#[test]
fn turns_go_on_while_shares_grow() {
    let mut now = Instant::now();
    let specs = [1, 2, 3].map(|port| EndpointSpec::new(address(port)));
    let mut cluster = Cluster::<u32>::new(&settings(Balance::RoundRobin), &specs[..2]);
    let _ = cluster.update_endpoints(&specs, now);
    let mut rng = Rng::new(3);
    let mut turns = [0u32; 3];
    // So few requests that shares are computed anew before each: a hundred of them in two windows.
    for _ in 0..100 {
        let id = cluster.pick(now, &mut rng, PickHints::NONE).unwrap();
        turns[id.index as usize] += 1;
        now += SECOND * 2;
    }
    // The newcomer gets about half of its share in its window, and then all of it.
    assert!(turns[0].abs_diff(turns[1]) <= 2, "{turns:?}");
    assert!((24..=30).contains(&turns[2]), "{turns:?}");
}

#[test]
fn a_fresh_cluster_does_not_start_slowly_and_off_is_off() {
    let now = Instant::now();
    let both = [
        EndpointSpec { weight: 3, ..EndpointSpec::new(address(1)) },
        EndpointSpec::new(address(2)),
    ];
    let mut fresh = Cluster::new(&settings(Balance::RoundRobin), &both);
    assert_eq!(share(&mut fresh, 2, now), 2_500);
    let mut cluster = Cluster::new(&settings(Balance::RoundRobin), &both[..1]);
    let _ = cluster.update_endpoints(&both, now);
    assert!(share(&mut cluster, 2, now) < 500);
    let off = ClusterSettings { slow_start: None, ..settings(Balance::RoundRobin) };
    cluster.update_settings(&off, now);
    assert_eq!(share(&mut cluster, 2, now), 2_500);
}
