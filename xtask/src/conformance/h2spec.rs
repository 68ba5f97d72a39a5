//! h2spec: its generic, HTTP/2 and HPACK cases against `bulkhead run`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::{Outcome, Place};
use crate::command::{cargo, find_program, output, run as run_command, target_directory};
use crate::gateway::{Guard, free_port};
use crate::go;

const H2SPEC: &str = "github.com/summerwind/h2spec/cmd/h2spec@latest";
/// Fewer than this means that h2spec did not run what it should.
const CASES_MIN: u32 = 140;

/// One section of h2spec's report.
#[derive(Debug, PartialEq)]
struct Section {
    id: String,
    title: String,
    tests: u32,
    skipped: u32,
    failed: u32,
}

/// Runs the cases, and gives what the page says of them. One failure is an error.
pub(super) fn run(place: &Place) -> Result<Outcome> {
    let scratch = place.scratch.as_path();
    let Some(h2spec) = h2spec()? else {
        return Ok(Outcome::Skipped("h2spec is not installed, nor is Go to build it with"));
    };
    let bulkhead = place.bulkhead()?;

    // It answers when it has the whole request, as h2spec's cases assume; an upstream that answers
    // sooner, as the embedded origin does, makes the outcome of some a matter of timing.
    run_command(cargo().args(["build", "-q", "--release", "-p", "bench-backend"]))?;
    let upstream_port = free_port()?;
    let mut command = Command::new(target_directory().join("release/bench-backend"));
    command.arg(format!("127.0.0.1:{upstream_port}")).arg("http");
    let _upstream = Guard::start(&command, upstream_port, &scratch.join("upstream.log"))?;

    let port = free_port()?;
    let text = configuration(port, upstream_port);
    let mut gateway = Guard::gateway(&bulkhead, scratch, "gateway", &text, port)?;

    let report = scratch.join("h2spec.xml");
    let told = Command::new(&h2spec)
        .args(["--strict", "-h", "127.0.0.1", "-p", &port.to_string(), "-o", "3", "-j"])
        .arg(&report)
        .args(["generic", "http2", "hpack"])
        .output()
        .context("start h2spec")?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    ensure!(gateway.is_running(), "the gateway ended under h2spec");
    let report = fs::read_to_string(&report).context("read h2spec's report")?;
    let sections = sections(&report)?;
    let count = |part: fn(&Section) -> u32| sections.iter().map(part).sum::<u32>();
    let (tests, skipped, failed) =
        (count(|it| it.tests), count(|it| it.skipped), count(|it| it.failed));
    println!(
        "h2spec: {tests} cases, {} passed, {skipped} skipped, {failed} failed",
        tests - skipped - failed
    );
    if failed > 0 {
        let failures = told.split_once("Failures:").map_or(told.as_str(), |(_, failures)| failures);
        bail!("h2spec found {failed} failures:\n{failures}");
    }
    ensure!(tests >= CASES_MIN, "h2spec ran only {tests} cases");
    let version = output(Command::new(&h2spec).arg("--version"))?;
    Ok(Outcome::Passed(page(&sections, version.trim())))
}

/// A listener as it is by default: for both protocols, told apart by the first bytes.
fn configuration(port: u16, upstream: u16) -> String {
    format!(
        "workers: 1\n\
         listeners: [{{ address: \"127.0.0.1:{port}\" }}]\n\
         routes: [{{ backends: [one] }}]\n\
         clusters: {{ one: {{ endpoints: [\"127.0.0.1:{upstream}\"], protocol: http2 }} }}\n"
    )
}

fn h2spec() -> Result<Option<PathBuf>> {
    let ours = target_directory().join("h2spec/h2spec");
    if let Some(found) = find_program("h2spec").or_else(|| ours.is_file().then(|| ours.clone())) {
        return Ok(Some(found));
    }
    let Some(go) = go::find() else { return Ok(None) };
    let directory = ours.parent().map(Path::to_path_buf).unwrap_or_default();
    go::install(&go, &directory, &[H2SPEC]).context("build h2spec")?;
    Ok(Some(ours))
}

/// Reads the test suites of a JUnit report.
fn sections(report: &str) -> Result<Vec<Section>> {
    report
        .split("<testsuite ")
        .skip(1)
        .map(|suite| {
            let tag = suite.split('>').next().unwrap_or_default();
            let text = |name: &str| {
                let (_, rest) = tag.split_once(&format!("{name}=\""))?;
                Some(rest.split('"').next()?.replace("&#39;", "'").replace("&amp;", "&"))
            };
            let number = |name: &str| text(name).and_then(|text| text.parse::<u32>().ok());
            Ok(Section {
                id: text("package").context("read a suite's package")?,
                title: text("name").context("read a suite's name")?,
                tests: number("tests").context("read a suite's count")?,
                skipped: number("skipped").unwrap_or(0),
                failed: number("failures").unwrap_or(0) + number("errors").unwrap_or(0),
            })
        })
        .collect()
}

fn page(sections: &[Section], version: &str) -> String {
    let mut text = format!(
        "h2spec ({version}), its generic, HTTP/2 and HPACK cases,\nstrict, against `bulkhead run` \
         with its default listener, which speaks HTTP/1.1 as well.\n\n\
         | section | cases | passed | skipped | failed |\n|---|---|---|---|---|\n"
    );
    let mut all = [0; 4];
    for section in sections.iter().filter(|section| section.tests > 0) {
        let passed = section.tests - section.skipped - section.failed;
        let row = [section.tests, passed, section.skipped, section.failed];
        for (sum, count) in all.iter_mut().zip(row) {
            *sum += count;
        }
        let [tests, passed, skipped, failed] = row;
        // The title begins with the section's number, so that only the suite is missing.
        let suite = section.id.split('/').next().unwrap_or_default();
        let title = &section.title;
        text.push_str(&format!(
            "| {suite} {title} | {tests} | {passed} | {skipped} | {failed} |\n"
        ));
    }
    let [tests, passed, skipped, failed] = all;
    text.push_str(&format!("| **all** | {tests} | {passed} | {skipped} | {failed} |\n"));
    text
}

#[cfg(test)]
mod tests;
