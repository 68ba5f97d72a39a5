//! The engine's limits and times.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Most injections that may be alive at a time, whatever is configured.
pub const CONCURRENT_MAX: usize = 1_024;
/// Most calls of one direction that may be out at a time, whatever is configured.
pub const CALLS_MAX: usize = 256;
/// An id may be this much ahead of our clock; beyond, it is not of our time.
pub const ID_AHEAD_MAX: Duration = Duration::from_secs(60);

/// Limits and times. The defaults are those of the issue: 1.5 s overall, three retries after 200 ms
/// each, and hence 225 ms for each of the four attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineOptions {
    /// From the acceptance until the fault is active, retries included, in milliseconds.
    pub overall_ms: u64,
    /// Attempts after the first.
    pub retries: u32,
    /// Constant pause before each retry, in milliseconds.
    pub back_off_ms: u64,
    /// Up to this share of the pause is added by chance, 0 to 1, so that many do not retry at once.
    pub back_off_jitter: f64,
    /// For each attempt (inject and verify together), in milliseconds. Without it: what the overall
    /// time leaves for each attempt after all pauses.
    pub attempt_ms: Option<u64>,
    /// For each call that takes back or looks whether it is gone, in milliseconds.
    pub revert_ms: u64,
    /// Pause before taking back is tried again, in milliseconds.
    pub reconcile_ms: u64,
    /// Budget: injections alive at a time.
    pub concurrent_max: usize,
    /// Injections that are remembered, those alive included; an id is known so long.
    pub remembered_max: usize,
    /// Calls towards a fault (prepare, inject, verify) out at a time.
    pub forward_calls_max: usize,
    /// Calls back (revert, verify that it is gone) out at a time. They have threads of their own, so
    /// that injections that hang never delay taking back.
    pub backward_calls_max: usize,
}

/// Options that cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Retries and pauses need more than there is.
    #[error(
        "the overall time of an injection leaves nothing for its attempts after {retries} pauses; \
         raise overall_ms, or lower retries or back_off_ms"
    )]
    NoTimeLeft {
        /// Pauses.
        retries: u32,
    },
    /// Not a share.
    #[error("back_off_jitter must be from 0 to 1")]
    Jitter,
    /// A limit of nothing or too much.
    #[error("{name} must be from 1 to {most}")]
    Limit {
        /// The key.
        name: &'static str,
        /// Its upper bound.
        most: usize,
    },
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            overall_ms: 1_500,
            retries: 3,
            back_off_ms: 200,
            back_off_jitter: 0.0,
            attempt_ms: None,
            revert_ms: 1_000,
            reconcile_ms: 1_000,
            concurrent_max: 64,
            remembered_max: 10_000,
            forward_calls_max: 8,
            backward_calls_max: 8,
        }
    }
}

impl EngineOptions {
    /// Time for each attempt.
    ///
    /// # Errors
    /// [`OptionsError::NoTimeLeft`].
    pub fn attempt(&self) -> Result<Duration, OptionsError> {
        if let Some(attempt) = self.attempt_ms.filter(|attempt| *attempt > 0) {
            return Ok(Duration::from_millis(attempt));
        }
        let pauses = self.back_off().mul_f64(1.0 + self.back_off_jitter) * self.retries;
        let left = self.overall().saturating_sub(pauses) / (self.retries.saturating_add(1));
        let enough = left >= Duration::from_millis(1);
        if enough { Ok(left) } else { Err(OptionsError::NoTimeLeft { retries: self.retries }) }
    }

    /// Whether they can be kept.
    ///
    /// # Errors
    /// The first that cannot.
    pub fn check(&self) -> Result<(), OptionsError> {
        if !(0.0..=1.0).contains(&self.back_off_jitter) {
            return Err(OptionsError::Jitter);
        }
        let limits = [
            ("retries", self.retries as usize + 1, 101),
            ("revert_ms", self.revert_ms as usize, 60_000),
            ("reconcile_ms", self.reconcile_ms as usize, 60_000),
            ("overall_ms", self.overall_ms as usize, 60_000),
            ("concurrent_max", self.concurrent_max, CONCURRENT_MAX),
            ("remembered_max", self.remembered_max, 1_000_000),
            ("forward_calls_max", self.forward_calls_max, CALLS_MAX),
            ("backward_calls_max", self.backward_calls_max, CALLS_MAX),
        ];
        for (name, value, most) in limits {
            if value == 0 || value > most {
                return Err(OptionsError::Limit { name, most });
            }
        }
        self.attempt().map(drop)
    }

    pub(super) const fn overall(&self) -> Duration {
        Duration::from_millis(self.overall_ms)
    }

    pub(super) const fn back_off(&self) -> Duration {
        Duration::from_millis(self.back_off_ms)
    }

    pub(super) const fn revert(&self) -> Duration {
        Duration::from_millis(self.revert_ms)
    }

    pub(super) const fn reconcile(&self) -> Duration {
        Duration::from_millis(self.reconcile_ms)
    }
}
