//! Peak EWMA: what attracts requests and what does not.

use std::time::{Duration, Instant};

use super::cluster;
use crate::{AttemptOutcome, Balance, ClusterSettings, PickHints, Protocol, Rng};

const MS: Duration = Duration::from_millis(1);

/// How many of 1,000 idle picks go to each endpoint.
fn picks(cluster: &mut crate::Cluster<u32>, now: Instant) -> Vec<u32> {
    let mut rng = Rng::new(5);
    let mut counts = vec![0; cluster.endpoints().count()];
    for _ in 0..1_000 {
        counts[cluster.pick(now, &mut rng, PickHints::NONE).unwrap().index as usize] += 1;
    }
    counts
}

/// Without ejection: what failures do to the latency alone.
fn unforgiving() -> ClusterSettings {
    let settings = ClusterSettings::new(Protocol::Http1);
    ClusterSettings { balance: Balance::PeakEwma, ejection: None, ..settings }
}

#[test]
fn the_slow_and_the_failing_get_little_until_the_memory_fades() {
    let start = Instant::now();
    // What the third of three endpoints is heard of, beside two that answer in 5 ms; how long until
    // it is idle on a par with them again: average × e^(-t/10 s) = 5 ms, theirs being fresh.
    let failures = [AttemptOutcome::Failure, AttemptOutcome::ServerError(503)];
    let failing = failures.map(|outcome| (MS, Some(outcome), 53));
    let slow = [(50 * MS, None, 24), (500 * MS, None, 47)];
    for (latency, fails, fades) in slow.into_iter().chain(failing) {
        let mut cluster = cluster(Balance::PeakEwma, &[1; 3]);
        let ids: Vec<_> = cluster.endpoints().map(|endpoint| endpoint.id).collect();
        cluster.observe(ids[2], start, latency);
        if let Some(outcome) = fails {
            cluster.update_settings(&unforgiving(), start);
            assert_eq!(cluster.finished(ids[2], start, outcome), None);
        }
        for second in 0..60 {
            let now = start + Duration::from_secs(second);
            for &id in &ids[..2] {
                cluster.observe(id, now, 5 * MS);
            }
            let counts = picks(&mut cluster, now);
            assert_eq!(counts[2] == 0, second < fades, "{latency:?} {fails:?} {second} {counts:?}");
        }
    }
}

#[test]
fn a_peak_counts_at_once_and_good_news_slowly() {
    let start = Instant::now();
    let mut cluster = cluster(Balance::PeakEwma, &[1; 2]);
    let ids: Vec<_> = cluster.endpoints().map(|endpoint| endpoint.id).collect();
    cluster.observe(ids[0], start, 10 * MS);
    cluster.observe(ids[1], start, 20 * MS);
    assert_eq!(picks(&mut cluster, start), [1_000, 0]);
    cluster.observe(ids[0], start, 30 * MS);
    assert_eq!(picks(&mut cluster, start), [0, 1_000]);
    // One fast answer right after changes nothing.
    cluster.observe(ids[0], start + MS, MS);
    assert_eq!(picks(&mut cluster, start + MS), [0, 1_000]);
}

#[test]
fn requests_in_flight_multiply_and_weights_divide() {
    let now = Instant::now();
    let mut cluster = cluster(Balance::PeakEwma, &[1, 4]);
    let ids: Vec<_> = cluster.endpoints().map(|endpoint| endpoint.id).collect();
    cluster.observe(ids[0], now, 10 * MS);
    cluster.observe(ids[1], now, 30 * MS);
    assert_eq!(picks(&mut cluster, now), [0, 1_000], "30 ÷ 4 is less than 10");
    cluster.started(ids[1]);
    assert_eq!(picks(&mut cluster, now), [1_000, 0], "30 × 2 ÷ 4 is more");
}

#[test]
fn an_unknown_endpoint_is_tried_once() {
    let now = Instant::now();
    let mut cluster = cluster(Balance::PeakEwma, &[1; 2]);
    let ids: Vec<_> = cluster.endpoints().map(|endpoint| endpoint.id).collect();
    cluster.observe(ids[0], now, MS);
    assert_eq!(picks(&mut cluster, now), [0, 1_000]);
    cluster.started(ids[1]);
    assert_eq!(picks(&mut cluster, now), [1_000, 0]);
}
