//! One trial: what was proposed and what was seen.

use std::time::Duration;

use crate::Latencies;

/// Why a trial is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To find a bound.
    Grow,
    /// To narrow the bracket.
    Bisect,
    /// To see whether a failure comes again.
    Repeat,
    /// To confirm a rate.
    Confirm,
}

impl Purpose {
    /// A word for progress lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grow => "grow",
            Self::Bisect => "bisect",
            Self::Repeat => "repeat",
            Self::Confirm => "confirm",
        }
    }
}

/// A trial to be made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proposal {
    /// From 1.
    pub number: usize,
    /// Why.
    pub purpose: Purpose,
    /// Requests per second.
    pub rate: f64,
    /// How long.
    pub duration: Duration,
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The objective held.
    Held,
    /// It did not.
    NotHeld,
    /// The trial is invalid: the generator or its machine was the limit. Says nothing about the target.
    GeneratorLimited,
}

impl Verdict {
    /// A few words for progress lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::NotHeld => "not held",
            Self::GeneratorLimited => "generator limited",
        }
    }
}

/// What was seen in a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// How it ended.
    pub verdict: Verdict,
    /// Right answers per second.
    pub throughput_rps: f64,
    /// Failed of all requests, 0 to 1.
    pub error_share: f64,
    /// Latency of the right answers, from the intended time.
    pub latency: Latencies,
    /// The same from the time when they were sent.
    pub service: Latencies,
    /// How long it took with everything around it.
    pub elapsed: Duration,
}

/// A trial that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// What was proposed.
    pub proposal: Proposal,
    /// What was seen.
    pub observation: Observation,
}
