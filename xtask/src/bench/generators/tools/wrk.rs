//! `wrk`: HTTP/1.1 in a closed loop, nothing else.

use std::process::Command;

use anyhow::Result;

use super::{Job, Told, Tool};
use crate::bench::install::told_version;
use crate::bench::load::{fields, parse_wrk};
use crate::bench::packages::debian;
use crate::bench::scenarios::{Scenario, Traffic};

pub(super) const TOOL: Tool = Tool {
    name: "wrk",
    locate: |options| Ok(debian("wrk", "wrk", options)),
    version: |path| told_version(path, &["-v"]),
    fit,
    arguments,
    read: |_, output| {
        parse_wrk(output).map(|it| Told { answers: it.requests, seconds: it.seconds })
    },
    exit_statuses: &[0],
};

fn fit(scenario: &Scenario) -> Result<&'static str, &'static str> {
    match (scenario.traffic, scenario.load.rate) {
        (Traffic::Http1, None) => Ok(""),
        (Traffic::Http1, Some(_)) => Err("it has no fixed rate"),
        _ => Err("it has no HTTP/2"),
    }
}

fn arguments(job: &Job<'_>, command: &mut Command) -> Result<()> {
    command
        .arg("-t1")
        .arg(format!("-c{}", job.scenario.load.connections))
        .arg(format!("-d{}s", job.seconds))
        .arg("--latency");
    for field in fields(job.scenario)? {
        command.arg("-H").arg(field);
    }
    command.arg(job.url());
    Ok(())
}
