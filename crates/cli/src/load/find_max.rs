//! `--find-max`: makes the trials that the search proposes, tells of each, and gives the result. How a
//! trial is run is the caller's; what to try next is `bulkhead_load::search`'s.

mod document;
mod objective;
mod print;

use std::time::{Duration, Instant};

use bulkhead_load::LoadReport;
use bulkhead_load::search::{Observation, Proposal, Search, SearchOptions, Step, Verdict};

pub(crate) use document::FindMaxDocument;
pub(crate) use objective::Objective;

use crate::interrupt::Interrupt;
use document::TrialRow;

/// What a trial has shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrialResult {
    pub(crate) report: LoadReport,
    /// Why its figures say nothing about the target; empty if they do.
    pub(crate) invalid_reasons: Vec<String>,
}

/// Searches to the end, or until `interrupt`. `trial` runs load at a rate for a time.
pub(crate) fn run(
    objective: &Objective,
    options: SearchOptions,
    interrupt: &Interrupt,
    mut trial: impl FnMut(f64, Duration) -> anyhow::Result<TrialResult>,
    mut say: impl FnMut(&str),
) -> anyhow::Result<FindMaxDocument> {
    let mut search = Search::new(options);
    let mut rows = Vec::new();
    loop {
        let proposal = match search.next() {
            Step::Try(proposal) => proposal,
            Step::Over(finding) => {
                return Ok(FindMaxDocument::new(objective, &search, &finding, rows));
            }
        };
        let begun = Instant::now();
        let result = trial(proposal.rate, proposal.duration)?;
        // A trial that was cut short says nothing.
        if interrupt.is_set() {
            search.interrupt();
            continue;
        }
        let observation = observe(objective, &result, proposal.duration, begun.elapsed());
        let row = TrialRow::new(&proposal, &observation, objective.failed(&result.report), result);
        say(&progress(&proposal, &row, search.options().trials_max));
        rows.push(row);
        search.record(observation);
    }
}

fn observe(
    objective: &Objective,
    result: &TrialResult,
    duration: Duration,
    elapsed: Duration,
) -> Observation {
    let report = &result.report;
    let verdict = if !result.invalid_reasons.is_empty() {
        Verdict::GeneratorLimited
    } else if objective.failed(report).is_empty() {
        Verdict::Held
    } else {
        Verdict::NotHeld
    };
    Observation {
        verdict,
        throughput_rps: throughput(report, duration),
        error_share: report.failed as f64 / report.scheduled.max(1) as f64,
        latency: report.latency.clone(),
        service: report.service.clone(),
        elapsed,
    }
}

/// Right answers per second within the trial. Those that came after it, out of a queue, are no
/// throughput that the target can sustain.
fn throughput(report: &LoadReport, duration: Duration) -> f64 {
    let seconds = duration.as_secs();
    if seconds == 0 {
        return report.ok as f64 / report.duration_s.max(f64::MIN_POSITIVE);
    }
    let within = report.rows.iter().filter(|row| row.second < seconds);
    within.map(|row| row.ok).sum::<u64>() as f64 / seconds as f64
}

fn progress(proposal: &Proposal, row: &TrialRow, trials_max: u32) -> String {
    let why = row.invalid_reasons.iter().chain(&row.failed_assertions).next();
    format!(
        "trial {:>2} of at most {trials_max}  {:<7} {:>10.1}/s  p99 {:>9.3} ms  errors {:.2} %  {}{}",
        proposal.number,
        proposal.purpose.as_str(),
        proposal.rate,
        row.latency_ms.p99,
        row.error_share * 100.0,
        row.verdict.as_str(),
        why.map(|why| format!(": {why}")).unwrap_or_default()
    )
}

#[cfg(test)]
mod tests;
