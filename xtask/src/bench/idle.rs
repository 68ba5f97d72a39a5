//! `cargo xtask bench idle`: what 10,000 idle connections cost beside 100, in memory, in CPU while
//! nothing happens, and in the latency of the others.
//!
//! Each idle connection has made a request. At the end each makes another one: what does not answer
//! counts as lost. Memory is that of the gateway's process tree; what the kernel keeps for the sockets
//! is the same for all, and is not in it.

pub(crate) mod clients;
mod plot;
mod report;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::install;
use super::options::Options;
use super::peers::Peer;
use super::process::{Running, Upstreams};
use super::record::Record;
use super::scenarios::Traffic;
use crate::gateway::free_port;
use clients::{IdleClients, Latency, Programs};

/// Idle connections. What a connection costs is what lies between.
const FEW: u32 = 100;
const MANY: u32 = 10_000;
/// Requests per second of the active ones.
const RATE: u32 = 2_000;
const ACTIVE_CONNECTIONS: u32 = 20;
/// From the last answer until memory is looked at: timers, and what allocators give back.
const SETTLE: Duration = Duration::from_secs(2);
/// A look at what is used while nothing happens, at least.
const IDLE_SECONDS_MIN: u32 = 3;

/// What the idle connections and the active ones speak.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Name on the command line and in the results.
    pub(crate) name: &'static str,
    title: &'static str,
    pub(crate) http2: bool,
    pub(crate) tls: bool,
}

pub(crate) const KINDS: [Kind; 4] = [
    Kind { name: "http1", title: "HTTP/1.1", http2: false, tls: false },
    Kind { name: "http2", title: "HTTP/2", http2: true, tls: false },
    Kind { name: "http1-tls", title: "HTTP/1.1, TLS", http2: false, tls: true },
    Kind { name: "http2-tls", title: "HTTP/2, TLS", http2: true, tls: true },
];

const GATEWAYS: [&str; 4] = ["bulkhead", "haproxy", "nginx", "envoy"];

/// The configuration of a gateway.
fn template(name: &str, kind: &Kind) -> Option<&'static str> {
    Some(match (name, kind.tls) {
        ("bulkhead", false) => "idle-bulkhead.yaml",
        ("bulkhead", true) => "idle-bulkhead-tls.yaml",
        ("haproxy", false) => "idle-haproxy.cfg",
        ("haproxy", true) => "idle-haproxy-tls.cfg",
        // 1.22 has no port for both protocols in cleartext.
        ("nginx", false) if kind.http2 => "idle-nginx-http2.conf",
        ("nginx", false) => "idle-nginx.conf",
        ("nginx", true) => "idle-nginx-tls.conf",
        ("envoy", false) => "idle-envoy.yaml",
        ("envoy", true) => "idle-envoy-tls.yaml",
        _ => return None,
    })
}

/// One round.
#[derive(Clone, Debug)]
struct Sample {
    /// Growth of resident memory per idle connection, KiB.
    resident_kib: f64,
    proportional_kib: f64,
    few: State,
    many: State,
    lost: u32,
}

/// What was seen with so many idle connections.
#[derive(Clone, Debug)]
struct State {
    /// CPU time while nothing happens, milliseconds per second.
    idle_cpu_ms: f64,
    latency: Latency,
}

/// All rounds of one gateway with one kind of connections.
#[derive(Debug)]
struct Row {
    kind: &'static Kind,
    peer: Peer,
    samples: Vec<Sample>,
    failures: Vec<String>,
}

/// Measures and tells.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let options = Options::parse(arguments)?;
    let seconds = options.seconds.max(if options.quick { 1 } else { 5 });
    let programs = install::locate_of(&GATEWAYS, &options)?;
    let ours = Programs::build()?;
    let mut rows = rows(&options, &programs);
    if rows.is_empty() {
        bail!("nothing of that name; there are: {}", KINDS.map(|kind| kind.name).join(", "));
    }
    let record = Record::begin(&options, &programs, "cargo xtask bench idle", seconds)?;
    let upstreams = Upstreams::start()?;
    let certificates = ours.certificates(1)?;
    for round in 1..=options.rounds {
        for row in &mut rows {
            eprintln!("round {round}: {}, {}", row.kind.name, row.peer.name);
            match measure(row, &ours, &upstreams, &certificates, seconds) {
                Ok(sample) => row.samples.push(sample),
                // One that fails must not cost the others their figures, but it is told.
                Err(error) => {
                    let name = row.peer.name;
                    eprintln!("{name} failed in {}: {error:#}", row.kind.name);
                    row.failures.push(format!("{error:#}"));
                }
            }
        }
    }
    drop(upstreams);
    report::tell(&rows, &record, options.is_whole())
}

fn rows(options: &Options, programs: &install::Programs) -> Vec<Row> {
    let kinds = KINDS.iter().filter(|kind| options.wants_scenario(kind.name));
    kinds
        .flat_map(|kind| {
            let wanted = GATEWAYS.into_iter().filter(|name| options.wants_peer(name));
            wanted.filter_map(move |name| {
                let peer = Peer::with_template(name, template(name, kind)?, programs)?;
                Some(Row { kind, peer, samples: Vec::new(), failures: Vec::new() })
            })
        })
        .collect()
}

fn measure(
    row: &Row,
    ours: &Programs,
    upstreams: &Upstreams,
    certificates: &Path,
    seconds: u32,
) -> Result<Sample> {
    let port = free_port()?;
    let upstream = upstreams.port(Traffic::Http1);
    let running = Running::start_with(&row.peer, port, upstream, certificates)?;
    let mut idle = IdleClients::start(ours, port, row.kind, certificates)?;
    idle.open(FEW)?;
    // Connections to the upstream and buffers that are kept are no idle connection's.
    let _warm = ours.load(row.kind, port, certificates, 1)?;
    thread::sleep(SETTLE);
    let before = running.memory_kib()?;
    let few = look(row.kind, ours, &running, port, certificates, seconds)?;
    idle.open(MANY)?;
    thread::sleep(SETTLE);
    let after = running.memory_kib()?;
    let many = look(row.kind, ours, &running, port, certificates, seconds)?;
    let alive = idle.ask()?;
    let per_connection = |before: f64, after: f64| (after - before) / f64::from(MANY - FEW);
    Ok(Sample {
        resident_kib: per_connection(before.resident_kib, after.resident_kib),
        proportional_kib: per_connection(before.proportional_kib, after.proportional_kib),
        few,
        many,
        lost: MANY - alive,
    })
}

/// What is used while nothing happens, and then how the active ones fare.
fn look(
    kind: &Kind,
    ours: &Programs,
    running: &Running,
    port: u16,
    certificates: &Path,
    seconds: u32,
) -> Result<State> {
    let (begun, before) = (Instant::now(), running.cpu_seconds()?);
    thread::sleep(Duration::from_secs(u64::from(seconds.max(IDLE_SECONDS_MIN))));
    let used = running.cpu_seconds()? - before;
    let idle_cpu_ms = used * 1e3 / begun.elapsed().as_secs_f64();
    Ok(State { idle_cpu_ms, latency: ours.load(kind, port, certificates, seconds)? })
}
