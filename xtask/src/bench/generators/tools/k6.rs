//! `k6`, whose requests are written in JavaScript; a virtual user each has its own connection.

use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Job, Told, Tool, forget, number, read_json};
use crate::bench::install::told_version;
use crate::bench::load::{GRPC_PATH, MESSAGE_BASE64, PROTO, fields};
use crate::bench::packages::python_package;
use crate::bench::scenarios::{Scenario, Traffic};
use crate::command::root;

pub(super) const TOOL: Tool = Tool {
    name: "k6",
    locate: |options| Ok(python_package("k6", options).map(|venv| venv.join("bin/k6"))),
    version: |path| told_version(path, &["version"]),
    fit,
    arguments,
    read,
    exit_statuses: &[0],
};

const HTTP: &str = "\
import http from 'k6/http';
export const options = @OPTIONS@;
const parameters = { headers: @HEADERS@ };
export default function () {
  http.get('@URL@', parameters);
}
";

/// So many calls at once on the connection of each virtual user.
const GRPC: &str = "\
import grpc from 'k6/net/grpc';
export const options = @OPTIONS@;
const client = new grpc.Client();
client.load(['@PROTO_DIRECTORY@'], 'feed.proto');
const message = { payload: '@MESSAGE@' };
let connected = false;
export default async function () {
  if (!connected) {
    client.connect('127.0.0.1:@PORT@', { plaintext: true });
    connected = true;
  }
  const calls = [];
  for (let call = 0; call < @CALLS@; call++) {
    calls.push(client.asyncInvoke('@PATH@', message));
  }
  for (const answer of await Promise.all(calls)) {
    if (answer.status !== grpc.StatusOK) throw new Error(`status ${answer.status}`);
  }
}
";

fn fit(scenario: &Scenario) -> Result<&'static str, &'static str> {
    match (scenario.traffic, scenario.load.rate) {
        (Traffic::Http2, _) => Err("it has no HTTP/2 in cleartext"),
        (Traffic::Http1, _) if scenario.load.connections > 1_000 => {
            Err("a connection is a virtual user, of about a megabyte")
        }
        (Traffic::Http1, _) => Ok("bodies discarded"),
        (Traffic::Grpc, None) => Ok("decodes answers; 32 calls, then their 32 answers"),
        (Traffic::Grpc, Some(_)) => Ok("decodes answers; 64 connections"),
    }
}

/// Calls of one iteration.
fn calls(scenario: &Scenario) -> u32 {
    if scenario.load.rate.is_some() { 1 } else { scenario.load.streams }
}

fn arguments(job: &Job<'_>, command: &mut Command) -> Result<()> {
    let load = job.scenario.load;
    let duration = format!("{}s", job.seconds);
    let options = match load.rate {
        None => json!({ "vus": load.connections, "duration": duration }),
        Some(rate) => json!({ "scenarios": { "rate": {
            "executor": "constant-arrival-rate", "rate": rate, "timeUnit": "1s",
            "duration": duration, "preAllocatedVUs": 64, "maxVUs": 64, "gracefulStop": "5s",
        } } }),
    };
    let mut options = options;
    options["discardResponseBodies"] = json!(true);
    let mut headers = serde_json::Map::new();
    for field in fields(job.scenario)? {
        if let Some((name, value)) = field.split_once(": ") {
            headers.insert(name.to_owned(), json!(value));
        }
    }
    let directory = root().join(PROTO);
    let directory = directory.parent().unwrap_or(&directory).display().to_string();
    let template = if job.scenario.traffic == Traffic::Grpc { GRPC } else { HTTP };
    let script = template
        .replace("@OPTIONS@", &options.to_string())
        .replace("@HEADERS@", &Value::Object(headers).to_string())
        .replace("@URL@", &job.url())
        .replace("@PROTO_DIRECTORY@", &directory)
        .replace("@MESSAGE@", MESSAGE_BASE64)
        .replace("@PORT@", &job.port.to_string())
        .replace("@PATH@", GRPC_PATH.trim_start_matches('/'))
        .replace("@CALLS@", &calls(job.scenario).to_string());
    let account = job.file("json");
    forget(&account);
    command.args(["run", "--quiet", "--no-usage-report", "--no-color", "--summary-export"]);
    command.arg(account).arg(job.write("js", &script)?);
    Ok(())
}

fn read(job: &Job<'_>, _output: &str) -> Result<Told> {
    let account = read_json(&job.file("json"))?;
    // `iterations` ended without an exception, unless one was thrown; `rate` is over the whole time.
    let (pointer, each) = if job.scenario.traffic == Traffic::Grpc {
        ("/metrics/iterations", calls(job.scenario))
    } else {
        // "passes" of http_req_failed are the failures.
        let failed = number(&account, "/metrics/http_req_failed/passes")?;
        ensure!(failed == 0.0, "{failed} requests failed");
        ("/metrics/http_reqs", 1)
    };
    let count = number(&account, &format!("{pointer}/count"))?;
    let rate = number(&account, &format!("{pointer}/rate"))?;
    ensure!(count > 0.0, "no answer");
    Ok(Told { answers: count as u64 * u64::from(each), seconds: count / rate })
}
