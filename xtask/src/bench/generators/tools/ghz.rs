//! `ghz`: gRPC alone, on Go's `grpc`, with messages described by a `.proto` file.

use std::process::Command;

use anyhow::Result;

use super::{Job, Told, Tool, forget, number, only_status, read_json};
use crate::bench::load::{MESSAGE_BASE64, PROTO};
use crate::bench::packages::{go_module_version, go_program};
use crate::bench::scenarios::{Scenario, Traffic};
use crate::command::root;

const MODULE: &str = "github.com/bojand/ghz/cmd/ghz@latest";

pub(super) const TOOL: Tool = Tool {
    name: "ghz",
    locate: |options| Ok(Some(go_program("ghz", MODULE, options))),
    version: go_module_version,
    fit,
    arguments,
    read,
    exit_statuses: &[0],
};

fn fit(scenario: &Scenario) -> Result<&'static str, &'static str> {
    if scenario.traffic == Traffic::Grpc { Ok("decodes answers") } else { Err("it has only gRPC") }
}

fn arguments(job: &Job<'_>, command: &mut Command) -> Result<()> {
    let load = job.scenario.load;
    command.arg("--insecure").arg("--proto").arg(root().join(PROTO));
    command.args(["--call", "feed.v1.Feed/Get", "--cpus", "1", "--duration-stop", "wait"]);
    command.arg("-d").arg(format!("{{\"payload\":\"{MESSAGE_BASE64}\"}}"));
    command.arg("-c").arg(job.in_flight().to_string());
    command.arg("--connections").arg(load.connections.to_string());
    command.arg("-z").arg(format!("{}s", job.seconds));
    if let Some(rate) = load.rate {
        command.arg("--rps").arg(rate.to_string());
    }
    let account = job.file("json");
    forget(&account);
    command.args(["-O", "json", "-o"]).arg(account).arg(format!("127.0.0.1:{}", job.port));
    Ok(())
}

fn read(job: &Job<'_>, _output: &str) -> Result<Told> {
    let account = read_json(&job.file("json"))?;
    let answers = only_status(&account["statusCodeDistribution"], "OK")?;
    Ok(Told { answers, seconds: number(&account, "/total")? / 1e9 })
}
