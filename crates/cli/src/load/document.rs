//! The results as one document, and whether they are worth anything.

use std::collections::BTreeMap;

use bulkhead_load::{
    Arrivals, ClassReport, ConnectionReport, Excluded, FailureSample, LoadReport, Summary,
};
use serde::Serialize;

use super::assertion::Assertion;
use super::coordinator::{AgentLimits, AgentsDocument};
use super::plain::Source;

/// Largest lag of the generator at P99, in milliseconds.
const LAG_P99_MS_MAX: f64 = 1.0;
/// Largest share of one core that the generator may use.
const CPU_SHARE_MAX: f64 = 0.8;
/// Largest share of stolen time.
pub(crate) const STEAL_SHARE_MAX: f64 = 0.05;

/// What each agent has to keep.
pub(crate) const AGENT_LIMITS: AgentLimits =
    AgentLimits { lag_p99_ms_max: LAG_P99_MS_MAX, cpu_share_max: CPU_SHARE_MAX };

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
    /// Requests of warm-up and cool-down: in none of the other figures.
    pub(crate) excluded: Excluded,
    /// Failed requests by kind; kinds that did not occur are left out.
    pub(crate) errors: BTreeMap<&'static str, u64>,
    /// Whole answers by class of their status (`2xx`), right or not.
    pub(crate) statuses: BTreeMap<String, u64>,
    pub(crate) throughput_rps: f64,
    /// From the intended send time; right answers only.
    pub(crate) latency_ms: Summary,
    /// From the actual send time; right answers only.
    pub(crate) service_ms: Summary,
    pub(crate) generator: Generator,
    pub(crate) connections: ConnectionReport,
    /// By kind of request.
    pub(crate) classes: Vec<ClassReport>,
    /// Of a run from several machines.
    #[serde(flatten)]
    pub(crate) agents: Option<AgentsDocument>,
    pub(crate) assertions: Vec<Judged>,
    /// The first failures.
    pub(crate) failure_samples: Vec<FailureSample>,
    pub(crate) duration_s: f64,
}

/// What is known of a run besides what it measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    target: &'a str,
    seed: u64,
    closed: bool,
    threads: usize,
    steal_share: f64,
    assertions: &'a [Assertion],
}

impl<'a> Facts<'a> {
    pub(crate) fn of(
        source: &'a Source,
        seed: u64,
        steal_share: f64,
        assertions: &'a [Assertion],
    ) -> Self {
        Self {
            target: &source.description,
            seed,
            closed: matches!(source.options.arrivals, Arrivals::Closed { .. }),
            threads: source.options.threads,
            steal_share,
            assertions,
        }
    }
}

/// Counts. `scheduled = ok + failed`; what was never sent is among the failed.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Requests {
    pub(crate) scheduled: u64,
    pub(crate) sent: u64,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) unsent: u64,
    /// Of the unsent: given up at once because too many waited already.
    pub(crate) dropped: u64,
    pub(crate) late: u64,
    /// Sent again after a failure; not part of `sent`.
    pub(crate) retries: u64,
}

/// What the generator itself cost.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Generator {
    pub(crate) lag_ms: Summary,
    pub(crate) cpu_us_per_request: f64,
    /// Of one core, over the measured part, of the thread that used most.
    pub(crate) cpu_share: f64,
    pub(crate) threads: usize,
    pub(crate) steal_share: f64,
}

/// An assertion with its outcome.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Judged {
    pub(crate) assertion: String,
    pub(crate) holds: bool,
}

impl Document {
    pub(crate) fn new(facts: &Facts<'_>, report: &LoadReport) -> Self {
        let generator = Generator {
            lag_ms: report.generator_lag_ms,
            cpu_us_per_request: report.generator_cpu_s * 1e6 / report.sent.max(1) as f64,
            cpu_share: report.generator_cpu_s_max / report.duration_s.max(f64::MIN_POSITIVE),
            threads: facts.threads,
            steal_share: facts.steal_share,
        };
        let (mut errors, mut statuses) = (BTreeMap::new(), BTreeMap::new());
        for class in &report.classes {
            for (&kind, count) in &class.failures {
                *errors.entry(kind).or_insert(0) += count;
            }
            for (status, count) in &class.statuses {
                *statuses.entry(format!("{}xx", status / 100)).or_insert(0) += count;
            }
        }
        let judge = |assertion: &Assertion| Judged {
            assertion: assertion.text().to_owned(),
            holds: assertion.holds(report).unwrap_or(false),
        };
        let mut invalid_reasons = generator.invalid_reasons();
        let exhausted = report.connections.exhausted;
        if exhausted > 0 {
            invalid_reasons.push(format!(
                "{exhausted} connections could not be opened: no descriptor or no local port was \
                 left; raise `ulimit -n` or give more addresses with --source"
            ));
        }
        Self {
            target: facts.target.to_owned(),
            seed: facts.seed,
            arrivals: if facts.closed { "closed" } else { "open" },
            valid: invalid_reasons.is_empty(),
            invalid_reasons,
            requests: Requests {
                scheduled: report.scheduled,
                sent: report.sent,
                ok: report.ok,
                failed: report.failed,
                unsent: report.unsent,
                dropped: report.dropped,
                late: report.late,
                retries: report.retries,
            },
            excluded: report.excluded,
            errors,
            statuses,
            throughput_rps: report.throughput_rps,
            latency_ms: report.latency_ms,
            service_ms: report.service_ms,
            generator,
            connections: report.connections,
            classes: report.classes.clone(),
            agents: None,
            assertions: facts.assertions.iter().map(judge).collect(),
            failure_samples: report.failure_samples.clone(),
            duration_s: report.duration_s,
        }
    }

    /// Tells whose load it was, and what speaks against it.
    pub(crate) fn add_agents(&mut self, agents: AgentsDocument) {
        self.invalid_reasons.extend(agents.invalid_reasons.iter().cloned());
        self.valid = self.invalid_reasons.is_empty();
        self.agents = Some(agents);
    }

    /// Whether every assertion held.
    pub(crate) fn holds(&self) -> bool {
        self.assertions.iter().all(|judged| judged.holds)
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
