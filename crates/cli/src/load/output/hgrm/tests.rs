use bulkhead_load::Latencies;

use super::hgrm;

/// Value in ms, percentile, total count and the rest of each line.
fn lines(text: &str) -> Vec<(f64, f64, u64, Option<f64>)> {
    let data = text.lines().skip(2).filter(|line| !line.starts_with('#'));
    data.map(|line| {
        let mut fields = line.split_whitespace();
        let mut number = || fields.next().map(|field| field.parse::<f64>().unwrap());
        (number().unwrap(), number().unwrap(), number().unwrap() as u64, number())
    })
    .collect()
}

#[test]
fn the_distribution_is_that_of_the_histogram() {
    let mut latencies = Latencies::default();
    for us in 1..=10_000 {
        latencies.0.record(us).unwrap();
    }
    let text = hgrm(&latencies);
    assert!(text.starts_with("       Value     Percentile TotalCount 1/(1-Percentile)\n\n"));
    let lines = lines(&text);
    for &(value, percentile, total, rest) in &lines {
        let up_to = latencies.0.count_between(0, (value * 1_000.0).round() as u64);
        assert_eq!(up_to, total, "{percentile}: {value}");
        assert!(total as f64 >= percentile * 10_000.0 - 1.0, "{percentile}: {total}");
        assert_eq!(rest.is_some(), percentile < 1.0);
    }
    assert_eq!(lines.last().unwrap().2, 10_000);
    assert!(lines.iter().any(|(_, percentile, ..)| (percentile - 0.5).abs() < 1e-9));
    assert!(text.contains("#[Mean    =        5.0"), "{text}");
    assert!(text.contains("Total count    =        10000]"), "{text}");
    assert!(text.contains("SubBuckets     =         2048]"), "{text}");
}

#[test]
fn a_run_without_a_right_answer_has_a_head_and_a_foot() {
    let text = hgrm(&Latencies::default());
    assert!(lines(&text).is_empty() && text.contains("Total count    =            0]"), "{text}");
}
