//! What ours says to the corpus.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use bulkhead_experiment::{Environment, Syntax, Variables, parse, within_tolerance};
use serde_json::{Map, Value, json};

/// An environment like that of the driver: what the fixtures name is there.
struct Here;

impl Environment for Here {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn is_executable(&self, path: &str) -> bool {
        crate::command::find_program(path).is_some()
    }
}

fn variables(case: &Value) -> Variables {
    let map = |key: &str| case.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
    Variables { configuration: map("configuration"), secrets: map("secrets") }
}

pub(super) fn tolerance(case: &Value) -> Value {
    let null = Value::Null;
    let get = |key: &str| case.get(key).unwrap_or(&null);
    json!(within_tolerance(get("tolerance"), get("value"), &variables(case)))
}

pub(super) fn substitution(case: &Value) -> Value {
    variables(case).substitute(case.get("data").unwrap_or(&Value::Null))
}

pub(super) fn valid(path: &Path) -> Result<bool> {
    let text = fs::read_to_string(path)?;
    let name = path.display().to_string();
    let syntax = Syntax::of(&name).context("a file of the corpus has another ending")?;
    Ok(parse(&text, &name, syntax, &Here).is_ok())
}

/// The journal of a run; null if there is none.
pub(super) fn journal(bulkhead: &Path, experiment: &Path, directory: &Path) -> Result<Value> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join("flag"), "")?;
    let _nothing_there = fs::remove_file(directory.join("journal.json"));
    let told = Command::new(bulkhead)
        .current_dir(directory)
        // What Chaos Toolkit does if nothing is said.
        .args(["chaos", "run"])
        .arg(experiment)
        .args(default_strategy(experiment)?)
        .output()
        .context("start bulkhead")?;
    fs::write(directory.join("log"), told.stderr)?;
    match fs::read_to_string(directory.join("journal.json")) {
        Ok(text) => serde_json::from_str(&text).context("read our journal"),
        Err(_) => Ok(Value::Null),
    }
}

/// Ours plays roll-backs unless it is told not to; Chaos Toolkit's own default is to be compared.
pub(super) fn default_strategy(experiment: &Path) -> Result<&'static [&'static str]> {
    let text = fs::read_to_string(experiment)?;
    let says = text.contains("rollbacks: {strategy:");
    Ok(if says { &[] } else { &["--rollback-strategy", "default"] })
}

/// What has to be equal of two journals: everything but times, texts of errors and what differs from run
/// to run.
pub(super) fn essence(journal: &Value) -> Value {
    let records = |list: &Value| -> Vec<Value> {
        list.as_array().into_iter().flatten().map(record).collect()
    };
    let state = |state: &Value| match state {
        Value::Null => Value::Null,
        state => json!({ "met": state["steady_state_met"], "probes": records(&state["probes"]) }),
    };
    let states = &journal["steady_states"];
    let during: Vec<Value> = states["during"].as_array().into_iter().flatten().map(state).collect();
    // How often it was looked depends on the machine; what was found does not.
    let mut found: Vec<String> = during.iter().map(Value::to_string).collect();
    found.sort();
    found.dedup();
    let mut run = records(&journal["run"]);
    // Two activities that are begun at once have no order.
    run.sort_by_key(Value::to_string);
    json!({
        "title": journal["experiment"]["title"],
        "status": journal["status"],
        "deviated": journal["deviated"],
        "before": state(&states["before"]),
        "after": state(&states["after"]),
        "during": found,
        "run": run,
        "rollbacks": records(&journal["rollbacks"]),
    })
}

fn record(record: &Value) -> Value {
    let mut output = record["output"].clone();
    if let Some(output) = output.as_object_mut() {
        // Names and dates of servers.
        output.remove("headers");
    }
    let mut kept = Map::new();
    for key in ["status", "tolerance_met"] {
        kept.insert(key.to_owned(), record.get(key).cloned().unwrap_or(Value::Null));
    }
    kept.insert("name".to_owned(), record["activity"]["name"].clone());
    kept.insert("output".to_owned(), output);
    Value::Object(kept)
}
