//! What a search has found, and why it ended.

use std::time::Duration;

use super::Confidence;

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Enough of the repeated trials held.
    Confirmed,
    /// The objective does not hold even at the lowest rate.
    NeverHeld,
    /// The generator was the limit before the target was: the target's capacity is not known.
    GeneratorLimited,
    /// All trials were used.
    OutOfTrials,
    /// All time was used.
    OutOfTime,
    /// The caller wanted no more.
    Interrupted,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// Highest rate that held, requests per second. It is the target's capacity only if the search
    /// ended with [`Ended::Confirmed`]; else no more than a rate at which a trial held.
    pub rate: Option<f64>,
    /// Why the search ended.
    pub ended: Ended,
    /// Of the repeated trials at `rate`; `None`: there were none.
    pub confidence: Option<Confidence>,
    /// By what share the lowest rate that failed lies above `rate`. `None`: none failed.
    pub precision: Option<f64>,
    /// Lowest rate at which the generator was the limit, if that is the upper end of the bracket.
    pub generator_limit: Option<f64>,
    /// Trials made.
    pub trials: usize,
    /// Time that they took.
    pub spent: Duration,
}
