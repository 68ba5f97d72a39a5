//! Slow start: an endpoint that is new, or back in service, gets a share that grows.
//!
//! As Envoy has it: `weight × max(min_percent, (time in service / window) ^ (1 / aggression))`.
//! Shares are computed anew some [`STEPS`] times in a window, not per request.

use std::time::{Duration, Instant};

/// How often in a window shares are computed anew.
const STEPS: u32 = 50;
/// Shortest pause between two computations.
const STEP_MIN: Duration = Duration::from_millis(10);
/// While anybody starts slowly, all weights are multiplied by this, so that a part of weight 1 is a
/// whole number.
pub(crate) const SCALE: u32 = 100;

/// How endpoints start slowly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowStart {
    /// Until the whole share is reached.
    pub window: Duration,
    /// 1: in proportion to time; above 1 faster at first, below slower. Must be above 0.
    pub aggression: f64,
    /// Share at the beginning, in percent of the whole one.
    pub min_percent: u32,
}

impl SlowStart {
    /// When shares are to be computed again, while anybody starts slowly.
    pub(crate) fn step(&self) -> Duration {
        (self.window / STEPS).max(STEP_MIN)
    }

    /// Whether the window of an endpoint in service since `since` is over.
    pub(crate) fn is_over(&self, since: Instant, now: Instant) -> bool {
        now.saturating_duration_since(since) >= self.window
    }

    /// `weight × SCALE`, reduced to what is due at `now`; at least 1.
    pub(crate) fn share(&self, weight: u32, since: Instant, now: Instant) -> u32 {
        let whole = weight.saturating_mul(SCALE);
        if self.is_over(since, now) {
            return whole;
        }
        let elapsed = now.saturating_duration_since(since).as_secs_f64();
        let time_factor = elapsed / self.window.as_secs_f64();
        let least = f64::from(self.min_percent.min(100)) / 100.0;
        let factor = time_factor.powf(1.0 / self.aggression.max(f64::MIN_POSITIVE)).max(least);
        ((f64::from(whole) * factor).round() as u32).clamp(1, whole)
    }
}

#[cfg(test)]
mod tests;
