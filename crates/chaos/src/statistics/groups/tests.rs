use super::*;
use crate::Random;

const CRITERIA: GroupCriteria = GroupCriteria {
    error_share: Some(0.01),
    latency: Some(LatencyCriterion { quantile: 0.9, margin_ms: 10.0 }),
};

/// So many requests of 1 to 100 ms, evenly, and `later_ms` more.
fn group(requests: u64, failures: u64, later_ms: u64) -> GroupReport {
    let mut durations_us = Vec::new();
    for percent in 1..=100 {
        let count = requests * percent / 100 - requests * (percent - 1) / 100;
        durations_us.push(((percent + later_ms) * 1_000, count));
    }
    durations_us.retain(|(_, count)| *count > 0);
    GroupReport { requests, failures, mean_ms: 0.0, durations_us }
}

#[track_caller]
fn answers(control: GroupReport, experiment: GroupReport) -> [Answered; 2] {
    let compared = GroupReports { control, experiment }.compare(CRITERIA);
    [compared[0].answer, compared[1].answer]
}

#[test]
fn a_difference_is_within_the_margin_beyond_it_or_not_to_be_told() {
    use Answered::{Deviated, Held, TooLittleData};
    for (experiment, expected) in [
        (group(10_000, 10, 0), [Held, Held]),
        (group(10_000, 300, 0), [Deviated, Held]),
        (group(10_000, 110, 0), [TooLittleData, Held]),
        (group(10_000, 10, 40), [Held, Deviated]),
        (group(10_000, 10, 10), [Held, TooLittleData]),
        // Better is never a deviation.
        (group(10_000, 0, 0), [Held, Held]),
    ] {
        assert_eq!(answers(group(10_000, 10, 0), experiment.clone()), expected, "{experiment:?}");
    }
    // Without an effect, but with too few to say so.
    assert_eq!(answers(group(50, 0, 0), group(50, 0, 0)), [TooLittleData, TooLittleData]);
    assert_eq!(answers(group(10_000, 0, 0), group(0, 0, 0)), [TooLittleData, TooLittleData]);
    assert_eq!(answers(group(0, 0, 0), group(10_000, 9_000, 0)), [TooLittleData, TooLittleData]);
    // So large an effect that few suffice.
    assert_eq!(answers(group(100, 0, 0), group(100, 80, 100)), [Deviated, Deviated]);
    assert!(
        GroupReports { control: group(9, 0, 0), experiment: group(9, 0, 0) }
            .compare(GroupCriteria::default())
            .is_empty()
    );
}

#[test]
fn a_quantile_needs_values_beyond_it() {
    let quantile = |requests, quantile| {
        let counts = group(requests, 0, 0).durations_us;
        compare_quantiles(&counts, &counts, quantile, 0.0).unwrap().interval
    };
    assert!(quantile(300, 0.99).high.is_infinite() && quantile(300, 0.99).low.is_infinite());
    assert!(quantile(1_000, 0.99).high <= 2.0e3, "{:?}", quantile(1_000, 0.99));
    assert!(quantile(100, 0.5).high < 20e3, "{:?}", quantile(100, 0.5));
    assert_eq!(compare_quantiles(&[], &[(1, 1)], 0.5, 0.0), None);
}

/// The interval of 95 % has the true difference in it about 95 times of 100.
#[test]
fn the_interval_of_a_difference_of_quantiles_keeps_what_it_promises() {
    let mut random = Random::new(11);
    let mut within = 0;
    let mut sample = |later: f64| {
        let mut counts = vec![0; 2_000];
        for _ in 0..1_500 {
            let exponential = -random.unit().max(1e-12).ln();
            counts[(((exponential + later) * 100.0) as usize).min(1_999)] += 1;
        }
        let counts: Vec<(u64, u64)> = (0..).zip(counts).filter(|(_, count)| *count > 0).collect();
        counts
    };
    for _ in 0..400 {
        let (control, experiment) = (sample(0.0), sample(0.5));
        let interval = compare_quantiles(&control, &experiment, 0.9, 0.0).unwrap().interval;
        within += u32::from(interval.low <= 50.0 && 50.0 <= interval.high);
    }
    // 380 are expected, with a standard deviation of 4.4; the method leans to the safe side.
    assert!((368..=398).contains(&within), "{within}");
}

#[test]
fn tests_of_significance_are_told_beside_the_intervals() {
    let same = GroupReports { control: group(5_000, 5, 0), experiment: group(5_000, 5, 0) };
    let other = GroupReports { control: group(5_000, 5, 0), experiment: group(5_000, 100, 20) };
    let values = |groups: &GroupReports| {
        groups.compare(CRITERIA).into_iter().map(|one| one.p_value.unwrap()).collect::<Vec<_>>()
    };
    assert!(values(&same).iter().all(|p| *p > 0.99), "{:?}", values(&same));
    assert!(values(&other).iter().all(|p| *p < 1e-6), "{:?}", values(&other));
}
