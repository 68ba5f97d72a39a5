//! The result of a search, as written to JSON and shown in reports.

use std::process::ExitCode;

use bulkhead_load::Summary;
use bulkhead_load::scalability::{Point, Scalability};
use bulkhead_load::search::{
    Confidence, CurvePoint, Ended, Finding, Observation, Proposal, Purpose, Search, Verdict, curve,
};
use serde::Serialize;

use super::super::{EXIT_FAILED, EXIT_INVALID};
use super::{Objective, TrialResult};

/// Points with a larger share of failures are left out of the law's fit: their latency is that of the
/// answers that were right.
const FIT_ERROR_SHARE_MAX: f64 = 0.05;

/// What was found, and all that led there.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FindMaxDocument {
    pub(crate) objective: String,
    /// Highest rate that held; the target's capacity only if `ended` is `confirmed`.
    pub(crate) rate: Option<f64>,
    pub(crate) ended: Ended,
    /// How many of the repeated trials at `rate` held, and what that says at 95 %.
    pub(crate) confidence: Option<Confidence>,
    /// By what share the lowest rate that failed lies above `rate`.
    pub(crate) precision: Option<f64>,
    /// Whether the generator was the limit, and not the target.
    pub(crate) generator_limited: bool,
    /// Lowest rate at which it was.
    pub(crate) generator_limit_rps: Option<f64>,
    pub(crate) trials: Vec<TrialRow>,
    /// The universal scalability law.
    pub(crate) usl: Option<UslRow>,
    /// Why there is none.
    pub(crate) usl_refused: Option<String>,
    /// Latency over throughput, by rising rate.
    pub(crate) curve: Vec<CurvePoint>,
    pub(crate) spent_s: f64,
}

/// One trial.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TrialRow {
    pub(crate) number: usize,
    pub(crate) purpose: Purpose,
    pub(crate) rate: f64,
    pub(crate) duration_s: f64,
    pub(crate) verdict: Verdict,
    pub(crate) throughput_rps: f64,
    pub(crate) error_share: f64,
    pub(crate) latency_ms: Summary,
    pub(crate) failed_assertions: Vec<String>,
    pub(crate) invalid_reasons: Vec<String>,
}

/// The law's coefficients, and where it has its peak.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct UslRow {
    #[serde(flatten)]
    pub(crate) law: Scalability,
    /// Points that it was fitted to.
    pub(crate) points: usize,
}

impl TrialRow {
    pub(crate) fn new(
        proposal: &Proposal,
        observation: &Observation,
        failed_assertions: Vec<String>,
        result: TrialResult,
    ) -> Self {
        Self {
            number: proposal.number,
            purpose: proposal.purpose,
            rate: proposal.rate,
            duration_s: proposal.duration.as_secs_f64(),
            verdict: observation.verdict,
            throughput_rps: observation.throughput_rps,
            error_share: observation.error_share,
            latency_ms: result.report.latency_ms,
            failed_assertions,
            invalid_reasons: result.invalid_reasons,
        }
    }
}

impl FindMaxDocument {
    pub(crate) fn new(
        objective: &Objective,
        search: &Search,
        finding: &Finding,
        trials: Vec<TrialRow>,
    ) -> Self {
        let curve = curve(search.trials());
        let points: Vec<Point> = curve
            .iter()
            .filter(|point| point.error_share <= FIT_ERROR_SHARE_MAX)
            .map(|point| Point {
                concurrency: point.concurrency,
                throughput_rps: point.throughput_rps,
            })
            .collect();
        let fit = Scalability::fit(&points);
        Self {
            objective: objective.text().to_owned(),
            rate: finding.rate,
            ended: finding.ended,
            confidence: finding.confidence,
            precision: finding.precision,
            generator_limited: finding.ended == Ended::GeneratorLimited,
            generator_limit_rps: finding.generator_limit,
            trials,
            usl: fit.as_ref().ok().map(|&law| UslRow { law, points: points.len() }),
            usl_refused: fit.err().map(|refused| refused.to_string()),
            curve,
            spent_s: finding.spent.as_secs_f64(),
        }
    }

    /// 0 if a rate was confirmed, 3 if the generator was the limit, else 1.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self.ended {
            Ended::Confirmed => ExitCode::SUCCESS,
            Ended::GeneratorLimited => ExitCode::from(EXIT_INVALID),
            _ => ExitCode::from(EXIT_FAILED),
        }
    }
}
