//! `cargo xtask bench peers`: what proxying a request costs, beside other gateways.
//!
//! Method: the proxy has one worker thread and CPU 0 to itself; the load generator and the upstream
//! share CPU 1. CPU per request is the growth of user and system time of the proxy's whole process
//! tree, over the requests that were answered. Rounds are interleaved (A B C, A B C), each with a
//! fresh process, one second of warm-up and a check of the answer's body; what is shown is the
//! median, with minimum and maximum. A run with a single wrong answer is an error, not a row.

pub(crate) mod certificates;
pub(crate) mod generators;
pub(crate) mod idle;
mod install;
pub(crate) mod link;
mod load;
mod machine;
mod options;
pub(crate) mod overload;
pub(crate) mod packages;
mod peers;
mod process;
mod process_tree;
mod record;
mod report;
mod scenarios;
mod spread;
pub(crate) mod stall;
mod svg;
mod tokens;

pub(crate) use process_tree::resident_memory;

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::command::{root, target_directory};
use crate::gateway::free_port;
use load::Measured;
use options::Options;
use peers::Peer;
use process::{Running, Upstreams};
use scenarios::Scenario;

/// One measurement of one peer in one scenario.
pub(crate) struct Sample {
    cpu_us_per_request: f64,
    /// Share of its CPU that the proxy used.
    utilization: f64,
    /// Highest resident memory of the process tree so far, MB.
    rss_mb: f64,
    measured: Measured,
}

/// All rounds of one peer in one scenario.
pub(crate) struct Row {
    peer: Peer,
    samples: Vec<Sample>,
}

/// Measures and prints.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let options = Options::parse(arguments)?;
    let scratch = target_directory().join("bench/run");
    fs::create_dir_all(&scratch).context("create the scratch directory")?;
    packages::require_tools(&options)?;
    let programs = install::locate(&options)?;
    let upstreams = Upstreams::start()?;
    tokens::write(&scratch).context("make the signing key and a token")?;

    let scenarios: Vec<Scenario> = scenarios::all()
        .into_iter()
        .filter(|scenario| options.wants_scenario(scenario.name))
        .collect();
    if scenarios.is_empty() {
        bail!("no scenario of that name; there are: {}", scenarios::names());
    }
    let mut rows: BTreeMap<usize, Vec<Row>> = BTreeMap::new();
    for (index, scenario) in scenarios.iter().enumerate() {
        let candidates = peers::of(scenario, &programs);
        let entries = candidates
            .into_iter()
            .filter(|peer| options.wants_peer(peer.name))
            .map(|peer| Row { peer, samples: Vec::new() });
        rows.insert(index, entries.collect());
    }
    for round in 1..=options.rounds {
        for (index, scenario) in scenarios.iter().enumerate() {
            for row in rows.entry(index).or_default() {
                eprintln!("round {round}: {}, {}", scenario.name, row.peer.name);
                let sample = measure(&row.peer, scenario, &options, &upstreams)
                    .with_context(|| format!("measure {} in {}", row.peer.name, scenario.name))?;
                row.samples.push(sample);
            }
        }
    }
    drop(upstreams);

    let report = report::Report::new(&options, &programs)?;
    for (index, scenario) in scenarios.iter().enumerate() {
        report.scenario(scenario, rows.get(&index).map_or(&[], Vec::as_slice))?;
    }
    report.bars(&scenarios, &rows);
    if !options.quick {
        println!("results are in {}", root().join("bench/results").display());
    }
    Ok(())
}

fn measure(
    peer: &Peer,
    scenario: &Scenario,
    options: &Options,
    upstreams: &Upstreams,
) -> Result<Sample> {
    let upstream = upstreams.port(scenario.traffic);
    let port = if peer.is_direct() { upstream } else { free_port()? };
    let running = Running::start(peer, port, upstream)?;
    load::probe(scenario, port)?;
    load::generate(scenario, port, 1)?;
    let before = running.cpu_seconds()?;
    let measured = load::generate(scenario, port, options.seconds)?;
    let cpu = running.cpu_seconds()? - before;
    Ok(Sample {
        cpu_us_per_request: cpu * 1e6 / measured.requests as f64,
        utilization: cpu / measured.seconds,
        rss_mb: running.rss_mb()?,
        measured,
    })
}
