//! `bulkhead load`, from this tree.

use std::process::Command;

use anyhow::{Result, ensure};

use super::{Job, Told, Tool, forget, number, read_json};
use crate::bench::install::told_version;
use crate::bench::load::{bare_message, fields};
use crate::bench::scenarios::Traffic;
use crate::gateway::build_release;

pub(super) const TOOL: Tool = Tool {
    name: "bulkhead",
    locate: |_| build_release().map(Some),
    version: |path| told_version(path, &["--version"]),
    fit: |scenario| Ok(if scenario.load.rate.is_some() { "in ticks of 500 µs" } else { "" }),
    arguments,
    read,
    // 3: the generator itself was the limit, which is what a closed loop is for here.
    exit_statuses: &[0, 3],
};

/// The same with the tick of `h2load`, to compare like with like.
pub(super) const BURST: Tool = Tool {
    name: "bulkhead-burst",
    fit: |scenario| match scenario.load.rate {
        Some(_) => Ok("in ticks of 10 ms, as h2load"),
        None => Err("a closed loop has no ticks"),
    },
    arguments: |job, command| {
        arguments(job, command)?;
        command.args(["--tick", "10ms"]);
        Ok(())
    },
    ..TOOL
};

/// The same without ticks.
pub(super) const EXACT: Tool = Tool {
    name: "bulkhead-exact",
    fit: |scenario| match scenario.load.rate {
        Some(_) => Ok("each at its own time"),
        None => Err("a closed loop has no ticks"),
    },
    arguments: |job, command| {
        arguments(job, command)?;
        command.args(["--tick", "0s"]);
        Ok(())
    },
    ..TOOL
};

fn arguments(job: &Job<'_>, command: &mut Command) -> Result<()> {
    let load = job.scenario.load;
    let url = job.url();
    let http1 = job.scenario.traffic == Traffic::Http1;
    command.arg("load").arg(if http1 { url } else { url.replacen("http:", "h2c:", 1) });
    match load.rate {
        Some(rate) => command.arg("--rate").arg(rate.to_string()),
        None => command.arg("--closed"),
    };
    command.arg("--connections").arg(load.connections.to_string());
    if !http1 {
        command.arg("--streams").arg(load.streams.to_string());
    }
    command.arg("--duration").arg(format!("{}s", job.seconds)).args(["--warmup", "0s"]);
    if job.scenario.traffic == Traffic::Grpc {
        command.arg("--grpc").arg("--body").arg(format!("@{}", bare_message()?.display()));
    }
    for field in fields(job.scenario)? {
        let set_by_itself = field.starts_with("content-type") || field.starts_with("te:");
        if !(job.scenario.traffic == Traffic::Grpc && set_by_itself) {
            command.arg("--header").arg(field);
        }
    }
    let account = job.file("json");
    forget(&account);
    command.arg("--json").arg(account);
    Ok(())
}

fn read(job: &Job<'_>, _output: &str) -> Result<Told> {
    let account = read_json(&job.file("json"))?;
    let failed = number(&account, "/requests/failed")?;
    ensure!(failed == 0.0, "{failed} requests failed: {}", account["errors"]);
    let answers = number(&account, "/requests/ok")? as u64;
    Ok(Told { answers, seconds: number(&account, "/duration_s")? })
}
