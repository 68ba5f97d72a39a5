//! Latencies of two groups, as histograms.

use serde::{Deserialize, Serialize};

use super::normal;

/// Two groups of latencies, compared by their ranks, so that a long tail does not outvote the rest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyComparison {
    /// How likely one of the experiment group is slower than one of the control group, ties half: 0.5
    /// is no difference.
    pub slower: f64,
    /// How likely a difference so large is without an effect (Mann–Whitney U, normal approximation
    /// with correction for ties).
    pub p_value: f64,
}

/// Compares two histograms with the same buckets, counts by ascending latency. Nothing if one is empty
/// or they have not the same number of buckets.
pub fn compare_latencies(control: &[u64], experiment: &[u64]) -> Option<LatencyComparison> {
    let (n, m) = (total(control), total(experiment));
    if control.len() != experiment.len() || n == 0.0 || m == 0.0 {
        return None;
    }
    // U counts the pairs in which the experiment's is slower; those in one bucket are ties.
    let (mut u, mut faster, mut ties) = (0.0, 0.0, 0.0);
    for (&control, &experiment) in control.iter().zip(experiment) {
        let (control, experiment) = (control as f64, experiment as f64);
        u += experiment * (faster + control / 2.0);
        faster += control;
        let both = control + experiment;
        ties += both * both * both - both;
    }
    let all = n + m;
    let variance = n * m / 12.0 * ((all + 1.0) - ties / (all * (all - 1.0)));
    let p_value =
        if variance > 0.0 { normal::two_sided((u - n * m / 2.0) / variance.sqrt()) } else { 1.0 };
    Some(LatencyComparison { slower: u / (n * m), p_value })
}

fn total(counts: &[u64]) -> f64 {
    counts.iter().map(|&count| count as f64).sum()
}
