//! Between which rates to search, how precisely, and how long at most.

use std::time::Duration;

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchOptions {
    /// Requests per second of the first trial.
    pub rate_start: f64,
    /// Lowest rate that is tried, over 0.
    pub rate_min: f64,
    /// Highest rate that is tried.
    pub rate_max: f64,
    /// Factor between two rates while no bound is known, over 1.
    pub growth: f64,
    /// The bracket is narrow enough when its ends differ by this share; over 0.
    pub precision: f64,
    /// Trials that confirm the rate, at least 1.
    pub confirmations: u32,
    /// Of these: how many have to hold.
    pub confirmations_needed: u32,
    /// Length of a trial.
    pub trial: Duration,
    /// Trials at most.
    pub trials_max: u32,
    /// Time of all trials at most, as told by the caller.
    pub time_max: Duration,
}

impl Default for SearchOptions {
    /// From 100 requests per second to 10 million within 5 %, five trials of 5 s of which four have to
    /// hold; at most 60 trials and 15 minutes.
    fn default() -> Self {
        Self {
            rate_start: 100.0,
            rate_min: 1.0,
            rate_max: 10_000_000.0,
            growth: 2.0,
            precision: 0.05,
            confirmations: 5,
            confirmations_needed: 4,
            trial: Duration::from_secs(5),
            trials_max: 60,
            time_max: Duration::from_secs(900),
        }
    }
}

impl SearchOptions {
    /// What is out of range moved into it.
    pub(super) fn in_range(mut self) -> Self {
        self.rate_min = self.rate_min.max(f64::MIN_POSITIVE);
        self.rate_max = self.rate_max.max(self.rate_min);
        self.rate_start = self.rate_start.clamp(self.rate_min, self.rate_max);
        self.growth = self.growth.max(1.01);
        self.precision = self.precision.clamp(0.001, 0.5);
        self.confirmations = self.confirmations.max(1);
        self.confirmations_needed = self.confirmations_needed.clamp(1, self.confirmations);
        self
    }
}
