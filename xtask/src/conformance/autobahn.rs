//! Autobahn|Testsuite: a hostile WebSocket client and a hostile server, each with and without
//! Bulkhead in between. What the other side is made of does not matter: Bulkhead must change nothing,
//! so the verdict of every case must be the same.
//!
//! Two gateways stand one behind the other, so that one way is HTTP/1.1 all along and the other one
//! goes from HTTP/1.1 to HTTP/2 and back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::{Outcome, Place};
use crate::command::{find_program, output, root, run as run_command};
use crate::gateway::{Guard, free_port};

/// The suite is written for Python 2.
const PACKAGE: &str = "autobahntestsuite==25.10.1";
/// Fewer than this means that it did not run what it should.
const CASES_MIN: usize = 300;
/// `pip --target` makes no environment: its directory becomes one here. And the server takes only
/// requests for its own port, though the client asks a gateway at another one.
const LAUNCHER: &str = "import site, sys\nsite.addsitedir(sys.argv.pop(1))\n\
                        from autobahn.websocket.protocol import WebSocketServerFactory as factory\n\
                        factory.externalPort = property(lambda self: None, lambda self, port: None)\n\
                        from autobahntestsuite.wstest import run\nrun()\n";
/// The ways that are compared; the first one is that without Bulkhead.
const WAYS: [&str; 3] = ["direct", "http1", "http2"];

/// Verdicts of one case.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
struct Verdict {
    behavior: String,
    #[serde(rename = "behaviorClose")]
    close: String,
}

/// By way and case.
type Report = BTreeMap<String, BTreeMap<String, Verdict>>;

pub(super) fn run(place: &Place) -> Result<Outcome> {
    let scratch = place.scratch.as_path();
    let Some(python) = python2() else {
        return Ok(Outcome::Skipped("the suite needs Python 2.7, which is not here"));
    };
    let Some(suite) = install(scratch, &python) else {
        return Ok(Outcome::Skipped("pip of Python 2.7 cannot install autobahntestsuite"));
    };
    let bulkhead = place.bulkhead()?;
    let clients = hostile_client(scratch, &suite, &bulkhead)?;
    let servers = hostile_server(scratch, &suite, &bulkhead)?;
    let mut text = "Autobahn|Testsuite 25.10.1: the verdict of every case is the same with \
                    `bulkhead run` in between as\nwithout it, over HTTP/1.1 and over HTTP/2 \
                    (RFC 8441).\n\n| hostile side | cases | same over HTTP/1.1 | same over HTTP/2 \
                    |\n|---|---|---|---|\n"
        .to_owned();
    for (side, report) in [("client", clients), ("server", servers)] {
        let cases = compare(side, &report)?;
        println!("autobahn: {cases} cases of a hostile {side}, all with the same verdict");
        text.push_str(&format!("| {side} | {cases} | {cases} | {cases} |\n"));
    }
    text.push_str(
        "\nThe client's cases of compression (12, 13) end as not implemented by the echo server; \
         the server's are\nleft out, since they take long and a tunnel does not know them from others.\n",
    );
    Ok(Outcome::Passed(text))
}

fn python2() -> Option<PathBuf> {
    find_program("python2.7").filter(|found| works(found)).or_else(|| {
        let home = PathBuf::from(std::env::var_os("PYENV_ROOT")?);
        let versions = fs::read_dir(home.join("versions")).ok()?.flatten();
        versions.map(|entry| entry.path().join("bin/python2.7")).find(|found| works(found))
    })
}

fn works(python: &Path) -> bool {
    Command::new(python).arg("--version").output().is_ok_and(|it| it.status.success())
}

/// A command that still needs the suite's own arguments.
struct Wstest {
    python: PathBuf,
    launcher: PathBuf,
    packages: PathBuf,
}

impl Wstest {
    fn command(&self, mode: &str, scratch: &Path) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(&self.launcher).arg(&self.packages).args(["-m", mode]).current_dir(scratch);
        command
    }
}

fn install(scratch: &Path, python: &Path) -> Option<Wstest> {
    let packages = scratch.join("packages");
    if !packages.join("autobahntestsuite").is_dir() {
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "--target"]);
        pip.arg(&packages).arg(PACKAGE);
        if let Err(error) = output(&mut pip) {
            println!("{error:#}");
            return None;
        }
    }
    let launcher = scratch.join("wstest.py");
    fs::write(&launcher, LAUNCHER).ok()?;
    Some(Wstest { python: python.to_owned(), launcher, packages })
}

