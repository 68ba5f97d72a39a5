//! netem of a Debian kernel in a virtual machine: whether the lab's faults are there and back, and whether
//! packets can tell them from those of the packet box. The checks themselves are those of the bench
//! `netem` of `bulkhead-lab`.

mod guest;

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::{Outcome, Place};
use crate::command::{cargo, find_program, output};

/// Before the report of the bench.
const REPORT: &str = "netem-report ";
/// Fewer than this means that the bench did not run what it should.
const CHECKS_MIN: usize = 8;
const CASES_MIN: usize = 12;

/// Boots the kernel and gives what the page says of it. One failure is an error.
pub(super) fn run(place: &Place) -> Result<Outcome> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Ok(Outcome::Skipped("the virtual machine is one of x86-64, for this program"));
    }
    if find_program("apt-get").is_none() || find_program("dpkg-deb").is_none() {
        return Ok(Outcome::Skipped("the kernel is one of Debian, and there is no apt-get here"));
    }
    if !guest::has_programs() {
        return Ok(Outcome::Skipped(
            "Debian's qemu-system-x86 and iproute2 are missing, and only root can install them",
        ));
    }
    let kernel = guest::kernel(&place.scratch).context("get a kernel from Debian")?;
    let image = guest::image(&place.scratch, &kernel, &bench()?).context("make an initramfs")?;
    let told = guest::boot(&place.scratch, &kernel, &image)?;
    let report = told.lines().find_map(|line| line.trim_end().strip_prefix(REPORT));
    let report = report.with_context(|| format!("the bench told no report:\n{told}"))?;
    let report: Value = serde_json::from_str(report).context("read the report")?;
    fs::write(place.scratch.join("report.json"), format!("{report:#}\n"))?;
    let text = page(&report, &guest::version()?)?;
    println!("netem: {text}");
    Ok(Outcome::Passed(text))
}

/// The program that is run in the guest, built as it is for tests: what is measured there is netem.
fn bench() -> Result<std::path::PathBuf> {
    let told = output(cargo().args([
        "build",
        "-q",
        "-p",
        "bulkhead-lab",
        "--bench",
        "netem",
        "--message-format=json",
    ]))?;
    let artifacts = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = artifacts
        .filter(|it| it["target"]["name"] == "netem")
        .find_map(|it| it["executable"].as_str().map(Into::into));
    program.context("cargo built no bench `netem`")
}

fn page(report: &Value, machine: &str) -> Result<String> {
    if let Some(refusal) = report["skipped"].as_str() {
        bail!("the guest has no netem: {refusal}");
    }
    let rows = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let (checks, cases) = (rows("checks"), rows("cases"));
    ensure!(checks.len() >= CHECKS_MIN && cases.len() >= CASES_MIN, "it ran too little: {report}");
    let mut text = format!(
        "The carrier `netem` on Debian's Linux {} in a virtual machine ({machine}, emulated, on a clock of \
         its own: other load of the host does not show), between two ends of a pair of veth.\n\n\
         | check | seen |\n|---|---|\n",
        report["kernel"].as_str().unwrap_or("?"),
    );
    let mut failed = Vec::new();
    for check in &checks {
        let (name, seen) = (told(&check["name"]), told(&check["seen"]));
        if check["passed"] != true {
            failed.push(format!("{name}: {seen}"));
        }
        text += &format!("| {name} | {seen} |\n");
    }
    text += &format!(
        "\nThe same faults by netem and by the packet box of a link, there, by {} packets each (three times \
         as many for bursts, 500 for the rate). What lies further apart than chance allows once in {:.0} is a failure.\n\n\
         | fault | netem | packet box | test | result |\n|---|---|---|---|---|\n",
        report["packets"],
        1.0 / report["alpha"].as_f64().unwrap_or(f64::NAN),
    );
    for case in &cases {
        if case["holds"] != true {
            failed.push(format!("{case:#}"));
        }
        let cells = [
            told(&case["name"]),
            sample(case, 0),
            sample(case, 1),
            told(&case["test"]),
            result(case),
        ];
        text += &format!("| {} |\n", cells.join(" | "));
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(text)
}

fn told(value: &Value) -> String {
    value.as_str().unwrap_or_default().replace('|', "\\|")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// What arrived by one of the two.
fn sample(case: &Value, side: usize) -> String {
    let sample = &case[["netem", "box"][side]];
    if let Some(share) = case["shares"][side].as_f64() {
        let runs = sample["bursts"].as_u64().filter(|runs| *runs > 0);
        let runs = runs.map_or_else(String::new, |runs| format!(" in {runs} runs"));
        return format!("{:.2} %{runs}", 100.0 * share);
    }
    if let Some(rate) = case["mbit_per_second"][side].as_f64() {
        return format!("{rate:.3} Mbit/s");
    }
    let milliseconds = |name: &str| number(&sample[name]);
    format!(
        "mean {:.2} ms, 1 % {:.2}, 50 % {:.2}, 99 % {:.2}; {} overtaken",
        milliseconds("mean_ms"),
        milliseconds("p01_ms"),
        milliseconds("p50_ms"),
        milliseconds("p99_ms"),
        sample["overtaken"],
    )
}

fn result(case: &Value) -> String {
    if let Some(distance) = case["distance"].as_f64() {
        return format!("distance {:.2} %, p = {:.3}", 100.0 * distance, number(&case["p"]));
    }
    if let Some(p) = case["p"].as_f64() {
        return format!("p = {p:.3}");
    }
    if let Some(apart) = case["apart_ms"].as_f64() {
        return format!("{apart:+.3} ms");
    }
    case["apart"]
        .as_f64()
        .map_or_else(|| "so it is".to_owned(), |apart| format!("{:+.2} %", 100.0 * apart))
}

#[cfg(test)]
mod tests;
