//! Which of the possible targets are struck: a share or a count of those whose labels fit, drawn from
//! the seed, with survivors left.
//!
//! A share is rarely a whole number, and rounding changes the experiment: rounded up, 15 % of two is
//! half of them. So the rounding is part of the declaration, and the effective share of the result.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Random, Target};

/// Most candidates that may be named at a time.
pub const CANDIDATES_MAX: usize = 10_000;

/// How a share of the candidates becomes a number of victims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Up: never nothing, and more than asked. Chaos Mesh's rule.
    Ceil,
    /// Down: never more than asked, and perhaps nothing.
    Floor,
    /// Down, and one more with the probability of the remainder: the mean over many draws is the share.
    #[default]
    Stochastic,
}

/// How many are struck.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Extent {
    /// This share of those whose labels fit, over 0 to 100.
    Percent(f64),
    /// So many, at least 1.
    Count(usize),
}

/// Which are struck.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlastRadius {
    /// How many.
    #[serde(flatten)]
    pub extent: Extent,
    /// How a share is rounded.
    #[serde(default)]
    pub rounding: Rounding,
    /// Labels that a target must have, all of them.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// So many of those whose labels fit are left alone, whatever the extent says. Those that another
    /// injection strikes are not.
    #[serde(default = "one")]
    pub min_survivors: usize,
}

const fn one() -> usize {
    1
}

/// Something that may be struck.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate<T = Target> {
    /// What.
    pub target: T,
    /// What it is labelled with; `environment: production` makes it one that needs an approval.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// The result of a draw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Victims {
    /// Who is struck, in the order of the candidates.
    pub targets: Vec<Candidate>,
    /// How many had the labels.
    pub candidates: usize,
    /// Share of those that is struck, in percent.
    pub effective_percent: f64,
    /// How many were spared for the sake of `min_survivors`.
    pub spared: usize,
}

/// A blast radius that means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlastRadiusError {
    /// Not a share.
    #[error("a share must be over 0 and at most 100 percent")]
    Percent,
    /// None.
    #[error("a count must be at least 1")]
    Count,
    /// Too many to choose from.
    #[error("at most {CANDIDATES_MAX} targets can be named")]
    Candidates,
    /// None has the labels.
    #[error("no target has the labels that are asked for")]
    NoCandidate,
    /// All that there are must survive.
    #[error(
        "{candidates} targets have the labels, {struck} of them are struck already, and \
         {min_survivors} must survive"
    )]
    NobodyLeft {
        /// How many there are.
        candidates: usize,
        /// How many of them another injection strikes.
        struck: usize,
        /// How many must survive.
        min_survivors: usize,
    },
}

impl BlastRadius {
    /// Draws the victims. A share that is rounded down to nothing gives no victims and is no error.
    /// `is_struck`: whether another injection strikes it, so that it is neither drawn nor a survivor; a
    /// share is still one of all.
    ///
    /// # Errors
    /// If it means nothing, or nobody could be struck.
    pub fn draw(
        &self,
        candidates: &[Candidate],
        seed: u64,
        is_struck: impl Fn(&Target) -> bool,
    ) -> Result<Victims, BlastRadiusError> {
        self.check(candidates)?;
        let mut fitting: Vec<&Candidate> =
            candidates.iter().filter(|candidate| self.fits(candidate)).collect();
        let of = fitting.len();
        if of == 0 {
            return Err(BlastRadiusError::NoCandidate);
        }
        fitting.retain(|candidate| !is_struck(&candidate.target));
        let left = fitting.len();
        let most = left.saturating_sub(self.min_survivors);
        if most == 0 {
            let (struck, min_survivors) = (of - left, self.min_survivors);
            return Err(BlastRadiusError::NobodyLeft { candidates: of, struck, min_survivors });
        }
        let mut random = Random::new(seed);
        let asked = self.asked(of, &mut random);
        let count = asked.min(most);
        // A partial Fisher-Yates shuffle: every set of so many is equally likely.
        let mut places: Vec<usize> = (0..left).collect();
        for place in 0..count {
            let undrawn = (left - place) as u64;
            places.swap(place, place + random.below(undrawn) as usize);
        }
        places.truncate(count);
        places.sort_unstable();
        let targets =
            places.iter().filter_map(|place| fitting.get(*place).copied().cloned()).collect();
        Ok(Victims {
            targets,
            candidates: of,
            effective_percent: count as f64 * 100.0 / of as f64,
            spared: asked - count,
        })
    }

    fn check(&self, candidates: &[Candidate]) -> Result<(), BlastRadiusError> {
        match self.extent {
            Extent::Percent(percent) if !(percent > 0.0 && percent <= 100.0) => {
                Err(BlastRadiusError::Percent)
            }
            Extent::Count(0) => Err(BlastRadiusError::Count),
            _ if candidates.len() > CANDIDATES_MAX => Err(BlastRadiusError::Candidates),
            _ => Ok(()),
        }
    }

    pub(crate) fn fits(&self, candidate: &Candidate) -> bool {
        self.labels.iter().all(|(name, value)| candidate.labels.get(name) == Some(value))
    }

    fn asked(&self, of: usize, random: &mut Random) -> usize {
        match self.extent {
            Extent::Count(count) => count,
            Extent::Percent(percent) => {
                let exact = percent * of as f64 / 100.0;
                match self.rounding {
                    Rounding::Ceil => exact.ceil() as usize,
                    Rounding::Floor => exact as usize,
                    Rounding::Stochastic => {
                        exact as usize + usize::from(random.unit() < exact.fract())
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
