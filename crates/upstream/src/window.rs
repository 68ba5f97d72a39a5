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
    /// When that slice ends; `None` before the first count.
    ends: Option<Instant>,
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
            ends: None,
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
        match self.ends {
            Some(ends) if now < ends => {}
            Some(ends) => self.turn(ends, now),
            None => self.ends = Some(now + self.slice),
        }
    }

    #[cold]
    fn turn(&mut self, mut ends: Instant, now: Instant) {
        for _ in 0..SLICES {
            if now < ends {
                self.ends = Some(ends);
                return;
            }
            ends += self.slice;
            self.current = (self.current + 1) % SLICES;
            let oldest = std::mem::take(&mut self.slices[self.current]);
            self.sums.requests -= oldest.requests;
            self.sums.marked -= oldest.marked;
        }
        // All are forgotten; the one that begins now need not begin where they would have ended.
        self.ends = Some(ends.max(now + self.slice));
    }
}

#[cfg(test)]
mod tests;
