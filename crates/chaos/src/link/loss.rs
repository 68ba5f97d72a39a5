//! Which packets are lost.

use crate::Random;

/// A law of loss. Shares are from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum LossLaw {
    /// Each with the same chance.
    Bernoulli {
        /// The chance.
        share: f64,
    },
    /// A chain of a good and a bad state.
    GilbertElliott {
        /// From good to bad.
        to_bad: f64,
        /// From bad to good.
        to_good: f64,
        /// Lost in the bad state.
        loss_in_bad: f64,
        /// Lost in the good state.
        loss_in_good: f64,
    },
    /// The last of each `every`.
    Nth {
        /// Packets in a period.
        every: u32,
    },
}

impl LossLaw {
    /// Share that is lost in the long run.
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Bernoulli { share } => share,
            Self::GilbertElliott { to_bad, to_good, loss_in_bad, loss_in_good } => {
                let bad = to_bad / (to_bad + to_good);
                bad * loss_in_bad + (1.0 - bad) * loss_in_good
            }
            Self::Nth { every } => 1.0 / f64::from(every),
        }
    }

    /// What becomes of one packet after the other under a seed: whether it is lost.
    pub fn fates(self, seed: u64) -> impl Iterator<Item = bool> {
        let mut random = Random::new(seed);
        let mut state = LossState::new(self, &mut random);
        std::iter::from_fn(move || Some(state.strikes(&mut random)))
    }

    /// How many times the variance of a count of losses is that of independent ones with the same mean.
    pub fn dispersion(&self) -> f64 {
        let Self::GilbertElliott { to_bad, to_good, loss_in_bad, loss_in_good } = *self else {
            return 1.0;
        };
        // Correlation of the states of neighbours is 1 − p − r; only the part of a loss's variance
        // that comes from the state is correlated.
        let correlation = (1.0 - to_bad - to_good).clamp(0.0, 1.0 - 1e-9);
        let bad = to_bad / (to_bad + to_good);
        let mean = self.mean();
        let of_state = bad * (1.0 - bad) * (loss_in_bad - loss_in_good).powi(2);
        let of_all = mean * (1.0 - mean);
        if of_all <= 0.0 {
            return 1.0;
        }
        1.0 + 2.0 * correlation / (1.0 - correlation) * of_state / of_all
    }
}

/// A law and where it stands.
#[derive(Clone, Debug)]
pub(super) struct LossState {
    law: LossLaw,
    bad: bool,
    count: u32,
}

impl LossState {
    pub(super) fn new(law: LossLaw, random: &mut Random) -> Self {
        // The chain begins in its long run, or short experiments would see too few bursts.
        let bad = match law {
            LossLaw::GilbertElliott { to_bad, to_good, .. } => {
                random.unit() < to_bad / (to_bad + to_good)
            }
            LossLaw::Bernoulli { .. } | LossLaw::Nth { .. } => false,
        };
        Self { law, bad, count: 0 }
    }

    pub(super) fn strikes(&mut self, random: &mut Random) -> bool {
        match self.law {
            LossLaw::Bernoulli { share } => random.unit() < share,
            LossLaw::GilbertElliott { to_bad, to_good, loss_in_bad, loss_in_good } => {
                let leaves = random.unit() < if self.bad { to_good } else { to_bad };
                self.bad ^= leaves;
                random.unit() < if self.bad { loss_in_bad } else { loss_in_good }
            }
            LossLaw::Nth { every } => {
                self.count = (self.count + 1) % every;
                self.count == 0
            }
        }
    }
}
