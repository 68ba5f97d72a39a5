//! Counters of a gateway over time.

use std::time::Duration;

use bulkhead_chaos::Proportion;

/// Samples that are kept. Beyond, every other one is dropped and the next ones are twice as far apart.
const SAMPLES_MAX: usize = 8_192;

/// Requests and failures since the first sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sample {
    at: Duration,
    requests: u64,
    failures: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    kept: Vec<Sample>,
    /// The gateway's own counters at the last one.
    counters: (u64, u64),
    interval: Duration,
}

impl Samples {
    /// The least time between two of them.
    pub(crate) const fn interval(&self) -> Duration {
        self.interval
    }

    /// What the gateway's counters say now. One that was started anew begins at 0.
    pub(crate) fn add(&mut self, at: Duration, requests: u64, failures: u64) {
        let grown = |now: u64, before: u64| if now < before { now } else { now - before };
        let restarted = requests < self.counters.0;
        let before = if restarted { (0, 0) } else { self.counters };
        self.counters = (requests, failures);
        let sample = match self.kept.last() {
            None => Sample { at, ..Sample::default() },
            Some(last) => Sample {
                at,
                requests: last.requests + grown(requests, before.0),
                failures: last.failures + grown(failures, before.1),
            },
        };
        if self.kept.len() == SAMPLES_MAX {
            let span = at.saturating_sub(self.kept.first().map_or(at, |first| first.at));
            self.interval = span / (SAMPLES_MAX as u32 / 2);
            let mut index = 0;
            self.kept.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
        self.kept.push(sample);
    }

    /// What ended from one moment to another, as far as the samples around tell them apart. Nothing
    /// without two samples.
    pub(crate) fn between(&self, from: Duration, to: Duration) -> Option<Proportion> {
        let first =
            self.kept.iter().rfind(|sample| sample.at <= from).or_else(|| self.kept.first())?;
        let last = self.kept.iter().find(|sample| sample.at >= to).or_else(|| self.kept.last())?;
        if last.at <= first.at {
            return None;
        }
        let trials = last.requests - first.requests;
        let failures = last.failures - first.failures;
        Some(Proportion { successes: trials.saturating_sub(failures), trials })
    }

    /// When it was well: of all that ended since the sample before, no more failed than may. A time in
    /// which nothing ended says nothing.
    pub(crate) fn well(&self, objective: f64) -> impl Iterator<Item = (Duration, bool)> {
        self.kept.windows(2).filter_map(move |pair| {
            let [before, after] = pair else { return None };
            let requests = after.requests - before.requests;
            let failures = after.failures - before.failures;
            let allowed = (1.0 - objective) * requests as f64;
            (requests > 0).then_some((after.at, failures as f64 <= allowed))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn second(at: u64) -> Duration {
        Duration::from_secs(at)
    }

    #[test]
    fn counters_are_differences_and_a_restart_is_none() {
        let mut samples = Samples::default();
        assert_eq!(samples.between(second(0), second(9)), None);
        for (at, requests, failures) in
            [(1, 1_000, 50), (2, 1_100, 50), (3, 1_200, 60), (4, 30, 1), (5, 30, 1)]
        {
            samples.add(second(at), requests, failures);
        }
        let seen = |from, to| {
            let seen = samples.between(second(from), second(to)).unwrap();
            (seen.trials, seen.trials - seen.successes)
        };
        assert_eq!(seen(0, 9), (230, 11));
        assert_eq!(seen(2, 3), (100, 10));
        let well: Vec<_> = samples.well(0.99).map(|(at, well)| (at.as_secs(), well)).collect();
        assert_eq!(well, [(2, true), (3, false), (4, false)]);
    }

    #[test]
    fn a_long_run_is_kept_more_coarsely() {
        let mut samples = Samples::default();
        for at in 0..3 * SAMPLES_MAX as u64 {
            samples.add(second(at), at * 10, 0);
        }
        assert!(samples.kept.len() <= SAMPLES_MAX);
        assert!(samples.interval() >= second(2), "{:?}", samples.interval());
        let all = samples.between(second(0), second(u64::MAX)).unwrap();
        assert_eq!(all.trials, (3 * SAMPLES_MAX as u64 - 1) * 10);
    }
}
