//! `cargo xtask simulate`: the deterministic simulation of the data plane for as long as one likes.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command::{cargo, run as run_command};

const SECONDS: u64 = 60;

/// `[SECONDS] [FROM] [--plan FILE]`: how long, the first seed (else the time of day), and what strikes (else
/// drawn from the seed).
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let number = |text: &str| text.parse::<u64>().context("read a number");
    let (numbers, plan) = match arguments {
        [numbers @ .., "--plan", file] => {
            // The simulation runs in another directory.
            let found = std::fs::canonicalize(file).with_context(|| format!("find {file}"))?;
            (numbers, Some(found))
        }
        numbers => (numbers, None),
    };
    let (seconds, from) = match numbers {
        [] => (SECONDS, None),
        [seconds] => (number(seconds)?, None),
        [seconds, from] => (number(seconds)?, Some(number(from)?)),
        other => bail!("unknown arguments `{}`", other.join(" ")),
    };
    let mut command: Command = cargo();
    command.args(["test", "--release", "-q", "-p", "bulkhead-gateway", "--lib"]);
    command.args(["simulation::tests::as_long", "--", "--ignored", "--nocapture"]);
    command.env("SIMULATE_SECONDS", seconds.to_string()).env("RUST_BACKTRACE", "0");
    if let Some(from) = from {
        command.env("SIMULATE_FROM", from.to_string());
    }
    command.envs(plan.map(|file| ("PLAN", file)));
    run_command(&mut command)
}
