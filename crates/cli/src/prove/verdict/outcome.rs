//! The four answers of a run, as the lab gives them, and the one word for the whole.

use bulkhead_chaos::{Answered, Outcome, Verdict};
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

/// The answers that the checks give, with those that failed as reasons.
pub(crate) fn verdict(checks: &[Check]) -> Verdict {
    let answered = |aspect| {
        let mut checks = checks.iter().filter(|check| check.aspect == aspect).peekable();
        match (checks.peek().is_some(), checks.all(|check| check.pass)) {
            (false, _) => Answered::NotAsked,
            (true, true) => Answered::Held,
            (true, false) => Answered::Deviated,
        }
    };
    let failed = checks.iter().filter(|check| !check.pass);
    Verdict {
        hypothesis: answered(Aspect::Hypothesis),
        injection: answered(Aspect::Injection),
        revert: answered(Aspect::Revert),
        infrastructure: answered(Aspect::Infrastructure),
        reasons: failed.map(|check| format!("{}: {}", check.name, check.meaning)).collect(),
    }
}

/// An outcome for people.
pub(crate) const fn sentence(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Held => "all held",
        Outcome::Deviated => "the gateway failed a check",
        Outcome::NotEffective => "a fault did not take hold, so nothing was shown",
        Outcome::RevertFailed => "something was not taken back or did not come back",
        Outcome::Infrastructure => "the run itself failed or saw too little",
    }
}
