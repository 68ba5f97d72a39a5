//! The one word for a whole run, and its exit status.

use serde::Serialize;

use super::Check;

/// What a check is about. A run has an answer for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Aspect {
    /// What the gateway has to keep.
    Hypothesis,
    /// Whether the faults took hold.
    Injection,
    /// Whether they were taken back, and what they struck came back.
    Revert,
    /// Whether generator, link and probes worked, and saw enough.
    Infrastructure,
}

impl Aspect {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hypothesis => "hypothesis",
            Self::Injection => "injection",
            Self::Revert => "revert",
            Self::Infrastructure => "infrastructure",
        }
    }
}

/// What is said of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Everything held, under faults that took hold.
    Held,
    /// The gateway did not keep what it has to.
    Deviated,
    /// A fault did not take hold: nothing was shown.
    NotEffective,
    /// Something may be left behind.
    RevertFailed,
    /// The run failed, or saw too little.
    Infrastructure,
}

impl Outcome {
    /// The gravest first: what is left behind, a run that failed, a fault that was none.
    pub(crate) fn of(checks: &[Check]) -> Self {
        let failed = |aspect| checks.iter().any(|check| !check.pass && check.aspect == aspect);
        if failed(Aspect::Revert) {
            Self::RevertFailed
        } else if failed(Aspect::Infrastructure) || checks.is_empty() {
            Self::Infrastructure
        } else if failed(Aspect::Injection) {
            Self::NotEffective
        } else if failed(Aspect::Hypothesis) {
            Self::Deviated
        } else {
            Self::Held
        }
    }

    pub(crate) const fn exit_status(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Deviated => 1,
            Self::NotEffective => 2,
            Self::RevertFailed => 3,
            Self::Infrastructure => 4,
        }
    }

    /// For people.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Held => "all held",
            Self::Deviated => "the gateway failed a check",
            Self::NotEffective => "a fault did not take hold, so nothing was shown",
            Self::RevertFailed => "something was not taken back or did not come back",
            Self::Infrastructure => "the run itself failed or saw too little",
        }
    }
}
