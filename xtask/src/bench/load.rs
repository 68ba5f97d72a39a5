//! Drives `wrk` and `h2load`, checks answers with `curl`, and reads what they print.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::scenarios::{Scenario, Traffic};
use crate::command::{output, target_directory};
use crate::gateway::ending_with_us;

/// Where the load generator and the upstream run.
pub(crate) const LOAD_CPU: &str = "1";

/// What a browser-like client sends beside the pseudo-header fields.
const FIELDS: [&str; 4] = [
    "accept: application/json",
    "accept-encoding: gzip, deflate, br",
    "accept-language: en-GB,en;q=0.9",
    "user-agent: bench/1.0 (side by side)",
];
const PATH: &str = "/api/v1/1/feed";
/// The unary call.
pub(crate) const GRPC_PATH: &str = "/feed.v1.Feed/Get";
const BODY_BYTES: usize = 1024;
/// What the messages of the gRPC call are, for those that want it described.
pub(crate) const PROTO: &str = "bench/load/feed.proto";
/// Size of the gRPC request's message.
const MESSAGE_BYTES: usize = 64;
/// Field 1 of that message, as JSON has it.
pub(crate) const MESSAGE_BASE64: &str =
    "cXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXE=";
/// Prefix and message of the upstream's gRPC answer.
const GRPC_BODY_BYTES: usize = 69;

/// What the load generator saw.
#[derive(Debug, PartialEq)]
pub(crate) struct Measured {
    /// Right answers.
    pub(crate) requests: u64,
    /// Time that they took.
    pub(crate) seconds: f64,
    /// Median latency, milliseconds.
    pub(crate) p50_ms: f64,
    /// 99th percentile, milliseconds.
    pub(crate) p99_ms: f64,
}

/// Sends one request and compares status, body size and, for gRPC, the trailer.
pub(crate) fn probe(scenario: &Scenario, port: u16) -> Result<()> {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "5", "-D", "-", "-o"]);
    let body = scratch("answer");
    curl.arg(&body);
    for field in fields(scenario)? {
        curl.arg("-H").arg(field);
    }
    match scenario.traffic {
        Traffic::Http1 => curl.arg("--http1.1"),
        Traffic::Http2 => curl.arg("--http2-prior-knowledge"),
        Traffic::Grpc => {
            let mut data = std::ffi::OsString::from("@");
            data.push(message()?);
            curl.arg("--http2-prior-knowledge").arg("--data-binary").arg(data)
        }
    };
    let heads = output(curl.arg(url(scenario, port)))?;
    let length = fs::metadata(&body).context("read the answer")?.len() as usize;
    let expected = if scenario.traffic == Traffic::Grpc { GRPC_BODY_BYTES } else { BODY_BYTES };
    let status = heads.split_whitespace().nth(1);
    ensure!(status == Some("200"), "the answer is not 200:\n{heads}");
    ensure!(length == expected, "the body has {length} bytes instead of {expected}:\n{heads}");
    if scenario.traffic == Traffic::Grpc {
        ensure!(heads.contains("grpc-status: 0"), "no grpc-status trailer:\n{heads}");
    }
    Ok(())
}

/// Offers the scenario's load for so many seconds.
pub(crate) fn generate(scenario: &Scenario, port: u16, seconds: u32) -> Result<Measured> {
    if scenario.traffic == Traffic::Http1 && scenario.load.rate.is_none() {
        wrk(scenario, port, seconds)
    } else {
        h2load(scenario, port, seconds)
    }
}

fn wrk(scenario: &Scenario, port: u16, seconds: u32) -> Result<Measured> {
    let mut command = pinned("wrk");
    command
        .arg("-t1")
        .arg(format!("-c{}", scenario.load.connections))
        .arg(format!("-d{seconds}s"))
        .arg("--latency");
    for field in fields(scenario)? {
        command.arg("-H").arg(field);
    }
    parse_wrk(&output(command.arg(url(scenario, port)))?)
}

fn h2load(scenario: &Scenario, port: u16, seconds: u32) -> Result<Measured> {
    let log = scratch("h2load.tsv");
    let _ = fs::remove_file(&log); // h2load appends
    let load = scenario.load;
    let mut command = pinned("h2load");
    command
        .arg("-t1")
        .arg(format!("-c{}", load.connections))
        .arg(format!("-m{}", load.streams))
        .arg(format!("-D{seconds}"))
        .arg("--log-file")
        .arg(&log);
    if let Some(rate) = load.rate {
        command.arg(format!("--rps={}", rate / load.connections));
    }
    if scenario.traffic == Traffic::Grpc {
        command.arg("-d").arg(message()?);
    }
    for field in fields(scenario)? {
        command.arg("-H").arg(field);
    }
    let text = output(command.arg(url(scenario, port)))?;
    let (requests, seconds) = parse_h2load(&text)?;
    let latencies = h2load_latencies_ms(&log)?;
    let percentile = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    Ok(Measured { requests, seconds, p50_ms: percentile(0.50), p99_ms: percentile(0.99) })
}

/// Latencies of all requests in a log of h2load, sorted, milliseconds. There is at least one.
pub(crate) fn h2load_latencies_ms(log: &Path) -> Result<Vec<f64>> {
    let log = fs::read_to_string(log).context("read h2load's log")?;
    let microseconds = |line: &str| line.rsplit('\t').next()?.parse::<u64>().ok();
    let mut latencies: Vec<f64> =
        log.lines().filter_map(microseconds).map(|number| number as f64 / 1e3).collect();
    ensure!(!latencies.is_empty(), "h2load logged no request");
    latencies.sort_by(f64::total_cmp);
    Ok(latencies)
}

