//! `connectconformance`: the suite's strict client against a reference server behind Bulkhead, and
//! its strict server asked by a reference client before Bulkhead; gRPC, gRPC-Web and Connect, in
//! cleartext, with TLS and with client certificates. The same without Bulkhead beside it.

mod stand_in;
mod wire;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use self::stand_in::Way;
pub(crate) use self::stand_in::stand_in;
use super::certificate::Certificate;
use super::{Outcome, Place};
use crate::command::run_within;
use crate::go;

const PROGRAMS: [&str; 4] = [
    "connectrpc.com/conformance/cmd/connectconformance@latest",
    "connectrpc.com/conformance/cmd/referenceserver@latest",
    "connectrpc.com/conformance/cmd/referenceclient@latest",
    "connectrpc.com/conformance/cmd/grpcserver@latest",
];
/// What one run may take.
const RUN_LIMIT: Duration = Duration::from_secs(400);
/// Failures that an error tells of; the others are in the log.
const FAILURES_SHOWN: usize = 20;

/// One run of the suite.
struct Run {
    /// Name of its files.
    name: &'static str,
    /// What it is, on the page.
    what: &'static str,
    /// Which side is replaced.
    mode: &'static str,
    /// The program that is that side.
    program: &'static str,
    way: Way,
    /// What it supports, as the suite's `features` say it.
    features: &'static str,
    /// Cases that fail, and must.
    known: &'static [Known],
    /// Fewer cases mean that it did not run what it should.
    cases_min: u32,
}

/// Cases that fail.
struct Known {
    /// As the suite writes patterns.
    patterns: &'static [&'static str],
    /// They fail without Bulkhead as well.
    direct: bool,
    why: &'static str,
}

/// What the suite itself knows of grpc-go.
const OF_GRPC_GO: Known = Known {
    patterns: &[
        "**/unary/multiple-requests",
        "**/unary/no-request",
        "**/server-stream/multiple-requests",
        "**/server-stream/no-request",
    ],
    direct: true,
    why: "grpc-go says INTERNAL where the suite wants UNIMPLEMENTED",
};

const ALL: &str = "versions: [HTTP_VERSION_1, HTTP_VERSION_2], \
     protocols: [PROTOCOL_CONNECT, PROTOCOL_GRPC, PROTOCOL_GRPC_WEB], \
     codecs: [CODEC_PROTO, CODEC_JSON], \
     compressions: [COMPRESSION_IDENTITY, COMPRESSION_GZIP], \
     supports_tls_client_certs: true, supports_half_duplex_bidi_over_http1: true";
const OF_HTTP1: &str = "versions: [HTTP_VERSION_1], \
     protocols: [PROTOCOL_CONNECT, PROTOCOL_GRPC_WEB], codecs: [CODEC_PROTO, CODEC_JSON], \
     compressions: [COMPRESSION_IDENTITY, COMPRESSION_GZIP], \
     supports_half_duplex_bidi_over_http1: true";
const GRPC_WEB: &str = "versions: [HTTP_VERSION_1, HTTP_VERSION_2], \
     protocols: [PROTOCOL_GRPC_WEB], codecs: [CODEC_PROTO], \
     compressions: [COMPRESSION_IDENTITY, COMPRESSION_GZIP], supports_tls: false";

const RUNS: [Run; 4] = [
    Run {
        name: "server",
        what: "the suite's clients (connect-go, grpc-go) → the reference server",
        mode: "server",
        program: "referenceserver",
        way: Way::Same,
        features: ALL,
        known: &[],
        cases_min: 3000,
    },
    Run {
        name: "server-http2",
        what: "the same over HTTP/1.1, which Bulkhead passes on over HTTP/2",
        mode: "server",
        program: "referenceserver",
        way: Way::Http2,
        features: OF_HTTP1,
        known: &[],
        cases_min: 1000,
    },
    Run {
        name: "grpc-web",
        what: "the suite's clients of gRPC-Web → Bulkhead translates → grpc-go (direct: its wrapper \
               translates)",
        mode: "server",
        program: "grpcserver",
        way: Way::Translated,
        features: GRPC_WEB,
        known: &[OF_GRPC_GO],
        cases_min: 200,
    },
    Run {
        name: "client",
        what: "the reference client → the suite's servers (connect-go, grpc-go)",
        mode: "client",
        program: "referenceclient",
        way: Way::Same,
        features: ALL,
        known: &[],
        cases_min: 4000,
    },
];

/// What a run counted.
#[derive(Debug, PartialEq)]
struct Count {
    cases: u32,
    passed: u32,
    /// Failed as they were expected to.
    failed: u32,
}

