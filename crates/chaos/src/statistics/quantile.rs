//! Quantiles of two histograms: how much later the slowest of one group end than those of the other.

use serde::{Deserialize, Serialize};

use super::{Interval, Z};

/// The same quantile of two groups. Units are those of the boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantileComparison {
    /// Of the control group.
    pub control: f64,
    /// Of the experiment group.
    pub experiment: f64,
    /// Its interval of 95 % for the experiment's less the control's: an end is infinite where there are
    /// too few values beyond the quantile to say anything.
    pub interval: Interval,
}

/// A quantile, with what is known of it.
struct Known {
    value: f64,
    low: f64,
    high: f64,
}

/// Compares a quantile (over 0, below 1) of two histograms: upper boundaries, ascending, and counts.
/// `resolution`: a boundary is at most this share above the one before it. Nothing if one is empty.
///
/// The interval of each group is that of its order statistics (binomial, normal approximation), widened
/// by the buckets at its ends; that of the difference is made of both by the method of variance
/// estimates recovery (Zou and Donner 2008), of which Newcombe's for shares is the best known case.
pub fn compare_quantiles(
    control: &[(u64, u64)],
    experiment: &[(u64, u64)],
    quantile: f64,
    resolution: f64,
) -> Option<QuantileComparison> {
    let one = known(control, quantile, resolution)?;
    let two = known(experiment, quantile, resolution)?;
    let difference = two.value - one.value;
    let below = (two.value - two.low).hypot(one.high - one.value);
    let above = (two.high - two.value).hypot(one.value - one.low);
    Some(QuantileComparison {
        control: one.value,
        experiment: two.value,
        interval: Interval { low: difference - below, high: difference + above },
    })
}

fn known(counts: &[(u64, u64)], quantile: f64, resolution: f64) -> Option<Known> {
    let total: u64 = counts.iter().map(|(_, count)| count).sum();
    if total == 0 {
        return None;
    }
    let n = total as f64;
    let spread = Z * (n * quantile * (1.0 - quantile)).sqrt();
    let at = |rank: f64| -> Option<f64> {
        let mut passed = 0;
        let bucket = counts.iter().find(|(_, count)| {
            passed += count;
            passed as f64 >= rank
        });
        bucket.map(|(boundary, _)| *boundary as f64)
    };
    let low = (n * quantile - spread).floor();
    let high = (n * quantile + spread).ceil() + 1.0;
    Some(Known {
        value: at((n * quantile).ceil().max(1.0))?,
        low: if low < 1.0 { 0.0 } else { at(low)? / (1.0 + resolution) },
        high: at(high).unwrap_or(f64::INFINITY),
    })
}
