//! What an experiment has shown. Four questions are answered apart, as one that fails says nothing
//! about the others: did the hypothesis hold, did the fault take hold, is it gone, and did
//! everything else work. Too little data is never a pass.

use serde::{Deserialize, Serialize};

/// An answer to one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// Yes.
    Held,
    /// No.
    Deviated,
    /// There is too little to say so.
    TooLittleData,
    /// It was not asked.
    NotAsked,
}

impl Answered {
    /// Whether a difference is at most `margin`, as far as its interval tells: held if the whole of it
    /// is, deviated if nothing of it is, and too little data if it cannot be told.
    pub fn within(interval: crate::Interval, margin: f64) -> Self {
        if interval.high <= margin {
            Self::Held
        } else if interval.low > margin {
            Self::Deviated
        } else {
            Self::TooLittleData
        }
    }

    /// Both: what deviated deviates, and too little data is never a pass.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Deviated, _) | (_, Self::Deviated) => Self::Deviated,
            (Self::TooLittleData, _) | (_, Self::TooLittleData) => Self::TooLittleData,
            (Self::Held, _) | (_, Self::Held) => Self::Held,
            (Self::NotAsked, Self::NotAsked) => Self::NotAsked,
        }
    }
}

/// All four.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Did what was to stay steady stay so?
    pub hypothesis: Answered,
    /// Did every action succeed, and was every fault seen in force?
    pub injection: Answered,
    /// Did every roll-back succeed, and was every fault seen gone?
    pub revert: Answered,
    /// Did the lab, the load generator and the probes work, and did the run come to its end?
    pub infrastructure: Answered,
    /// Why, for people; in the order in which it was found out.
    pub reasons: Vec<String>,
}

/// What the lab says of an experiment as a whole: the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The hypothesis held under faults that took hold.
    Held,
    /// It did not.
    Deviated,
    /// A fault did not take hold, so that nothing was shown.
    NotEffective,
    /// Something may be left behind. Worse than any result.
    RevertFailed,
    /// The lab itself failed, or saw too little to say anything.
    Infrastructure,
}

impl Outcome {
    /// Exit status.
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Deviated => 1,
            Self::NotEffective => 2,
            Self::RevertFailed => 3,
            Self::Infrastructure => 4,
        }
    }
}

impl Verdict {
    /// The whole, gravest first: what is left behind, a lab that failed, a fault that was none, a
    /// hypothesis that did not hold. A hypothesis that nobody asked for is held by faults that came
    /// and went.
    pub fn outcome(&self) -> Outcome {
        if matches!(self.revert, Answered::Deviated | Answered::TooLittleData) {
            return Outcome::RevertFailed;
        }
        if matches!(self.infrastructure, Answered::Deviated | Answered::TooLittleData) {
            return Outcome::Infrastructure;
        }
        if matches!(self.injection, Answered::Deviated | Answered::TooLittleData) {
            return Outcome::NotEffective;
        }
        match self.hypothesis {
            Answered::Held => Outcome::Held,
            Answered::Deviated => Outcome::Deviated,
            Answered::TooLittleData => Outcome::Infrastructure,
            Answered::NotAsked if self.injection == Answered::NotAsked => Outcome::Infrastructure,
            Answered::NotAsked => Outcome::Held,
        }
    }
}

/// A share that must be kept, asked of so many that the answer can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// Share that must succeed, 0 to 1.
    pub share: f64,
    /// Trials below which nothing is said.
    pub trials_min: u64,
}

impl Objective {
    /// Whether it was kept: by what was seen, not by an interval, as an objective is a promise about
    /// these very requests. Too few trials are no answer, unless even with the rest all well it could
    /// not be kept any more.
    pub fn judge(&self, seen: crate::Proportion) -> Answered {
        let trials = seen.trials.max(self.trials_min);
        let missed = seen.trials.saturating_sub(seen.successes);
        let best = 1.0 - missed as f64 / trials.max(1) as f64;
        if best < self.share {
            Answered::Deviated
        } else if seen.trials < self.trials_min.max(1) {
            Answered::TooLittleData
        } else {
            Answered::Held
        }
    }
}

#[cfg(test)]
mod tests;
