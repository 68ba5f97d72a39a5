//! The retry budget: retries may be at most a share of the requests of the last seconds.
//!
//! Without it, retries multiply the load exactly when an upstream is in trouble. As in Gateway API's
//! GEP-3388: a percentage over a sliding window, with a small fixed allowance so that a quiet
//! cluster can retry at all.

use std::time::{Duration, Instant};

/// Length of the window.
pub const BUDGET_WINDOW: Duration = Duration::from_secs(10);

/// Retries per second that are always allowed, on the window's average.
pub const BUDGET_RETRIES_PER_SECOND_MIN: u32 = 3;

const SLOTS: usize = 10;
const SLOT: Duration = Duration::from_secs(1);

/// The budget of one cluster in one worker.
#[derive(Clone, Debug)]
pub struct Budget {
    percent: u32,
    requests: [u32; SLOTS],
    retries: [u32; SLOTS],
    requests_sum: u64,
    retries_sum: u64,
    current: usize,
    /// Begin of the current slot; `None` before the first request.
    slot_start: Option<Instant>,
}

impl Budget {
    /// An empty window. `percent` of the requests may be retries.
    pub const fn new(percent: u32) -> Self {
        Self {
            percent,
            requests: [0; SLOTS],
            retries: [0; SLOTS],
            requests_sum: 0,
            retries_sum: 0,
            current: 0,
            slot_start: None,
        }
    }

    /// Changes the share; the window stays.
    pub const fn set_percent(&mut self, percent: u32) {
        self.percent = percent;
    }

    /// Counts a request (its first attempt).
    #[inline]
    pub fn record_request(&mut self, now: Instant) {
        self.advance(now);
        self.requests[self.current] = self.requests[self.current].saturating_add(1);
        self.requests_sum += 1;
    }

    /// Takes one retry out of the budget, or says that there is none left.
    pub fn take_retry(&mut self, now: Instant) -> bool {
        self.advance(now);
        let share = self.requests_sum * u64::from(self.percent) / 100;
        let floor = u64::from(BUDGET_RETRIES_PER_SECOND_MIN) * BUDGET_WINDOW.as_secs();
        if self.retries_sum >= share.max(floor) {
            return false;
        }
        self.retries[self.current] += 1;
        self.retries_sum += 1;
        true
    }

    #[inline]
    fn advance(&mut self, now: Instant) {
        let start = *self.slot_start.get_or_insert(now);
        if now.duration_since(start) >= SLOT {
            self.turn(now, start);
        }
    }

    #[cold]
    fn turn(&mut self, now: Instant, start: Instant) {
        let elapsed = now.duration_since(start).as_secs();
        if elapsed >= SLOTS as u64 {
            *self = Self { slot_start: Some(now), ..Self::new(self.percent) };
            return;
        }
        for _ in 0..elapsed {
            self.current = (self.current + 1) % SLOTS;
            self.requests_sum -= u64::from(std::mem::take(&mut self.requests[self.current]));
            self.retries_sum -= u64::from(std::mem::take(&mut self.retries[self.current]));
        }
        self.slot_start = Some(start + SLOT * elapsed as u32);
    }
}

#[cfg(test)]
mod tests;
