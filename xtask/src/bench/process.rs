//! Starts and stops proxies and upstreams, and reads what they used from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::load::LOAD_CPU;
use super::peers::Peer;
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
            let mut command = Command::new("taskset");
            command.args(["-c", LOAD_CPU]).arg(&program);
            command.arg(format!("127.0.0.1:{port}")).arg(kind);
            let mut guard = Guard::start(&mut command, &log)?;
            guard.wait_for(port, &log).context("start the upstream")?;
            Ok((port, guard))
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

/// A proxy while it is measured.
pub(crate) struct Running {
    guard: Option<Guard>,
    ticks_per_second: f64,
}

impl Running {
    /// Renders its configuration, starts it, waits until it listens. Without a proxy there is
    /// nothing to start, and it uses nothing.
    pub(crate) fn start(peer: &Peer, port: u16, upstream: u16) -> Result<Self> {
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
                .replace("@RUN@", &scratch.to_string_lossy());
            fs::write(&config, text).context("write the configuration")?;
        }
        let log = scratch.join(format!("{}.log", peer.name));
        let mut guard = Guard::start(&mut peer.command(&config, port, upstream), &log)?;
        guard.wait_for(port, &log)?;
        Ok(Self { guard: Some(guard), ticks_per_second })
    }

    /// User and system time of the whole process tree so far.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let mut ticks = 0;
        for process in self.tree()? {
            ticks += process.ticks;
        }
        Ok(ticks as f64 / self.ticks_per_second)
    }

    /// Sum of the tree's peak resident memory, MB. Pages that processes share count in each.
    pub(crate) fn rss_mb(&self) -> Result<f64> {
        let mut kilobytes = 0;
        for process in self.tree()? {
            let status = fs::read_to_string(format!("/proc/{}/status", process.id))?;
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let number = peak.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
            kilobytes += number.context("read VmHWM")?;
        }
        Ok(kilobytes as f64 / 1024.0)
    }

    fn tree(&self) -> Result<Vec<ProcessStat>> {
        let Some(guard) = &self.guard else { return Ok(Vec::new()) };
        let mut all: HashMap<u32, ProcessStat> = HashMap::new();
        for entry in fs::read_dir("/proc").context("list /proc")? {
            let name = entry?.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            // A process may end while we look.
            let Ok(text) = fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
            if let Some(stat) = ProcessStat::parse(id, &text) {
                all.insert(id, stat);
            }
        }
        let mut tree = vec![all.remove(&guard.id()).context("find the proxy in /proc")?];
        let mut index = 0;
        while index < tree.len() {
            let parent = tree[index].id;
            let children: Vec<u32> =
                all.values().filter(|stat| stat.parent == parent).map(|stat| stat.id).collect();
            tree.extend(children.into_iter().filter_map(|id| all.remove(&id)));
            index += 1;
        }
        Ok(tree)
    }
}

/// What is needed of `/proc/ID/stat`.
#[derive(Debug, PartialEq)]
struct ProcessStat {
    id: u32,
    parent: u32,
    ticks: u64,
}

impl ProcessStat {
    fn parse(id: u32, text: &str) -> Option<Self> {
        // The program's name stands in parentheses and may hold anything, spaces included.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let user: u64 = fields.get(11)?.parse().ok()?;
        let system: u64 = fields.get(12)?.parse().ok()?;
        Some(Self { id, parent: fields.get(1)?.parse().ok()?, ticks: user + system })
    }
}

#[cfg(test)]
mod tests;
