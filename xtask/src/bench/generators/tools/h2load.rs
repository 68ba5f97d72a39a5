//! `h2load` of nghttp2. Without a log file: it would write a line for each request.

use std::process::Command;

use anyhow::Result;

use super::{Job, Told, Tool};
use crate::bench::install::told_version;
use crate::bench::load::{fields, message, parse_h2load};
use crate::bench::packages::debian;
use crate::bench::scenarios::{Scenario, Traffic};

pub(super) const TOOL: Tool = Tool {
    name: "h2load",
    locate: |options| Ok(debian("h2load", "nghttp2-client", options)),
    version: |path| told_version(path, &["--version"]),
    fit,
    arguments,
    read: |_, output| parse_h2load(output).map(|(answers, seconds)| Told { answers, seconds }),
    exit_statuses: &[0],
};

fn fit(scenario: &Scenario) -> Result<&'static str, &'static str> {
    Ok(match (scenario.traffic, scenario.load.rate) {
        (Traffic::Grpc, None) => "a POST: it never looks at grpc-status",
        (Traffic::Grpc, Some(_)) => "in bursts every 10 ms; never looks at grpc-status",
        (_, Some(_)) => "in bursts every 10 ms",
        (_, None) => "",
    })
}

fn arguments(job: &Job<'_>, command: &mut Command) -> Result<()> {
    let load = job.scenario.load;
    command
        .arg("-t1")
        .arg(format!("-c{}", load.connections))
        .arg(format!("-m{}", load.streams))
        .arg(format!("-D{}", job.seconds));
    if let Some(rate) = load.rate {
        // Of each connection.
        command.arg(format!("--rps={}", f64::from(rate) / f64::from(load.connections)));
    }
    match job.scenario.traffic {
        Traffic::Http1 => command.arg("--h1"),
        Traffic::Http2 => command,
        Traffic::Grpc => command.arg("-d").arg(message()?),
    };
    for field in fields(job.scenario)? {
        command.arg("-H").arg(field);
    }
    command.arg(job.url());
    Ok(())
}
