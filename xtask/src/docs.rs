//! `cargo xtask docs`: writes the pages that are generated from code. That they are up to date is
//! shown by ordinary tests, which compare instead of writing.

use anyhow::{Result, bail};

use crate::command::{cargo, run as run_command};

/// Rewrites the references and schemas of the configuration, of scenarios, of experiments and of the
/// profiles of storms in docs/.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    if !arguments.is_empty() {
        bail!("unknown arguments `{}`", arguments.join(" "));
    }
    let mut command = cargo();
    command.args(["test", "-q", "-p", "bulkhead-config", "-p", "bulkhead-scenario"]);
    command.args(["-p", "bulkhead-experiment"]);
    run_command(command.env("UPDATE_EXPECT", "1"))?;
    let mut command = cargo();
    command.args(["test", "-q", "-p", "bulkhead-cli", "--bin", "bulkhead", "are_published"]);
    run_command(command.env("UPDATE_EXPECT", "1"))
}
