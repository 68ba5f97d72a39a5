use std::time::Duration;

use super::*;
use crate::Random;

#[track_caller]
fn near(value: f64, expected: f64, within: f64) {
    assert!((value - expected).abs() <= within, "{value} is not {expected}");
}

#[test]
fn the_tail_of_the_normal_distribution() {
    // R: 2 * pnorm(-z)
    for (z, expected) in [
        (0.0, 1.0),
        (1.0, 0.317_310_5),
        (1.959_963_985, 0.05),
        (3.0, 0.002_699_796),
        (6.0, 1.973_175e-9),
    ] {
        near(normal::two_sided(z) / expected, 1.0, 1e-5);
        near(normal::two_sided(-z) / expected, 1.0, 1e-5);
    }
}

#[test]
fn the_interval_of_a_difference_is_newcombes() {
    // Newcombe (1998), table II, method 10: 56/70 and 48/80 give 0.0524 to 0.3339.
    let one = Proportion { successes: 56, trials: 70 };
    let two = Proportion { successes: 48, trials: 80 };
    let compared = compare_shares(one, two).unwrap();
    near(compared.drop, 0.2, 1e-9);
    near(compared.interval.low, 0.0524, 5e-5);
    near(compared.interval.high, 0.3339, 5e-5);
    // prop.test(c(56, 48), c(70, 80), correct = FALSE) has X² = 7.033 and p = 0.0080.
    near(compared.p_value, 0.0080, 2e-4);
}

#[test]
fn the_interval_of_a_share_is_wilsons() {
    // 99 %, by hand.
    let seen = Proportion { successes: 120, trials: 1_000 }.interval_of(2.576);
    near(seen.low, 0.0961, 1e-3);
    near(seen.high, 0.1489, 1e-3);
}

#[test]
fn without_trials_nothing_is_known() {
    let none = Proportion::default();
    assert_eq!(none.share(), None);
    assert_eq!(none.interval(), Interval { low: 0.0, high: 1.0 });
    assert_eq!(none.interval_of(2.576), Interval { low: 0.0, high: 1.0 });
    assert_eq!(compare_shares(none, Proportion { successes: 1, trials: 1 }), None);
    assert_eq!(compare_latencies(&[0, 0], &[1, 0]), None);
    assert_eq!(compare_latencies(&[1], &[1, 0]), None);
}

#[test]
fn equal_groups_are_no_difference() {
    let all = Proportion { successes: 100, trials: 100 };
    near(compare_shares(all, all).unwrap().p_value, 1.0, 1e-9);
    let compared = compare_latencies(&[5, 3, 1], &[10, 6, 2]).unwrap();
    near(compared.slower, 0.5, 1e-9);
    near(compared.p_value, 1.0, 1e-6);
    assert_eq!(compare_latencies(&[7], &[9]).unwrap().p_value, 1.0);
}

/// Counted by hand: all pairs of two small groups, with ties.
#[test]
fn the_rank_test_counts_pairs() {
    let (control, experiment) = ([3u64, 2, 0, 1], [1u64, 1, 2, 2]);
    let values = |counts: [u64; 4]| {
        counts
            .into_iter()
            .enumerate()
            .flat_map(|(value, count)| std::iter::repeat_n(value, count as usize))
            .collect::<Vec<usize>>()
    };
    let mut pairs = 0.0;
    for slow in values(experiment) {
        for fast in values(control) {
            pairs += if slow > fast {
                1.0
            } else if slow == fast {
                0.5
            } else {
                0.0
            };
        }
    }
    let compared = compare_latencies(&control, &experiment).unwrap();
    near(compared.slower, pairs / 36.0, 1e-12);
}

/// Under no effect, one in twenty comparisons is below 0.05: the tests keep what they promise.
#[test]
fn false_alarms_are_as_rare_as_promised() {
    let mut random = Random::new(5);
    let (mut shares, mut latencies) = (0, 0);
    for _ in 0..2_000 {
        let mut group = || {
            let successes = (0..500).filter(|_| random.unit() < 0.9).count() as u64;
            let mut buckets = [0u64; 20];
            for _ in 0..200 {
                buckets[(random.unit() * random.unit() * 20.0) as usize] += 1;
            }
            (Proportion { successes, trials: 500 }, buckets)
        };
        let ((one, first), (two, second)) = (group(), group());
        shares += u32::from(compare_shares(one, two).unwrap().p_value < 0.05);
        latencies += u32::from(compare_latencies(&first, &second).unwrap().p_value < 0.05);
    }
    // 100 are expected, with a standard deviation of 9.7.
    assert!((60..=140).contains(&shares), "{shares}");
    assert!((60..=140).contains(&latencies), "{latencies}");
}

#[test]
fn budgets_are_spent_by_failures() {
    let seen = Proportion { successes: 9_985, trials: 10_000 };
    let budget = ErrorBudget::new(0.999, seen);
    near(budget.allowed, 10.0, 1e-6);
    near(budget.burnt(), 1.5, 1e-6);
    assert!(ErrorBudget::new(1.0, seen).burnt().is_infinite());
    near(ErrorBudget::new(1.0, Proportion::default()).burnt(), 0.0, 0.0);
}

#[test]
fn recovery_is_the_first_time_that_lasts() {
    let second = Duration::from_secs;
    let well = [true, false, false, true, false, true, true, true];
    let samples: Vec<(Duration, bool)> =
        well.into_iter().enumerate().map(|(at, well)| (second(at as u64), well)).collect();
    assert_eq!(recovery_time(&samples, second(2), second(2)), Some(second(3)));
    assert_eq!(recovery_time(&samples, second(2), Duration::ZERO), Some(second(1)));
    assert_eq!(recovery_time(&samples, second(2), second(3)), None, "too few samples");
}
