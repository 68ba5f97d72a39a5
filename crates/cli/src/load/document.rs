//! The results: JSON, and a summary to read.

use std::collections::BTreeMap;
use std::io::{self, Write};

use bulkhead_load::{ConnectionReport, FailureSample, LoadReport, Summary};
use serde::Serialize;

use super::args::LoadArgs;

/// Largest lag of the generator at P99, in milliseconds.
const LAG_P99_MS_MAX: f64 = 1.0;
/// Largest share of one core that the generator may use.
const CPU_SHARE_MAX: f64 = 0.8;
/// Largest share of stolen time.
const STEAL_SHARE_MAX: f64 = 0.05;

/// A run, as written.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Document {
    pub(crate) target: String,
    pub(crate) seed: u64,
    /// `open` or `closed`.
    pub(crate) arrivals: &'static str,
    /// Whether the figures say something about the target.
    pub(crate) valid: bool,
    pub(crate) invalid_reasons: Vec<String>,
    pub(crate) requests: Requests,
    /// Failed requests by kind; kinds that did not occur are left out.
    pub(crate) errors: BTreeMap<&'static str, u64>,
    pub(crate) throughput_rps: f64,
    /// From the intended send time; right answers only.
    pub(crate) latency_ms: Summary,
    /// From the actual send time; right answers only.
    pub(crate) service_ms: Summary,
    pub(crate) generator: Generator,
    pub(crate) connections: ConnectionReport,
    pub(crate) assertions: Vec<Judged>,
    /// The first failures.
    pub(crate) failure_samples: Vec<FailureSample>,
    pub(crate) duration_s: f64,
}

/// Counts. `scheduled = ok + failed`; what was never sent is among the failed.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Requests {
    pub(crate) scheduled: u64,
    pub(crate) sent: u64,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) unsent: u64,
    pub(crate) late: u64,
}

/// What the generator itself cost.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Generator {
    pub(crate) lag_ms: Summary,
    pub(crate) cpu_us_per_request: f64,
    /// Of one core, over the run.
    pub(crate) cpu_share: f64,
    pub(crate) steal_share: f64,
}

/// An assertion with its outcome.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Judged {
    pub(crate) assertion: String,
    pub(crate) holds: bool,
}

impl Document {
    pub(crate) fn new(args: &LoadArgs, seed: u64, steal_share: f64, report: &LoadReport) -> Self {
        let generator = Generator {
            lag_ms: report.generator_lag_ms,
            cpu_us_per_request: report.generator_cpu_s * 1e6 / report.sent.max(1) as f64,
            cpu_share: report.generator_cpu_s / report.duration_s.max(f64::MIN_POSITIVE),
            steal_share,
        };
        let mut errors = BTreeMap::new();
        for (&kind, count) in report.classes.iter().flat_map(|class| &class.failures) {
            *errors.entry(kind).or_insert(0) += count;
        }
        let judge = |assertion: &super::assertion::Assertion| Judged {
            assertion: assertion.text().to_owned(),
            holds: assertion.holds(report).unwrap_or(false),
        };
        let invalid_reasons = generator.invalid_reasons();
        Self {
            target: args.url.clone(),
            seed,
            arrivals: if args.closed { "closed" } else { "open" },
            valid: invalid_reasons.is_empty(),
            invalid_reasons,
            requests: Requests {
                scheduled: report.scheduled,
                sent: report.sent,
                ok: report.ok,
                failed: report.failed,
                unsent: report.unsent,
                late: report.late,
            },
            errors,
            throughput_rps: report.throughput_rps,
            latency_ms: report.latency_ms,
            service_ms: report.service_ms,
            generator,
            connections: report.connections,
            assertions: args.assertions.iter().map(judge).collect(),
            failure_samples: report.failure_samples.clone(),
            duration_s: report.duration_s,
        }
    }

    /// Whether every assertion held.
    pub(crate) fn holds(&self) -> bool {
        self.assertions.iter().all(|judged| judged.holds)
    }

    /// Writes the summary.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let requests = &self.requests;
        writeln!(out, "target       {} (seed {})", self.target, self.seed)?;
        writeln!(
            out,
            "requests     {} sent, {} ok, {} failed ({} unsent), {} late",
            requests.sent, requests.ok, requests.failed, requests.unsent, requests.late
        )?;
        writeln!(out, "throughput   {:.1} ok/s", self.throughput_rps)?;
        writeln!(
            out,
            "ms           {:>9} {:>9} {:>9} {:>9} {:>9}",
            "p50", "p90", "p99", "p999", "max"
        )?;
        for (name, s) in [
            ("latency", &self.latency_ms),
            ("service", &self.service_ms),
            ("lag", &self.generator.lag_ms),
        ] {
            writeln!(
                out,
                "  {name:<10} {:>9.3} {:>9.3} {:>9.3} {:>9.3} {:>9.3}",
                s.p50, s.p90, s.p99, s.p999, s.max
            )?;
        }
        writeln!(
            out,
            "generator    {:.1} us CPU per request, {:.0} % of one core",
            self.generator.cpu_us_per_request,
            self.generator.cpu_share * 100.0
        )?;
        for (kind, count) in &self.errors {
            writeln!(out, "error        {kind}: {count}")?;
        }
        if let Some(sample) = self.failure_samples.first() {
            writeln!(
                out,
                "first error  {} at {:.3} s: {}",
                sample.kind, sample.at_s, sample.detail
            )?;
        }
        for judged in &self.assertions {
            let word = if judged.holds { "holds" } else { "FAILED" };
            writeln!(out, "assertion    {}: {word}", judged.assertion)?;
        }
        if self.arrivals == "closed" {
            writeln!(out, "note         closed loop: latency leaves out what it waited for")?;
        }
        for reason in &self.invalid_reasons {
            writeln!(out, "INVALID      {reason}")?;
        }
        Ok(())
    }
}

impl Generator {
    fn invalid_reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.lag_ms.p99 > LAG_P99_MS_MAX {
            let lag = self.lag_ms.p99;
            reasons.push(format!("the generator was {lag:.1} ms behind at P99; 1 ms is the limit"));
        }
        if self.cpu_share > CPU_SHARE_MAX {
            let share = self.cpu_share * 100.0;
            reasons.push(format!("the generator used {share:.0} % of one core; 80 % is the limit"));
        }
        if self.steal_share > STEAL_SHARE_MAX {
            let share = self.steal_share * 100.0;
            reasons.push(format!("{share:.0} % of CPU time was stolen; 5 % is the limit"));
        }
        reasons
    }
}
