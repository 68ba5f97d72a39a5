//! Where the soak takes place: the running gateway, its files and ports, and how it is asked.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bulkhead_load::Random;

use super::configuration::{PROBE, Ports, Variant};
use super::wire::{self, PATIENCE};
use crate::command::output;
use crate::gateway::Guard;

/// Pause between two looks at something that must come.
const POLL: Duration = Duration::from_millis(20);
/// Endpoints that die, and those that don't.
const FLOCK: usize = 3;
const STEADY: usize = 2;
/// Below it are ports that only privileged processes or well known services have.
const PORT_MIN: u64 = 10_000;

/// The running gateway.
pub(super) struct Site {
    pub(super) bulkhead: PathBuf,
    pub(super) directory: PathBuf,
    pub(super) ports: Ports,
    /// Of the gateway.
    pub(super) process: u32,
}

impl Site {
    /// Starts the gateway with the base configuration.
    pub(super) fn start(bulkhead: &Path, directory: &Path, ports: Ports) -> Result<(Self, Guard)> {
        let config = directory.join("gateway.yaml");
        fs::write(&config, Variant::base(0).render(&ports)).context("write the configuration")?;
        let mut command = Command::new(bulkhead);
        command.args(["run", "--allow-faults", "--config"]).arg(&config);
        let guard = Guard::start(&command, ports.admin, &directory.join("gateway.log"))?;
        let site = Self {
            bulkhead: bulkhead.to_owned(),
            directory: directory.to_owned(),
            ports,
            process: guard.id(),
        };
        site.wait_for_variant(0)?;
        Ok((site, guard))
    }

    /// Puts a file in place of another in one step.
    pub(super) fn replace(&self, name: &str, content: &str) -> Result<()> {
        let (new, old) = (self.directory.join(format!("{name}.new")), self.directory.join(name));
        fs::write(&new, content).with_context(|| format!("write {}", new.display()))?;
        fs::rename(&new, &old).with_context(|| format!("replace {}", old.display()))
    }

    /// Tells the gateway to read its file, which it would notice by itself somewhat later.
    pub(super) fn hang_up(&self) -> Result<()> {
        output(Command::new("kill").args(["-HUP", &self.process.to_string()])).map(|_| ())
    }

    /// Waits until the configuration of this number answers.
    pub(super) fn wait_for_variant(&self, number: u64) -> Result<()> {
        let expected = number.to_string();
        self.wait_for(&format!("configuration {number} in force"), || {
            let answer = wire::once(self.ports.plain, "GET", PROBE, "/")?;
            Ok(answer.status == 200 && answer.body == expected.as_bytes())
        })
    }

    /// Waits until something holds; what goes wrong on the way there counts as not yet.
    pub(super) fn wait_for(&self, what: &str, holds: impl Fn() -> Result<bool>) -> Result<()> {
        let started = Instant::now();
        loop {
            let last = holds();
            if matches!(last, Ok(true)) {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                let why = last.err().map_or_else(String::new, |error| format!(": {error:#}"));
                bail!("waited in vain for {what}{why}");
            }
            std::thread::sleep(POLL);
        }
    }

    /// Asks the admin server: status and body.
    pub(super) fn admin(&self, method: &str, target: &str) -> Result<(u16, String)> {
        let answer = wire::once(self.ports.admin, method, "localhost", target)
            .with_context(|| format!("{method} {target} of the admin server"))?;
        Ok((answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
    }

    /// A document of the admin server.
    pub(super) fn document(&self, target: &str) -> Result<serde_json::Value> {
        let (status, body) = self.admin("GET", target)?;
        ensure!(status == 200, "{target} answers {status}: {body}");
        serde_json::from_str(&body).with_context(|| format!("read {target}"))
    }

    /// All samples: name with labels, and value.
    pub(super) fn metrics(&self) -> Result<Vec<(String, f64)>> {
        let (status, body) = self.admin("GET", "/metrics")?;
        ensure!(status == 200, "/metrics answers {status}");
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Ok(body.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect())
    }

    /// Sum of the samples of a family for which `of` holds.
    pub(super) fn sum(&self, family: &str, of: impl Fn(&str) -> bool) -> Result<f64> {
        let samples = self.metrics()?;
        let is_of = |name: &str| {
            name.strip_prefix(family)
                .is_some_and(|rest| (rest.is_empty() || rest.starts_with('{')) && of(rest))
        };
        Ok(samples.iter().filter(|(name, _)| is_of(name)).map(|(_, value)| value).sum())
    }
}

/// Ports for everything. They are outside the range from which the system takes those of clients:
/// otherwise a client might get the port of an endpoint that is dead, or even connect to itself.
pub(super) fn ports(seed: u64) -> Result<Ports> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .context("read the range of clients' ports")?;
    let low: u64 = range.split_whitespace().next().unwrap_or("32768").parse()?;
    ensure!(low > PORT_MIN + 1_000, "clients' ports begin at {low}: none are left for servers");
    let mut random = Random::new(seed ^ u64::from(std::process::id()));
    let mut taken = Vec::new();
    while taken.len() < 6 + FLOCK + STEADY {
        let port = (PORT_MIN + random.below(low - PORT_MIN)) as u16;
        if !taken.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            taken.push(port);
        }
    }
    let steady = taken.split_off(6 + FLOCK);
    let flock = taken.split_off(6);
    let [admin, plain, secure, relay, fragile_relay, extra] = taken[..] else {
        bail!("six ports are left");
    };
    Ok(Ports { admin, plain, secure, relay, fragile_relay, extra, flock, steady })
}
