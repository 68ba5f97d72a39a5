//! A search for the highest rate, from the flags to its results: trials are runs like any other, each on
//! connections of its own.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use bulkhead_load::search::SearchOptions;
use bulkhead_load::{Arrivals, LoadReport, Schedule, Timing};
use serde::Serialize;

use super::args::LoadArgs;
use super::document::{Document, Facts};
use super::find_max::{self, FindMaxDocument, Objective, TrialResult};
use super::machine::CpuTicks;
use super::output::{Contents, Curve, Provenance, Sinks};
use super::plain::{DURATION, Source};
use super::{drive, follow, output, say, summary_out, write};
use crate::interrupt::Interrupt;

/// Points of a fitted line.
const LINE_POINTS: usize = 60;

/// The result as JSON.
#[derive(Serialize)]
struct Found<'a> {
    target: &'a str,
    seed: u64,
    #[serde(flatten)]
    result: &'a FindMaxDocument,
    /// The last trial that held at the found rate, or the last of all.
    trial: &'a Document,
}

/// Searches, and tells the results.
pub(crate) fn execute(
    args: &LoadArgs,
    objective: &Objective,
    source: &Source,
    seed: u64,
    interrupt: &Interrupt,
) -> anyhow::Result<ExitCode> {
    let options = SearchOptions {
        rate_start: args.find_max_start,
        trial: args.duration.unwrap_or(DURATION),
        time_max: args.find_max_time,
        ..SearchOptions::default()
    };
    let mut runs: Vec<(f64, Document, LoadReport)> = Vec::new();
    let trial = |rate, duration| {
        let (document, report) = run_trial(args, source, rate, duration, seed, interrupt)?;
        let invalid_reasons = document.invalid_reasons.clone();
        let result = TrialResult { report: report.clone(), invalid_reasons };
        // Only those are kept that may be shown: one for each rate.
        runs.retain(|(other, ..)| *other != rate);
        runs.push((rate, document, report));
        Ok(result)
    };
    let result = find_max::run(objective, options, interrupt, trial, say)?;
    let shown = runs.iter().find(|(rate, ..)| Some(*rate) == result.rate).or_else(|| runs.last());
    let Some((_, document, report)) = shown else {
        say("interrupted before the first trial ended: there is nothing to report");
        return Ok(ExitCode::from(2));
    };
    if let Some(path) = &args.json {
        let target = &source.description;
        let found = Found { target, seed, result: &result, trial: document };
        let json = serde_json::to_string_pretty(&found).context("serialise the results")?;
        write(path, &(json + "\n"))?;
    }
    if let Some(path) = &args.csv {
        write(path, &output::csv(report))?;
    }
    let provenance = Provenance::new(std::env::args().skip(1), seed);
    let curves = curves(&result);
    let contents = Contents { document, report, provenance: &provenance, curves: &curves };
    output::write_files(&args.output, &contents)?;
    let mut text = Vec::new();
    result.print(&mut text)?;
    summary_out(args).write_all(&text).context("write the summary")?;
    Ok(result.exit_code())
}

fn run_trial(
    args: &LoadArgs,
    source: &Source,
    rate: f64,
    duration: Duration,
    seed: u64,
    interrupt: &Interrupt,
) -> anyhow::Result<(Document, LoadReport)> {
    let mut options = source.options.clone();
    if let Arrivals::Open(Schedule { timing, .. }) = &mut options.arrivals
        && let Timing::Phases { phases, .. } = timing
    {
        for phase in phases {
            (phase.from, phase.to) = (rate, rate);
        }
    }
    options.duration = duration;
    let before = CpuTicks::now();
    let load = drive::start(options, source)?;
    let report = follow(load, interrupt, Sinks::quiet());
    let steal_share = CpuTicks::now().steal_share_since(before);
    let facts = Facts::of(source, seed, steal_share, &args.assertions);
    Ok((Document::new(&facts, &report), report))
}

/// Latency over throughput, and throughput over concurrency with the fitted law.
fn curves(result: &FindMaxDocument) -> Vec<Curve> {
    let of = |y: fn(&bulkhead_load::search::CurvePoint) -> (f64, f64)| {
        result.curve.iter().map(y).collect::<Vec<_>>()
    };
    let latency = Curve {
        title: "Latency by throughput".to_owned(),
        note: format!("{}. One point for each rate that was tried.", result.sentence()),
        x_unit: "ok/s".to_owned(),
        y_unit: "ms at P99".to_owned(),
        y_logarithmic: true,
        points_name: "trials".to_owned(),
        points: of(|point| (point.throughput_rps, point.latency_ms.p99)),
        mark: result.rate.map(|rate| (rate, "highest that holds".to_owned())),
        ..Curve::default()
    };
    let points = of(|point| (point.concurrency, point.throughput_rps));
    let largest = points.iter().map(|(x, _)| *x).fold(0.0, f64::max);
    let (note, line) = match (&result.usl, &result.usl_refused) {
        (Some(usl), _) => {
            let at = |step: usize| largest * step as f64 / LINE_POINTS as f64;
            let line = (1..=LINE_POINTS).map(|step| (at(step), usl.law.throughput(at(step))));
            (
                "Requests in the system by Little's law, and the universal scalability law \
                 fitted to them by least squares."
                    .to_owned(),
                line.collect(),
            )
        }
        (None, refused) => {
            let why = refused.as_deref().unwrap_or("too few points");
            (format!("The universal scalability law is not fitted: {why}."), Vec::new())
        }
    };
    let scalability = Curve {
        title: "Throughput by concurrency".to_owned(),
        note,
        x_unit: "in the system".to_owned(),
        y_unit: "ok/s".to_owned(),
        points_name: "trials".to_owned(),
        line_name: "fitted law".to_owned(),
        points,
        line,
        ..Curve::default()
    };
    vec![latency, scalability]
}
