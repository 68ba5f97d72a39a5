//! `cargo xtask check`: what a change must pass, in the order in which it fails fastest. CI runs it too, and
//! what takes longer (`.ci/run`).

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::command::{self, cargo, find_program};
use crate::tidy;

/// Runs every step; `--no-test` leaves the tests out, for those who have just run them.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        [] => run_steps(true),
        ["--no-test"] => run_steps(false),
        other => bail!("unknown arguments `{}`", other.join(" ")),
    }
}

/// The first failure ends it.
fn run_steps(test: bool) -> Result<()> {
    step("fmt", || command::run(cargo().args(["fmt", "--all", "--check"])))?;
    step("tidy", tidy::run)?;
    step("clippy", || {
        let targets = ["clippy", "--workspace", "--all-targets", "--locked"];
        command::run(cargo().args(targets).args(["--", "-D", "warnings"]))
    })?;
    step("doc", || {
        let pages = ["doc", "--workspace", "--no-deps", "--locked"];
        command::run(cargo().args(pages).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    step("deny", deny)?;
    if test {
        step("test", || command::run(cargo().args(["test", "--workspace", "--locked"])))?;
    }
    Ok(())
}

fn step(name: &str, action: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("── {name}");
    let began = Instant::now();
    action().with_context(|| format!("check {name}"))?;
    println!("── {name}: done in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// Licences, sources and advisories of dependencies. Building cargo-deny takes longer than all the
/// other steps, so it is used where it is installed.
fn deny() -> Result<()> {
    let Some(program) = find_program("cargo-deny") else {
        println!("skipped: cargo-deny is not installed (cargo install cargo-deny)");
        return Ok(());
    };
    command::run(
        Command::new(program)
            .current_dir(command::root())
            .args(["check", "bans", "licenses", "sources"]),
    )
}