/// Two gateways before `server`: ports of the ways, in the order of [`WAYS`].
fn ways(scratch: &Path, bulkhead: &Path, server: u16) -> Result<([u16; 3], [Guard; 2])> {
    let (http1, http2) = (free_port()?, free_port()?);
    let start = |name: &str, port: u16, upstream: u16, protocol: &str| {
        let text = format!(
            "workers: 1\nlisteners: [{{ address: \"127.0.0.1:{port}\" }}]\n\
             routes: [{{ backends: [one], upgrades: [websocket] }}]\n\
             clusters: {{ one: {{ endpoints: [\"127.0.0.1:{upstream}\"], protocol: {protocol} }} }}\n"
        );
        Guard::gateway(bulkhead, scratch, name, &text, port)
    };
    let gateways =
        [start("http1", http1, server, "http1")?, start("http2", http2, http1, "http2")?];
    Ok(([server, http1, http2], gateways))
}

/// The suite's client against an echo server.
fn hostile_client(scratch: &Path, suite: &Wstest, bulkhead: &Path) -> Result<Report> {
    let port = free_port()?;
    let mut command = Command::new(bulkhead);
    command.args(["origin", "--listen", &format!("127.0.0.1:{port}")]);
    let _origin = Guard::start(&command, port, &scratch.join("origin.log"))?;
    let (ports, _gateways) = ways(scratch, bulkhead, port)?;
    let servers: Vec<serde_json::Value> = WAYS
        .iter()
        .zip(ports)
        .map(|(way, port)| {
            serde_json::json!({ "agent": way, "url": format!("ws://127.0.0.1:{port}/ws") })
        })
        .collect();
    let spec = serde_json::json!({
        "outdir": "clients", "servers": servers,
        "cases": ["*"], "exclude-cases": [], "exclude-agent-cases": {},
    });
    fs::write(scratch.join("client.json"), spec.to_string()).context("write the specification")?;
    let mut command = suite.command("fuzzingclient", scratch);
    run_quietly(command.args(["-s", "client.json"]), &scratch.join("client.log"))?;
    report(&scratch.join("clients/index.json"))
}

/// The suite's server, and a client of its own.
fn hostile_server(scratch: &Path, suite: &Wstest, bulkhead: &Path) -> Result<Report> {
    let port = free_port()?;
    let spec = serde_json::json!({
        "url": format!("ws://127.0.0.1:{port}"), "outdir": "servers",
        "cases": ["*"], "exclude-cases": ["12.*", "13.*"], "exclude-agent-cases": {},
    });
    fs::write(scratch.join("server.json"), spec.to_string()).context("write the specification")?;
    let mut command = suite.command("fuzzingserver", scratch);
    command.args(["-s", "server.json", "-u", "0"]);
    let _server = Guard::start(&command, port, &scratch.join("server.log"))?;
    let (ports, _gateways) = ways(scratch, bulkhead, port)?;
    for (way, port) in WAYS.iter().zip(ports) {
        let mut command = suite.command("testeeclient", scratch);
        command.args(["-w", &format!("ws://127.0.0.1:{port}"), "-i", way]);
        run_quietly(&mut command, &scratch.join(format!("client-{way}.log")))?;
    }
    report(&scratch.join("servers/index.json"))
}

fn run_quietly(command: &mut Command, log: &Path) -> Result<()> {
    let file = fs::File::create(log).context("create the log")?;
    command.stdout(file.try_clone()?).stderr(file);
    run_command(command).with_context(|| format!("its log is {}", log.display()))
}

fn report(path: &Path) -> Result<Report> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("read {}", path.strip_prefix(root()).unwrap_or(path).display()))?;
    serde_json::from_str(&text).context("read the suite's report")
}

/// The number of cases, if each has the same verdict on every way.
fn compare(side: &str, report: &Report) -> Result<usize> {
    let of = |way: &str| report.get(way).with_context(|| format!("no verdicts of {way}"));
    let direct = of(WAYS[0])?;
    ensure!(direct.len() >= CASES_MIN, "only {} cases of a hostile {side} ran", direct.len());
    let mut differing = Vec::new();
    for way in &WAYS[1..] {
        let through = of(way)?;
        for (case, expect) in direct {
            match through.get(case) {
                Some(verdict) if verdict == expect => {}
                other => differing.push(format!("{case} over {way}: {other:?}, not {expect:?}")),
            }
        }
    }
    ensure!(
        differing.is_empty(),
        "verdicts of a hostile {side} that Bulkhead changes:\n{}",
        differing.join("\n")
    );
    Ok(direct.len())
}

#[cfg(test)]
mod tests;
