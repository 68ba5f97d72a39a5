//! `cargo xtask fuzz-smoke`: each fuzz target for a short while, to see that it still builds and
//! finds nothing at once. Long runs are for a machine of their own.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command::{find_program, output, root, run as run_command};

const SECONDS: u32 = 20;

/// Runs every target of `fuzz/`. Says so and does nothing where nightly Rust or cargo-fuzz is missing.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let seconds: u32 = match arguments {
        [] => SECONDS,
        [number] => number.parse().context("read the number of seconds")?,
        other => bail!("unknown arguments `{}`", other.join(" ")),
    };
    let targets = root().join("fuzz/fuzz_targets");
    if !targets.is_dir() {
        println!("fuzz-smoke skipped: there are no fuzz targets");
        return Ok(());
    }
    if find_program("cargo-fuzz").is_none() {
        println!("fuzz-smoke skipped: cargo-fuzz is not installed (cargo install cargo-fuzz)");
        return Ok(());
    }
    let toolchains = output(Command::new("rustup").args(["toolchain", "list"])).unwrap_or_default();
    if !toolchains.contains("nightly") {
        println!("fuzz-smoke skipped: no nightly Rust (rustup toolchain install nightly)");
        return Ok(());
    }
    let mut names: Vec<String> = fs::read_dir(&targets)?
        .filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    for name in names {
        println!("── {name}, {seconds} s");
        run_command(
            Command::new("cargo")
                .current_dir(root())
                .args(["+nightly", "fuzz", "run", &name, "--"])
                .arg(format!("-max_total_time={seconds}")),
        )?;
    }
    Ok(())
}
