use super::*;

#[test]
fn fine_buckets_follow_each_other_without_gap() {
    assert_eq!(highest_of(FINE_BUCKETS - 1), MICROS_MAX);
    for index in 0..FINE_BUCKETS {
        let highest = highest_of(index);
        assert_eq!(index_of(highest), index);
        if index + 1 < FINE_BUCKETS {
            assert_eq!(index_of(highest + 1), index + 1, "after {highest}");
        }
    }
    assert_eq!(index_of(u64::MAX), FINE_BUCKETS - 1);
}

#[test]
fn percentiles_are_within_their_resolution() {
    let histogram = FineHistogram::default();
    for micros in 1..=100_000 {
        histogram.record(micros);
    }
    let mut sum = FineSum::default();
    histogram.add_to(&mut sum);
    let snapshot = sum.snapshot();
    assert_eq!(snapshot.count, 100_000);
    assert_eq!(snapshot.max, Duration::from_micros(100_000));
    assert_eq!(snapshot.mean, Duration::from_micros(50_000));
    for (measured, exact) in [
        (snapshot.p50, 50_000),
        (snapshot.p90, 90_000),
        (snapshot.p99, 99_000),
        (snapshot.p999, 99_900),
    ] {
        let measured = measured.as_micros() as u64;
        assert!(
            measured >= exact && measured * 32 <= exact * 33,
            "{measured} is not within 1/32 above {exact}"
        );
    }
}

#[test]
fn merged_histograms_equal_one() {
    let (left, right, both) =
        (FineHistogram::default(), FineHistogram::default(), FineHistogram::default());
    for micros in 0..5_000 {
        if micros % 3 == 0 {
            left.record(micros)
        } else {
            right.record(micros)
        }
        both.record(micros);
    }
    let (mut merged, mut single) = (FineSum::default(), FineSum::default());
    left.add_to(&mut merged);
    right.add_to(&mut merged);
    both.add_to(&mut single);
    assert_eq!(merged.snapshot(), single.snapshot());
}

#[test]
fn empty_histogram_gives_zeroes() {
    assert_eq!(FineSum::default().snapshot(), LatencySnapshot::default());
}

#[test]
fn exported_boundaries_are_inclusive() {
    for (index, (upper, text)) in BOUNDARIES.iter().enumerate() {
        assert_eq!(text.parse::<f64>().unwrap(), *upper as f64 / 1e6);
        let histogram = ExportedHistogram::default();
        histogram.record(*upper);
        histogram.record(*upper + 1);
        let mut sum = ExportedSum::default();
        histogram.add_to(&mut sum);
        assert_eq!((sum.buckets[index], sum.buckets[index + 1]), (1, 1), "at {upper}");
        assert_eq!(sum.sum_micros, 2 * upper + 1);
        assert_eq!(sum.count(), 2);
    }
}
