//! Counts over the last so much time, in slices: the oldest is dropped as a whole.

use std::time::{Duration, Instant};

/// Slices of a window: counts are forgotten at most so much of the window too early.
const SLICES: usize = 10;

/// A sliding window of requests and of those among them, or beside them, that it is about: failures,
/// or retries.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// Length of a slice.
    slice: Duration,
    slices: [Counts; SLICES],
    sums: Counts,
    /// The slice that is counted in.
    current: usize,
    /// When that slice began; `None` before the first count.
    began: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    /// What is compared with the requests.
    pub(crate) marked: u64,
}

impl Counts {
    const fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.marked += other.marked;
    }
}

impl Window {
    /// An empty window of this length.
    pub(crate) fn new(length: Duration) -> Self {
        Self {
            slice: (length / SLICES as u32).max(Duration::from_nanos(1)),
            slices: [Counts::default(); SLICES],
            sums: Counts::default(),
            current: 0,
            began: None,
        }
    }

    /// Counts at `now`, and forgets what is before the window.
    #[inline]
    pub(crate) fn count(&mut self, counts: Counts, now: Instant) {
        self.slide(now);
        self.slices[self.current].add(counts);
        self.sums.add(counts);
    }

    /// What the window before `now` holds.
    #[inline]
    pub(crate) fn sums(&mut self, now: Instant) -> Counts {
        self.slide(now);
        self.sums
    }

    #[inline]
    fn slide(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        if now.saturating_duration_since(began) >= self.slice {
            self.turn(began, now);
        }
    }

    #[cold]
    fn turn(&mut self, mut began: Instant, now: Instant) {
        for _ in 0..SLICES {
            if now.saturating_duration_since(began) < self.slice {
                self.began = Some(began);
                return;
            }
            began += self.slice;
            self.current = (self.current + 1) % SLICES;
            let oldest = std::mem::take(&mut self.slices[self.current]);
            self.sums.requests -= oldest.requests;
            self.sums.marked -= oldest.marked;
        }
        // All are forgotten; the one that begins now need not begin where they would have ended.
        self.began = Some(began.max(now));
    }
}

#[cfg(test)]
mod tests;
