//! How delays spread.

use std::f64::consts::TAU;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Random;

/// A spread of delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jitter {
    /// Its form.
    pub law: JitterLaw,
    /// Half width, standard deviation or scale.
    pub spread: Duration,
    /// How long a drawn delay lasts; zero: for one packet.
    pub hold: Duration,
}

/// The form of a spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JitterLaw {
    /// Even from −1 to 1 spread.
    Uniform,
    /// Gaussian with a standard deviation of 1 spread, without what lies beyond three.
    Normal,
    /// Lomax (Pareto of the second kind) with shape 3 and scale 1, never below 0.
    Pareto,
}

impl JitterLaw {
    /// Standard deviations after which the normal law ends.
    pub const SIGMA_MAX: f64 = 3.0;
    /// Shape of the Pareto law.
    pub const PARETO_SHAPE: f64 = 3.0;
    /// Spreads after which the Pareto law ends: one in 9,261 draws is cut to it.
    const PARETO_MAX: f64 = 20.0;

    /// A draw, in spreads.
    pub fn draw(self, random: &mut Random) -> f64 {
        match self {
            Self::Uniform => 2.0 * random.unit() - 1.0,
            Self::Normal => loop {
                // Box and Muller 1958; 1 − unit() is never 0.
                let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
                let value = radius * (TAU * random.unit()).cos();
                if value.abs() <= Self::SIGMA_MAX {
                    return value;
                }
            },
            Self::Pareto => {
                let value = (1.0 - random.unit()).powf(-1.0 / Self::PARETO_SHAPE) - 1.0;
                value.min(Self::PARETO_MAX)
            }
        }
    }

    /// Mean, in spreads.
    pub const fn mean(self) -> f64 {
        match self {
            Self::Uniform | Self::Normal => 0.0,
            Self::Pareto => 0.498_866,
        }
    }

    /// Standard deviation, in spreads.
    pub const fn deviation(self) -> f64 {
        match self {
            Self::Uniform => 0.577_350_269,
            // Of a standard normal law that ends at three.
            Self::Normal => 0.986_578,
            Self::Pareto => 0.811_273,
        }
    }

    /// Largest draw, in spreads.
    pub const fn largest(self) -> f64 {
        match self {
            Self::Uniform => 1.0,
            Self::Normal => Self::SIGMA_MAX,
            Self::Pareto => Self::PARETO_MAX,
        }
    }
}

/// A jitter and the delay that it holds.
#[derive(Clone, Debug)]
pub(super) struct JitterState {
    jitter: Jitter,
    /// A delay, in spreads, and when it ends.
    held: Option<(f64, Duration)>,
}

impl JitterState {
    pub(super) const fn new(jitter: Jitter) -> Self {
        Self { jitter, held: None }
    }

    /// `base` with what this packet has on top of it.
    pub(super) fn apply(&mut self, base: Duration, now: Duration, random: &mut Random) -> Duration {
        let spreads = match self.held {
            Some((spreads, until)) if now < until => spreads,
            _ => {
                let spreads = self.jitter.law.draw(random);
                self.held = Some((spreads, now + self.jitter.hold));
                spreads
            }
        };
        let nanos = base.as_nanos() as f64 + spreads * self.jitter.spread.as_nanos() as f64;
        Duration::from_nanos(nanos.max(0.0) as u64)
    }
}
