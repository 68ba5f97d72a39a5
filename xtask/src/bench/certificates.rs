//! `cargo xtask bench certificates`: what 10,000 certificates cost a TLS listener beside one: until it
//! listens, in memory, for a handshake, and when one of them is renewed while requests go on.
//!
//! Bulkhead and HAProxy load a directory; nginx is given the name in the path, and reads the file at
//! each handshake: the way that its documentation shows for many. A renewed certificate is put in
//! its place by renaming for Bulkhead and nginx, and by the run-time API for HAProxy.

mod renewal;
mod report;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::idle::clients::{Latency, Programs};
use super::idle::{KINDS, Kind};
use super::install;
use super::options::Options;
use super::peers::Peer;
use super::process::{Running, Upstreams};
use super::record::Record;
use super::scenarios::Traffic;
use crate::gateway::free_port;
use renewal::{Renewals, Way};

const MANY: usize = 10_000;
/// Handshakes that are measured, each for another name.
const HANDSHAKES: usize = 2_000;
/// Before memory is looked at.
const SETTLE: Duration = Duration::from_secs(1);

/// Name, configuration, how a certificate is renewed.
const GATEWAYS: [(&str, &str, Way); 3] = [
    ("bulkhead", "idle-bulkhead-tls.yaml", Way::Rename),
    ("haproxy", "idle-haproxy-tls.cfg", Way::RunTimeApi),
    ("nginx", "certificates-nginx.conf", Way::Rename),
];

/// What was seen with so many certificates.
#[derive(Clone, Debug)]
struct State {
    /// From its start until it listens, and the CPU time of that.
    start_s: f64,
    start_cpu_s: f64,
    resident_mib: f64,
    /// CPU time of a full handshake, and how long it took, microseconds.
    handshake_cpu_us: f64,
    handshake_p50_us: f64,
}

#[derive(Clone, Debug)]
struct Sample {
    one: State,
    many: State,
    quiet: Latency,
    /// While certificates are renewed.
    renewing: Latency,
    renewals: Renewals,
}

#[derive(Debug)]
struct Row {
    peer: Peer,
    way: Way,
    samples: Vec<Sample>,
}

/// What each round needs.
struct Stage {
    ours: Programs,
    upstreams: Upstreams,
    seconds: u32,
}

/// Measures and tells.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let options = Options::parse(arguments)?;
    let programs = install::locate_of(&GATEWAYS.map(|(name, ..)| name), &options)?;
    let wanted = GATEWAYS.into_iter().filter(|(name, ..)| options.wants_peer(name));
    let mut rows: Vec<Row> = wanted
        .filter_map(|(name, template, way)| {
            let peer = Peer::with_template(name, template, &programs)?;
            Some(Row { peer, way, samples: Vec::new() })
        })
        .collect();
    if rows.is_empty() {
        bail!("nobody of that name; there are: {}", GATEWAYS.map(|(name, ..)| name).join(", "));
    }
    let seconds = options.seconds.max(if options.quick { 3 } else { 6 });
    let ours = Programs::build()?;
    let record = Record::begin(&options, &programs, "cargo xtask bench certificates", seconds)?;
    let stage = Stage { ours, upstreams: Upstreams::start()?, seconds };
    for round in 1..=options.rounds {
        for row in &mut rows {
            eprintln!("round {round}: {}", row.peer.name);
            let sample = stage.measure(row);
            row.samples.push(sample.with_context(|| format!("measure {}", row.peer.name))?);
        }
    }
    drop(stage);
    report::tell(&rows, &record, options.is_whole())
}

impl Stage {
    fn measure(&self, row: &Row) -> Result<Sample> {
        let (one, running, _) = self.state(row, 1)?;
        drop(running);
        let (many, running, port) = self.state(row, MANY)?;
        let certificates = super::load::scratch(&format!("certificates-{MANY}"));
        let kind = kind()?;
        let quiet = self.ours.load(kind, port, &certificates, self.seconds)?;
        let (renewing, renewals) = thread::scope(|scope| {
            let load = scope.spawn(|| self.ours.load(kind, port, &certificates, self.seconds));
            // Its warm-up is a second, in which nothing is counted.
            thread::sleep(Duration::from_secs(1));
            let until = Instant::now() + Duration::from_secs(u64::from(self.seconds));
            let renewals = Renewals::until(until, row.way, &self.ours, &certificates, port);
            let latency = load.join().ok().context("run the load")??;
            anyhow::Ok((latency, renewals?))
        })?;
        drop(running);
        Ok(Sample { one, many, quiet, renewing, renewals })
    }

    /// Starts it with so many certificates, made anew, and looks.
    fn state(&self, row: &Row, count: usize) -> Result<(State, Running, u16)> {
        let certificates = self.ours.certificates(count)?;
        let port = free_port()?;
        let upstream = self.upstreams.port(Traffic::Http1);
        let begun = Instant::now();
        let running = Running::start_with(&row.peer, port, upstream, &certificates)?;
        let (start_s, start_cpu_s) = (begun.elapsed().as_secs_f64(), running.cpu_seconds()?);
        self.handshakes(port, &certificates, 100, count)?;
        thread::sleep(SETTLE);
        let resident_mib = running.memory_kib()?.resident_kib / 1024.0;
        let before = running.cpu_seconds()?;
        let handshake_p50_us = self.handshakes(port, &certificates, HANDSHAKES, count)?;
        let used = running.cpu_seconds()? - before;
        let handshake_cpu_us = used * 1e6 / HANDSHAKES as f64;
        let state =
            State { start_s, start_cpu_s, resident_mib, handshake_cpu_us, handshake_p50_us };
        Ok((state, running, port))
    }

    /// So many handshakes for names of which there are `names`; the median of their times.
    fn handshakes(
        &self,
        port: u16,
        certificates: &Path,
        count: usize,
        names: usize,
    ) -> Result<f64> {
        let authority = certificates.join("ca.pem");
        let told = self.ours.clients(&[
            "handshakes",
            &format!("127.0.0.1:{port}"),
            &authority.to_string_lossy(),
            &count.to_string(),
            &names.to_string(),
        ])?;
        let p50 = told.split(' ').nth(1).and_then(|word| word.parse().ok());
        p50.with_context(|| format!("read the handshakes' times: {told}"))
    }
}

fn kind() -> Result<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == "http1-tls").context("find the kind of requests")
}
