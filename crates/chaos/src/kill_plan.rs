//! Which workers are killed, and when.
//!
//! A share of the workers is rarely a whole number: 15 % of 8 is 1.2. Each round therefore kills
//! ⌊share × workers⌋ and one more with the probability of the remainder (stochastic rounding, drawn
//! from the seed), so that the mean over many rounds is the share. Two bounds come first: at least
//! one worker dies in each round, and at least one is left alive.

use std::time::Duration;

use crate::Random;

/// When and how many workers are to be killed.
#[derive(Clone, Debug, PartialEq)]
pub struct KillPlan {
    /// Time between rounds; the first round is one interval after the start.
    pub interval: Duration,
    /// Share of the workers that dies in each round, over 0 and under 1.
    pub share: f64,
    /// Number of workers, at least 2 (one must survive).
    pub workers: usize,
    /// Everything random is drawn from it.
    pub seed: u64,
}

/// Why a plan cannot be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KillPlanError {
    /// There would be no survivor.
    #[error("killing workers needs at least 2 of them, so that one survives")]
    TooFewWorkers,
    /// The share makes no sense.
    #[error("the share of workers to kill must be over 0 and under 1")]
    ShareOutOfRange,
    /// The interval is nothing.
    #[error("the interval between kills must be over 0")]
    NoInterval,
}

/// One round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// Time since the start.
    pub at: Duration,
    /// Indices of the victims, ascending, without repetition; never empty, never all workers.
    pub victims: Vec<usize>,
}

impl KillPlan {
    /// The rounds, without end; the owner stops when its run does.
    ///
    /// # Errors
    /// If no round could be carried out.
    pub fn rounds(&self) -> Result<Kills, KillPlanError> {
        if self.workers < 2 {
            return Err(KillPlanError::TooFewWorkers);
        }
        if !(self.share > 0.0 && self.share < 1.0) {
            return Err(KillPlanError::ShareOutOfRange);
        }
        if self.interval.is_zero() {
            return Err(KillPlanError::NoInterval);
        }
        Ok(Kills { plan: self.clone(), random: Random::new(self.seed), round: 0 })
    }

    /// Rounds that fall strictly before `end`, with at least `margin` left after each.
    ///
    /// # Errors
    /// If no round could be carried out.
    pub fn rounds_within(
        &self,
        end: Duration,
        margin: Duration,
    ) -> Result<Vec<Kill>, KillPlanError> {
        let last = end.saturating_sub(margin);
        Ok(self.rounds()?.take_while(|kill| kill.at <= last && kill.at < end).collect())
    }
}

/// Iterator over the rounds of a [`KillPlan`].
#[derive(Clone, Debug)]
pub struct Kills {
    plan: KillPlan,
    random: Random,
    round: u32,
}

impl Kills {
    fn count(&mut self) -> usize {
        let exact = self.plan.share * self.plan.workers as f64;
        let extra = usize::from(self.random.unit() < exact.fract());
        (exact as usize + extra).clamp(1, self.plan.workers - 1)
    }
}

impl Iterator for Kills {
    type Item = Kill;

    fn next(&mut self) -> Option<Kill> {
        self.round = self.round.checked_add(1)?;
        let at = self.plan.interval.checked_mul(self.round)?;
        let count = self.count();
        // A partial Fisher-Yates shuffle: every set of `count` victims is equally likely.
        let mut indices: Vec<usize> = (0..self.plan.workers).collect();
        for place in 0..count {
            let left = (indices.len() - place) as u64;
            indices.swap(place, place + self.random.below(left) as usize);
        }
        indices.truncate(count);
        indices.sort_unstable();
        Some(Kill { at, victims: indices })
    }
}

#[cfg(test)]
mod tests;
