//! `bulkhead bench chaos`: the lab, measured. Many injections of every kind on targets of its own, each
//! taken back again; afterwards it is looked, by another way than the lab's, whether anything is left.

mod kinds;
mod report;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use bulkhead_chaos::{Caller, EngineOptions, InjectRequest, Policy, Role, State, TimeToLive};
use bulkhead_lab::{Lab, LabOptions, Until};

use crate::chaos::registry;
use crate::interrupt::Interrupt;
use kinds::{KINDS, Kind};
use report::{Report, Sample, Tally};

/// Longer than any injection takes to settle or end; one that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Life of each fault, far longer than it is needed: expiry is not what is measured.
const TIME_TO_LIVE: Duration = Duration::from_secs(60);
/// Share of the feasible injections that must succeed.
const SUCCESS_RATE_MIN: f64 = 0.999;

/// Measure the chaos lab: how many injections succeed, how fast, and what is left behind
///
/// A lab in this process injects into targets of its own and takes everything back again. The latency
/// is from the acceptance until the fault was seen to be in force; the journal is on disk.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status: 0; 2 fewer than 99.9 % succeeded; 3 something was left behind or not taken back.

Examples:
  bulkhead bench chaos --injections 1000
  bulkhead bench chaos --injections 10000 --json chaos.json
  bulkhead bench chaos --kinds process.stop --concurrency 8")]
pub(super) struct ChaosBenchArgs {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    injections: u64,
    /// Kinds, in turn [default: all]
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<String>,
    /// How many at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    concurrency: u64,
    /// Write the results as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Of ids
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

pub(super) fn execute(args: &ChaosBenchArgs) -> anyhow::Result<ExitCode> {
    let interrupt = Interrupt::watch()?;
    let kinds = chosen(&args.kinds)?;
    let directory = std::env::temp_dir().join(format!("bulkhead-bench-{}", std::process::id()));
    let lab = Arc::new(open(&directory, args.seed)?);
    let tally = measure(&lab, &kinds, args, &interrupt);
    let left_alive = lab.take_everything_back(PATIENCE);
    drop(lab);
    // What is there if something went wrong is still of use.
    if left_alive == 0 {
        let _ = fs::remove_dir_all(&directory);
    }
    let report = Report::new(&tally?, args.seed, left_alive);
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&report).context("write the results")?;
        fs::write(path, json + "\n").with_context(|| format!("write `{}`", path.display()))?;
    }
    report.print(&mut std::io::stdout().lock()).context("write the table")?;
    Ok(ExitCode::from(report.exit_status(SUCCESS_RATE_MIN)))
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Kind>> {
    if names.is_empty() {
        return Ok(KINDS.iter().collect());
    }
    let find = |name: &String| {
        KINDS.iter().find(|kind| kind.name == name).with_context(|| {
            let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            format!("no kind is called `{name}`; there are {}", known.join(", "))
        })
    };
    names.iter().map(find).collect()
}

fn open(directory: &std::path::Path, seed: u64) -> anyhow::Result<Lab> {
    let options = LabOptions {
        directory: directory.to_owned(),
        engine: EngineOptions::default(),
        policy: Policy::default(),
        seed,
    };
    Ok(Lab::open(options, registry(true, None)?)?)
}

/// Threads that take numbers until all are taken.
fn measure(
    lab: &Arc<Lab>,
    kinds: &[&'static Kind],
    args: &ChaosBenchArgs,
    interrupt: &Interrupt,
) -> anyhow::Result<Tally> {
    let next = AtomicU64::new(0);
    let tally = Mutex::new(Tally::default());
    let failed = Mutex::new(None);
    let work = || {
        while !interrupt.is_set() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= args.injections {
                break;
            }
            // A number that fits no index would be more than all there are.
            let kind = kinds[usize::try_from(number).unwrap_or_default() % kinds.len()];
            match once(lab, kind) {
                Ok(sample) => {
                    tally.lock().unwrap_or_else(PoisonError::into_inner).add(kind.name, &sample);
                }
                Err(error) => {
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    break;
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..args.concurrency {
            scope.spawn(work);
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    if tally.injections == 0 {
        bail!("interrupted before anything was measured");
    }
    Ok(tally)
}

/// One injection on a target of its own, there and back.
fn once(lab: &Lab, kind: &Kind) -> anyhow::Result<Sample> {
    let caller = Caller { name: "bench".to_owned(), role: Role::Approver };
    let mut target = (kind.stage)()?;
    let mut request = InjectRequest::new(target.fault(), target.target()?);
    request.ttl = TimeToLive(TIME_TO_LIVE);
    let ordered = lab.order(&caller, &request)?;
    let settled = lab.wait(&ordered.ids, Until::Settled, PATIENCE);
    let settled = settled.first().context("the lab forgot an injection")?;
    let succeeded = settled.state == State::Active;
    let seen = succeeded && target.is_struck(settled.id);
    lab.stop(&caller, settled.id, "measured")?;
    let ended = lab.wait(&ordered.ids, Until::Ended, PATIENCE);
    let ended = ended.first().context("the lab forgot an injection")?;
    if !succeeded {
        let mut stderr = std::io::stderr();
        let detail = ended.detail.as_deref().unwrap_or_default();
        let _ = writeln!(stderr, "{} {}: {} {detail}", ended.id, ended.kind, ended.state);
    }
    Ok(Sample {
        feasible: settled.state != State::Refused,
        succeeded: succeeded && seen,
        timed_out: ended.timed_out,
        attempts: ended.attempts,
        inject_ms: settled.inject_ms,
        to_revert: ended.attempts > 0,
        reverted: ended.state.is_terminal(),
        revert_ms: ended.revert_ms,
        left_behind: target.is_left_behind(ended.id),
    })
}
