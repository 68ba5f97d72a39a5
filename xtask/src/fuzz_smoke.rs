//! `cargo xtask fuzz-smoke [SECONDS] [TARGET…]`: each fuzz target, or those that are named, for a short
//! while or as long as one likes. Tells how much was tried.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command::{find_program, output, root, run as run_command};

const SECONDS: u32 = 20;

/// Says so and does nothing where nightly Rust or cargo-fuzz is missing.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let (seconds, wanted): (u32, &[&str]) = match arguments {
        [] => (SECONDS, &[]),
        [number, wanted @ ..] => (number.parse().context("read the number of seconds")?, wanted),
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
    if let Some(unknown) = wanted.iter().find(|wanted| !names.iter().any(|name| name == *wanted)) {
        bail!("no fuzz target is called `{unknown}`: {}", names.join(", "));
    }
    names.retain(|name| wanted.is_empty() || wanted.contains(&name.as_str()));
    for name in names {
        println!("── {name}, {seconds} s");
        run_command(
            Command::new("cargo")
                .current_dir(root())
                .args(["+nightly", "fuzz", "run", &name, "--"])
                .arg(format!("-max_total_time={seconds}"))
                .arg("-print_final_stats=1"),
        )?;
    }
    Ok(())
}
