//! Counts over the last so much time, in slices: the oldest is dropped as a whole.

use std::time::{Duration, Instant};

/// Slices of a window: counts are at most so much of the window too old.
const SLICES: usize = 10;

#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    requests: u64,
    failures: u64,
}

/// A sliding window.
#[derive(Debug)]
pub(super) struct Window {
    slices: [Slice; SLICES],
    /// The slice that is counted in.
    current: usize,
    /// When that slice began.
    began: Instant,
}

impl Window {
    pub(super) fn new(now: Instant) -> Self {
        Self { slices: [Slice::default(); SLICES], current: 0, began: now }
    }

    /// Counts a request at `now`, and forgets those before the window.
    pub(super) fn count(&mut self, failed: bool, window: Duration, now: Instant) {
        self.slide(window, now);
        let slice = &mut self.slices[self.current];
        slice.requests += 1;
        slice.failures += u64::from(failed);
    }

    fn slide(&mut self, window: Duration, now: Instant) {
        let length = (window / SLICES as u32).max(Duration::from_nanos(1));
        for _ in 0..SLICES {
            if now.saturating_duration_since(self.began) < length {
                return;
            }
            self.began += length;
            self.current = (self.current + 1) % SLICES;
            self.slices[self.current] = Slice::default();
        }
        // All are forgotten; the one that begins now need not begin where they would have ended.
        self.began = self.began.max(now);
    }

    /// Requests and failures.
    pub(super) fn sums(&self) -> (u64, u64) {
        let sum = |count: fn(&Slice) -> u64| self.slices.iter().map(count).sum();
        (sum(|slice| slice.requests), sum(|slice| slice.failures))
    }
}
