//! `vegeta`, on Go's `net/http`. It writes a record of each request to a file, which is part of its
//! work; the summary is made from that file afterwards and does not count.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Job, Told, Tool, forget, number, only_status, parse_json};
use crate::bench::load::fields;
use crate::bench::packages::{go_module_version, go_program};
use crate::bench::scenarios::{Scenario, Traffic};
use crate::command::output;

const MODULE: &str = "github.com/tsenart/vegeta/v12@latest";

pub(super) const TOOL: Tool = Tool {
    name: "vegeta",
    locate: |options| Ok(Some(go_program("vegeta", MODULE, options))),
    version: go_module_version,
    fit,
    arguments,
    read,
    exit_statuses: &[0],
};

fn fit(scenario: &Scenario) -> Result<&'static str, &'static str> {
    match scenario.traffic {
        Traffic::Grpc => Err("it has no gRPC"),
        _ if scenario.load.connections > 1_000 => {
            Err("it opens connections only as it needs them, so it does not hold so many")
        }
        Traffic::Http1 if scenario.load.rate.is_some() => Ok("each at its own time"),
        Traffic::Http1 => Ok(""),
        Traffic::Http2 if scenario.load.rate.is_some() => {
            Ok("each at its own time; Go decides how many connections it opens")
        }
        Traffic::Http2 => Ok("Go decides how many connections it opens"),
    }
}

fn arguments(job: &Job<'_>, command: &mut Command) -> Result<()> {
    let mut target = format!("GET {}\n", job.url());
    for field in fields(job.scenario)? {
        target.push_str(&field);
        target.push('\n');
    }
    let results = job.file("bin");
    forget(&results);
    let workers = job.in_flight();
    command.arg("attack").arg(format!("-targets={}", job.write("targets", &target)?.display()));
    command.arg(format!("-output={}", results.display()));
    command.arg(format!("-rate={}", job.scenario.load.rate.unwrap_or(0)));
    command.arg(format!("-workers={workers}")).arg(format!("-max-workers={workers}"));
    command.arg(format!("-connections={}", job.scenario.load.connections));
    // Bodies are read and not kept.
    command.arg(format!("-duration={}s", job.seconds)).arg("-max-body=0");
    if job.scenario.traffic == Traffic::Http2 {
        command.arg("-h2c");
    }
    Ok(())
}

fn read(job: &Job<'_>, _output: &str) -> Result<Told> {
    let results = job.file("bin");
    let text = output(Command::new(job.program).args(["report", "-type=json"]).arg(&results))?;
    fs::remove_file(&results).context("remove vegeta's records")?;
    let account = parse_json(&text)?;
    let answers = only_status(&account["status_codes"], "200")?;
    let seconds = (number(&account, "/duration")? + number(&account, "/wait")?) / 1e9;
    Ok(Told { answers, seconds })
}