pub(super) fn run(place: &Place) -> Result<Outcome> {
    let scratch = place.scratch.as_path();
    if !go::has(scratch, &PROGRAMS) {
        return Ok(Outcome::Skipped("it takes Go, and its module proxy, to build the suite"));
    }
    let certificate = Certificate::create(scratch)?;
    let tools = Tools { scratch, bulkhead: place.bulkhead()?, certificate };
    let mut rows = String::new();
    let mut reasons = String::new();
    for run in &RUNS {
        let (direct, through) = (tools.run(run, false)?, tools.run(run, true)?);
        ensure!(through.cases >= run.cases_min, "{}: only {} cases ran", run.name, through.cases);
        println!(
            "connect, {}: {} of {} cases passed, {} failed as expected",
            run.name, through.passed, through.cases, through.failed
        );
        let (name, what, cases) = (run.name, run.what, through.cases);
        rows.push_str(&format!(
            "| {name}: {what} | {cases} | {} | {} |\n",
            direct.passed, through.passed
        ));
        for Known { patterns, direct, why } in run.known {
            let sides = if *direct { "direct and through" } else { "through" };
            let patterns = patterns.join("`, `");
            reasons.push_str(&format!("- {} ({sides}): {why}.\n  `{patterns}`\n", run.name));
        }
    }
    let version = go::module_version(&scratch.join("connectconformance"))
        .context("find the suite's version")?;
    Ok(Outcome::Passed(page(&version, &rows, &reasons)))
}

struct Tools<'a> {
    scratch: &'a Path,
    bulkhead: PathBuf,
    certificate: Certificate,
}

impl Tools<'_> {
    fn run(&self, run: &Run, through: bool) -> Result<Count> {
        let name = format!("{}-{}", run.name, if through { "through" } else { "direct" });
        let config = self.scratch.join(format!("{}.yaml", run.name));
        fs::write(&config, format!("features: {{ {} }}\n", run.features))
            .context("write the suite's configuration")?;
        let Certificate { chain, key } = &self.certificate;
        let mut command = Command::new(self.scratch.join("connectconformance"));
        command.args(["--mode", run.mode, "--conf"]).arg(config);
        if run.mode == "client" {
            command.arg("--cert").arg(chain).arg("--key").arg(key);
        }
        for known in run.known.iter().filter(|known| through || known.direct) {
            for pattern in known.patterns {
                command.args(["--known-failing", pattern]);
            }
        }
        command.arg("--");
        let program = self.scratch.join(run.program);
        if through {
            command.arg(env::current_exe().context("find this program")?);
            command.args(["stand-in", run.mode]);
            match run.mode {
                "client" => command.arg(chain).arg(key),
                _ => command.arg(run.way.name()),
            };
            let directory = self.scratch.join(run.name);
            fs::create_dir_all(&directory).context("create a directory")?;
            command.arg(program).arg(&self.bulkhead).arg(directory);
        } else {
            command.arg(program);
        }
        let log = self.scratch.join(format!("{name}.log"));
        let ran = run_within(&mut command, RUN_LIMIT, &log);
        let told = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        if ran.is_err() {
            let failures = failures(&told);
            // Without Bulkhead it is the suite's own time limits that a busy machine breaks.
            ensure!(!through, "{name} failed; its log is {}\n{failures}", log.display());
            println!("{name}:\n{failures}");
        }
        count(&told).with_context(|| format!("read {}", log.display()))
    }
}

/// The end of what the suite says: `Total cases: 9`, `7 passed, 0 failed`, `(Another 2 failed as …`.
fn count(told: &str) -> Result<Count> {
    let number = |text: &str| text.trim().split(' ').next()?.parse().ok();
    let after =
        |mark: &str| told.rsplit_once(mark).and_then(|(_, rest)| number(rest.lines().next()?));
    let total = told.rsplit_once("Total cases: ").context("no count")?.1;
    let passed = total.lines().nth(1).and_then(number).context("no count of passed cases")?;
    let cases = after("Total cases: ").context("no count of cases")?;
    Ok(Count { cases, passed, failed: after("(Another ").unwrap_or(0) })
}

/// The first lines of the first failures, or the end of what was said.
fn failures(told: &str) -> String {
    let lines: Vec<&str> = told.lines().collect();
    let failed = |line: &&str| line.starts_with("FAILED") || line.starts_with("\tFAILED");
    let shown: Vec<&str> = lines
        .windows(2)
        .filter(|pair| failed(&pair[0]))
        .take(FAILURES_SHOWN)
        .flatten()
        .copied()
        .collect();
    let end = lines.len().saturating_sub(FAILURES_SHOWN);
    if shown.is_empty() { lines[end..].join("\n") } else { shown.join("\n") }
}

fn page(version: &str, rows: &str, reasons: &str) -> String {
    let mut text = format!(
        "connectconformance {version}: gRPC, gRPC-Web and Connect, binary and JSON, with and without\n\
         compression, over HTTP/1.1 and HTTP/2, in cleartext, with TLS and with client certificates. \
         Where a\nserver is the reference, TLS ends at `bulkhead run`; where a client is, it is on both \
         sides of it. What is\nnot translated passes as plain HTTP.\n\n\
         | run: from → to | cases | passed direct | passed through |\n|---|---|---|---|\n{rows}"
    );
    if !reasons.is_empty() {
        text.push_str("\nWhat does not pass:\n\n");
        text.push_str(reasons);
    }
    text
}

#[cfg(test)]
mod tests;
