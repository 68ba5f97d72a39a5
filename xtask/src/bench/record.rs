//! The record of a run: machine, commit, versions and date, and a file for each scenario. A run that
//! leaves something out never becomes the repository's record of the day.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::install::Programs;
use super::machine;
use super::options::Options;
use super::scenarios::Scenario;
use crate::command::{root, target_directory};

/// Where results go, and what they have in common.
pub(crate) struct Record {
    directory: PathBuf,
    date: String,
    common: Value,
}

impl Record {
    /// Chooses the directory, notes machine, commit and versions, and prints them.
    pub(crate) fn begin(options: &Options, programs: &Programs, command: &str) -> Result<Self> {
        let directory = if options.is_whole() {
            root().join("bench/results")
        } else {
            target_directory().join("bench/results")
        };
        fs::create_dir_all(&directory).context("create the directory of results")?;
        let date = machine::date();
        let common = json!({
            "date": date,
            "commit": machine::commit(),
            "machine": machine::describe(),
            "load_average": machine::load_average(),
            "versions": programs.versions(),
            "rounds": options.rounds,
            "seconds": options.seconds,
            "command": command,
        });
        println!("\nMachine: {}\nVersions: {}\n", common["machine"], common["versions"]);
        Ok(Self { directory, date, common })
    }

    /// The day of the run.
    pub(crate) fn date(&self) -> &str {
        &self.date
    }

    /// Writes `DATE-NAME.json`.
    pub(crate) fn write(&self, name: &str, scenario: &Scenario, peers: Vec<Value>) -> Result<()> {
        let mut document = self.common.clone();
        document["scenario"] = json!({
            "name": scenario.name,
            "title": scenario.title,
            "connections": scenario.load.connections,
            "streams": scenario.load.streams,
            "requests_per_second": scenario.load.rate,
            "jwt": scenario.jwt,
        });
        document["peers"] = Value::Array(peers);
        let path = self.directory.join(format!("{}-{name}.json", self.date));
        let text = serde_json::to_string_pretty(&document)? + "\n";
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    }
}
