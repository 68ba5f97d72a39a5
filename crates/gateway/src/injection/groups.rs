//! The two groups of a rule that is compared: what became of the exchanges that it befell, and of as
//! many that it spared.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bulkhead_chaos::{GROUP_BUCKETS_PER_DOUBLING, GroupReport};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Experiment,
    Control,
}

impl Group {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Experiment => "experiment",
            Self::Control => "control",
        }
    }
}

/// Buckets of each doubling of a microsecond, and its logarithm.
const PER_DOUBLING: usize = GROUP_BUCKETS_PER_DOUBLING as usize;
const LOG: usize = PER_DOUBLING.ilog2() as usize;
/// Those below the first doubling that has as many microseconds as buckets are one microsecond each; the
/// last doubling ends at 2³² µs.
const BUCKETS: usize = (32 - LOG + 1) * PER_DOUBLING;

/// What is counted of a group. Written by all workers, while there is an experiment.
#[derive(Debug)]
pub(crate) struct GroupCounts {
    failures: AtomicU64,
    sum_micros: AtomicU64,
    durations: [AtomicU64; BUCKETS],
}

impl Default for GroupCounts {
    fn default() -> Self {
        Self {
            failures: AtomicU64::new(0),
            sum_micros: AtomicU64::new(0),
            durations: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl GroupCounts {
    /// An exchange has ended.
    pub(crate) fn record(&self, duration: Duration, failed: bool) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
        self.failures.fetch_add(failed.into(), Ordering::Relaxed);
        self.durations[bucket_of(micros)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn report(&self) -> GroupReport {
        let counts = self.durations.iter().map(|count| count.load(Ordering::Relaxed));
        let durations_us: Vec<(u64, u64)> = counts
            .enumerate()
            .filter(|(_, count)| *count > 0)
            .map(|(bucket, count)| (highest_of(bucket), count))
            .collect();
        let requests = durations_us.iter().map(|(_, count)| count).sum();
        let sum_ms = self.sum_micros.load(Ordering::Relaxed) as f64 / 1e3;
        GroupReport {
            requests,
            failures: self.failures.load(Ordering::Relaxed),
            mean_ms: if requests == 0 { 0.0 } else { sum_ms / requests as f64 },
            durations_us,
        }
    }
}

fn bucket_of(micros: u64) -> usize {
    if micros < PER_DOUBLING as u64 {
        return micros as usize;
    }
    let octave = micros.ilog2() as usize;
    let part = (micros >> (octave - LOG)) as usize % PER_DOUBLING;
    ((octave - LOG + 1) * PER_DOUBLING + part).min(BUCKETS - 1)
}

/// Highest duration of a bucket, in microseconds.
fn highest_of(bucket: usize) -> u64 {
    if bucket < PER_DOUBLING {
        return bucket as u64;
    }
    let (octave, part) = (bucket / PER_DOUBLING + LOG - 1, bucket % PER_DOUBLING);
    (((PER_DOUBLING + part) as u64 + 1) << (octave - LOG)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_its_boundary_says() {
        let mut before = 0;
        for bucket in 0..BUCKETS {
            let highest = highest_of(bucket);
            assert_eq!(bucket_of(highest), bucket, "{highest}");
            assert_eq!(bucket_of(highest + 1), (bucket + 1).min(BUCKETS - 1), "{highest}");
            let step = before / u64::from(GROUP_BUCKETS_PER_DOUBLING) + 1;
            assert!(bucket == 0 || highest <= before + step, "{before} {highest}");
            before = highest;
        }
        assert!(before > 3_600_000_000, "an hour is told apart: {before}");
    }

    #[test]
    fn a_group_tells_its_counts() {
        let counts = GroupCounts::default();
        counts.record(Duration::from_millis(10), false);
        counts.record(Duration::from_millis(30), true);
        let report = counts.report();
        assert_eq!((report.requests, report.failures, report.mean_ms), (2, 1, 20.0));
        assert_eq!(report.durations_us.len(), 2);
    }
}
