//! `oha`, on tokio and hyper.

use std::process::Command;

use anyhow::Result;

use super::{Job, Told, Tool, number, only_status, parse_json};
use crate::bench::install::told_version;
use crate::bench::load::fields;
use crate::bench::packages::cargo_program;
use crate::bench::scenarios::{Scenario, Traffic};

pub(super) const TOOL: Tool = Tool {
    name: "oha",
    locate: |options| Ok(Some(cargo_program("oha", options))),
    version: |path| told_version(path, &["--version"]),
    fit,
    arguments,
    read,
    exit_statuses: &[0],
};

fn fit(scenario: &Scenario) -> Result<&'static str, &'static str> {
    match (scenario.traffic, scenario.load.rate) {
        (Traffic::Grpc, _) => Err("it has no gRPC"),
        (_, Some(_)) => Ok("in bursts every 1 ms"),
        _ => Ok(""),
    }
}

fn arguments(job: &Job<'_>, command: &mut Command) -> Result<()> {
    let load = job.scenario.load;
    command.args(["--no-tui", "--output-format", "json", "--no-color"]);
    command.arg("-z").arg(format!("{}s", job.seconds));
    command.arg("-c").arg(load.connections.to_string());
    if job.scenario.traffic == Traffic::Http2 {
        command.arg("--http2").arg("-p").arg(load.streams.to_string());
    }
    if let Some(rate) = load.rate {
        command.arg("-q").arg(rate.to_string()).arg("--latency-correction");
    }
    for field in fields(job.scenario)? {
        command.arg("-H").arg(field);
    }
    command.arg(job.url());
    Ok(())
}

/// What was in flight at the end stands under errors ("aborted due to deadline"), and is neither
/// right nor wrong.
fn read(_job: &Job<'_>, output: &str) -> Result<Told> {
    let account = parse_json(output)?;
    let answers = only_status(&account["statusCodeDistribution"], "200")?;
    Ok(Told { answers, seconds: number(&account, "/summary/total")? })
}
