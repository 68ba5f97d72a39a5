//! Who is at the other end: clients that keep connections, and the load generator.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{ACTIVE_CONNECTIONS, Kind, RATE};
use crate::bench::load::{self, scratch};
use crate::bench::process::beside_the_load;
use crate::bench::spread::rounded;
use crate::command::{cargo, output, run, target_directory};
use crate::gateway::{build_release, ending_with_us};

/// The name of the first certificate.
const NAME: &str = "0.many.test";

/// Latency of requests at a fixed rate, from their intended time, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Latency {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
    /// How late the generator itself was, P99: what is below that is its own.
    pub(crate) lag_p99_ms: f64,
}

/// Our own programs beside the gateways.
#[derive(Debug)]
pub(crate) struct Programs {
    bulkhead: PathBuf,
    clients: PathBuf,
}

impl Programs {
    /// Builds them.
    pub(crate) fn build() -> Result<Self> {
        let bulkhead = build_release()?;
        run(cargo().args(["build", "-q", "--release", "-p", "bench-clients"]))?;
        fs::create_dir_all(scratch("")).context("create the directory")?;
        Ok(Self { bulkhead, clients: target_directory().join("release/bench-clients") })
    }

    /// `bench-clients` with these arguments; what it prints.
    pub(crate) fn clients(&self, arguments: &[&str]) -> Result<String> {
        let mut command = beside_the_load(&self.clients);
        output(&mut ending_with_us(command.args(arguments))).map(|text| text.trim().to_owned())
    }

    /// A directory with so many certificates, made anew.
    pub(crate) fn certificates(&self, count: usize) -> Result<PathBuf> {
        let directory = scratch(&format!("certificates-{count}"));
        if directory.exists() {
            fs::remove_dir_all(&directory).context("remove old certificates")?;
        }
        self.clients(&["certificates", &directory.to_string_lossy(), &count.to_string()])?;
        Ok(directory)
    }

    /// Requests at the fixed rate for so long. One that fails is an error.
    pub(crate) fn load(
        &self,
        kind: &Kind,
        port: u16,
        certificates: &Path,
        seconds: u32,
    ) -> Result<Latency> {
        let scheme = match (kind.http2, kind.tls) {
            (false, false) => "http",
            (true, false) => "h2c",
            (false, true) => "https",
            (true, true) => "h2",
        };
        let mut command = beside_the_load(&self.bulkhead);
        command.arg("load").arg(format!("{scheme}://127.0.0.1:{port}/api/v1/1/feed"));
        command.args(["--rate", &RATE.to_string(), "--duration", &format!("{seconds}s")]);
        command.args(["--connections", &ACTIVE_CONNECTIONS.to_string()]);
        if kind.tls {
            command.args(["--tls-name", NAME, "--cacert"]).arg(certificates.join("ca.pem"));
        }
        Latency::of(&load::account(&mut command, "idle-load.json")?)
    }
}

impl Latency {
    fn of(account: &Value) -> Result<Self> {
        let failed = account["requests"]["failed"].as_u64().context("find requests.failed")?;
        ensure!(failed == 0, "{failed} requests failed: {}", account["errors"]);
        let read = |from: &Value, name: &str| {
            from[name].as_f64().with_context(|| format!("find {name} of the latencies"))
        };
        let milliseconds = |name: &str| read(&account["latency_ms"], name);
        Ok(Self {
            p50_ms: milliseconds("p50")?,
            p99_ms: milliseconds("p99")?,
            p999_ms: milliseconds("p999")?,
            max_ms: milliseconds("max")?,
            lag_p99_ms: read(&account["generator"]["lag_ms"], "p99")?,
        })
    }

    /// As it stands in the result files.
    pub(crate) fn json(&self) -> Value {
        json!({
            "p50_ms": rounded(self.p50_ms),
            "p99_ms": rounded(self.p99_ms),
            "p999_ms": rounded(self.p999_ms),
            "max_ms": rounded(self.max_ms),
            "generator_lag_p99_ms": rounded(self.lag_p99_ms),
        })
    }
}

/// A process that keeps connections open. They end with it.
#[derive(Debug)]
pub(crate) struct IdleClients {
    child: Child,
    /// `None` once it is told to end.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl IdleClients {
    /// Starts it, without a connection yet.
    pub(crate) fn start(
        ours: &Programs,
        port: u16,
        kind: &Kind,
        certificates: &Path,
    ) -> Result<Self> {
        let mut command = beside_the_load(&ours.clients);
        let protocol = if kind.http2 { "http2" } else { "http1" };
        command.args(["hold", &format!("127.0.0.1:{port}"), protocol]);
        if kind.tls {
            command.arg(certificates.join("ca.pem"));
        }
        Self::spawn(&mut ending_with_us(&command))
    }

    fn spawn(command: &mut Command) -> Result<Self> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("start the clients")?;
        let (orders, answers) = (child.stdin.take(), child.stdout.take());
        let answers = BufReader::new(answers.context("hear the clients")?);
        Ok(Self { child, orders, answers })
    }

    /// Opens connections until there are so many; each has made a request then.
    pub(crate) fn open(&mut self, count: u32) -> Result<()> {
        let opened = self.order("open", Some(count))?;
        ensure!(opened == count, "{opened} of {count} connections are open");
        Ok(())
    }

    /// Makes a request on each, and says how many answered.
    pub(crate) fn ask(&mut self) -> Result<u32> {
        self.order("ask", None)
    }

    fn order(&mut self, order: &str, count: Option<u32>) -> Result<u32> {
        let line = count.map_or_else(|| format!("{order}\n"), |count| format!("{order} {count}\n"));
        self.orders.as_mut().context("tell the clients")?.write_all(line.as_bytes())?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).context("hear the clients")?;
        let number = answer.trim().rsplit(' ').next().and_then(|word| word.parse().ok());
        number.with_context(|| format!("the clients failed to {order}"))
    }
}

impl Drop for IdleClients {
    fn drop(&mut self) {
        // The end of its input is its end; a server that hangs may hold it for some seconds.
        self.orders = None;
        let _ended = self.child.wait();
    }
}
