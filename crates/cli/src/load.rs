//! `bulkhead load`: requests at a rate that does not bend to the answers, and an honest account of
//! them. Says that a run is invalid rather than blame the target for what the generator could not do.

mod agent;
mod args;
mod assertion;
mod choice;
mod coordinator;
mod document;
mod drive;
mod echo;
mod find_max;
mod grpc;
mod job;
mod machine;
mod mix;
mod output;
mod plain;
mod saturate;
mod source;
mod stages;
mod summary;
mod target;
mod tls;
mod variations;
mod workload;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use bulkhead_load::{Arrivals, Load, LoadReport, Random, Row};

pub(crate) use args::{LoadArgs, LoadCommand, positive as positive_duration};

use crate::interrupt::Interrupt;

use coordinator::AgentsDocument;
use document::{Document, Facts};
use machine::CpuTicks;
use output::{Contents, LivePlan, Provenance, Sinks};
use plain::Source;
use source::FileSource;

/// Exit status when an assertion failed.
const EXIT_FAILED: u8 = 1;
/// Exit status when the figures say nothing about the target.
const EXIT_INVALID: u8 = 3;
/// In place of a file's name.
const STANDARD_OUTPUT: &str = "-";
/// Longest time in which nothing is drawn and no key is read.
const TURN: Duration = Duration::from_millis(100);

/// Makes the run and tells the results.
pub(crate) fn execute(args: &LoadArgs) -> anyhow::Result<ExitCode> {
    if let Some(LoadCommand::Agent(agent)) = &args.command {
        return agent::execute(agent, document::STEAL_SHARE_MAX);
    }
    let interrupt = Interrupt::watch()?;
    if let Some(objective) = &args.find_max {
        let chosen = choice::choose(args)?;
        drive::check_descriptors(&chosen.source.options)?;
        drive::preflight(&chosen.source)?;
        return saturate::execute(args, objective, &chosen.source, chosen.seed, &interrupt);
    }
    let (document, report) = run(args, &interrupt)?;
    write_results(args, &document, &report)?;
    Ok(if !document.valid {
        ExitCode::from(EXIT_INVALID)
    } else if !document.holds() {
        ExitCode::from(EXIT_FAILED)
    } else {
        ExitCode::SUCCESS
    })
}

fn run(args: &LoadArgs, interrupt: &Interrupt) -> anyhow::Result<(Document, LoadReport)> {
    let FileSource { source, seed, assertions, notes } = choice::choose(args)?;
    notes.iter().for_each(|note| say(note));
    let is_here = args.agents.agents.is_empty();
    if is_here {
        drive::check_descriptors(&source.options)?;
        drive::preflight(&source)?;
    }
    let classes: Vec<String> =
        source.options.classes.iter().map(|class| class.name.clone()).collect();
    let mut sinks = Sinks::open(&args.output, live_plan(&source), &classes)?;
    let before = CpuTicks::now();
    let (load, agents) = if is_here {
        (drive::start(source.options.clone(), &source)?, None)
    } else {
        // Those behind `bulkhead load`.
        let arguments: Vec<String> = std::env::args().skip(2).collect();
        let job = job::gather(&arguments, &job::FILE_FLAGS, seed)?;
        let (load, agents) = args.agents.start(&job, source.options.clone())?;
        (load, Some(agents))
    };
    sinks.on_start(SystemTime::now() + source.options.warmup);
    let report = follow(load, interrupt, sinks);
    let steal_share = CpuTicks::now().steal_share_since(before);
    let facts = Facts::of(&source, seed, steal_share, &assertions);
    let mut document = Document::new(&facts, &report);
    if let Some(agents) = agents {
        let duration = Duration::from_secs_f64(report.duration_s);
        document.add_agents(AgentsDocument::new(&agents, duration, document::AGENT_LIMITS));
    }
    Ok((document, report))
}

fn live_plan(source: &Source) -> LivePlan {
    let options = &source.options;
    let pace = match &options.arrivals {
        Arrivals::Open(schedule) => schedule.to_string(),
        Arrivals::Closed { in_flight, .. } => format!("closed loop of {in_flight}"),
    };
    LivePlan {
        target: source.description.clone(),
        pace,
        warmup: options.warmup,
        measured: options.duration,
        cooldown: options.cooldown,
    }
}

/// Waits for the end and tells of each second.
fn follow(mut load: Load, interrupt: &Interrupt, mut sinks: Sinks) -> LoadReport {
    let mut failed = 0;
    while !load.is_over() {
        if let Some(row) = load.next_row(TURN).cloned() {
            failed += row.failed;
            if !sinks.is_live() {
                tell(&row, failed);
            }
            sinks.on_row(&row, load.last_latencies());
        }
        if sinks.tick(load.started().elapsed()) || interrupt.is_set() {
            load.stop();
        }
    }
    // The report first: a receiver that is dead may hold up the end of the sinks.
    let report = load.finish();
    for complaint in sinks.finish() {
        say(&complaint);
    }
    report
}

fn tell(row: &Row, failed: u64) {
    say(&format!(
        "{:>4} s  {:>7} ok/s  p50 {:>8.3} ms  p99 {:>8.3} ms  failed {failed}",
        row.second + 1,
        row.ok,
        row.latency_ms.p50,
        row.latency_ms.p99
    ));
}

fn write_results(args: &LoadArgs, document: &Document, report: &LoadReport) -> anyhow::Result<()> {
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(document).context("serialise the results")?;
        write(path, &(json + "\n"))?;
    }
    if let Some(path) = &args.csv {
        write(path, &output::csv(report))?;
    }
    let provenance = Provenance::new(std::env::args().skip(1), document.seed);
    let contents = Contents { document, report, provenance: &provenance, curves: &[] };
    output::write_files(&args.output, &contents)?;
    summary::print(document, &mut summary_out(args)).context("write the summary")
}

/// Where the summary goes: standard output belongs to whoever reads the JSON.
fn summary_out(args: &LoadArgs) -> Box<dyn Write> {
    match args.json.as_deref() == Some(Path::new(STANDARD_OUTPUT)) {
        true => Box::new(std::io::stderr()),
        false => Box::new(std::io::stdout()),
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if path == Path::new(STANDARD_OUTPUT) {
        return std::io::stdout().write_all(text.as_bytes()).context("write to standard output");
    }
    std::fs::write(path, text).with_context(|| format!("write `{}`", path.display()))
}

fn say(text: &str) {
    // Progress that cannot be written is no reason to fail.
    let _closed = writeln!(std::io::stderr(), "load: {text}");
}

fn seed_from_clock() -> u64 {
    let now = SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // Short enough to be typed; a clock before 1970 gives 0, which is as good as any.
    now.map_or(0, |now| Random::new(now.as_nanos() as u64).below(1_000_000_000))
}

#[cfg(test)]
mod tests;
