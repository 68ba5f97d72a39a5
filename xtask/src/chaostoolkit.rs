//! `cargo xtask chaostoolkit`: the same tolerances, substitutions and experiments through Chaos Toolkit and
//! through ours, and whether they say the same. The result goes into `docs/chaos-formats.md`.

mod compare;
mod lab;
mod ours;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::command::{output, root, target_directory};
use crate::gateway::{Guard, build_debug};
use crate::markers;
use crate::python;

use compare::Difference;

const DRIVER: &str = include_str!("chaostoolkit/drive.py");
const SERVER: &str = include_str!("chaostoolkit/server.py");
/// Where experiments of the corpus look for their server.
const PORT: u16 = 18_474;
/// The last one builds our own.
const PACKAGES: [&str; 4] =
    ["chaostoolkit<1.20", "chaostoolkit-lib==1.44.*", "jsonpath2", "setuptools>=70.1"];

/// What a class of the corpus showed.
pub(crate) struct Class {
    pub(crate) name: &'static str,
    pub(crate) cases: usize,
    pub(crate) differences: Vec<Difference>,
}

pub(crate) fn run() -> Result<()> {
    let scratch = target_directory().join("chaostoolkit");
    fs::create_dir_all(&scratch)?;
    let python = match python::environment(&scratch.join("venv"), &PACKAGES) {
        Ok(python) => python,
        Err(reason) => {
            println!("chaostoolkit: skipped, the real one cannot be installed: {reason:#}");
            return Ok(());
        }
    };
    test_the_package(&python)?;
    let bulkhead = build_debug()?;
    let server = scratch.join("server.py");
    fs::write(&server, SERVER)?;
    let mut command = Command::new(&python);
    command.arg(&server).arg(PORT.to_string());
    let guard = Guard::start(&command, PORT, &scratch.join("server.log"))?;
    let corpus = root().join("xtask/corpus/chaostoolkit");
    let fixtures = root().join("crates/experiment/tests/data");
    let theirs = theirs(&python, &scratch, &corpus, &fixtures)?;
    let mut classes = compare::all(&theirs, &bulkhead, &scratch, &corpus, &fixtures)?;
    drop(guard);
    classes.push(lab::faults(&python, &bulkhead, &scratch, &corpus)?);
    let versions = versions(&python)?;
    markers::write(
        &root().join("docs/chaos-formats.md"),
        "chaostoolkit",
        &table(&versions, &classes),
    )?;
    for class in &classes {
        println!("{}: {} cases, {} differ", class.name, class.cases, class.differences.len());
        for difference in &class.differences {
            println!("  {}: {}", difference.case, difference.what);
        }
    }
    if classes.iter().any(|class| !class.differences.is_empty()) {
        bail!("Chaos Toolkit and ours do not agree");
    }
    Ok(())
}

fn table(versions: &str, classes: &[Class]) -> String {
    let mut text = format!("Against {versions}.\n\n| what | cases | differ |\n|---|---|---|\n");
    for Class { name, cases, differences } in classes {
        text.push_str(&format!("| {name} | {cases} | {} |\n", differences.len()));
    }
    text
}

fn theirs(python: &Path, scratch: &Path, corpus: &Path, fixtures: &Path) -> Result<Value> {
    let driver = scratch.join("drive.py");
    fs::write(&driver, DRIVER)?;
    let runs = scratch.join("theirs");
    // A journal of before is no answer.
    let _nothing_there = fs::remove_dir_all(&runs);
    fs::create_dir_all(&runs)?;
    let mut command = Command::new(python);
    command.arg(&driver).arg(corpus).arg(fixtures).arg(&runs).env("TZ", "UTC");
    let text = output(&mut command)?;
    let document = text.lines().last().context("the driver says nothing")?;
    serde_json::from_str(document).context("read the driver's answer")
}

fn versions(python: &Path) -> Result<String> {
    let script = "from importlib.metadata import version as v; \
                  print(', '.join(f'`{p}` {v(p)}' for p in ('chaostoolkit', 'chaostoolkit-lib', 'jsonpath2')))";
    Ok(output(Command::new(python).args(["-c", script]))?.trim().to_owned())
}

/// Our package for the real one, by its own tests.
fn test_the_package(python: &Path) -> Result<()> {
    let package = root().join("integrations/chaostoolkit-bulkhead");
    let mut command = Command::new(python);
    command.args(["-B", "-m", "unittest", "discover", "tests"]).current_dir(&package);
    // As it stands, not as it was installed once.
    output(command.env("PYTHONPATH", &package)).context("test chaostoolkit-bulkhead").map(drop)
}