/// Reads wrk's summary.
pub(crate) fn parse_wrk(text: &str) -> Result<Measured> {
    if let Some(line) =
        text.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors"))
    {
        bail!("wrk saw failures: {}", line.trim());
    }
    let line = text
        .lines()
        .find(|line| line.contains(" requests in "))
        .with_context(|| format!("read wrk's output:\n{text}"))?;
    let mut words = line.split_whitespace();
    let requests = words.next().and_then(|word| word.parse().ok()).context("read requests")?;
    let seconds = words
        .nth(2)
        .and_then(|word| milliseconds(word.trim_end_matches(',')))
        .context("read the duration")?
        / 1e3;
    let percentile = |name: &str| {
        text.lines()
            .find_map(|line| milliseconds(line.trim().strip_prefix(name)?.trim()))
            .with_context(|| format!("read wrk's {name}"))
    };
    Ok(Measured { requests, seconds, p50_ms: percentile("50%")?, p99_ms: percentile("99%")? })
}

/// `1.23ms`, `950.00us`, `3.00s`, `1.5m` → milliseconds.
pub(crate) fn milliseconds(text: &str) -> Option<f64> {
    for (suffix, factor) in [("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 60e3)] {
        if let Some(number) = text.strip_suffix(suffix)
            && let Ok(number) = number.parse::<f64>()
        {
            return Some(number * factor);
        }
    }
    None
}

/// Right answers and seconds, or an error if any answer was wrong.
pub(crate) fn parse_h2load(text: &str) -> Result<(u64, f64)> {
    let number = |line: &str, name: &str| -> Option<u64> {
        let mut previous = "";
        for word in line.split([' ', ',']).filter(|word| !word.is_empty()) {
            if word == name {
                return previous.parse().ok();
            }
            previous = word;
        }
        None
    };
    let line = |start: &str| {
        text.lines()
            .find(|line| line.starts_with(start))
            .with_context(|| format!("read h2load's output:\n{text}"))
    };
    let requests = line("requests:")?;
    let statuses = line("status codes:")?;
    let good = number(statuses, "2xx").context("read h2load's 2xx")?;
    for (line, name) in [
        (requests, "failed"),
        (requests, "errored"),
        (requests, "timeout"),
        (statuses, "3xx"),
        (statuses, "4xx"),
        (statuses, "5xx"),
    ] {
        let count = number(line, name).with_context(|| format!("read h2load's {name}"))?;
        ensure!(count == 0, "h2load saw failures: {requests}; {statuses}");
    }
    ensure!(good > 0, "h2load got no answer");
    let finished = line("finished in ")?;
    let seconds = finished
        .split_whitespace()
        .nth(2)
        .and_then(|word| milliseconds(word.trim_end_matches(',')))
        .context("read h2load's duration")?
        / 1e3;
    Ok((good, seconds))
}

fn pinned(program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", LOAD_CPU, program]);
    command
}

/// What `bulkhead load` wrote of itself, in the file `name` of this run. Whatever its exit status was: that
/// requests failed, or that it was late, stands there.
pub(crate) fn account(load: &mut Command, name: &str) -> Result<Value> {
    let path = scratch(name);
    let _absent = fs::remove_file(&path);
    let ended = output(&mut ending_with_us(load.arg("--json").arg(&path)));
    if !path.is_file() {
        ended?;
    }
    let text = fs::read_to_string(&path).context("read the account")?;
    serde_json::from_str(&text).context("read the account")
}

/// Where the requests go.
pub(crate) fn url(scenario: &Scenario, port: u16) -> String {
    let path = if scenario.traffic == Traffic::Grpc { GRPC_PATH } else { PATH };
    format!("http://127.0.0.1:{port}{path}")
}

/// Header fields of the requests.
pub(crate) fn fields(scenario: &Scenario) -> Result<Vec<String>> {
    let mut fields: Vec<String> = if scenario.traffic == Traffic::Grpc {
        ["content-type: application/grpc", "te: trailers", "user-agent: grpc-bench/1.0"]
            .map(str::to_owned)
            .to_vec()
    } else {
        FIELDS.map(str::to_owned).to_vec()
    };
    if scenario.jwt {
        let token = fs::read_to_string(scratch("token")).context("read the token")?;
        fields.push(format!("authorization: Bearer {token}"));
    }
    Ok(fields)
}

/// The gRPC request: flag, length and message.
pub(crate) fn message() -> Result<PathBuf> {
    let mut bytes = vec![0, 0, 0, 0, MESSAGE_BYTES as u8];
    bytes.extend(message_bytes());
    write_message("message.bin", &bytes)
}

/// The message alone, for those that put flag and length before it themselves.
pub(crate) fn bare_message() -> Result<PathBuf> {
    write_message("bare-message.bin", &message_bytes())
}

/// A protobuf whose field 1 is all the rest.
fn message_bytes() -> Vec<u8> {
    let mut bytes = vec![0x0a, MESSAGE_BYTES as u8 - 2];
    bytes.resize(MESSAGE_BYTES, b'q');
    bytes
}

fn write_message(name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let path = scratch(name);
    fs::write(&path, bytes).context("write the gRPC message")?;
    Ok(path)
}

/// A file of this run.
pub(crate) fn scratch(name: &str) -> PathBuf {
    target_directory().join("bench/run").join(name)
}

#[cfg(test)]
mod tests;
