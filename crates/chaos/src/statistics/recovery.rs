//! What a fault has cost, and how long it went on after the fault was gone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Proportion;

/// How much of what may fail has failed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorBudget {
    /// Failures that the objective allows for so many trials.
    pub allowed: f64,
    /// Failures that were seen.
    pub spent: u64,
}

impl ErrorBudget {
    /// `objective`: share that must succeed, 0 to 1: 0.999.
    pub fn new(objective: f64, seen: Proportion) -> Self {
        let allowed = (1.0 - objective.clamp(0.0, 1.0)) * seen.trials as f64;
        Self { allowed, spent: seen.trials.saturating_sub(seen.successes) }
    }

    /// Share that is spent: over 1 is too much. Infinite where nothing is allowed and something spent.
    pub fn burnt(self) -> f64 {
        match self.spent {
            0 => 0.0,
            spent => spent as f64 / self.allowed,
        }
    }
}

/// From the end of a fault until everything was well again and stayed so for `hold`. `samples`: times
/// since any common start, ascending, and whether all was well then. Nothing if it never was: also if
/// there were too few samples after the end to say so.
pub fn recovery_time(
    samples: &[(Duration, bool)],
    fault_end: Duration,
    hold: Duration,
) -> Option<Duration> {
    let after = samples.iter().filter(|(at, _)| *at >= fault_end);
    let mut well_since = None;
    for &(at, well) in after {
        if !well {
            well_since = None;
            continue;
        }
        let since = *well_since.get_or_insert(at);
        if at - since >= hold {
            return Some(since - fault_end);
        }
    }
    None
}
