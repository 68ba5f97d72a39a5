use std::time::Duration;

use super::*;
use crate::search::{Observation, Proposal, Purpose};

fn trial(number: usize, rate: f64, verdict: Verdict, latencies_us: &[u64]) -> Trial {
    let mut latency = Latencies::default();
    latencies_us.iter().for_each(|&us| latency.0.saturating_record(us));
    let duration = Duration::from_secs(1);
    Trial {
        proposal: Proposal { number, purpose: Purpose::Grow, rate, duration },
        observation: Observation {
            verdict,
            throughput_rps: rate - number as f64,
            error_share: 0.0,
            service: latency.clone(),
            latency,
            elapsed: duration,
        },
    }
}

#[test]
fn trials_at_one_rate_are_one_point_and_what_the_generator_limited_is_none() {
    let points = curve(&[
        trial(1, 200.0, Verdict::NotHeld, &[9_000]),
        trial(2, 100.0, Verdict::Held, &[1_000, 1_000, 1_000]),
        trial(4, 100.0, Verdict::NotHeld, &[5_000]),
        trial(5, 400.0, Verdict::GeneratorLimited, &[1]),
    ]);
    assert_eq!(points.iter().map(|point| point.rate).collect::<Vec<_>>(), [100.0, 200.0]);
    assert_eq!((points[0].trials, points[0].latency_ms.count), (2, 4));
    assert!((points[0].throughput_rps - 97.0).abs() < 1e-9);
    // The median of the merged histogram, not the mean of two medians.
    assert!((points[0].latency_ms.p50 - 1.0).abs() < 0.01, "{:?}", points[0].latency_ms);
    assert!((points[0].concurrency - 97.0 * 0.002).abs() < 1e-3, "{}", points[0].concurrency);
}
