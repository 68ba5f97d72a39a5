//! `cargo xtask bench load`: what `bulkhead load` itself costs, beside other load generators.
//!
//! Method: each has CPU 0 and one thread to itself; the server (`bench/backend`) has CPU 1. CPU per
//! request is user and system time of the generator from its start to its end, over the answers that
//! it counted as right. Rounds are interleaved. It says nothing about the quality of the latencies
//! that they report: `cargo xtask bench stall` does.

mod figures;
mod measure;
mod report;
mod scenarios;
mod tools;

use std::fs;

use anyhow::{Context as _, Result, bail};

use super::install::Programs;
use super::options::Options;
use super::process::Upstreams;
use super::{load, packages};
use crate::command::target_directory;
use measure::{Sample, measure};
use scenarios::Case;
use tools::{Job, Tool};

/// All rounds of one generator in one scenario.
pub(crate) struct Row {
    name: &'static str,
    note: &'static str,
    samples: Vec<Sample>,
    /// Why a round gave no sample.
    failures: Vec<String>,
}

/// A scenario with all who take part, and who does not and why.
pub(crate) struct Rows {
    case: Case,
    rows: Vec<Row>,
    left_out: Vec<(&'static str, &'static str)>,
}

/// Measures and prints.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let options = Options::parse(arguments)?;
    fs::create_dir_all(target_directory().join("bench/run"))
        .context("create the scratch directory")?;
    packages::require_tools(&options)?;
    let programs = locate(&options)?;
    let mut all: Vec<Rows> = scenarios::all(options.quick)
        .into_iter()
        .filter(|case| options.wants_scenario(case.scenario.name))
        .map(|case| who_takes_part(case, &programs))
        .collect();
    if all.is_empty() {
        bail!("no scenario of that name; there are: {}", scenarios::names());
    }
    let servers = Upstreams::start()?;
    let report = report::Report::new(&options, &programs)?;
    for round in 1..=options.rounds {
        for rows in &mut all {
            if rows.case.once.is_none() || round == 1 {
                one_round(rows, round, &options, &programs, &servers)?;
            }
        }
    }
    drop(servers);
    report.scenarios(&all)?;
    report.figures(&all, options.is_whole())?;
    report::bars(&all);
    Ok(())
}

fn locate(options: &Options) -> Result<Programs> {
    let mut programs = Programs::default();
    for tool in tools::ALL.iter().filter(|tool| options.wants_peer(tool.name)) {
        programs.note(tool.name, (tool.locate)(options)?, tool.version);
    }
    Ok(programs)
}

fn who_takes_part(case: Case, programs: &Programs) -> Rows {
    let (mut rows, mut left_out) = (Vec::new(), Vec::new());
    for tool in tools::ALL.iter().filter(|tool| programs.path(tool.name).is_some()) {
        match (tool.fit)(&case.scenario) {
            Ok(note) => {
                let (samples, failures) = (Vec::new(), Vec::new());
                rows.push(Row { name: tool.name, note, samples, failures });
            }
            Err(reason) => left_out.push((tool.name, reason)),
        }
    }
    Rows { case, rows, left_out }
}

fn one_round(
    rows: &mut Rows,
    round: u32,
    options: &Options,
    programs: &Programs,
    servers: &Upstreams,
) -> Result<()> {
    let scenario = &rows.case.scenario;
    let port = servers.port(scenario.traffic);
    load::probe(scenario, port)?;
    for row in &mut rows.rows {
        let tool: Option<&Tool> = tools::ALL.iter().find(|tool| tool.name == row.name);
        let (Some(tool), Some(program)) = (tool, programs.path(row.name)) else { continue };
        eprintln!("round {round}: {}, {}", scenario.name, row.name);
        let seconds = rows.case.once.unwrap_or(options.seconds);
        let job = Job { name: tool.name, program: &program, scenario, port, seconds };
        match measure(tool, &job) {
            Ok(sample) => row.samples.push(sample),
            // One that fails must not cost the others their figures, but it is told.
            Err(error) => {
                eprintln!("{} failed in {}: {error:#}", row.name, scenario.name);
                row.failures.push(format!("{error:#}"));
            }
        }
    }
    Ok(())
}
