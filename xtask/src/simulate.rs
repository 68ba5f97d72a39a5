//! `cargo xtask simulate`: the deterministic simulation of the data plane for as long as one likes.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command::{cargo, output, run as run_command};

const SECONDS: u64 = 60;

/// `[SECONDS] [FROM]`: how long, and the first seed (else the time of day).
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let number = |text: &str| text.parse::<u64>().context("read a number");
    let (seconds, from) = match arguments {
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
    // A seed means something together with the code alone.
    run_command(&mut command).with_context(|| format!("simulate at commit {}", commit()))
}

fn commit() -> String {
    let told = output(Command::new("git").args(["describe", "--always", "--abbrev=12", "--dirty"]));
    told.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::commit;

    #[test]
    fn the_commit_is_told() {
        let commit = commit();
        // Without git, or outside of a repository, it is not known.
        assert!(commit == "unknown" || commit.len() >= 7 && !commit.contains('\n'), "{commit}");
    }
}
