//! `bulkhead load`: requests at a rate that does not bend to the answers, and an honest account of
//! them. Says that a run is invalid rather than blame the target for what the generator could not do.
//! Retries nothing.

mod args;
mod assertion;
mod document;
#[cfg_attr(not(test), expect(dead_code, reason = "no flag leads there yet"))]
mod echo;
#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "no flag leads there yet"))]
mod grpc;
mod machine;
mod target;
mod variations;
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
    TargetOptions,
};

pub(crate) use args::LoadArgs;

use args::ArrivalsArg;
use document::Document;
use machine::CpuTicks;
use target::Target;
use workload::PlainWorkload;

/// Exit status when an assertion failed.
const EXIT_FAILED: u8 = 1;
/// Exit status when the figures say nothing about the target.
const EXIT_INVALID: u8 = 3;
/// Streams per HTTP/2 connection in an open loop, unless told.
const STREAMS: u32 = 100;
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
    document.print(&mut std::io::stdout().lock()).context("write the summary")?;
    Ok(if !document.valid {
        ExitCode::from(EXIT_INVALID)
    } else if !document.holds() {
        ExitCode::from(EXIT_FAILED)
    } else {
        ExitCode::SUCCESS
    })
}

fn run(args: &LoadArgs, interrupt: &AtomicBool) -> anyhow::Result<(Document, LoadReport)> {
    let target = Target::parse(&args.url)?;
    let needed = u64::from(args.connections) + DESCRIPTORS_SPARE;
    if let Some(most) = machine::descriptors_max() {
        ensure!(
            needed <= most,
            "{} connections need {needed} descriptors and the limit is {most}; raise it with \
             `ulimit -n {needed}` or use fewer connections",
            args.connections
        );
    }
    let seed = args.seed.unwrap_or_else(seed_from_clock);
    let options = options(args, &target, seed)?;
    let protocol = target.protocol;
    let workload = PlainWorkload::new(args, target, seed)?;
    preflight(&options, &workload, protocol)?;
    let before = CpuTicks::now();
    let mut failed = 0;
    let report = follow(start(options, &workload)?, interrupt, |row| {
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
    Ok((Document::new(args, seed, steal_share, &report), report))
}

fn options(args: &LoadArgs, target: &Target, seed: u64) -> anyhow::Result<LoadOptions> {
    let streams = match target.protocol {
        Protocol::Http1 => 1,
        Protocol::Http2 | Protocol::WebSocket => {
            args.streams.unwrap_or(if args.closed { 1 } else { STREAMS })
        }
    } as usize;
    let connections = args.connections as usize;
    let process = match args.arrivals {
        ArrivalsArg::Constant => Process::Constant,
        ArrivalsArg::Poisson => Process::Poisson,
    };
    let arrivals = match args.rate {
        Some(rate) => Arrivals::Open(Schedule::constant(rate, process, seed)),
        None => Arrivals::Closed {
            in_flight: connections.saturating_mul(streams),
            think: Duration::ZERO,
        },
    };
    let server = TargetOptions {
        connections,
        streams_max: streams,
        ..TargetOptions::new(target.address()?, target.protocol)
    };
    Ok(LoadOptions {
        warmup: args.warmup,
        timeout: args.timeout,
        ..LoadOptions::new(server, arrivals, args.duration)
    })
}

/// One request before any load: what cannot work is told in one line, not in a table of errors.
fn preflight(
    options: &LoadOptions,
    workload: &PlainWorkload,
    protocol: Protocol,
) -> anyhow::Result<()> {
    let mut options = LoadOptions {
        // The first request of a constant schedule is due at once, the second after the end.
        arrivals: Arrivals::Open(Schedule::constant(1.0, Process::Constant, 0)),
        warmup: Duration::ZERO,
        duration: Duration::from_millis(1),
        timeout: options.timeout.min(PREFLIGHT_TIMEOUT),
        ..options.clone()
    };
    options.targets.iter_mut().for_each(|target| target.connections = 1);
    let address = options.targets[0].address;
    let report = start(options, workload)?.finish();
    let Some(sample) = report.failure_samples.first() else { return Ok(()) };
    let (spoken, other) = match protocol {
        Protocol::Http1 => ("HTTP/1.1", "h2c:// if it speaks HTTP/2 only"),
        Protocol::WebSocket => ("WebSocket", "http:// to see what it answers"),
        Protocol::Http2 => ("HTTP/2 with prior knowledge", "http:// if it speaks HTTP/1.1"),
    };
    match sample.kind {
        "protocol" | "closed" | "truncated" | "goaway" => bail!(
            "{address} accepts connections but does not answer in {spoken} ({}); try {other}, and \
             note that TLS is not there yet",
            sample.kind
        ),
        "timeout" | "unsent" | "connect" => bail!(
            "{address} accepts connections but did not answer the first request in time; try {other}, \
             or look whether it is overloaded"
        ),
        _ => say(&format!("the first answer was not right: {}: {}", sample.kind, sample.detail)),
    }
    Ok(())
}

fn start(options: LoadOptions, workload: &PlainWorkload) -> anyhow::Result<Load> {
    let started = Load::start(options, |_| Box::new(workload.clone()));
    started.map_err(|error| match error {
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
