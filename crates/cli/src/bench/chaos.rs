//! `bulkhead bench chaos`: the lab, measured. Many injections of every kind on targets of its own, each
//! taken back again; meanwhile parts are killed; and it is looked, by another way than the lab's, whether
//! anything is left.

mod ground;
mod inject;
mod kills;
mod kinds;
mod lab;
mod lane;
mod probe;
mod progress;
mod report;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, bail};
use rustix::process::Signal;

use crate::interrupt::Interrupt;
use ground::Ground;
use kinds::{KINDS, Kind};
use lane::Lane;
use progress::Progress;
use report::{Report, Tally};

/// Share of the feasible injections that must succeed.
const SUCCESS_RATE_MIN: f64 = 0.999;
/// In the environment of everything that a bench starts: the number of its process.
const MARK: &str = "BULKHEAD_BENCH";

/// Measure the chaos lab: how many injections succeed, how fast, and what is left behind
///
/// A lab is started that injects into targets of the bench's own (processes, gateways, links, this host)
/// and takes everything back again. The latency is from the acceptance until the fault was seen to be in
/// force, with the journal on disk. Kinds that this machine cannot do are named, with the reason.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status: 0; 2 fewer than 99.9 % succeeded; 3 something was left behind or not taken back.

Examples:
  bulkhead bench chaos --injections 1000
  bulkhead bench chaos --injections 10000 --kills 200 --json chaos.json
  bulkhead bench chaos --kinds process.stop,network.loss --concurrency 8
  bulkhead bench chaos --kinds network.loss@nftables,network.loss@bpf
  bulkhead bench chaos --without host.memory,host.disk_full")]
pub(super) struct ChaosBenchArgs {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    injections: u64,
    /// Kinds, in turn [default: all]
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<String>,
    /// Kinds that are left out
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    without: Vec<String>,
    /// So many times, at random steps, the lab, a gateway, the process of a link, the guardian, a child
    /// that carries a fault or a target is killed (SIGKILL); then it is looked for what is left
    #[arg(long, value_name = "N", default_value_t = 0)]
    kills: u64,
    /// How many at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=15))]
    concurrency: u64,
    /// Write the results as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Of ids, of faults, and of what is killed when
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

pub(super) fn execute(args: &ChaosBenchArgs) -> anyhow::Result<ExitCode> {
    let interrupt = Interrupt::watch()?;
    let kinds = chosen(args)?;
    let directory = std::env::temp_dir().join(format!("bulkhead-bench-{}", std::process::id()));
    fs::create_dir_all(&directory).context("make a directory for the lab")?;
    let before = probe::Before::look();
    let wired = kinds.iter().any(|kind| kind.is_of_interfaces());
    let mut ground = Ground::start(&directory, args.concurrency, args.seed, wired)?;
    let tally = measure(&mut ground, &kinds, args, &interrupt)?;
    let kills = ground.kills.told();
    let (mut left, alive) = ground.end(&before)?;
    left.extend(tally.left.iter().cloned());
    let report = Report::new(&tally, args.seed, alive, kills, left);
    let status = report.exit_status(SUCCESS_RATE_MIN);
    // What is there if something went wrong is still of use.
    if status == 0 {
        let _ = fs::remove_dir_all(&directory);
    } else {
        warn(&format!("the lab's journal and audit log are in `{}`", directory.display()));
    }
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&report).context("write the results")?;
        fs::write(path, json + "\n").with_context(|| format!("write `{}`", path.display()))?;
    }
    report.print(&mut std::io::stdout().lock()).context("write the table")?;
    Ok(ExitCode::from(status))
}

fn chosen(args: &ChaosBenchArgs) -> anyhow::Result<Vec<&'static Kind>> {
    let find = |name: &String| {
        KINDS.iter().find(|kind| kind.name == name).with_context(|| {
            let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            format!("no kind is called `{name}`; there are {}", known.join(", "))
        })
    };
    let mut kinds: Vec<&Kind> = KINDS.iter().collect();
    if !args.kinds.is_empty() {
        kinds = args.kinds.iter().map(find).collect::<anyhow::Result<_>>()?;
    }
    for name in &args.without {
        let without = find(name)?;
        kinds.retain(|kind| kind.name != without.name);
    }
    if kinds.is_empty() {
        bail!("no kind is left to measure");
    }
    Ok(kinds)
}

/// Threads that take numbers until all are taken, and one that kills.
fn measure(
    ground: &mut Ground,
    kinds: &[&'static Kind],
    args: &ChaosBenchArgs,
    interrupt: &Interrupt,
) -> anyhow::Result<Tally> {
    let (feasible, infeasible) = ground.feasible(kinds);
    if feasible.is_empty() {
        bail!("this machine can do none of these kinds: {infeasible:?}");
    }
    let mut tally = Tally::default();
    tally.infeasible = infeasible;
    let tally = Mutex::new(tally);
    let (next, failed) = (AtomicU64::new(0), Mutex::new(None));
    let progress = Progress::of(args.injections);
    let mut lanes = std::mem::take(&mut ground.lanes);
    let at_work = AtomicUsize::new(lanes.len());
    let fail = |error| *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    let ground = &*ground;
    let work = |lane: &mut Lane| {
        let _ended = Leaving(&at_work);
        while !interrupt.is_set() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= args.injections {
                break;
            }
            // A number that fits no index would be more than all there are.
            let kind = feasible[usize::try_from(number).unwrap_or_default() % feasible.len()];
            match inject::once(ground, lane, kind, number) {
                Ok(sample) => {
                    tally.lock().unwrap_or_else(PoisonError::into_inner).add(kind.name, sample);
                    if let Some(line) = progress.line(number + 1, Instant::now()) {
                        warn(&line);
                    }
                }
                Err(error) => {
                    fail(error.context(format!("injection {number}, {}", kind.name)));
                    break;
                }
            }
        }
    };
    thread::scope(|scope| {
        for lane in &mut lanes {
            scope.spawn(|| work(lane));
        }
        // On this thread, as whose children labs and gateways live: those that it starts anew, too.
        let is_over = || at_work.load(Ordering::Acquire) == 0;
        match kills::run(ground, args.injections, args.kills, is_over) {
            Ok(left) => tally.lock().unwrap_or_else(PoisonError::into_inner).left.extend(left),
            Err(error) => fail(error.context("kill and look")),
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    if tally.is_empty() {
        bail!("interrupted before anything was measured");
    }
    Ok(tally)
}

/// A command of the bench: whatever comes of it is found by its mark. It ends with the thread that starts
/// it, and whoever interrupts the bench from a terminal does not interrupt it.
fn marked(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env(MARK, std::process::id().to_string()).process_group(0);
    bulkhead_transport::end_with_thread(&mut command, Signal::KILL.as_raw());
    command
}

/// Counts down when a thread ends, however it does.
struct Leaving<'a>(&'a AtomicUsize);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// A child that is killed and waited for at the end of its user.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A line for whoever watches.
fn warn(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
