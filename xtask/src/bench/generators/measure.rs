//! One run of one load generator: started on a CPU of its own, its memory read while it runs, its
//! CPU time told by the shell that waited for it. Starting up is part of both.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::super::load::scratch;
use super::super::process::with_descriptors;
use super::super::process_tree::{process_tree, resident_memory};
use super::scenarios::EARLY;
use super::tools::{Job, Told, Tool};

/// The generator's; the server has the other.
const GENERATOR_CPU: &str = "0";
/// Time for starting, connecting and summing up, after which it is ended.
const SECONDS_SPARE: u32 = 60;
const POLL: Duration = Duration::from_millis(50);
/// The shell, `timeout`, and the generator (as which `taskset` goes on).
const PROCESSES: usize = 3;

/// One measurement.
pub(crate) struct Sample {
    pub(crate) told: Told,
    /// User and system time from its start to its end.
    pub(crate) cpu_seconds: f64,
    /// Highest resident memory.
    pub(crate) rss_mb: f64,
    /// Resident memory after a twelfth of the time, and when it was seen last.
    pub(crate) rss_early_mb: f64,
    pub(crate) rss_last_mb: f64,
}

impl Sample {
    /// CPU µs for each right answer.
    pub(crate) fn cpu_us_per_request(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.told.answers as f64
    }

    /// Right answers for each second of CPU.
    pub(crate) fn requests_per_core(&self) -> f64 {
        self.told.answers as f64 / self.cpu_seconds
    }

    /// Right answers per second.
    pub(crate) fn rate(&self) -> f64 {
        self.told.answers as f64 / self.told.seconds
    }

    /// Share of its CPU.
    pub(crate) fn utilization(&self) -> f64 {
        self.cpu_seconds / self.told.seconds
    }
}

/// Runs it to its end and reads its account.
pub(crate) fn measure(tool: &Tool, job: &Job<'_>) -> Result<Sample> {
    let (out, errors, times) = (scratch("load.out"), scratch("load.errors"), scratch("load.times"));
    // `time` sums up all that the command has started and waited for, to the millisecond.
    let script = format!("TIMEFORMAT='%3U %3S'; time \"$@\" 2>'{}'", errors.display());
    let mut command = with_descriptors(&script);
    command.arg("timeout").arg((job.seconds + SECONDS_SPARE).to_string());
    command.args(["taskset", "-c", GENERATOR_CPU]).arg(job.program);
    (tool.arguments)(job, &mut command)?;
    // For Go's and tokio's run times, and ignored by the others.
    command.env("GOMAXPROCS", "1").env("TOKIO_WORKER_THREADS", "1");
    command.stdin(Stdio::null());
    command.stdout(File::create(&out)?).stderr(File::create(&times)?);
    let mut child = command.spawn().context("start the shell")?;
    let memory = watch(&mut child, job.seconds)?;
    let status = child.wait().context("wait for it")?.code();
    let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    ensure!(
        status.is_some_and(|status| tool.exit_statuses.contains(&status)),
        "{} ended with {status:?}:\n{}{}",
        tool.name,
        text(&out),
        text(&errors)
    );
    let told = (tool.read)(job, &text(&out))?;
    let cpu_seconds = parse_times(&text(&times))?;
    ensure!(told.answers > 0 && told.seconds > 0.0 && cpu_seconds > 0.0, "it did nothing");
    Ok(Sample {
        told,
        cpu_seconds,
        rss_mb: memory.peak_mb,
        rss_early_mb: memory.early_mb,
        rss_last_mb: memory.last_mb,
    })
}

#[derive(Default)]
struct Memory {
    early_mb: f64,
    last_mb: f64,
    peak_mb: f64,
}

/// Reads its memory until it has ended.
fn watch(child: &mut Child, seconds: u32) -> Result<Memory> {
    let early = Duration::from_secs(u64::from(seconds)).mul_f64(EARLY);
    let begin = Instant::now();
    let mut memory = Memory::default();
    let mut generator = None;
    while child.try_wait().context("look whether it runs")?.is_none() {
        thread::sleep(POLL);
        if generator.is_none() {
            let tree = process_tree(child.id()).unwrap_or_default();
            generator = tree.get(PROCESSES - 1).map(|process| process.id);
        }
        // It may have ended since.
        let Some(Ok(now)) = generator.map(resident_memory) else { continue };
        memory.last_mb = now.now_mb;
        memory.peak_mb = now.peak_mb;
        if begin.elapsed() <= early || memory.early_mb == 0.0 {
            memory.early_mb = now.now_mb;
        }
    }
    Ok(memory)
}

/// `0.054 0.887` → their sum. What the shell itself may have said stands before it.
fn parse_times(text: &str) -> Result<f64> {
    let line = text.lines().last().unwrap_or_default();
    let times: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    ensure!(times.len() == 2, "read the CPU time in: {text}");
    Ok(times.iter().sum())
}

#[cfg(test)]
mod tests;
