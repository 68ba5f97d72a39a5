//! What was measured, counted and written.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

/// What became of one injection.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// The target did not refuse it.
    pub(super) feasible: bool,
    /// It was in force, by the lab's word and by the target's.
    pub(super) succeeded: bool,
    /// The overall time was over before.
    pub(super) timed_out: bool,
    pub(super) attempts: u32,
    pub(super) inject_ms: Option<f64>,
    /// There was something to take back.
    pub(super) to_revert: bool,
    /// It came to its end.
    pub(super) reverted: bool,
    pub(super) revert_ms: Option<f64>,
    /// Seen on the target.
    pub(super) left_behind: bool,
}

/// Counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) injections: u64,
    feasible: u64,
    succeeded: u64,
    timed_out: u64,
    retried: u64,
    to_revert: u64,
    reverted: u64,
    left_behind: u64,
    inject_ms: Vec<f64>,
    revert_ms: Vec<f64>,
    kinds: BTreeMap<&'static str, KindTally>,
}

/// Counts of one kind.
#[derive(Clone, Debug, Default, Serialize)]
struct KindTally {
    injections: u64,
    succeeded: u64,
}

impl Tally {
    pub(super) fn add(&mut self, kind: &'static str, sample: &Sample) {
        self.injections += 1;
        self.feasible += u64::from(sample.feasible);
        self.succeeded += u64::from(sample.succeeded);
        self.timed_out += u64::from(sample.timed_out);
        self.retried += u64::from(sample.attempts > 1);
        self.to_revert += u64::from(sample.to_revert);
        self.reverted += u64::from(sample.to_revert && sample.reverted);
        self.left_behind += u64::from(sample.left_behind);
        self.inject_ms.extend(sample.inject_ms);
        self.revert_ms.extend(sample.revert_ms);
        let of_kind = self.kinds.entry(kind).or_default();
        of_kind.injections += 1;
        of_kind.succeeded += u64::from(sample.succeeded);
    }
}

/// The results, as the file has them.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    version: &'static str,
    seed: u64,
    injections: u64,
    /// Those that no target refused.
    feasible: u64,
    /// Of the feasible, those that were in force.
    success_rate: f64,
    /// Of all, those whose overall time was over before.
    timeout_rate: f64,
    /// Injections that needed more than one attempt.
    retried: u64,
    latency_ms: Latency,
    reverts: Reverts,
    /// Faults that were seen on their target after they had been taken back.
    left_behind: u64,
    kinds: BTreeMap<&'static str, KindTally>,
}

#[derive(Clone, Debug, Serialize)]
struct Reverts {
    success_rate: f64,
    /// Injections that had not ended when the lab did.
    alive_at_end: usize,
    latency_ms: Latency,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Latency {
    mean: f64,
    p50: f64,
    p99: f64,
    max: f64,
}

impl Latency {
    /// Of all values, not of buckets: there are few enough. Zero where there are none.
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        // The smallest value that so many are not above.
        let at = |share: f64| {
            let rank = (share * sorted.len() as f64).ceil() as usize;
            sorted.get(rank.max(1) - 1).copied().unwrap_or_default()
        };
        let mean = sorted.iter().sum::<f64>() / sorted.len().max(1) as f64;
        Self { mean, p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

/// Without any there was none that failed.
fn rate(of: u64, all: u64, without: f64) -> f64 {
    if all == 0 { without } else { of as f64 / all as f64 }
}

impl Report {
    pub(super) fn new(tally: &Tally, seed: u64, alive_at_end: usize) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            seed,
            injections: tally.injections,
            feasible: tally.feasible,
            success_rate: rate(tally.succeeded, tally.feasible, 0.0),
            timeout_rate: rate(tally.timed_out, tally.injections, 0.0),
            retried: tally.retried,
            latency_ms: Latency::of(&tally.inject_ms),
            reverts: Reverts {
                success_rate: rate(tally.reverted, tally.to_revert, 1.0),
                alive_at_end,
                latency_ms: Latency::of(&tally.revert_ms),
            },
            left_behind: tally.left_behind,
            kinds: tally.kinds.clone(),
        }
    }

    /// What is left behind is worse than what did not succeed.
    pub(super) fn exit_status(&self, success_rate_min: f64) -> u8 {
        let reverts = &self.reverts;
        if self.left_behind > 0 || reverts.alive_at_end > 0 || reverts.success_rate < 1.0 {
            3
        } else if self.success_rate < success_rate_min {
            2
        } else {
            0
        }
    }

    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let (inject, revert) = (self.latency_ms, self.reverts.latency_ms);
        writeln!(out, "injections     {} ({} feasible)", self.injections, self.feasible)?;
        for (kind, tally) in &self.kinds {
            writeln!(out, "  {kind:<18} {} of {} in force", tally.succeeded, tally.injections)?;
        }
        writeln!(out, "success rate   {:.3} %", self.success_rate * 100.0)?;
        writeln!(out, "timeout rate   {:.3} %", self.timeout_rate * 100.0)?;
        writeln!(
            out,
            "until in force mean {:.2} ms, p99 {:.2} ms, max {:.2} ms",
            inject.mean, inject.p99, inject.max
        )?;
        writeln!(
            out,
            "reverts        {:.3} %, mean {:.2} ms, p99 {:.2} ms",
            self.reverts.success_rate * 100.0,
            revert.mean,
            revert.p99
        )?;
        writeln!(out, "left behind    {}", self.left_behind)
    }
}

#[cfg(test)]
mod tests {
    use super::{Latency, Report, Sample, Tally};

    fn sample() -> Sample {
        Sample {
            feasible: true,
            succeeded: true,
            timed_out: false,
            attempts: 1,
            inject_ms: Some(2.0),
            to_revert: true,
            reverted: true,
            revert_ms: Some(1.0),
            left_behind: false,
        }
    }

    #[track_caller]
    fn check(samples: &[Sample], alive: usize, status: u8) -> Report {
        let mut tally = Tally::default();
        for sample in samples {
            tally.add("process.stop", sample);
        }
        let report = Report::new(&tally, 1, alive);
        assert_eq!(report.exit_status(0.999), status, "{report:?}");
        report
    }

    #[test]
    fn rates_are_of_what_could_be() {
        let refused = Sample {
            feasible: false,
            succeeded: false,
            inject_ms: None,
            to_revert: false,
            ..sample()
        };
        let report = check(&[sample(), refused], 0, 0);
        assert!((report.success_rate - 1.0).abs() < 1e-9 && report.feasible == 1);
        let failed = Sample { succeeded: false, timed_out: true, ..sample() };
        let report = check(&[sample(), failed], 0, 2);
        assert!((report.success_rate - 0.5).abs() < 1e-9);
        assert!((report.timeout_rate - 0.5).abs() < 1e-9);
    }

    #[test]
    fn what_is_left_behind_is_the_worst() {
        check(&[Sample { left_behind: true, ..sample() }], 0, 3);
        check(&[Sample { reverted: false, ..sample() }], 0, 3);
        check(&[sample()], 1, 3);
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        let expected = Latency { mean: 100.5, p50: 100.0, p99: 198.0, max: 200.0 };
        assert_eq!(Latency::of(&values), expected);
        assert_eq!(Latency::of(&[]), Latency { mean: 0.0, p50: 0.0, p99: 0.0, max: 0.0 });
    }
}
