//! The load generators: what each can do, how it is told to, and how its account is read. None of
//! them is started here.

mod bulkhead;
mod ghz;
mod h2load;
mod k6;
mod oha;
mod vegeta;
mod wrk;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::super::load::{scratch, url};
use super::super::options::Options;
use super::super::scenarios::Scenario;

/// One load generator.
pub(crate) struct Tool {
    /// Name on the command line and in the tables.
    pub(crate) name: &'static str,
    /// Finds it, or has it installed where that was asked for.
    pub(crate) locate: fn(&Options) -> Result<Option<PathBuf>>,
    /// Its version.
    pub(crate) version: fn(&Path) -> String,
    /// What is particular about how it does this scenario; `Err`: why it does not.
    pub(crate) fit: fn(&Scenario) -> Result<&'static str, &'static str>,
    /// Adds the arguments, and writes the files that they name.
    pub(crate) arguments: fn(&Job<'_>, &mut Command) -> Result<()>,
    /// Reads what it counted, from its standard output or the file that it wrote. A wrong answer is
    /// an error.
    pub(crate) read: fn(&Job<'_>, &str) -> Result<Told>,
    /// Exit statuses of a run whose account is to be read.
    pub(crate) exit_statuses: &'static [i32],
}

/// One run of one of them.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) name: &'static str,
    pub(crate) program: &'a Path,
    pub(crate) scenario: &'a Scenario,
    pub(crate) port: u16,
    pub(crate) seconds: u32,
}

/// What it says that it did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Told {
    /// Right answers, as far as it looks.
    pub(crate) answers: u64,
    pub(crate) seconds: f64,
}

/// In the order of the tables.
pub(crate) const ALL: [Tool; 9] = [
    bulkhead::TOOL,
    bulkhead::BURST,
    bulkhead::EXACT,
    wrk::TOOL,
    h2load::TOOL,
    oha::TOOL,
    vegeta::TOOL,
    ghz::TOOL,
    k6::TOOL,
];

impl Job<'_> {
    fn url(&self) -> String {
        url(self.scenario, self.port)
    }

    /// A file of this tool.
    fn file(&self, extension: &str) -> PathBuf {
        scratch(&format!("load-{}.{extension}", self.name))
    }

    /// Writes such a file.
    fn write(&self, extension: &str, text: &str) -> Result<PathBuf> {
        let path = self.file(extension);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    fn in_flight(&self) -> u32 {
        self.scenario.load.connections * self.scenario.load.streams
    }
}

/// Removes the account of an earlier run, so that none is read twice.
fn forget(path: &Path) {
    let _absent = fs::remove_file(path);
}

fn read_json(path: &Path) -> Result<Value> {
    parse_json(&fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?)
}

fn parse_json(text: &str) -> Result<Value> {
    serde_json::from_str(text).with_context(|| format!("read this as JSON: {text:.400}"))
}

/// A number of a document, by JSON pointer.
fn number(document: &Value, pointer: &str) -> Result<f64> {
    let value = document.pointer(pointer).and_then(Value::as_f64);
    value.with_context(|| format!("find {pointer}"))
}

/// Checks that all answers had this one status, and counts them.
fn only_status(counts: &Value, right: &str) -> Result<u64> {
    let counts = counts.as_object().context("read the counts by status")?;
    ensure!(counts.keys().all(|status| status == right), "wrong answers: {counts:?}");
    let answers = counts.get(right).and_then(Value::as_u64).unwrap_or(0);
    ensure!(answers > 0, "no right answer");
    Ok(answers)
}

#[cfg(test)]
mod tests;
