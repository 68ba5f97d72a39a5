//! Whether the experiment group did worse than the control group, and by how much: differences with
//! intervals, not two bare numbers.

mod groups;
mod latency;
mod normal;
mod quantile;
mod recovery;

use serde::{Deserialize, Serialize};

pub use groups::{GroupCriteria, GroupMeasure, LatencyCriterion, Measured};
pub use latency::{LatencyComparison, compare_latencies};
pub use quantile::{QuantileComparison, compare_quantiles};
pub use recovery::{ErrorBudget, recovery_time};

/// Two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.959_963_985;

/// Successes among trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proportion {
    /// Those that went well.
    pub successes: u64,
    /// All.
    pub trials: u64,
}

/// An interval; of 95 % unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Proportion {
    /// The share, or nothing without trials.
    pub fn share(self) -> Option<f64> {
        (self.trials > 0).then(|| self.successes as f64 / self.trials as f64)
    }

    /// The interval of 95 % for the share; see [`Proportion::interval_of`].
    pub fn interval(self) -> Interval {
        self.interval_of(Z)
    }

    /// Wilson's interval for the share (1927, without correction for continuity), so many standard
    /// deviations to each side. Wilson's, because it stays honest for all of few. Without trials nothing
    /// is known: 0 to 1.
    pub fn interval_of(self, deviations: f64) -> Interval {
        let Some(share) = self.share() else { return Interval { low: 0.0, high: 1.0 } };
        let n = self.trials as f64;
        let square = deviations * deviations;
        let whole = 1.0 + square / n;
        let centre = (share + square / (2.0 * n)) / whole;
        let spread = (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
        let half = deviations / whole * spread;
        Interval { low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
    }
}

/// Two shares, compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShareComparison {
    /// Share of the control group less that of the experiment group.
    pub drop: f64,
    /// Newcombe's interval for it (1998, method 10), made of Wilson's.
    pub interval: Interval,
    /// How likely a drop so far from zero is without an effect (two-proportion z test, pooled).
    pub p_value: f64,
}

/// Compares the success of two groups. Nothing if one of them has no trial.
pub fn compare_shares(control: Proportion, experiment: Proportion) -> Option<ShareComparison> {
    let (first, second) = (control.share()?, experiment.share()?);
    let (one, two) = (control.interval(), experiment.interval());
    let drop = first - second;
    let below = ((first - one.low).powi(2) + (two.high - second).powi(2)).sqrt();
    let above = ((one.high - first).powi(2) + (second - two.low).powi(2)).sqrt();
    let (n, m) = (control.trials as f64, experiment.trials as f64);
    let pooled = (control.successes + experiment.successes) as f64 / (n + m);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    let p_value = if deviation > 0.0 { normal::two_sided(drop / deviation) } else { 1.0 };
    Some(ShareComparison {
        drop,
        interval: Interval { low: drop - below, high: drop + above },
        p_value,
    })
}

#[cfg(test)]
mod tests;
