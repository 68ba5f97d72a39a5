//! Two histograms of durations: one with the boundaries that are exported, small enough to have
//! one per series, and a fine one per worker from which percentiles are read.

use std::time::Duration;

use crate::counter::Counter;

/// Upper boundaries in microseconds, each with its text in seconds. From 5 ms on they are
/// OpenTelemetry's advice for `http.server.request.duration`; the ones below tell a gateway that
/// answers in half a millisecond from one that takes four.
pub(crate) const BOUNDARIES: [(u64, &str); 17] = [
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (75_000, "0.075"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (750_000, "0.75"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (7_500_000, "7.5"),
    (10_000_000, "10"),
];

/// The boundaries alone.
const UPPERS: [u32; BOUNDARIES.len()] = {
    let mut uppers = [0; BOUNDARIES.len()];
    let mut index = 0;
    while index < uppers.len() {
        assert!(BOUNDARIES[index].0 < u32::MAX as u64);
        uppers[index] = BOUNDARIES[index].0 as u32;
        index += 1;
    }
    uppers
};

/// A duration in whole microseconds, saturating. `Duration::as_micros` would divide 128-bit numbers.
#[inline]
pub(crate) const fn micros(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000).saturating_add(duration.subsec_micros() as u64)
}

/// Durations by exported boundary.
#[derive(Debug, Default)]
pub(crate) struct ExportedHistogram {
    buckets: [Counter; BOUNDARIES.len() + 1],
    sum_micros: Counter,
}

impl ExportedHistogram {
    #[inline]
    pub(crate) fn record(&self, micros: u64) {
        // Comparing with all of them is a handful of vector instructions, and no branch that the
        // processor could guess wrong. What saturates is above them all.
        let narrow = u32::try_from(micros).unwrap_or(u32::MAX);
        let bucket: usize = UPPERS.iter().map(|upper| usize::from(*upper < narrow)).sum();
        self.buckets[bucket].increment();
        self.sum_micros.add(micros);
    }

    pub(crate) fn add_to(&self, sum: &mut ExportedSum) {
        for (into, bucket) in sum.buckets.iter_mut().zip(&self.buckets) {
            *into += bucket.get();
        }
        sum.sum_micros += self.sum_micros.get();
    }
}

/// Sum of [`ExportedHistogram`]s, taken when exported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExportedSum {
    pub(crate) buckets: [u64; BOUNDARIES.len() + 1],
    pub(crate) sum_micros: u64,
}

impl ExportedSum {
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// Steps in each doubling: a bucket is at most 1/32 (3.1 %) wide.
const STEPS_LOG2: u32 = 5;
const STEPS: u64 = 1 << STEPS_LOG2;
/// Longest duration told apart: 2³¹ µs, 36 minutes. Longer ones count as this.
const MICROS_MAX: u64 = (1 << 31) - 1;
const FINE_BUCKETS: usize = index_of(MICROS_MAX) + 1;

const fn index_of(micros: u64) -> usize {
    if micros < STEPS {
        return micros as usize;
    }
    let micros = if micros > MICROS_MAX { MICROS_MAX } else { micros };
    let octave = 63 - micros.leading_zeros();
    let step = (micros >> (octave - STEPS_LOG2)) & (STEPS - 1);
    ((octave - STEPS_LOG2 + 1) as usize) << STEPS_LOG2 | step as usize
}

/// Highest duration in microseconds that falls into a bucket.
const fn highest_of(index: usize) -> u64 {
    let index = index as u64;
    if index < STEPS {
        return index;
    }
    let shift = (index >> STEPS_LOG2) - 1;
    ((STEPS + (index & (STEPS - 1)) + 1) << shift) - 1
}

/// Durations with a resolution of 3 %, from 1 µs to 36 minutes; 7 KB.
#[derive(Debug)]
pub(crate) struct FineHistogram {
    buckets: Box<[Counter]>,
    sum_micros: Counter,
    max_micros: Counter,
}

impl Default for FineHistogram {
    fn default() -> Self {
        Self {
            buckets: (0..FINE_BUCKETS).map(|_| Counter::default()).collect(),
            sum_micros: Counter::default(),
            max_micros: Counter::default(),
        }
    }
}

impl FineHistogram {
    #[inline]
    pub(crate) fn record(&self, micros: u64) {
        if let Some(bucket) = self.buckets.get(index_of(micros)) {
            bucket.increment();
        }
        self.sum_micros.add(micros);
        self.max_micros.raise_to(micros);
    }

    pub(crate) fn add_to(&self, sum: &mut FineSum) {
        for (into, bucket) in sum.buckets.iter_mut().zip(&self.buckets) {
            *into += bucket.get();
        }
        sum.sum_micros += self.sum_micros.get();
        sum.max_micros = sum.max_micros.max(self.max_micros.get());
    }
}

/// Sum of [`FineHistogram`]s.
#[derive(Debug)]
pub(crate) struct FineSum {
    buckets: Vec<u64>,
    sum_micros: u64,
    max_micros: u64,
}

impl Default for FineSum {
    fn default() -> Self {
        Self { buckets: vec![0; FINE_BUCKETS], sum_micros: 0, max_micros: 0 }
    }
}

impl FineSum {
    /// The duration that `share` (0 to 1) of the exchanges did not exceed, rounded up by at most
    /// 3 %, and never above the true maximum.
    fn percentile(&self, count: u64, share: f64) -> Duration {
        let rank = ((count as f64 * share).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        for (index, bucket) in self.buckets.iter().enumerate() {
            seen += bucket;
            if seen >= rank {
                return Duration::from_micros(highest_of(index).min(self.max_micros));
            }
        }
        Duration::from_micros(self.max_micros)
    }

    pub(crate) fn snapshot(&self) -> LatencySnapshot {
        let count = self.buckets.iter().sum();
        if count == 0 {
            return LatencySnapshot::default();
        }
        LatencySnapshot {
            count,
            mean: Duration::from_micros(self.sum_micros / count),
            p50: self.percentile(count, 0.5),
            p90: self.percentile(count, 0.9),
            p99: self.percentile(count, 0.99),
            p999: self.percentile(count, 0.999),
            max: Duration::from_micros(self.max_micros),
        }
    }
}

/// Latencies of all exchanges so far, seen from inside the gateway: from the request head decoded
/// to the end. Percentiles are rounded up by at most 3 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatencySnapshot {
    /// Exchanges counted.
    pub count: u64,
    /// Mean.
    pub mean: Duration,
    /// Half were not slower.
    pub p50: Duration,
    /// 90 % were not slower.
    pub p90: Duration,
    /// 99 % were not slower.
    pub p99: Duration,
    /// 99.9 % were not slower.
    pub p999: Duration,
    /// The slowest, exact to the microsecond.
    pub max: Duration,
}

#[cfg(test)]
mod tests;
