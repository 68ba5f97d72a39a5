//! The record of a run: machine, commit, versions and date, and a file for each scenario or table. A run
//! that leaves something out never becomes the repository's record of the day.

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
    /// Chooses the directory, notes machine, commit and versions, and prints them. To be called before
    /// anything is measured: the load average is then that of the others. `seconds`: of a measurement.
    pub(crate) fn begin(
        options: &Options,
        programs: &Programs,
        command: &str,
        seconds: u32,
    ) -> Result<Self> {
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
            "seconds": seconds,
            "command": command,
        });
        println!("\nMachine: {}\nVersions: {}\n", common["machine"], common["versions"]);
        Ok(Self { directory, date, common })
    }

    /// The day of the run.
    pub(crate) fn date(&self) -> &str {
        &self.date
    }

    /// Writes `DATE-NAME.json` with what the scenario is and what came of it.
    pub(crate) fn write_scenario(&self, scenario: &Scenario, peers: Vec<Value>) -> Result<()> {
        let what = json!({
            "scenario": {
                "name": scenario.name,
                "title": scenario.title,
                "connections": scenario.load.connections,
                "streams": scenario.load.streams,
                "requests_per_second": scenario.load.rate,
                "jwt": scenario.jwt,
            },
            "peers": peers,
        });
        self.write(scenario.name, what)
    }

    /// Writes `DATE-NAME.json`: the members of `what` beside those that all have, or in their place.
    pub(crate) fn write(&self, name: &str, what: Value) -> Result<()> {
        let mut document = self.common.clone();
        if let (Value::Object(all), Value::Object(what)) = (&mut document, what) {
            all.extend(what);
        }
        let path = self.directory.join(format!("{}-{name}.json", self.date));
        let text = serde_json::to_string_pretty(&document)? + "\n";
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    }
}
