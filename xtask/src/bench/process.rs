//! Starts and stops proxies and upstreams. What they used, `/proc` tells.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::load::LOAD_CPU;
use super::peers::Peer;
use super::process_tree::{Memory, ProcessStat, memory, process_tree, resident_memory};
use super::scenarios::Traffic;
use crate::command::{cargo, output, root, run, target_directory};
use crate::gateway::{Guard, free_port};

/// The canned upstreams, one per kind of answer.
pub(crate) struct Upstreams {
    http: u16,
    grpc: u16,
    _children: [Guard; 2],
}

impl Upstreams {
    /// Builds and starts them beside the load generator.
    pub(crate) fn start() -> Result<Self> {
        run(cargo().args(["build", "-q", "--release", "-p", "bench-backend"]))?;
        let program = target_directory().join("release/bench-backend");
        let scratch = target_directory().join("bench/run");
        let start = |kind: &str| -> Result<(u16, Guard)> {
            let port = free_port()?;
            let log = scratch.join(format!("upstream-{kind}.log"));
            let mut command = beside_the_load(&program);
            command.arg(format!("127.0.0.1:{port}")).arg(kind);
            Ok((port, Guard::start(&command, port, &log)?))
        };
        let (http, first) = start("http")?;
        let (grpc, second) = start("grpc")?;
        Ok(Self { http, grpc, _children: [first, second] })
    }

    /// Port of the upstream for this traffic.
    pub(crate) fn port(&self, traffic: Traffic) -> u16 {
        if traffic == Traffic::Grpc { self.grpc } else { self.http }
    }
}

/// A program on the CPU of load generator and upstream, with all the descriptors that it may have.
pub(crate) fn beside_the_load(program: &Path) -> Command {
    let mut command = with_descriptors("exec \"$@\"");
    command.args(["taskset", "-c", LOAD_CPU]).arg(program);
    command
}

/// A shell that takes all the descriptors that it may have, and then runs `script` with the arguments
/// that follow.
pub(crate) fn with_descriptors(script: &str) -> Command {
    let mut command = Command::new("bash");
    command.arg("-c").arg(format!("ulimit -Sn \"$(ulimit -Hn)\"; {script}")).arg("bash");
    command
}

/// A proxy while it is measured.
pub(crate) struct Running {
    guard: Option<Guard>,
    ticks_per_second: f64,
}

impl Running {
    /// Renders its configuration, starts it, waits until it listens. Without a proxy there is
    /// nothing to start, and it uses nothing.
    pub(crate) fn start(peer: &Peer, port: u16, upstream: u16) -> Result<Self> {
        Self::start_with(peer, port, upstream, Path::new(""))
    }

    /// The same, with certificates from this directory.
    pub(crate) fn start_with(
        peer: &Peer,
        port: u16,
        upstream: u16,
        certificates: &Path,
    ) -> Result<Self> {
        let ticks = output(Command::new("getconf").arg("CLK_TCK"))?;
        let ticks_per_second = ticks.trim().parse().context("read CLK_TCK")?;
        if peer.is_direct() {
            return Ok(Self { guard: None, ticks_per_second });
        }
        let scratch = target_directory().join("bench/run");
        let config = scratch.join(peer.template().unwrap_or("unused"));
        if let Some(template) = peer.template() {
            let template = root().join("bench/configs").join(template);
            let text = fs::read_to_string(&template)
                .with_context(|| format!("read {}", template.display()))?;
            let text = text
                .replace("@LISTEN@", &port.to_string())
                .replace("@UPSTREAM@", &upstream.to_string())
                .replace("@KEYS@", &scratch.to_string_lossy())
                .replace("@CERTIFICATES@", &certificates.to_string_lossy())
                .replace("@RUN@", &scratch.to_string_lossy());
            fs::write(&config, text).context("write the configuration")?;
        }
        let log = scratch.join(format!("{}.log", peer.name));
        let guard = Guard::start(&peer.command(&config, port, upstream), port, &log)?;
        Ok(Self { guard: Some(guard), ticks_per_second })
    }

    /// Is it still running?
    pub(crate) fn is_running(&mut self) -> bool {
        self.guard.as_mut().is_none_or(Guard::is_running)
    }

    /// User and system time of the whole process tree so far.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let ticks: u64 = self.tree()?.iter().map(|process| process.ticks).sum();
        Ok(ticks as f64 / self.ticks_per_second)
    }

    /// Sum of the tree's peak resident memory, MB. Pages that processes share count in each.
    pub(crate) fn rss_mb(&self) -> Result<f64> {
        let tree = self.tree()?;
        let peaks = tree.iter().map(|process| Ok(resident_memory(process.id)?.peak_mb));
        // A sum of nothing is -0.
        Ok(peaks.sum::<Result<f64>>()? + 0.0)
    }

    /// Resident memory of the tree now, KiB: as it is, and with shared pages divided among those that
    /// share them.
    pub(crate) fn memory_kib(&self) -> Result<Memory> {
        let mut sum = Memory::default();
        for process in self.tree()? {
            let one = memory(process.id)?;
            sum.resident_kib += one.resident_kib;
            sum.proportional_kib += one.proportional_kib;
        }
        Ok(sum)
    }

    fn tree(&self) -> Result<Vec<ProcessStat>> {
        self.guard.as_ref().map_or_else(|| Ok(Vec::new()), |guard| process_tree(guard.id()))
    }
}
