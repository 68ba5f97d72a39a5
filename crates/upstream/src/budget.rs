//! The retry budget: retries may be at most a share of the requests of the last seconds.
//!
//! Without it, retries multiply the load exactly when an upstream is in trouble. As in Gateway API's
//! GEP-3388: a percentage over a sliding window, with a small fixed allowance so that a quiet
//! cluster can retry at all.

use std::time::{Duration, Instant};

use crate::window::{Counts, Window};

/// Length of the window.
pub const BUDGET_WINDOW: Duration = Duration::from_secs(10);

/// Retries per second that are always allowed, on the window's average.
pub const BUDGET_RETRIES_PER_SECOND_MIN: u32 = 3;

/// The budget of one cluster in one worker.
#[derive(Clone, Debug)]
pub struct Budget {
    percent: u32,
    /// Requests, and retries.
    window: Window,
}

impl Budget {
    /// An empty window. `percent` of the requests may be retries.
    pub fn new(percent: u32) -> Self {
        Self { percent, window: Window::new(BUDGET_WINDOW) }
    }

    /// Changes the share; the window stays.
    pub const fn set_percent(&mut self, percent: u32) {
        self.percent = percent;
    }

    /// Counts a request (its first attempt).
    #[inline]
    pub fn record_request(&mut self, now: Instant) {
        self.window.count(Counts { requests: 1, marked: 0 }, now);
    }

    /// Takes one retry out of the budget, or says that there is none left.
    pub fn take_retry(&mut self, now: Instant) -> bool {
        let Counts { requests, marked: retries } = self.window.sums(now);
        let share = requests * u64::from(self.percent) / 100;
        let floor = u64::from(BUDGET_RETRIES_PER_SECOND_MIN) * BUDGET_WINDOW.as_secs();
        let granted = retries < share.max(floor);
        if granted {
            self.window.count(Counts { requests: 0, marked: 1 }, now);
        }
        granted
    }
}

#[cfg(test)]
mod tests;
