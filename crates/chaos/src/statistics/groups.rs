//! Whether the experiment group did worse than the control group by more than a margin: the verdict of a
//! fault that has one.

use serde::{Deserialize, Serialize};

use super::{Interval, Proportion, compare_latencies, compare_quantiles, compare_shares};
use crate::{Answered, GROUP_BUCKETS_PER_DOUBLING, GroupReport, GroupReports};

/// By how much the experiment group may do worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupCriteria {
    /// By so much of all requests more may fail, 0 to 1.
    pub error_share: Option<f64>,
    /// So much later may the slowest of them end.
    pub latency: Option<LatencyCriterion>,
}

/// A quantile and its margin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyCriterion {
    /// Over 0, below 1: 0.99.
    pub quantile: f64,
    /// In milliseconds.
    pub margin_ms: f64,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupMeasure {
    /// Share of the requests that failed, 0 to 1.
    ErrorShare,
    /// A quantile of the durations, in milliseconds.
    Latency {
        /// Which.
        quantile: f64,
    },
}

/// One measure of both groups.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// What was measured.
    pub measure: GroupMeasure,
    /// Of the control group; nothing if one of the two is empty.
    pub control: Option<f64>,
    /// Of the experiment group; nothing if one of the two is empty.
    pub experiment: Option<f64>,
    /// Interval of 95 % for the experiment's less the control's.
    pub interval: Option<Interval>,
    /// What that may be at most.
    pub margin: f64,
    /// How likely a difference so large is without an effect: of shares by the two-proportion z test, of
    /// all durations by Mann–Whitney's test.
    pub p_value: Option<f64>,
    /// Whether it is at most the margin.
    pub answer: Answered,
}

impl GroupReports {
    /// Compares the groups by each of the criteria.
    pub fn compare(&self, criteria: GroupCriteria) -> Vec<Measured> {
        let errors = criteria.error_share.map(|margin| self.errors(margin));
        let latency = criteria.latency.map(|criterion| self.latency(criterion));
        errors.into_iter().chain(latency).collect()
    }

    fn errors(&self, margin: f64) -> Measured {
        let well = |group: &GroupReport| Proportion {
            successes: group.requests.saturating_sub(group.failures),
            trials: group.requests,
        };
        let (control, experiment) = (well(&self.control), well(&self.experiment));
        let compared = compare_shares(control, experiment);
        Measured {
            measure: GroupMeasure::ErrorShare,
            control: compared.and_then(|_| failed(&self.control)),
            experiment: compared.and_then(|_| failed(&self.experiment)),
            interval: compared.map(|compared| compared.interval),
            margin,
            p_value: compared.map(|compared| compared.p_value),
            answer: judge(compared.map(|compared| compared.interval), margin),
        }
    }

    fn latency(&self, LatencyCriterion { quantile, margin_ms }: LatencyCriterion) -> Measured {
        let (control, experiment) = (&self.control.durations_us, &self.experiment.durations_us);
        let resolution = 1.0 / f64::from(GROUP_BUCKETS_PER_DOUBLING);
        let compared = compare_quantiles(control, experiment, quantile, resolution);
        let ms = |us: f64| us / 1e3;
        let interval = compared.map(|compared| Interval {
            low: ms(compared.interval.low),
            high: ms(compared.interval.high),
        });
        let (one, two) = aligned(control, experiment);
        Measured {
            measure: GroupMeasure::Latency { quantile },
            control: compared.map(|compared| ms(compared.control)),
            experiment: compared.map(|compared| ms(compared.experiment)),
            interval,
            margin: margin_ms,
            p_value: compare_latencies(&one, &two).map(|compared| compared.p_value),
            answer: judge(interval, margin_ms),
        }
    }
}

fn failed(group: &GroupReport) -> Option<f64> {
    Proportion { successes: group.failures, trials: group.requests }.share()
}

fn judge(interval: Option<Interval>, margin: f64) -> Answered {
    interval.map_or(Answered::TooLittleData, |interval| Answered::within(interval, margin))
}

/// Counts of both by the boundaries that at least one of them has.
fn aligned(one: &[(u64, u64)], two: &[(u64, u64)]) -> (Vec<u64>, Vec<u64>) {
    let mut counts = std::collections::BTreeMap::<u64, (u64, u64)>::new();
    for (boundary, count) in one {
        counts.entry(*boundary).or_default().0 += count;
    }
    for (boundary, count) in two {
        counts.entry(*boundary).or_default().1 += count;
    }
    counts.into_values().unzip()
}

#[cfg(test)]
mod tests;
