//! Latency over throughput, from the trials of a search. Trials at one rate are one point, their
//! histograms merged; a trial that the generator limited is no point.

use super::{Trial, Verdict};
use crate::report::{Latencies, Summary};
use crate::tally::merge;

/// What was seen at one rate.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct CurvePoint {
    /// Requests per second that were offered.
    pub rate: f64,
    /// Trials at this rate.
    pub trials: usize,
    /// Right answers per second, mean over the trials.
    pub throughput_rps: f64,
    /// Failed of all requests, 0 to 1, mean over the trials.
    pub error_share: f64,
    /// Latency over all of them.
    pub latency_ms: Summary,
    /// Mean requests at the target: throughput times mean service time (Little's law). Those that
    /// wait at the generator for a connection are not at the target; without end, they would be no
    /// mean at all.
    pub concurrency: f64,
}

/// Points by rising rate.
pub fn curve(trials: &[Trial]) -> Vec<CurvePoint> {
    let mut valid: Vec<&Trial> = trials
        .iter()
        .filter(|trial| trial.observation.verdict != Verdict::GeneratorLimited)
        .collect();
    valid.sort_by(|a, b| a.proposal.rate.total_cmp(&b.proposal.rate));
    valid.chunk_by(|a, b| a.proposal.rate.total_cmp(&b.proposal.rate).is_eq()).map(point).collect()
}

fn point(trials: &[&Trial]) -> CurvePoint {
    let (mut latency, mut service) = (Latencies::default(), Latencies::default());
    for Trial { observation, .. } in trials {
        merge(&mut latency.0, &observation.latency.0);
        merge(&mut service.0, &observation.service.0);
    }
    let mean = |of: fn(&Trial) -> f64| {
        trials.iter().map(|trial| of(trial)).sum::<f64>() / trials.len().max(1) as f64
    };
    let throughput_rps = mean(|trial| trial.observation.throughput_rps);
    let latency_ms = Summary::of(&latency.0);
    CurvePoint {
        rate: trials.first().map_or(0.0, |trial| trial.proposal.rate),
        trials: trials.len(),
        throughput_rps,
        error_share: mean(|trial| trial.observation.error_share),
        latency_ms,
        concurrency: throughput_rps * service.0.mean() / 1e6,
    }
}

#[cfg(test)]
mod tests;
