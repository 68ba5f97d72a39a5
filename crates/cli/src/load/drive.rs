//! Before a run: what cannot work is told in one line, not in a table of errors.

use std::time::Duration;

use anyhow::{bail, ensure};
use bulkhead_load::{Arrivals, Load, LoadError, LoadOptions, Process, Protocol, Schedule};

use super::plain::Source;
use super::{machine, say};

/// Descriptors that are needed besides the connections.
const DESCRIPTORS_SPARE: u64 = 32;
/// Longest wait for the answer to the first request.
const PREFLIGHT_TIMEOUT: Duration = Duration::from_secs(5);

/// Too few descriptors are found before the run, not in the middle of it.
pub(crate) fn check_descriptors(options: &LoadOptions) -> anyhow::Result<()> {
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
pub(crate) fn preflight(source: &Source) -> anyhow::Result<()> {
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
        (Protocol::WebSocket, _) => ("WebSocket", "http:// to see what it answers"),
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

/// Opens the connections and begins.
pub(crate) fn start(options: LoadOptions, source: &Source) -> anyhow::Result<Load> {
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
