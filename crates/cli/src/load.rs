//! `bulkhead load`: requests at a rate that does not bend to the answers, and an honest account of
//! them. Says that a run is invalid rather than blame the target for what the generator could not do.
//! Retries nothing.

mod args;
mod assertion;
mod document;
mod machine;
mod mix;
mod plain;
mod stages;
mod summary;
mod target;
mod tls;
mod workload;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bulkhead_load::{
    Arrivals, Load, LoadError, LoadOptions, LoadReport, Process, Protocol, Random, Schedule,
};

pub(crate) use args::LoadArgs;

use document::Document;
use machine::CpuTicks;
use plain::Source;

/// Exit status when an assertion failed.
const EXIT_FAILED: u8 = 1;
/// Exit status when the figures say nothing about the target.
const EXIT_INVALID: u8 = 3;
/// In place of a file's name.
const STANDARD_OUTPUT: &str = "-";
/// Descriptors that are needed besides the connections.
const DESCRIPTORS_SPARE: u64 = 32;
/// Longest wait for the answer to the first request.
const PREFLIGHT_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes the run and tells the results.
pub(crate) fn execute(args: &LoadArgs) -> anyhow::Result<ExitCode> {
    let interrupt = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // In this order: the first signal only arms the shutdown of the second.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&interrupt))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&interrupt)))
            .context("watch for signals")?;
    }
    let (document, report) = run(args, &interrupt)?;
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&document).context("serialise the results")?;
        write(path, &(json + "\n"))?;
    }
    if let Some(path) = &args.csv {
        write(path, &document::csv(&report))?;
    }
    // Standard output belongs to whoever reads the JSON.
    let to_stderr = args.json.as_deref() == Some(Path::new(STANDARD_OUTPUT));
    let out: &mut dyn Write =
        if to_stderr { &mut std::io::stderr().lock() } else { &mut std::io::stdout().lock() };
    summary::print(&document, out).context("write the summary")?;
    Ok(if !document.valid {
        ExitCode::from(EXIT_INVALID)
    } else if !document.holds() {
        ExitCode::from(EXIT_FAILED)
    } else {
        ExitCode::SUCCESS
    })
}

fn run(args: &LoadArgs, interrupt: &AtomicBool) -> anyhow::Result<(Document, LoadReport)> {
    let seed = args.seed.unwrap_or_else(seed_from_clock);
    let source = plain::source(args, &args.url, seed)?;
    check_descriptors(&source.options)?;
    preflight(&source)?;
    let before = CpuTicks::now();
    let mut failed = 0;
    let report = follow(start(source.options.clone(), &source)?, interrupt, |row| {
        failed += row.failed;
        say(&format!(
            "{:>4} s  {:>7} ok/s  p50 {:>8.3} ms  p99 {:>8.3} ms  failed {failed}",
            row.second + 1,
            row.ok,
            row.latency_ms.p50,
            row.latency_ms.p99
        ));
    });
    let steal_share = CpuTicks::now().steal_share_since(before);
    let target = &source.description;
    Ok((Document::new(args, target, seed, steal_share, &report), report))
}

/// Too few descriptors are found before the run, not in the middle of it.
fn check_descriptors(options: &LoadOptions) -> anyhow::Result<()> {
    let connections: usize = options.targets.iter().map(|target| target.connections).sum();
    let needed = connections as u64 + DESCRIPTORS_SPARE;
    if let Some(most) = machine::descriptors_max() {
        ensure!(
            needed <= most,
            "{connections} connections need {needed} descriptors and the limit is {most}; raise it \
             with `ulimit -n {needed}` or use fewer connections"
        );
    }
    Ok(())
}

/// One request before any load: what cannot work is told in one line, not in a table of errors.
fn preflight(source: &Source) -> anyhow::Result<()> {
    let mut options = LoadOptions {
        threads: 1,
        // The first request of a constant schedule is due at once, the second after the end.
        arrivals: Arrivals::Open(Schedule::constant(1.0, Process::Constant, 0)),
        warmup: Duration::ZERO,
        duration: Duration::from_millis(1),
        cooldown: Duration::ZERO,
        timeout: source.options.timeout.min(PREFLIGHT_TIMEOUT),
        retries: 0,
        ..source.options.clone()
    };
    options.targets.iter_mut().for_each(|target| target.connections = 1);
    let report = start(options, source)?.finish();
    let Some(sample) = report.failure_samples.first() else { return Ok(()) };
    let class = source.options.classes.iter().find(|class| class.name == sample.class);
    let target = &source.options.targets[class.map_or(0, |class| class.target)];
    let (address, kind) = (target.address, sample.kind);
    let (spoken, other) = match (target.protocol, target.tls.is_some()) {
        (Protocol::Http1, false) => ("HTTP/1.1", "h2c:// if it speaks HTTP/2, https:// if TLS"),
        (Protocol::Http1, true) => ("HTTP/1.1", "h2:// if it speaks HTTP/2 only"),
        (Protocol::Http2, false) => {
            ("HTTP/2 with prior knowledge", "http:// if it speaks HTTP/1.1, h2:// if TLS")
        }
        (Protocol::Http2, true) => ("HTTP/2", "https:// if it speaks HTTP/1.1"),
    };
    match kind {
        "protocol" | "closed" | "truncated" | "goaway" => bail!(
            "{address} accepts connections but does not answer in {spoken} ({kind}); try {other}"
        ),
        "timeout" | "unsent" | "connect" => bail!(
            "{address} accepts connections but did not answer the first request in time; try \
             {other}, or look whether it is overloaded"
        ),
        _ => say(&format!("the first answer was not right: {kind}: {}", sample.detail)),
    }
    Ok(())
}

fn start(options: LoadOptions, source: &Source) -> anyhow::Result<Load> {
    Load::start(options, |part| (source.workload)(part)).map_err(|error| match error {
        LoadError::Connect { tls: true, address, cause } => anyhow::anyhow!(
            "{address} accepts connections but the TLS handshake fails: {cause}; look at --cacert, \
             --tls-name and --insecure, or use http:// or h2c:// if it speaks no TLS"
        ),
        LoadError::Connect { .. } => {
            anyhow::anyhow!("{error}; check that the target runs and listens there")
        }
        error @ LoadError::System(_) => error.into(),
    })
}

/// Waits for the end and tells of each second.
fn follow(
    mut load: Load,
    interrupt: &AtomicBool,
    mut on_second: impl FnMut(&bulkhead_load::Row),
) -> LoadReport {
    while !load.is_over() {
        if let Some(row) = load.next_row(Duration::from_millis(100)) {
            on_second(row);
        }
        if interrupt.load(Ordering::Relaxed) {
            load.stop();
        }
    }
    load.finish()
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
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // Short enough to be typed; a clock before 1970 gives 0, which is as good as any.
    now.map_or(0, |now| Random::new(now.as_nanos() as u64).below(1_000_000_000))
}

#[cfg(test)]
mod tests;
