//! What was measured, counted and written.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

/// Things that are told of what was left; more are only counted.
const LEFT_TOLD_MAX: usize = 50;

/// What became of one injection.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Nothing that was killed explains that it failed.
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

/// What was counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    samples: BTreeMap<&'static str, Vec<Sample>>,
    /// Kinds that this machine cannot do, and why.
    pub(super) infeasible: BTreeMap<&'static str, String>,
    /// What was seen beside the targets.
    pub(super) left: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, kind: &'static str, sample: Sample) {
        self.samples.entry(kind).or_default().push(sample);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Of the kinds with such a name.
    fn figures(&self, is_it: impl Fn(&str) -> bool) -> Figures {
        let of_kinds = self.samples.iter().filter(|(kind, _)| is_it(kind));
        Figures::of(&of_kinds.flat_map(|(_, samples)| samples).collect::<Vec<_>>())
    }
}

/// The results, as the file has them.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    version: &'static str,
    seed: u64,
    #[serde(flatten)]
    all: Figures,
    /// What was seen beside the targets; the beginning of it.
    left: Vec<String>,
    kills: BTreeMap<&'static str, usize>,
    /// Of faults that a gateway carries out in its own process.
    in_process: Figures,
    kinds: BTreeMap<&'static str, Figures>,
    infeasible: BTreeMap<&'static str, String>,
}

/// Figures of all injections, or of some.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    injections: usize,
    /// Without those that a kill has spoiled.
    feasible: usize,
    /// Of the feasible, those that were in force.
    success_rate: f64,
    /// Of all, those whose overall time was over before.
    timeout_rate: f64,
    /// Injections that needed more than one attempt.
    retried: usize,
    latency_ms: Latency,
    reverts: Reverts,
    /// Faults that were seen after they had been taken back.
    left_behind: usize,
}

#[derive(Clone, Debug, Serialize)]
struct Reverts {
    success_rate: f64,
    /// Injections that had not ended when the lab did.
    alive_at_end: usize,
    latency_ms: Latency,
}

impl Figures {
    fn of(samples: &[&Sample]) -> Self {
        let count = |is_it: fn(&Sample) -> bool| samples.iter().filter(|it| is_it(it)).count();
        let times = |time: fn(&Sample) -> Option<f64>| {
            Latency::of(&samples.iter().filter_map(|it| time(it)).collect::<Vec<_>>())
        };
        let feasible = count(|it| it.feasible);
        Self {
            injections: samples.len(),
            feasible,
            success_rate: rate(count(|it| it.succeeded), feasible, 0.0),
            timeout_rate: rate(count(|it| it.timed_out), samples.len(), 0.0),
            retried: count(|it| it.attempts > 1),
            latency_ms: times(|it| it.inject_ms),
            reverts: Reverts {
                success_rate: rate(
                    count(|it| it.to_revert && it.reverted),
                    count(|it| it.to_revert),
                    1.0,
                ),
                alive_at_end: 0,
                latency_ms: times(|it| it.revert_ms),
            },
            left_behind: count(|it| it.left_behind),
        }
    }
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
        let sum = sorted.iter().fold(0.0, |sum, value| sum + value);
        let mean = sum / sorted.len().max(1) as f64;
        Self { mean, p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

/// Without any there was none that failed.
fn rate(of: usize, all: usize, without: f64) -> f64 {
    if all == 0 { without } else { of as f64 / all as f64 }
}

impl Report {
    pub(super) fn new(
        tally: &Tally,
        seed: u64,
        alive_at_end: usize,
        kills: Vec<(&'static str, usize)>,
        mut left: Vec<String>,
    ) -> Self {
        let mut all = tally.figures(|_| true);
        all.reverts.alive_at_end = alive_at_end;
        all.left_behind += left.len();
        left.truncate(LEFT_TOLD_MAX);
        let kinds = tally.samples.keys().map(|&kind| (kind, tally.figures(|it| it == kind)));
        Self {
            version: env!("CARGO_PKG_VERSION"),
            seed,
            all,
            left,
            kills: kills.into_iter().collect(),
            in_process: tally.figures(|it| it.starts_with("http.") || it.starts_with("gateway.")),
            kinds: kinds.collect(),
            infeasible: tally.infeasible.clone(),
        }
    }

    /// What is left behind is worse than what did not succeed.
    pub(super) fn exit_status(&self, success_rate_min: f64) -> u8 {
        let reverts = &self.all.reverts;
        if self.all.left_behind > 0 || reverts.alive_at_end > 0 || reverts.success_rate < 1.0 {
            3
        } else if self.all.success_rate < success_rate_min {
            2
        } else {
            0
        }
    }

    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let Figures { latency_ms: inject, reverts, .. } = &self.all;
        writeln!(out, "injections     {} ({} feasible)", self.all.injections, self.all.feasible)?;
        for (kind, figures) in &self.kinds {
            let Figures { injections, feasible, success_rate, latency_ms, .. } = figures;
            writeln!(
                out,
                "  {kind:<26} {:7.3} % of {feasible} in force, mean {:7.2} ms, {} spoilt by kills",
                success_rate * 100.0,
                latency_ms.mean,
                injections - feasible,
            )?;
        }
        for (kind, why) in &self.infeasible {
            writeln!(out, "  {kind:<26} not on this machine: {why}")?;
        }
        let kills: Vec<String> = self.kills.iter().map(|(it, n)| format!("{n} {it}")).collect();
        let kills = if kills.is_empty() { "none".to_owned() } else { kills.join(", ") };
        writeln!(out, "kills          {kills}")?;
        writeln!(out, "success rate   {:.3} %", self.all.success_rate * 100.0)?;
        writeln!(out, "timeout rate   {:.3} %", self.all.timeout_rate * 100.0)?;
        writeln!(
            out,
            "until in force mean {:.2} ms, p99 {:.2} ms, max {:.2} ms; in a gateway mean {:.2} ms",
            inject.mean, inject.p99, inject.max, self.in_process.latency_ms.mean,
        )?;
        writeln!(
            out,
            "reverts        {:.3} %, mean {:.2} ms, p99 {:.2} ms",
            reverts.success_rate * 100.0,
            reverts.latency_ms.mean,
            reverts.latency_ms.p99
        )?;
        writeln!(out, "left behind    {}", self.all.left_behind)?;
        self.left.iter().try_for_each(|line| writeln!(out, "  {line}"))
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
            tally.add("process.stop", sample.clone());
        }
        let report = Report::new(&tally, 1, alive, vec![("lab", 2)], Vec::new());
        assert_eq!(report.exit_status(0.999), status, "{report:?}");
        report
    }

    #[test]
    fn rates_are_of_what_could_be() {
        let spoilt = Sample {
            feasible: false,
            succeeded: false,
            inject_ms: None,
            to_revert: false,
            ..sample()
        };
        let report = check(&[sample(), spoilt], 0, 0);
        assert!((report.all.success_rate - 1.0).abs() < 1e-9 && report.all.feasible == 1);
        let failed = Sample { succeeded: false, timed_out: true, ..sample() };
        let report = check(&[sample(), failed], 0, 2);
        assert!((report.all.success_rate - 0.5).abs() < 1e-9);
        assert!((report.all.timeout_rate - 0.5).abs() < 1e-9);
    }

    #[test]
    fn what_is_left_behind_is_the_worst() {
        check(&[Sample { left_behind: true, ..sample() }], 0, 3);
        check(&[Sample { reverted: false, ..sample() }], 0, 3);
        check(&[sample()], 1, 3);
        let mut tally = Tally::default();
        tally.add("host.io", sample());
        let seen = vec!["process 7 is stopped".to_owned()];
        let report = Report::new(&tally, 1, 0, Vec::new(), seen);
        assert_eq!((report.all.left_behind, report.exit_status(0.5)), (1, 3));
        let mut told = Vec::new();
        report.print(&mut told).unwrap();
        assert!(String::from_utf8(told).unwrap().contains("process 7 is stopped"));
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        let expected = Latency { mean: 100.5, p50: 100.0, p99: 198.0, max: 200.0 };
        assert_eq!(Latency::of(&values), expected);
        assert_eq!(Latency::of(&[]), Latency { mean: 0.0, p50: 0.0, p99: 0.0, max: 0.0 });
    }
}
